"""What ``codesign simulate`` says of its figures, with their denominators."""

from typing import Any

from codesign.cli.options import console

# Of many decisions that differ, the first few say enough; samples.parquet has them all.
_NAMED = 20


def describe(figures: dict[str, Any]) -> None:
    """The headline figures, with their denominators."""
    console.print(f"samples: {figures['samples_ok']} of {figures['samples_total']} ran to the end")
    if "judge_verdict" in figures:
        console.print(judge_line(figures), markup=False)
    if not figures["samples_ok"]:
        return
    if figures["twin"] != "ideal":
        console.print(twin_line(figures), markup=False)
    low, high = figures["vote_agreement_interval"]
    console.print(
        f"decisions equal to the twin's: {figures['decisions_agreeing']} of "
        f"{figures['samples_ok']} (95 % interval {100 * low:.1f} to {100 * high:.1f} %), "
        f"{len(figures['near_ties'])} near-ties"
    )
    for item in figures["differing"][:_NAMED]:
        where = item["clip_id"] + (
            "" if item["chip_index"] is None else f", chip {item['chip_index']}"
        )
        console.print(f"  differs: {where}: {item['explanation']}", markup=False)
    left = figures["samples_ok"] - figures["decisions_agreeing"] - _NAMED
    if left > 0:
        console.print(f"  and {left} more, in samples.parquet")
    if "chips" in figures:
        console.print(
            f"chips: {figures['chips_all_decisions_agreeing']} of {figures['chips']} decide as the "
            f"twin on every clip; accuracy of a chip {100 * figures['accuracy_chip_mean']:.1f} % "
            f"mean, {100 * figures['accuracy_chip_p5']:.1f} % 5th percentile, "
            f"{100 * figures['accuracy_chip_min']:.1f} % least"
        )
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
    console.print(
        f"accuracy on these clips: {100 * figures['chip_accuracy']:.1f} % transistors, "
        f"{100 * figures['twin_accuracy']:.1f} % software"
    )
    console.print(
        f"mean power {figures['mean_power_w'] * 1e9:.1f} nW: recurrent cells "
        f"{figures['mean_power_cells_w'] * 1e9:.1f}, feed-forward "
        f"{figures['mean_power_feedforward_w'] * 1e9:.1f}, bias "
        f"{figures['mean_power_bias_w'] * 1e9:.1f}" + _strobe_part(figures)
    )


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
