"""The page put together: verdict, pictures, the viewer of disagreements, tables."""

from codesign.report.agreement import course, figures, tables
from codesign.report.agreement.data import Disagreements, load_disagreements
from codesign.report.agreement.roots import payload
from codesign.report.agreement.verdict import agreement_verdict
from codesign.report.page import Figure, Section, Table
from codesign.report.rundata import RunData
from codesign.report.sections.verdict import Verdict
from codesign.report.style import count, number


def agreement_page(data: RunData) -> tuple[Verdict, list[Section]] | None:
    """Verdict and sections; None where a simulation does not explain its disagreements."""
    found = load_disagreements(data)
    if found is None:
        return None
    sections = [
        _disagreements(data, found),
        _why(data, found),
        _errors(data, found),
        _suppression(found),
        Section("units", "Units and samples", "", tables=(
            tables.units_table(found), tables.clips_table(data, found),
        )),
    ]  # fmt: skip
    return agreement_verdict(found), [section for section in sections if section is not None]


def _given(*items: Figure | None) -> tuple[Figure, ...]:
    return tuple(item for item in items if item is not None)


def _disagreements(data: RunData, found: Disagreements) -> Section:
    if found.roots.empty:
        lead = "No state of any sample differs from the twin's: there is nothing to explain."
        return Section("disagreements", "Disagreements", lead)
    packed = payload(data, found)
    left = packed["left_out"]
    notes: tuple[str, ...] = ()
    if left:
        notes = (
            f"{count(left)} of {count(len(found.roots))} disagreements, those with the fewest "
            "consequences, are left out of the viewer to keep the page small; their waveforms are "
            "in root_waves.parquet.",
        )
    return Section(
        key="disagreements",
        title="Disagreements",
        lead="Every state that differs follows from one that began it. Choose a place in the map "
        "or a row of the table to see the cell's waveform in that frame: what it saw, when it "
        "looked, what it did.",
        figures=(figures.place_map(found),),
        roots=packed,
        tables=(tables.roots_table(found, {root["n"] for root in packed["roots"]}),),
        notes=notes,
    )


def _why(data: RunData, found: Disagreements) -> Section | None:
    if found.roots.empty:
        return None
    pictures = _given(
        figures.causes(found), course.first_divergences(found), course.examples(data, found)
    )
    return Section("causes", "Causes", "", figures=pictures, tables=(tables.causes_table(found),))


def _errors(data: RunData, found: Disagreements) -> Section:
    s = found.sim.summary
    return Section(
        key="errors",
        title="Errors of candidates and logits",
        lead=f"Where the states below agree, candidates are off by "
        f"{number(s.get('candidate_error_rms_units_same_states_below'), 2)} units rms.",
        figures=_given(
            figures.candidate_errors(data, found),
            figures.logits(data, found),
            figures.room(data, found),
        ),
        tables=(tables.fits_table(data, found),),
    )


def _suppression(found: Disagreements) -> Section | None:
    table: Table | None = tables.suppression_table(found)
    if table is None:
        return None
    s = found.sim.summary
    static = s.get("suppression_static_ratio")
    return Section(
        key="suppression",
        title="Error suppression at the cells",
        lead="Noise of known size on the inputs, the same transistors without it as the reference: "
        "what a cell lets through while it decides the same, and where it no longer does.",
        figures=tuple(course.suppression(found)),
        tables=(table,),
        notes=(
            f"Static, against the twin: candidates are {number(static, 2)} times as far off as "
            "states, rms, where states agree.",
        ),
    )
