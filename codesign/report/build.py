"""Assembling the page: read the run, let each section speak, fill the templates, write one file."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from codesign.files import write_text
from codesign.report.agreement import agreement_page
from codesign.report.load import load_run
from codesign.report.mismatch import mismatch_pages
from codesign.report.noise import noise_pages
from codesign.report.page import Section
from codesign.report.rundata import RunData
from codesign.report.sections.agreement import agreement_section
from codesign.report.sections.cell import cell_section
from codesign.report.sections.confusion import confusion_section
from codesign.report.sections.engine import engine_section
from codesign.report.sections.mapping import mapping_section
from codesign.report.sections.power import power_section
from codesign.report.sections.provenance import provenance_section
from codesign.report.sections.pvt import pvt_section
from codesign.report.sections.ranges import ranges_section
from codesign.report.sections.samples import samples_section
from codesign.report.sections.strategies import strategies_section
from codesign.report.sections.strobe import strobe_section
from codesign.report.sections.training import training_section
from codesign.report.sections.verdict import Verdict, verdict
from codesign.report.sections.waves import waves_section
from codesign.report.style import number, palette_css, quantity
from codesign.report.training import training_page
from codesign.runs import Run

_SECTIONS = (
    cell_section,
    waves_section,
    power_section,
    strobe_section,
    agreement_section,
    pvt_section,
    engine_section,
    confusion_section,
    training_section,
    mapping_section,
    strategies_section,
    ranges_section,
    samples_section,
    provenance_section,
)
# Before there are transistors to compare, how the network was learned comes first.
_SOFTWARE_FIRST = (
    pvt_section,
    engine_section,
    training_section,
    confusion_section,
    mapping_section,
    strategies_section,
    ranges_section,
    provenance_section,
)


_CELLS = {
    "fq_bmru": "FQ-BMRU", "bmru": "BMRU", "cmru": "CMRU", "alpha_cmru": "αCMRU",
    "mingru": "minGRU", "deep_mingru": "deep minGRU", "lru": "LRU", "gru": "GRU", "brc": "BRC",
    "nbrc": "nBRC",
}  # fmt: skip


@dataclass(frozen=True)
class Other:
    """A page beside the first: ``file``, the ``word`` by which pages link it, head and sections."""

    file: str
    word: str
    head: Verdict
    sections: Sequence[Section]


def build_report(run: Run, plan: str = "nominal") -> Path:
    """Write report/index.html from whatever stages of ``run`` exist, and return its path.

    A run that was trained here has training.html beside it, a simulation that explains its
    disagreements agreement.html, a plan of chips mismatch.html, one with device noise noise.html;
    they link one another.

    ``plan`` names the simulation plan whose results are shown. The same files give the same
    bytes. Raises InputError for missing or damaged files, naming the command that makes them.
    """
    data = load_run(run, plan)
    path = run.report_dir / "index.html"
    others = _other_pages(data)
    links = [(other.file, other.word) for other in others]
    write_text(path, render_page(data, links))
    for other in others:
        title = f"{data.flow.name}: {other.word}"
        beside = [link for link in links if link[0] != other.file]
        page = render_document(
            title, _facts(data), other.head, other.sections, back="index.html", links=beside
        )
        write_text(path.with_name(other.file), page)
    # Pages of what is no longer there would be of another run.
    written = {other.file for other in others}
    for pattern in ("training.html", "agreement.html", "mismatch*.html", "noise*.html"):
        for stale in run.report_dir.glob(pattern):
            if stale.name not in written:
                stale.unlink()
    return path


def _other_pages(data: RunData) -> list[Other]:
    """Every page beside the first that this run has something for."""
    found = []
    for word, page in (("training", training_page(data)), ("agreement", agreement_page(data))):
        if page is not None:
            found.append(Other(f"{word}.html", word, *page))
    for file, plan, head, sections in mismatch_pages(data):
        scale = plan.removeprefix("mc").strip("_")
        found.append(Other(file, f"mismatch {scale}".strip().replace("_", " "), head, sections))
    for file, plan, head, sections in noise_pages(data):
        word = "noise" if plan == "noise" else f"noise {plan}".replace("_", " ")
        found.append(Other(file, word, head, sections))
    return found


def render_page(data: RunData, links: Sequence[tuple[str, str]] = ()) -> str:
    """The page of a run as one self-contained HTML document; ``links``: pages beside it."""
    order = _SECTIONS if data.simulation is not None else _SOFTWARE_FIRST
    sections = [section for make in order if (section := make(data)) is not None]
    facts = _facts(data)
    return render_document(
        data.flow.name, facts, verdict(data), sections, data.notices, links=links
    )


def render_document(
    name: str,
    facts: Sequence[str],
    head: Verdict,
    sections: Sequence[Section],
    notices: Sequence[str] = (),
    back: str | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """A page of the house: title and facts, the verdict row, then sections; ``back`` is the page
    it belongs to, ``links`` are (file, word) of the pages beside it."""
    scripts = [_asset("theme.js"), _asset("report.js")]
    if any(section.waves for section in sections):
        scripts.append(_script("ticks", "zoom", "waves_data", "waves_draw", "waves_controls"))
    if any(section.roots for section in sections):
        scripts.append(_script("ticks", "roots_draw", "roots_controls"))
    if any(section.course for section in sections):
        scripts.append(_script("ticks", "zoom", "course_draw", "course_controls"))
    template = _environment().get_template("index.html.j2")
    return template.render(
        name=name,
        facts=facts,
        verdict=head,
        notices=notices,
        back=back,
        links=links,
        sections=sections,
        # Trusted: files of this package, and colours from codesign.report.style.
        style=Markup(palette_css() + _asset("report.css")),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        script_hashes=" ".join(f"'sha256-{_digest(script)}'" for script in scripts),
    )


def script_json(value: Any) -> Markup:
    """JSON that is safe inside a script element: no ``<``, ``>`` or ``&`` survives."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - cannot close its element


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("codesign.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["script_json"] = script_json
    return environment


def _asset(name: str) -> str:
    return (files("codesign.report") / "templates" / name).read_text(encoding="utf-8")


def _script(*parts: str) -> str:
    """Parts of a script as one, with names of their own."""
    joined = "\n".join(_asset(f"{part}.js") for part in parts)
    return f'"use strict";\n(() => {{\n{joined}}})();\n'


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _cell(model: dict[str, Any]) -> str:
    """The cell's name as the literature writes it."""
    name = str(model.get("cell", "fq_bmru"))
    return _CELLS.get(name, name.replace("_", " "))


def _facts(data: RunData) -> list[str]:
    """What this run is, in the order a reader asks."""
    model, hardware = data.model, data.hardware
    described = (data.metrics.get("task") or {}).get("description")
    task = data.flow.task.name.replace("_", " ")
    shape = f"d = {model.get('state_dim')}, {model.get('layers')} recurrent layers"
    facts = [
        str(described) if described else f"{task}, {model.get('classes')} classes",
        f"{_cell(model)} network, {shape}",
    ]
    if data.design is None:
        return facts
    facts.append(
        f"{hardware['pdk']} {hardware['corner']}, {number(hardware['supply_v'], 2)}\u00a0V, "
        f"{number(hardware['temperature_c'], 2)}\u00a0°C"
    )
    unit = quantity(hardware["unit_current_a"], "A")
    facts.append(f"{hardware['cell']} cell, unit current {unit}")
    return facts
