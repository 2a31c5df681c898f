"""The demonstration at reduced size, as a user runs it, from an empty folder to the page."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.running import codesign

SMALL = ("--clips", "2", "--set", "network.state_dim=3", "--set", "training.starts=2",
         "--set", "training.steps=300")  # fmt: skip


@pytest.mark.ngspice
def test_demo_end_to_end(tmp_path: Path) -> None:
    done = codesign("demo", "runs/small", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "small"
    assert done.stdout.strip() == "runs/small/report/index.html"
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")

    metrics = json.loads((run / "metrics.json").read_text())
    figures = json.loads((run / "sim" / "nominal" / "summary.json").read_text())
    assert figures["samples_ok"] == 2
    assert figures["state_agreement"] >= 0.9
    assert figures["parameter_rows"] == figures["parameters_learned"]
    assert figures["parameters_learned"] == metrics["parameters"]["total"]
    mapping = pd.read_csv(run / "design" / "mapping.csv")
    assert len(mapping) == metrics["parameters"]["total"]
    assert mapping["instance"].is_unique

    # Again: everything is there, nothing is done twice.
    shard = run / "sim" / "nominal" / "shards" / "sample-00000.parquet"
    weights, sample = (run / "model.safetensors").stat().st_mtime_ns, shard.stat().st_mtime_ns
    again = codesign("demo", "runs/small", *SMALL, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (run / "model.safetensors").stat().st_mtime_ns == weights
    assert shard.stat().st_mtime_ns == sample

    # A specification that cannot hold ends with 1, and says which.
    strict = codesign(
        "simulate", "runs/small", "--clips", "2", "--min-agreement", "1.0", cwd=tmp_path
    )
    reached = figures["vote_agreement"] >= 1.0
    assert strict.returncode == (0 if reached else 1)
    assert reached or "--min-agreement" in strict.stderr
