"""What the installed ngspice can do, found by trying.

Version numbers do not tell: distributions build the same version with different parts, and a
model or an option may come and go between versions. Each probe is a deck of a few lines whose
result is known beforehand.
"""

from dataclasses import dataclass
from pathlib import Path

from codesign.spice.ngspice import Outcome, run_text

_TIMEOUT_S = 30.0

_BATCH = """\
* two equal resistors halve a volt
v1 in 0 1
r1 in mid 1k
r2 mid 0 1k
.control
op
write out.raw v(mid)
version -f
quit
.endc
.end
"""

# Two equal diode-connected devices, one with its threshold moved by 20 mV and its mobility by 2.
_INSTANCE = """\
* instance parameters for mismatch
.model n nmos level=54 version=4.5 vth0=0.5
i1 0 a 1u
m1 a a 0 0 n w=1u l=1u
i2 0 b 1u
m2 b b 0 0 n w=1u l=1u delvto=0.02
i3 0 c 1u
m3 c c 0 0 n w=1u l=1u mulu0=2
.control
op
write out.raw v(a) v(b) v(c)
quit
.endc
.end
"""

_XSPICE = """\
* an XSPICE code model
v1 in 0 1
a1 in out amp
.model amp gain(gain=2)
r1 out 0 1k
.control
op
write out.raw v(out)
quit
.endc
.end
"""

_COMMANDS = """\
* commands and variables
v1 in 0 1
r1 in 0 1k
.control
set num_threads=1
op
write out.raw v(in)
echo threads=$num_threads
osdi /dev/null
quit
.endc
.end
"""

_KLU = """\
* the sparse solver is named in the log
v1 in 0 1
r1 in 0 1k
.options klu
.control
op
write out.raw v(in)
quit
.endc
.end
"""


@dataclass(frozen=True)
class Feature:
    """One thing tried: ``detail`` says what was seen, or why it counts as absent."""

    name: str
    present: bool
    required: bool
    detail: str


@dataclass(frozen=True)
class NgspiceFeatures:
    """The banner's version line (for people) and the features (for code)."""

    version: str
    features: tuple[Feature, ...]


def probe_ngspice(program: Path) -> NgspiceFeatures:
    """Try every feature; takes about a tenth of a second."""
    batch = _run(program, _BATCH)
    commands = _run(program, _COMMANDS)
    return NgspiceFeatures(
        _version_line(batch.log),
        (
            _batch_feature(batch),
            *_instance_features(_run(program, _INSTANCE)),
            Feature(
                "thread limit",
                "threads=1" in commands.log,
                True,
                "num_threads can be set, so parallel samples do not fight for cores",
            ),
            _value_feature("XSPICE code models", _run(program, _XSPICE), "v(out)", 2.0),
            Feature(
                "KLU solver",
                "klu" in _run(program, _KLU).log.lower().replace("* klu", ""),
                False,
                "a second matrix solver; gains nothing on these circuits",
            ),
            Feature(
                "OSDI models",
                commands.status == "ok" and "osdi: no such command" not in commands.log,
                False,
                "compiled Verilog-A models; not used",
            ),
        ),
    )


def _run(program: Path, deck: str) -> Outcome:
    return run_text(program, deck, timeout_s=_TIMEOUT_S)


def _batch_feature(outcome: Outcome) -> Feature:
    works = outcome.status == "ok" and abs(outcome.plots[0]["v(mid)"][0] - 0.5) < 1e-6
    detail = "runs a deck and leaves a binary raw file" if works else _told(outcome)
    return Feature("batch mode, raw files", bool(works), True, detail)


def _instance_features(outcome: Outcome) -> tuple[Feature, ...]:
    """Per-instance threshold and mobility: what mismatch is injected with."""
    names = ("instance delvto (BSIM4)", "instance mulu0 (BSIM4)")
    if outcome.status != "ok":
        return tuple(Feature(name, False, True, _told(outcome)) for name in names)
    plot = outcome.plots[0]
    shift_v = float(plot["v(b)"][0] - plot["v(a)"][0])
    drop_v = float(plot["v(a)"][0] - plot["v(c)"][0])
    return (
        Feature(
            names[0], bool(abs(shift_v - 0.02) < 1e-3), True, f"20 mV moved Vgs {shift_v:.4f} V"
        ),
        Feature(names[1], drop_v > 1e-3, True, f"twice the mobility lowered Vgs {drop_v:.4f} V"),
    )


def _value_feature(name: str, outcome: Outcome, vector: str, expected: float) -> Feature:
    works = outcome.status == "ok" and abs(outcome.plots[0][vector][0] - expected) < 1e-6
    return Feature(name, bool(works), False, "not used" if works else f"not used; {_told(outcome)}")


def _told(outcome: Outcome) -> str:
    last = outcome.log.strip().splitlines()[-1:] or ["it printed nothing"]
    return f"{outcome.status}: {outcome.message or last[0]}"


def _version_line(log: str) -> str:
    for line in log.splitlines():
        if "ngspice-" in line:
            return line.strip("* ").split(":")[0].strip()
    return "version not printed"
