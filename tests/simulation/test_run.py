"""Export and simulate a small network in real ngspice; interrupt it, break it, continue it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.circuit.library import read_network
from codesign.circuit.pyspice import network_circuit
from codesign.errors import InputError
from codesign.mapping.exported import load_exported
from codesign.runs import Run
from codesign.simulation.plan import sample_seed
from codesign.simulation.run import Options, simulate
from codesign.simulation.sample import shard_path
from codesign.simulation.traces import BLOCKS
from codesign.spice.ngspice import find_ngspice, run_deck
from tests.trained import made_up_run

pytestmark = pytest.mark.ngspice


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small network on the real process, its path with a blank as users have them."""
    run = made_up_run(tmp_path_factory.mktemp("my runs") / "small")
    export_design(run)
    return run


@pytest.fixture(scope="module")
def simulated(exported: Run) -> Run:
    simulate(exported, Options(jobs=2))
    return exported


def test_design_is_complete(exported: Run) -> None:
    facts = load_exported(exported).facts
    assert facts["parameter_rows"] == facts["parameters_learned"]
    assert facts["unrepresentable"] == []
    assert facts["relative_error_max"] < 0.002
    provenance = json.loads(exported.provenance_file.read_text())
    assert provenance["pdk"]["sha256"] == facts["pdk"]["sha256"]
    assert provenance["ngspice"].startswith("ngspice-")


def test_test_bench_runs_by_hand(exported: Run) -> None:
    outcome = run_deck(find_ngspice(), exported.design_dir, "testbench.cir", "testbench.raw")
    assert outcome.status == "ok", outcome.log
    assert outcome.plots[0].scale[-1] == pytest.approx(0.03)


def test_chip_and_twin_agree(simulated: Run) -> None:
    figures = json.loads((simulated.sim_dir() / "summary.json").read_text())
    assert figures["samples_ok"] == figures["samples_total"] == 2
    assert figures["state_agreement"] >= 0.95
    assert figures["candidate_error_rms_units_same_states_below"] < 0.02
    assert figures["mean_power_w"] == pytest.approx(
        sum(figures[f"mean_power_{block}_w"] for block in BLOCKS)
    )
    assert 0 < figures["mean_power_strobe_w"] < 1e-8
    predicted = load_exported(simulated).facts["predicted_power_w"]["total"]
    assert figures["mean_power_w"] == pytest.approx(predicted, rel=0.15)


def test_cells_of_the_design_measure_as_programmed(simulated: Run) -> None:
    """Slow ramps through the cells of the netlist, bias mirrors included: within 1 %."""
    cells = json.loads((simulated.sim_dir() / "cells.json").read_text())
    assert len(cells) == 4
    for cell in cells:
        wanted, got = cell["programmed"], cell["measured"]
        assert got["beta_hi_a"] == pytest.approx(wanted["beta_hi_a"], rel=0.01)
        assert got["alpha_a"] == pytest.approx(wanted["alpha_a"], rel=0.01)
        assert got["beta_hi_a"] - got["beta_lo_a"] == pytest.approx(
            wanted["beta_hi_a"] - wanted["beta_lo_a"], rel=0.02
        )


def test_a_second_call_keeps_what_is_finished(simulated: Run) -> None:
    folder = simulated.sim_dir()
    before = {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}
    table = pd.read_parquet(folder / "states.parquet")
    simulate(simulated, Options(clips=3, jobs=1))
    for path, stamp in before.items():
        assert path.stat().st_mtime_ns == stamp
    longer = pd.read_parquet(folder / "states.parquet")
    pd.testing.assert_frame_equal(longer[longer["sample"] < 2].reset_index(drop=True), table)


def test_results_do_not_depend_on_the_number_of_workers(exported: Run) -> None:
    tables = []
    for jobs in (1, 2):
        simulate(exported, Options(jobs=jobs, fresh=True))
        tables.append(pd.read_parquet(exported.sim_dir() / "samples.parquet"))
    pd.testing.assert_frame_equal(tables[0], tables[1])


def test_killed_and_continued_equals_uninterrupted(exported: Run) -> None:
    folder = exported.sim_dir()
    simulate(exported, Options(clips=4, jobs=2, fresh=True))
    whole = pd.read_parquet(folder / "states.parquet")
    for shard in (folder / "shards").iterdir():
        shard.unlink()
    code = (
        "from pathlib import Path; from codesign.runs import Run;"
        "from codesign.simulation.run import Options, simulate\n"
        f"if __name__ == '__main__': simulate(Run(Path({str(exported.path)!r})),"
        "Options(clips=4, jobs=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    deadline = time.monotonic() + 120
    while not shard_path(folder, 0).is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert shard_path(folder, 0).is_file()
    assert not shard_path(folder, 3).is_file()
    simulate(exported, Options(clips=4, jobs=2))
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "states.parquet"), whole)


def test_a_failed_sample_is_a_result(
    exported: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulator that fails on one clip: the sample is counted, its log and deck are kept."""
    real = find_ngspice()
    fake = tmp_path / "ngspice"
    fake.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -b ] && head -1 "$2" | grep -q "sample 1,"; then\n'
        "  echo 'doAnalyses: TRAN:  Timestep too small; time = 1e-3'; exit 0\nfi\n"
        f'exec {real} "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("NGSPICE", str(fake))
    figures = simulate(exported, Options(jobs=2, fresh=True))
    assert (figures["samples_ok"], figures["samples_failed"]) == (1, 1)
    assert figures["verdict"] == "fail"
    table = pd.read_parquet(exported.sim_dir() / "samples.parquet")
    failed = table.to_dict("records")[1]
    assert failed["status"] == "no_convergence"
    assert "Timestep too small" in failed["message"]
    assert (exported.sim_dir() / failed["log"]).is_file()
    assert (exported.sim_dir() / "work" / "sample-00001" / "deck.cir").is_file()
    assert table["mean_power_w"].isna().tolist() == [False, True]


def test_more_clips_than_there_are(exported: Run) -> None:
    with pytest.raises(InputError, match="--clips 9: the run has 4"):
        simulate(exported, Options(clips=9))


def test_a_design_of_other_weights_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    export_design(run)
    made_up_run(tmp_path / "other", seed=1).weights_file.replace(run.weights_file)
    with pytest.raises(InputError, match="other weights"):
        load_exported(run)


def test_pyspice_circuit_is_the_same_network(exported: Run, tmp_path: Path) -> None:
    """The PySpice text, simulated, gives the operating point of the written netlist."""
    circuit = network_circuit(exported)
    hw = load_exported(exported).hardware
    bench = (
        "vc vdd_cells 0 1.8\nvf vdd_ff 0 1.8\nvb vdd_bias 0 1.8\nvs vss 0 0\n"
        "iref ref_p 0 1n\nvr rst 0 1.8\n"
        "iu0 u_0_p 0 0.5n\niu1 u_1_p 0 0.2n\niu2 u_2_p 0 0.9n\n"
        "vs0 stb_0 0 0\nvt0 stbn_0 0 1.8\nvs1 stb_1 0 0\nvt1 stbn_1 0 1.8\n"
        "vy0 y_0 0 0.6\nvy1 y_1 0 0.6\n.options gmin=1e-15 abstol=1e-14\n"
        ".control\nop\nwrite out.raw i(vy0) i(vy1) i(vf)\n.endc\n.end\n"
    )
    library = read_network(exported.design_dir, "nfet_03v3", "pfet_03v3")
    ports = " ".join(library.subcircuits["network"].ports)
    own = (
        f"* own\n.include '{exported.design_dir / 'pdk.cir'}'\n"
        f".include '{exported.design_dir / 'network.cir'}'\nxnetwork {ports} network\n"
    )
    values = []
    for name, text in (("pyspice", str(circuit).replace(".title", "*", 1)), ("own", own)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "deck.cir").write_text(text + bench)
        outcome = run_deck(find_ngspice(), folder, "deck.cir", "out.raw")
        assert outcome.status == "ok", outcome.log
        plot = outcome.plots[0]
        values.append([plot[f"i({v})"][0] for v in ("vy0", "vy1", "vf")])
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5)
    assert abs(values[1][2]) > hw.unit_current_a


def test_seeds_depend_on_the_run_and_the_index_alone() -> None:
    seeds = [sample_seed(7, sample) for sample in range(100)]
    assert len(set(seeds)) == 100
    assert seeds[42] == sample_seed(7, 42)
    assert sample_seed(8, 42) != seeds[42]
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_power_is_predicted_by_block(exported: Run) -> None:
    predicted = load_exported(exported).facts["predicted_power_w"]
    assert predicted["total"] == pytest.approx(sum(predicted[block] for block in BLOCKS))


def test_workers_do_not_outlive_a_killed_command(exported: Run) -> None:
    """kill -9 of the main process alone: its workers and their simulators go too."""
    simulate_in_background = (
        "from pathlib import Path; from codesign.runs import Run;"
        "from codesign.simulation.run import Options, simulate\n"
        f"if __name__ == '__main__': simulate(Run(Path({str(exported.path)!r})),"
        "Options(clips=4, jobs=2, fresh=True))"
    )
    command = [sys.executable, "-c", simulate_in_background]
    process = subprocess.Popen(command, start_new_session=True)
    work = exported.sim_dir() / "work"
    deadline = time.monotonic() + 120
    while not any(work.glob("*/deck.cir")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert any(work.glob("*/deck.cir"))
    process.kill()
    process.wait()
    while _alive(process.pid, work) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _alive(process.pid, work) == []


def _alive(session: int, work: Path) -> list[int]:
    """Live processes of a session, and simulators (leaders of their own) at work in a folder."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            inside = work.resolve() in (stat.parent / "cwd").resolve().parents
        except OSError:
            continue
        if (int(fields[3]) == session or inside) and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
