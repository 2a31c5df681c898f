"""The command's manners: help, versions, errors, exit codes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import codesign
from codesign.cli import main as cli_main
from codesign.cli.main import COMMANDS, cli, main
from codesign.errors import EnvironmentMissing, InputError, SpecificationFailed
from tests.cli.running import codesign as run


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> "type[Raising]":
    """A command that ends as the test wishes."""
    monkeypatch.setattr(cli, "get_command", lambda ctx, name: Raising.command)
    return Raising


class Raising:
    error: BaseException

    @staticmethod
    @click.command("train")
    def command() -> None:
        raise Raising.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("wrong key"), 2),
        (EnvironmentMissing("no ngspice"), 3),
        (SpecificationFailed("agreement is 0.4"), 1),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "runs/x"), 3),
        (ZeroDivisionError("division by zero"), 70),
        (click.UsageError("that is no number"), 2),
        (click.BadParameter("that is no number"), 2),
        (click.FileError("x.toml", "unreadable"), 2),
    ],
)
def test_every_error_is_one_message_and_its_exit_code(
    raising: type[Raising],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    raising.error = error
    assert main(["train"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("codesign: ")
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("arguments", [["--debug", "train"], ["train", "--debug"]])
def test_debug_shows_the_traceback(
    raising: type[Raising], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    raising.error = InputError("wrong key")
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.endswith("codesign: wrong key\n")


def test_an_unknown_command_suggests_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulat"]) == 2
    assert "did you mean 'simulate'?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "known: train, sweep" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--colour"]) == 2
    assert "--colour" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_listed_exists_and_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    assert f"Usage: codesign {name}" in capsys.readouterr().out


def test_help_lists_every_command_without_loading_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from codesign.cli.main import main; code = main(['--help']);"
        "heavy = {'torch', 'pandas', 'matplotlib', 'PySpice', 'numpy'} & set(sys.modules);"
        "print('heavy', sorted(heavy)); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("heavy []\n")
    for name in COMMANDS:
        assert f"\n  {name} " in done.stdout


def test_the_module_runs_as_the_command(tmp_path: Path) -> None:
    done = run("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"codesign {codesign.__version__}\n"


def test_no_arguments_print_the_help(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert "export-netlist" in done.stderr + done.stdout
    assert done.returncode == 2


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "codesign", "pdk", "list"],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == cli_main.EXIT_PIPE_CLOSED


def test_an_interrupt_ends_with_one_line(tmp_path: Path) -> None:
    code = (
        "import sys, time, click; from codesign.cli import main as m;"
        "wait = lambda: (print('up', flush=True), time.sleep(60));"
        "command = click.Command('train', callback=wait);"
        "m.cli.get_command = lambda ctx, name: command; sys.exit(m.main(['train']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == cli_main.EXIT_INTERRUPTED
    assert told == "codesign: interrupted.\n"
