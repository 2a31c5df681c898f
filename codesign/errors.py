"""The three ways a command can end badly, each with its exit code.

Every message is one or two sentences that name the file, the key or the value, say what was
expected and what to do next; the command line prints the message alone (``--debug`` adds the
traceback).
"""


class CodesignError(Exception):
    """Base of all errors a user can act on."""

    exit_code = 2


class InputError(CodesignError):
    """Wrong usage or wrong input: a flow, a file, a value (exit code 2)."""

    exit_code = 2


class EnvironmentMissing(CodesignError):  # noqa: N818 - reads as what happened
    """Something the machine lacks: ngspice, a PDK, a font (exit code 3)."""

    exit_code = 3


class SpecificationFailed(CodesignError):  # noqa: N818 - reads as what happened
    """The work was done, but a stated specification does not hold (exit code 1)."""

    exit_code = 1
