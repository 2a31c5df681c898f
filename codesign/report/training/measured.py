"""Where the figures of the page come from."""

from codesign.report.page import Section
from codesign.report.style import count
from codesign.report.training.data import Learned


def section(learned: Learned) -> Section:
    """What was measured on what, in which files."""
    run = learned.data.run
    notes = [
        "Curves are from history.parquet, starts and scores from metrics.json, parameters from "
        "model.safetensors.",
    ]
    evidence = learned.evidence
    if evidence is None:
        notes.append(
            "The run holds no test clips or no weights, so decisions clip by clip, states, "
            "distances from thresholds and the use of memory are not known."
        )
    else:
        facts = evidence.facts
        kept = "evidence/ holds" if run.evidence_dir.is_dir() else "measured for this page were"
        notes.append(
            f"Decisions, states and distances: {kept} what the kept network does on "
            f"{count(facts['clips'])} test clips of {count(facts['frames'])} frames, by the "
            "deployed equations (leak 0, weights on the grid, no noise)."
        )
        if learned.thresholds is None:
            notes.append(
                "This cell has no thresholds that a state stays between: distances from them, "
                "windows and the use of memory by unit do not apply."
            )
        if learned.score("memoryless") is None:
            notes.append(
                "The weights of a control without memory are not in this run, so it is compared "
                "by its score alone, if at all."
            )
    return Section("measured", "How it was measured", "", notes=tuple(notes))
