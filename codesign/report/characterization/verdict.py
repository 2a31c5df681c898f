"""The head of the page: what a weight and a cell miss by, against the targets."""

from codesign.device.characterization_files import Stored
from codesign.report.page import Card, Status
from codesign.report.sections.verdict import Verdict
from codesign.report.style import MISSING, fixed, is_number, split_quantity

_CARDS = (
    ("weight_error_rms_nominal", "Weights at nominal", "rms over every ratio and destination"),
    ("weight_error_worst_over_temperature", "Weights, −20 to 85 °C", "worst, trims as at nominal"),
    ("cell_error_rms", "Programmed cells", "rms of thresholds, widths and gains, as drawn"),
    ("cell_error_worst", "Programmed cells, worst", "of thresholds, widths and gains, as drawn"),
)


def characterization_verdict(stored: Stored) -> Verdict:
    """Four judged cards, then what has no target."""
    targets, figures = stored.facts["targets"], stored.facts["figures"]
    cards = [
        Card(
            label, fixed(100 * targets[key]["value"], 3), "%", detail,
            f"at most {100 * targets[key]['limit']:g} %", _status(bool(targets[key]["met"])),
        )
        for key, label, detail in _CARDS
    ]  # fmt: skip
    low, high = figures["range_low_a"], figures["range_high_a"]
    causes = stored.facts["range_causes"]
    outside = bool(stored.facts["outside_range"])
    cards += [
        Card(
            "Currents the devices support",
            _plain(low),
            f"to {_plain(high)}",
            f"ended by {causes['low']} below and by {causes['high']} above",
            "unit and bias currents inside",
            _status(not outside),
        ),
        _info("Time constant of a line", figures.get("pmos_line_tau_s"), "s",
              "P line, eight unit devices with 32 readers, at the unit current or nearest to it"),
        Card(
            "Cell threshold spread", fixed(100 * figures["cell_beta_hi_sigma"], 2), "%",
            "sigma of beta hi, first order with the process's law", "", "info",
        ),
        _info("Leakage of a unit weight", _leak(figures, stored), "A",
              "NMOS, gate off, drain at the supply"),
    ]  # fmt: skip
    missed = [target["of"] for target in targets.values() if not target["met"]]
    judged = len(targets) + 1
    failed = len(missed) + outside
    word = f"{failed} of {judged} targets missed" if failed else "All targets met"
    cells = int(figures["cells_programmed"])
    sentence = (
        f"A weight is right to {fixed(100 * figures['weight_error_rms_nominal'], 2)} % rms and a "
        f"programmed cell to {fixed(100 * figures['cell_error_rms'], 2)} % ({cells} cells measured "
        "with the mirrors they are drawn with)."
    )
    return Verdict(sentence, failed == 0, word, tuple(cards))


def _status(met: bool) -> Status:
    return "met" if met else "missed"


def _info(label: str, value: object, unit: str, detail: str) -> Card:
    shown, letter = split_quantity(value, unit) if is_number(value) else (MISSING, "")
    return Card(label, shown, letter, detail, "", "info")


def _plain(value: float) -> str:
    shown, unit = split_quantity(value, "A", 2)
    return f"{shown} {unit}"


def _leak(figures: dict[str, float], stored: Stored) -> float | None:
    temperature = f"{stored.facts['conditions']['hardware']['temperature_c']:g}c"
    return figures.get(f"leakage_nmos_unit_{temperature}_a".replace("-", "minus_"))
