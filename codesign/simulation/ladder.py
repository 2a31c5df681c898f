"""What is tried when a sample does not converge: the same deck with other options, rung by rung.

The order is that of the price in accuracy: first what makes a result at most more exact, last what
adds something to the circuit. A sample is run again from the start at each rung until it ends well;
every attempt is kept (``simulation.attempts``), and the name of the rung that gave the values is a
column of samples.parquet. Rungs are fixed and the deck alone decides where it converges, so that a
sample takes the same rung on every machine.

A simulator that was killed, or left no whole output, says nothing of the deck: it is run once more
as it was. A sample that ran out of time or memory is not run again.
"""

import re
from dataclasses import dataclass

from codesign.simulation.attempts import STANDARD
from codesign.spice.ngspice import Status


@dataclass(frozen=True)
class Rung:
    """Other options for a deck: ``options`` follow its own and override them; the largest time step
    is divided by ``steps``."""

    name: str
    options: str = ""
    steps: int = 1

    def text(self) -> str:
        """What changes in the deck, in words; "" for nothing."""
        words = [self.options] if self.options else []
        return ", ".join(words + [f"largest step / {self.steps}"] * (self.steps > 1))

    def apply(self, deck: str) -> str:
        """The deck with these options. Raises ValueError for a deck without one transient."""
        if self == LADDER[0]:
            return deck
        return _rewritten(deck, self)


# Newton iterations at a time point (itl4, by default 10) and in the operating point (itl1, 100):
# more of them cost nothing where they are not needed. Bypass skips devices whose terminals hardly
# moved; without it every iteration sees the whole circuit.
_PATIENT = "bypass=0 itl1=1000 itl2=500 itl4=100"

LADDER: tuple[Rung, ...] = (
    Rung(STANDARD),
    # Nothing is left out and nothing is given up early.
    Rung("exact", _PATIENT),
    # Steps so short that fast edges are followed from closer by.
    Rung("short_steps", _PATIENT, steps=4),
    # The trapezoidal rule keeps no memory of steps before the last, unlike gear.
    Rung("trapezoidal", f"{_PATIENT} method=trap", steps=4),
    # A conductance and a capacitance at every node: 1e-14 S leak 0.02 pA at 1.8 V, 0.1 fF is half a
    # percent of a cell's decision node. Loops that jump then take a time.
    Rung("shunted", f"{_PATIENT} gmin=1e-14 cshunt=1e-16", steps=4),
)

# Runs of one rung when the simulator was killed or left no whole output.
_TRIES = 2
_AGAIN: tuple[Status, ...] = ("crashed", "missing_output")


def next_rung(rung: int, status: Status, tries: int) -> int | None:
    """Where to go on after ``tries`` runs at ``rung`` of which the last ended with ``status``.

    None when there is nothing more to try, or nothing to be tried again.
    """
    if status in _AGAIN and tries < _TRIES:
        return rung
    if status == "no_convergence" and rung + 1 < len(LADDER):
        return rung + 1
    return None


def _rewritten(deck: str, rung: Rung) -> str:
    lines = deck.split("\n")
    at = [k for k, line in enumerate(lines) if re.match(r"\.tran\s", line, re.IGNORECASE)]
    if len(at) != 1:
        raise ValueError(f"a deck to be run again has one line .tran, this one has {len(at)}")
    words = lines[at[0]].split()
    if rung.steps > 1:
        # .tran step stop start longest; the longest is the step where it is not given.
        start = words[3] if len(words) > 3 else "0"
        longest = words[4] if len(words) > 4 else words[1]
        words = [*words[:3], start, _divided(longest, rung.steps), *words[5:]]
    lines[at[0]] = f".options {rung.options}\n{' '.join(words)}"
    return "\n".join(lines)


_SCALES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}


def _divided(time: str, by: int) -> str:
    number = re.fullmatch(r"([-+0-9.eE]+)([munpf]?)s?", time)
    if number is None:
        raise ValueError(f"cannot read the time step '{time}' of a deck")
    return f"{float(number.group(1)) * _SCALES[number.group(2)] / by:.9g}"
