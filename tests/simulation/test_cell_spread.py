"""Thresholds and gains over chips, on the real process."""

import pandas as pd
import pytest

from codesign.circuit.export import export_design
from codesign.runs import Run
from codesign.simulation.cell_spread import LEAST, measure_cell_spread
from codesign.simulation.setting import Options, set_up
from tests.trained import made_up_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


@pytest.mark.ngspice
def test_spreads_are_those_of_the_law_and_chips_are_themselves(run: Run) -> None:
    setting = set_up(run, Options(chips=200))
    figures = measure_cell_spread(setting, print)
    assert figures["cell_spread"] == "done"
    assert figures["cell_spread_chips"] == 200
    law = figures["threshold_law_sigma_relative"]
    # A sigma of 200 chips is known to 5 %, its median over cells better; the law leaves out the
    # reference that all share, and takes one slope for every current.
    assert figures["threshold_sigma_relative"] == pytest.approx(law, rel=0.15)
    assert figures["gain_sigma_relative"] == pytest.approx(law, rel=0.15)
    drawn = pd.read_parquet(setting.folder / "cell_draws.parquet")
    table = pd.read_parquet(setting.folder / "thresholds.parquet")
    assert len(drawn) == 200 * len(table) / 4 == figures["cells_drawn"]
    fewer = set_up(run, Options(chips=LEAST))
    measure_cell_spread(fewer, print)
    again = pd.read_parquet(fewer.folder / "cell_draws.parquet")
    same = drawn[drawn["chip"] < LEAST].sort_values(["chip", "layer", "unit"], ignore_index=True)
    pd.testing.assert_frame_equal(
        again.sort_values(["chip", "layer", "unit"], ignore_index=True), same
    )


@pytest.mark.ngspice
def test_few_chips_are_left_out_and_old_tables_go(run: Run) -> None:
    setting = set_up(run, Options(chips=LEAST - 1))
    setting.folder.mkdir(parents=True, exist_ok=True)
    stale = setting.folder / "thresholds.parquet"
    stale.write_bytes(b"of another plan")
    assert measure_cell_spread(setting, print) == {"cell_spread": f"fewer than {LEAST} chips"}
    assert not stale.exists()
    assert measure_cell_spread(set_up(run, Options()), print) == {}
