"""What ``simulate`` is told wrongly: one message that says what was meant, and no run touched."""

from pathlib import Path

import pytest

from codesign.circuit.export import export_design
from codesign.cli.main import main
from codesign.runs import Run
from tests.trained import made_up_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_up_run(tmp_path_factory.mktemp("run") / "small")
    export_design(run)
    return run


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--samples", "120-180"], "'120-180' is not START:STOP, as in 120:180."),
        (["--samples", "-3:5"], "is not START:STOP"),
        (["--samples", "5"], "'5' is not START:STOP"),
        (["--samples", "1:1"], "--samples 1:1: the plan has samples 0 to 1;"),
        (["--samples", "2:"], "--samples 2:: the plan has samples 0 to 1;"),
        (["--mc", "3", "--samples", "0:4"], "--samples 0:4: the plan has samples 0 to 2;"),
        (["--mc", "0"], "'--mc'"),
        (["--mc", "many"], "'--mc'"),
        (["--mc", "2", "--clips", "9"], "--clips 9: the run has 4 test clips"),
        (["--engine", "spectre"], "'spectre' is not one of 'auto', 'ngspice', 'batched'"),
        (["--judge", "-1"], "'--judge'"),
        (["--mc", "2", "--spec", "acuracy>=0.9"], "did you mean 'accuracy'?"),
        (["--mc", "2", "--spec", "accuracy 0.9"], "is not NAME OP VALUE"),
        (["--mc", "2", "--min-yield", "90"], "'--min-yield'"),
        (["--spec", "accuracy>=0.9"], "--spec is about chips with mismatch: add --mc"),
        (["--min-yield", "0.9"], "--min-yield is about chips with mismatch: add --mc"),
        (["--corners", "--min-yield", "0.9"], "--min-yield and --corners do not go together"),
    ],
)
def test_wrong_options_exit_2(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["simulate", str(run.path), *arguments]) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.err.startswith("codesign: ")
    assert printed.out == ""
    assert not (run.path / "sim").exists()


@pytest.mark.ngspice
def test_part_of_a_plan_of_chips(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Chips in ngspice, by the command: says what chips did, and where it is."""
    arguments = ["simulate", str(run.path), "--mc", "40", "--samples", "1:3", "--threads", "2"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(run.sim_dir("mc"))
    assert "samples: 2 of 2 ran to the end" in printed.err
    assert "yield: 2 of 2 (100.0 %, 95 % interval 34.2 to 100.0 %) chips meet" in printed.err
    assert "vote_agreement>=1: 2 of 2" in printed.err
    assert f"page: {run.report_dir / 'mismatch.html'}" in printed.err
    assert "mismatch" in (run.report_dir / "mismatch.html").read_text()
    for name in ("chips", "spread", "votes_lost", "yields", "yield_curves"):
        assert (run.sim_dir("mc") / f"{name}.parquet").is_file()
    # Finished samples serve other specifications; one that too few chips meet is exit code 1.
    arguments += ["--spec", "mean_power_w<=1e-12", "--min-yield", "0.5"]
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "mean_power_w<=1e-12: 0 of 2 (0.0 %" in printed.err
    assert "--min-yield 0.5 failed: 0 of 2 chips (0.0 %) pass" in printed.err


def test_help_says_what_an_option_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("--mc CHIPS", "--samples START:STOP", "--engine", "--judge", "with --mc 1"):
        assert words in said


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--mc", "3"]) == 2
    assert "is not a run folder" in capsys.readouterr().err
