"""The page as a whole: every stage, every fault, every hostile name."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from codesign.circuit.timing import SAMPLE
from codesign.cli.report import command
from codesign.errors import InputError
from codesign.mapping.exported import SCHEMA, load_exported
from codesign.report import build_report
from codesign.report.load import load_run
from codesign.report.sections.verdict import verdict
from codesign.report.style import NBSP, percent, quantity
from codesign.runs import Run
from codesign.simulation.plan import design_digest
from tests.report.fake_run import Fake, make_run
from tests.report.pages import Page

HOSTILE = "<script>alert('x')</script>"


def page_of(run: Run) -> tuple[str, Page]:
    html = build_report(run).read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("full") / "run")


@pytest.fixture(scope="module")
def html(full: Run) -> str:
    return build_report(full).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.mark.parametrize(
    ("stage", "sections", "absent"),
    [
        ("training", ["training", "confusion", "provenance"], ["mapping", "agreement", "waves"]),
        ("design", ["training", "mapping", "provenance"], ["agreement", "waves", "power"]),
        (
            "simulation",
            ["cell", "waves", "power", "agreement", "confusion", "training", "mapping", "samples"],
            [],
        ),
    ],
)
def test_every_stage_has_a_page(
    tmp_path: Path, stage: str, sections: list[str], absent: list[str]
) -> None:
    html, page = page_of(make_run(tmp_path / "run", stage))
    ids = [element.attributes.get("id") for element in page.all("section")]
    assert set(sections) <= set(ids)
    assert not set(absent) & set(ids)
    hrefs = [a.attributes["href"] for a in page.all("a")]
    assert {f"#{section}" for section in sections} <= set(hrefs)
    next_step = {"training": "codesign export-netlist", "design": "codesign simulate"}
    for name, advice in next_step.items():
        assert (advice in page.text("verdict")) == (name == stage)
    assert len(html) < 6_000_000


def test_it_needs_no_network(html: str, page: Page) -> None:
    for element in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = element.attributes.get(name) or "#"
            # Pages beside this one are links to click, in the same folder.
            beside = name == "href" and re.fullmatch(r"[a-z0-9_]+\.html", value)
            assert beside or value.startswith(("#", "data:")), (element.tag, name, value)
    # The namespace of SVG is a name that scripts must give, not an address that is fetched.
    text = html.replace('"http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_only_its_own_scripts_may_run(page: Page) -> None:
    (policy,) = [
        str(meta.attributes["content"])
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    scripts = [s for s in page.all("script") if s.attributes.get("type") != "application/json"]
    assert len(scripts) == 3
    for script in scripts:
        digest = hashlib.sha256("".join(script.text).encode()).digest()
        assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert not [k for e in page.elements for k in e.attributes if k.startswith("on")]


def test_the_figures_are_those_of_the_summary(full: Run, page: Page) -> None:
    summary = json.loads((full.sim_dir() / "summary.json").read_text())
    verdict = page.text("verdict").replace(NBSP, " ")
    for expected in (
        f"{summary['decisions_agreeing']} of {summary['samples_ok']} clips",
        percent(summary["vote_agreement"]),
        percent(summary["state_agreement"], 2).replace(NBSP, " "),
        f"of {summary['state_count']} (unit, frame) pairs",
        percent(summary["state_agreement_changed"], 2).replace(NBSP, " "),
        f"of {summary['state_changed_count']} pairs",
        "−1.4 points",
        quantity(summary["mean_power_w"], "W"),
        quantity(summary["mean_power_cells_w"], "W"),
        quantity(summary["mean_power_feedforward_w"], "W"),
        quantity(summary["mean_power_bias_w"], "W"),
        f"{summary['parameter_rows']} of {summary['parameters_learned']} learned",
        f"{summary['samples_failed']} of {summary['samples_total']}",
    ):
        assert expected.replace(NBSP, " ") in verdict, expected
    listed = page.text("provenance")
    for key in summary:
        assert key in listed


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({}, True),
        ({"decisions_differing_not_near_tie": 1}, False),
        ({"min_agreement": 0.99, "vote_agreement": 0.98}, False),
        ({"state_agreement": 0.9899}, False),
        ({"accuracy_difference_points": -2.01}, False),
        ({"accuracy_difference_points": 2.0}, True),
        ({"parameter_rows": 1}, False),
        ({"samples_failed": 1}, False),
    ],
)
def test_targets(tmp_path: Path, change: dict[str, Any], met: bool) -> None:
    good = {"decisions_differing_not_near_tie": 0, "state_agreement": 0.9931,
            "samples_failed": 0, "accuracy_difference_points": 0.5}  # fmt: skip
    fake = Fake(clips=3, differing=(), failed=(), waves=False, extra=good | change)
    found = verdict(load_run(make_run(tmp_path / "run", fake=fake)))
    assert found.passed == met
    assert found.word == ("All targets met" if met else "1 of 5 targets missed")
    assert {card.word for card in found.cards} <= {"met", "missed", "no target"}


def test_failed_samples_are_shown(page: Page) -> None:
    text = page.text("samples")
    assert "Failed: 1 of 8" in text
    assert "no convergence" in text
    assert "timestep too small at t = 43.1 ms" in text
    assert "sim/nominal/logs/sample-00007.log" in text


def test_disagreements_are_listed_with_their_explanation(page: Page) -> None:
    text = page.text("agreement")
    assert "Decisions that differ: 1 of 7" in text
    assert "state of layer 1 unit 2 differs from frame 5 on" in text
    assert "Near-ties, twin margin below 0.1 units: 1 of 7" in text


def test_published_figures_carry_their_limits(page: Page) -> None:
    text = page.text("power")
    assert "arXiv:2605.15216" in text
    assert "schematic level, core only, no bias generator, no front end" in text


def test_waves_are_embedded_and_have_a_picture_without_scripts(html: str, page: Page) -> None:
    payload = json.loads("".join(page.by_id("waves-data").text))
    assert payload["clips"][0]["sample"] == 2
    assert payload["classes"] == ["0", "1", "2", "3"]
    assert payload["sample_at"] == SAMPLE
    assert len(payload["strobes"]) == 2
    clip = payload["clips"][0]
    assert {"candidate.l0.u0_a", "state.l1.u3_a", "logit.c3_a", "power.bias_w"} <= set(
        clip["traces"]
    )
    for name, (low, high, packed) in clip["traces"].items():
        assert low <= high
        per_bin = 1 if name.startswith("power") else 2
        assert len(base64.b64decode(packed)) == 2 * per_bin * clip["bins"]
    assert 'aria-label="Waveforms of one clip, transistors over twin"' in html


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    names = (HOSTILE, "</script><img src=x onerror=alert(1)>", '"><b>', "$\\frac{")
    run = make_run(tmp_path / "run", fake=Fake(class_names=names))
    table = pd.read_parquet(run.sim_dir() / "samples.parquet")
    for column in ("clip_id", "message", "explanation", "log"):
        table[column] = HOSTILE
    table["clip_id"] = [f"{HOSTILE}</script>{n}" for n in range(len(table))]
    table.to_parquet(run.sim_dir() / "samples.parquet")
    provenance = json.loads(run.provenance_file.read_text())
    provenance["host"] = HOSTILE + "\ud800"
    provenance[HOSTILE] = HOSTILE
    run.provenance_file.write_text(json.dumps(provenance))
    mapping = pd.read_csv(run.design_dir / "mapping.csv")
    mapping["instance"] = HOSTILE
    mapping["note"] = HOSTILE
    mapping.to_csv(run.design_dir / "mapping.csv", index=False)

    html, page = page_of(run)
    assert len(page.all("script")) == 4  # three of the package, one of data
    assert not page.all("img")
    assert not [k for e in page.elements for k in e.attributes if k.startswith("on")]
    assert HOSTILE not in html
    assert HOSTILE in page.text("samples")
    assert HOSTILE in [cell.attributes.get("title") for cell in page.all("th")]
    assert HOSTILE in page.text("mapping")
    payload = json.loads("".join(page.by_id("waves-data").text))
    assert payload["classes"] == list(names)


def test_same_files_same_bytes(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one" / "run"), make_run(tmp_path / "two" / "run")
    assert build_report(first).read_bytes() == build_report(second).read_bytes()


def test_values_may_be_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for name in ("states", "logits", "samples"):
        path = run.sim_dir() / f"{name}.parquet"
        table = pd.read_parquet(path)
        for column in table.columns:
            if table[column].dtype == float:
                table.loc[table.index[::2], column] = float("nan")
        table.to_parquet(path)
    waves = run.sim_dir() / "waves" / "sample-00002.parquet"
    table = pd.read_parquet(waves)
    table.loc[10:50, table.columns[1:]] = float("nan")
    table.to_parquet(waves)
    (run.sim_dir() / "summary.json").write_text("{}")
    metrics = json.loads(run.metrics_file.read_text())
    run.metrics_file.write_text(json.dumps({"class_names": metrics["class_names"]}))
    html, page = page_of(run)
    assert "nan" not in page.text("verdict").lower()
    assert "None" not in page.text("verdict")
    assert ">nan<" not in html.lower()


def test_all_samples_may_fail(tmp_path: Path) -> None:
    fake = Fake(clips=3, failed=(0, 1, 2), differing=(), near_ties=())
    run = make_run(tmp_path / "run", fake=fake)
    _, page = page_of(run)
    assert "No sample ended well" in page.text("verdict")
    assert "Failed: 3 of 3" in page.text("samples")


def test_an_unfinished_simulation_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run.sim_dir() / "summary.json").unlink()
    assert "did not finish" in page_of(run)[1].text("verdict")


def test_a_design_of_other_weights_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "design")
    run.weights_file.write_bytes(b"weights")
    path = run.design_dir / "design.json"
    design = json.loads(path.read_text())
    path.write_text(json.dumps(design | {"weights_sha256": hashlib.sha256(b"other").hexdigest()}))
    assert any("other weights" in notice for notice in load_run(run).notices)
    path.write_text(json.dumps(design | {"weights_sha256": hashlib.sha256(b"weights").hexdigest()}))
    assert not any("other weights" in notice for notice in load_run(run).notices)


def test_a_simulation_of_another_circuit_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", fake=Fake(clips=2, failed=(), waves=False))
    run.weights_file.write_bytes(b"weights")
    path = run.design_dir / "design.json"
    design = json.loads(path.read_text())
    design |= {
        "schema": SCHEMA,
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "shape": {"inputs": 8, "state_dim": 4, "layers": 2, "classes": 4},
    }
    path.write_text(json.dumps(design))
    (run.design_dir / "network.cir").write_text("* another network\n")
    assert any("another circuit" in notice for notice in load_run(run).notices)
    plan = run.sim_dir() / "plan.json"
    digest = design_digest(load_exported(run))
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"digest": digest}))
    assert not load_run(run).notices


def test_all_cells_are_shown(full: Run, page: Page) -> None:
    cells = json.loads((full.sim_dir() / "cells.json").read_text())
    text = page.text("cell")
    assert f"Errors of all {len(cells)} cells" in text
    assert f"All {len(cells)} cells" in text
    error = 100 * (cells[0]["measured"]["beta_lo_a"] / cells[0]["programmed"]["beta_lo_a"] - 1)
    assert f"{abs(error):.2f}{NBSP}%" in text.replace(" %", f"{NBSP}%")


def test_cells_that_do_not_switch_are_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", fake=Fake(clips=2, failed=(), waves=False))
    path = run.sim_dir() / "cells.json"
    cells = json.loads(path.read_text())
    cells[1]["measured"]["beta_hi_a"] = None
    path.write_text(json.dumps(cells))
    info = run.sim_dir() / "hysteresis.json"
    first = json.loads(info.read_text())
    first["measured"]["beta_hi_a"] = None
    info.write_text(json.dumps(first))
    text = page_of(run)[1].text("cell")
    assert "1 did not switch exactly once each way" in text
    assert "not as programmed" in text


@pytest.mark.parametrize(
    ("missing", "maker"),
    [
        ("metrics.json", "codesign train"),
        ("history.parquet", "codesign train"),
        ("provenance.json", "codesign train"),
        ("model.json", "codesign train"),
        ("design/mapping.csv", "codesign export-netlist"),
        ("design/design.json", "codesign export-netlist"),
        ("sim/nominal/samples.parquet", "codesign simulate"),
        ("sim/nominal/states.parquet", "codesign simulate"),
        ("sim/nominal/logits.parquet", "codesign simulate"),
        ("sim/nominal/hysteresis.json", "codesign simulate"),
    ],
)
def test_missing_and_damaged_files_are_named(tmp_path: Path, missing: str, maker: str) -> None:
    run = make_run(tmp_path / "run", fake=Fake(clips=3, waves=False))
    (run.path / missing).write_bytes(b"PAR1 truncated {")
    with pytest.raises(InputError, match=re.escape(missing)):
        build_report(run)
    (run.path / missing).unlink()
    with pytest.raises(InputError, match=re.escape(missing)) as caught:
        build_report(run)
    assert maker in str(caught.value)
    assert not run.report_dir.exists()


def test_a_model_from_elsewhere_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", fake=Fake(clips=2, failed=(), waves=False))
    run.metrics_file.unlink()
    run.history_file.unlink()
    _, page = page_of(run)
    ids = {element.attributes.get("id") for element in page.all("section")}
    assert "training" not in ids
    assert {"agreement", "confusion", "mapping"} <= ids
    assert "was not trained here" in page.text("verdict")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run.sim_dir() / "states.parquet"
    pd.read_parquet(path).drop(columns="cause").to_parquet(path)
    with pytest.raises(InputError, match=r"states\.parquet.*no column 'cause'"):
        build_report(run)


def test_without_waves_and_hysteresis_the_rest_is_there(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", fake=Fake(waves=False))
    for name in ("hysteresis.json", "hysteresis.parquet"):
        (run.sim_dir() / name).unlink()
    _, page = page_of(run)
    ids = {element.attributes.get("id") for element in page.all("section")}
    assert {"agreement", "power"} <= ids
    assert not {"waves", "cell"} & ids


@pytest.mark.parametrize("plan", ["../nominal", "/etc", "", ".hidden"])
def test_plan_is_a_name(full: Run, plan: str) -> None:
    with pytest.raises(InputError, match="not the name of a simulation plan"):
        build_report(full, plan)


def test_another_plan_must_exist(full: Run) -> None:
    with pytest.raises(InputError, match="plans of this run: nominal"):
        build_report(full, "pvt")


def test_command_prints_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "runs" / "only", "training")
    monkeypatch.chdir(tmp_path)
    for arguments in ([str(run.path)], []):
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        assert Path(result.stdout.strip()).resolve() == (run.report_dir / "index.html").resolve()


def test_command_on_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run folder"):
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
