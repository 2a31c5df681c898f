"""The ``codesign`` command: finds the subcommand, and turns every error into one clear message.

A subcommand's module is imported only when that subcommand runs, so that ``codesign --help``
does not wait for torch. Exit codes: 0 done, 1 a stated specification failed, 2 wrong usage or
input, 3 something missing on the machine, 130 interrupted, 70 a defect in codesign itself.
"""

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

import codesign
from codesign.errors import CodesignError, EnvironmentMissing, InputError

COMMANDS = {
    "train": "Learn a network from a flow.",
    "sweep": "Train a flow in many variants and seeds, and rank them.",
    "robustness": "Say what parameter noise, leaks and offsets cost trained networks.",
    "export-netlist": "Map a run's network to transistors and write the netlists.",
    "simulate": "Run test clips through ngspice and compare them with the software twin.",
    "evaluate": "Score a run on labelled clips, with the software twin or its transistors.",
    "classify": "Say what a run hears in sound files, and draw it.",
    "report": "Write the HTML report of a run.",
    "demo": "All stages on embedded data, from training to report.",
    "doctor": "Say what this machine has, what it lacks and how to fix it.",
    "characterize": "Measure the devices of a process: mirrors, cells, noise, leakage, mismatch.",
    "data": "List and fetch public data sets.",
    "pdk": "List, show and check the process models found on this machine.",
}

EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


class LazyGroup(click.Group):
    """A group whose commands live in ``codesign/cli/<command>.py``, as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"codesign.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command '{name}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(codesign.__version__, prog_name="codesign", message="%(prog)s %(version)s")
def cli(debug: bool) -> None:
    """From a trained recurrent network to transistors, and back to evidence.

    Start with 'codesign demo', or 'codesign doctor' if something is missing.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; messages go to stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # The flag is welcome after the subcommand too, where people type it.
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    try:
        # Not cli.main(): it has its own ideas about interrupts and closed pipes.
        with cli.make_context("codesign", given) as context:
            cli.invoke(context)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted.", EXIT_INTERRUPTED, debug)
    except CodesignError as error:
        return _say(str(error), error.exit_code, debug)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "codesign"
        return _say(f"{error.format_message()} Try '{path} --help'.", error.exit_code, debug)
    except click.ClickException as error:
        return _say(error.format_message(), InputError.exit_code, debug)
    except BrokenPipeError:
        # The reader (head, less) has gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = f"{where}{error.strerror or error}."
        return _say(f"the system refused: {reason}", EnvironmentMissing.exit_code, debug)
    except Exception as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        return _say(
            f"a defect in codesign itself ({told}). Run the command again with --debug and report "
            "what it prints.",
            EXIT_DEFECT,
            debug,
        )


def run() -> None:
    """Entry point of the installed command."""
    sys.exit(main())


def _say(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"codesign: {message}", err=True)
    return code
