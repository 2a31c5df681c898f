"""What ``codesign simulate`` says of its figures, with their denominators."""

from pathlib import Path
from typing import Any

from codesign.cli.noise_options import noise_judge_line
from codesign.cli.options import console
from codesign.report.mismatch.data import mismatch_file

# Of many decisions that differ, the first few say enough; samples.parquet has them all.
_NAMED = 20


def describe(figures: dict[str, Any]) -> None:
    """The headline figures, with their denominators."""
    console.print(samples_line(figures), markup=False)
    if "judge_verdict" in figures:
        console.print(judge_line(figures), markup=False)
    if not figures["samples_ok"]:
        return
    if figures["twin"] != "ideal":
        console.print(twin_line(figures), markup=False)
    if "yield_chips" in figures:
        for line in population_lines(figures):
            console.print(line, markup=False)
    low, high = figures["vote_agreement_interval"]
    console.print(
        f"decisions equal to the twin's: {figures['decisions_agreeing']} of "
        f"{figures['samples_ok']} (95 % interval {100 * low:.1f} to {100 * high:.1f} %), "
        f"{len(figures['near_ties'])} near-ties"
    )
    if "yield_chips" not in figures:  # those of chips are in votes_lost.parquet and on the page
        _differing(figures)
    changed = figures["state_agreement_changed"]
    console.print(
        f"states equal: {100 * figures['state_agreement']:.3f} % of {figures['state_count']}"
        + (
            f", {100 * changed:.2f} % of the {figures['state_changed_count']} that change"
            if changed is not None
            else ""
        )
    )
    console.print(causes_line(figures))
    if "suppression_ratio_median" in figures:
        console.print(
            f"error suppression at the cells: {figures['suppression_ratio_median']:.3g} times "
            f"(median) with input noise of {figures['suppression_sigma_units']:g} units"
        )
    console.print(accuracy_line(figures))
    console.print(
        f"mean power {figures['mean_power_w'] * 1e9:.1f} nW: recurrent cells "
        f"{figures['mean_power_cells_w'] * 1e9:.1f}, feed-forward "
        f"{figures['mean_power_feedforward_w'] * 1e9:.1f}, bias "
        f"{figures['mean_power_bias_w'] * 1e9:.1f}" + _strobe_part(figures)
    )


def describe_page(figures: dict[str, Any], index: Path) -> None:
    """Where the page of a plan of chips is, and what the call took."""
    if "yield_chips" not in figures:
        return
    line = f"time: {figures['wall_s']:.0f} s for this call"
    if figures.get("seconds_per_sample") is not None:
        line += f", {figures['seconds_per_sample']:.3g} s per sample"
    memory = figures.get("peak_memory_bytes") or figures.get("peak_memory_sample_bytes")
    if memory:
        line += f", at most {memory / 2**20:.0f} MiB of memory"
    console.print(line)
    page = index.with_name(mismatch_file(figures["plan"]))
    console.print(f"page: {page}", markup=False, soft_wrap=True)


def samples_line(figures: dict[str, Any]) -> str:
    """How many samples ended well, and how the others ended."""
    line = f"samples: {figures['samples_ok']} of {figures['samples_total']} ran to the end"
    if figures.get("failures"):
        ended = ", ".join(f"{n} {status}" for status, n in figures["failures"].items())
        line += f"; {ended}: see samples.parquet and logs/"
    return line


def population_lines(figures: dict[str, Any]) -> list[str]:
    """Yield, votes beyond the spread and the worst chip, with their denominators."""
    specs = figures["yield_by_spec"]
    passed = _share(figures["yield_count"], figures["yield_chips"], figures["yield_interval"])
    lines = [f"yield: {passed} chips meet all specifications"]
    if figures["chips_with_failed_samples"]:
        lines[0] += f"; {figures['chips_with_failed_samples']} with failed samples do not"
    if figures["chips_partial"]:
        lines[0] += f"; {figures['chips_partial']} with part of their samples are left out"
    lines += [
        f"  {name}: {_share(row['passed'], row['chips'], row['interval'])}"
        for name, row in specs.items()
    ]
    lines.append(
        "votes kept where the margin exceeds its spread over chips "
        f"({figures['margin_spread_sigmas']:g} sigma): "
        + _share(
            figures["votes_kept_beyond_spread_count"], figures["pairs_beyond_spread"],
            figures["votes_kept_beyond_spread_interval"],
        )
        + f"; within it: {figures['votes_kept_within_spread_count']} of "
        f"{figures['pairs_within_spread']}"
    )  # fmt: skip
    worst = figures["worst_chip"]
    if worst is not None:
        corner = f" at {worst['corner']}" if len(figures["corners"]) > 1 else ""
        lines.append(
            f"worst chip: {worst['chip']}{corner}: {worst['decisions_agreeing']} of "
            f"{worst['samples']} decisions as the twin, least margin "
            f"{worst['margin_least_units']:.2f} units on {worst['margin_least_clip']}"
        )
    return lines


def accuracy_line(figures: dict[str, Any]) -> str:
    """Accuracy of transistors and software on the same clips; of chips also how it varies."""
    line = (
        f"accuracy on these clips: {100 * figures['chip_accuracy']:.1f} % transistors, "
        f"{100 * figures['twin_accuracy']:.1f} % software"
    )
    if "chips" not in figures:
        return line
    return (
        f"{line}; of {figures['chips']} chips {100 * figures['accuracy_chip_p5']:.1f} % at the 5th "
        f"percentile, {100 * figures['accuracy_chip_min']:.1f} % at least"
    )


def _share(part: int, whole: int, interval: list[float] | None) -> str:
    if not whole or interval is None:
        return f"{part} of {whole}"
    low, high = interval
    return (
        f"{part} of {whole} ({_percent(part / whole)} %, 95 % interval {_percent(low)} to "
        f"{_percent(high)} %)"
    )


def _differing(figures: dict[str, Any]) -> None:
    for item in figures["differing"][:_NAMED]:
        console.print(f"  differs: {item['clip_id']}: {item['explanation']}", markup=False)
    left = figures["samples_ok"] - figures["decisions_agreeing"] - _NAMED
    if left > 0:
        console.print(f"  and {left} more, in samples.parquet")


def causes_line(figures: dict[str, Any]) -> str:
    """Why states differ, in one line."""
    total, seen = (figures[f"root_disagreements{end}"] for end in ("", "_with_waveform"))
    if not total:
        return "disagreements: none"
    named = ", ".join(f"{n} {name}" for name, n in figures["root_causes"].items())
    return f"disagreements began at {total} states: {named}; {seen} of them seen in a waveform"


def _strobe_part(figures: dict[str, Any]) -> str:
    """The strobe generator's power, and whether it was in the simulation."""
    if figures["strobe"] is None:
        return ""
    simulated = figures["strobe"] == "generator" and figures["engine"] == "ngspice"
    how = "simulated" if simulated else "measured by itself"
    return f", strobe generator {figures['mean_power_strobe_w'] * 1e9:.2f} ({how})"


def twin_line(figures: dict[str, Any]) -> str:
    """Whom the transistors were compared with, if not with the equations, and what it foretold."""
    if "ideal_disagreements" not in figures:
        return f"twin: {figures['twin']}"
    return (
        f"twin: {figures['twin']}; it predicts {figures['ideal_disagreements_predicted']} of "
        f"{figures['ideal_disagreements']} states in which the ideal twin and the transistors "
        f"differ, with {figures['false_alarms']} false alarms"
    )


def judge_line(figures: dict[str, Any]) -> str:
    """What ngspice said of a batched run, in one line."""
    if figures.get("noise_judge_samples"):
        return noise_judge_line(figures)
    if figures["judge_verdict"] == "skipped":
        return "judge: NOT RUN (--judge 0): nothing here was checked against ngspice"
    if not figures.get("judge_samples_compared"):
        return f"judge: FAIL: {'; '.join(figures['judge_reasons'])}"
    return (
        f"judge: {figures['judge_verdict'].upper()}: {figures['judge_samples_compared']} of "
        f"{figures['judge_samples']} samples compared with ngspice: candidates within "
        f"{100 * figures['judge_candidate_error_rms_relative']:.3f} % rms, "
        f"{figures['judge_states_differing']} of {figures['judge_states_compared']} states differ "
        f"({figures['judge_states_marginal']} marginal), "
        f"{figures['judge_decisions_differing']} decisions, power within "
        f"{100 * figures['judge_power_error_relative_max']:.3f} %"
    )


def _percent(part: float) -> str:
    """A part in per cent; as many digits as it takes to tell it from all."""
    text = f"{100 * part:.1f}"
    return f"{100 * part:.3f}" if text == "100.0" and part < 1 else text
