"""The on-chip reference: its size for a unit current, and what it gives at a process point.

The circuit is ``netlists/bias.cir``, a reference without a resistor (Oguey and Aebischer, IEEE
JSSC 32(7), 1997). With m1 and m2 in weak inversion at equal currents, m2 wider by K, the linear
stack has V_r = U_T ln K across it. The linear stack (n3 = 3 devices) and the diode stack (n4 = 6)
share their gate and carry the same current, so with F(v) = ln^2(1 + exp(v/2)), v the pinch-off
voltage in units of U_T,

    F(v - ln K) / F(v) = 1 - n3/n4        I = 2 n beta U_T^2 F(v) / n4

where beta belongs to one device of the stacks. The first equation has no size in it: K = 8 and
n4/n3 = 2 give v = 6.6, F = 11, strong inversion. The second leaves one free size, the stacks' W/L,
and says how the current depends on temperature: as mobility times T^2.

Sizing is closed loop: the current that leaves the real circuit is measured, and the stacks' length
is moved until it is the unit current. A unit current too small for the longest device runs the loop
at twice, four or eight times the unit current and lets the output mirror divide.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from codesign.device.bench import ProcessPoint
from codesign.device.cache import cached, digest
from codesign.device.mirrors import LAYOUT_GRID_M, MirrorCalibration
from codesign.errors import InputError
from codesign.spice.rawfile import Plot

# The weak-inversion pair's ratio, and the part of a loop current that counts as good, in eighths.
PAIR_RATIO = 8
GOOD_EIGHTHS = 7
# The stacks are drawn near the longest device the models cover, with room for the correction.
_NEAR_LONGEST = 0.85
_RATIOS = (1, 2, 4, 8)
_TOLERANCE = 1e-4
_ROUNDS = 8
INSTANCE = "xbias"


@dataclass(frozen=True)
class ReferenceSizes:
    """Sizes of ``bias_tree`` for one process and unit current, and what was measured with them.

    ``stack_w_m`` and ``stack_l_m`` are one device of the stacks; multiplicities are in unit
    devices: ``loop_m`` of every branch, ``pair_m`` of the wide device, ``good_m`` of the detector,
    ``output_m`` of the output, whose length is ``output_l_m``.
    """

    stack_w_m: float
    stack_l_m: float
    loop_m: int
    pair_m: int
    good_m: int
    output_m: int
    output_l_m: float
    current_a: float
    supply_current_a: float

    def parameters(self, unit_w_m: float, unit_l_m: float) -> dict[str, float]:
        """Parameters of the subcircuit ``bias_tree``."""
        return {
            "wu": unit_w_m, "lu": unit_l_m, "mu": self.loop_m, "mk": self.pair_m,
            "mg": self.good_m, "wr": self.stack_w_m, "lr": self.stack_l_m,
            "mo": self.output_m, "lo": self.output_l_m,
        }  # fmt: skip


@dataclass(frozen=True)
class ReferencePoint:
    """The reference at one process point.

    ``current_a`` is the unit current it gives, ``supply_current_a`` what it draws itself,
    ``stack_v`` the voltage across its linear stack (U_T ln K in weak inversion), ``reset_v`` the
    power-on reset.
    """

    supply_v: float
    current_a: float
    supply_current_a: float
    stack_v: float
    reset_v: float


def size_reference(point: ProcessPoint, mirrors: MirrorCalibration) -> ReferenceSizes:
    """Sizes that give the unit current at ``point``, measured (or recalled).

    Raises InputError when no size within the models' limits does.
    """
    return cached(
        "reference",
        digest([point.key(), mirrors.n_to_p.l_m]),
        lambda: _size(point, mirrors),
        asdict,
        lambda stored: ReferenceSizes(**stored),
    )


def _size(point: ProcessPoint, mirrors: MirrorCalibration) -> ReferenceSizes:
    hw, limits = point.hardware, point.pdk.limits
    grid = hw.weight_grid
    longest = min(limits.l_max_m, 5 * hw.unit_l_m)
    start = ReferenceSizes(
        limits.w_min_m, _on_grid(_NEAR_LONGEST * longest), grid, PAIR_RATIO * grid,
        GOOD_EIGHTHS * grid // 8, grid, mirrors.n_to_p.l_m, 0.0, 0.0,
    )  # fmt: skip
    narrowest = measure_reference(point, start).current_a
    if narrowest <= 0:
        raise _no_size(point, "the loop does not carry a current")
    for ratio in _RATIOS:
        width = _on_grid(limits.w_min_m * ratio * hw.unit_current_a / narrowest)
        if limits.w_min_m <= width <= limits.w_max_m:
            return _trimmed(point, replace(start, stack_w_m=width, output_m=grid // ratio), longest)
    low = narrowest / _RATIOS[-1]
    raise _no_size(point, f"the smallest current its sizes allow is {low:.3g} A")


def _trimmed(point: ProcessPoint, sizes: ReferenceSizes, longest: float) -> ReferenceSizes:
    """The length of the stacks that makes the current exact; the current falls with the length."""
    target, limits = point.hardware.unit_current_a, point.pdk.limits
    for _ in range(_ROUNDS):
        found = measure_reference(point, sizes)
        sizes = replace(sizes, current_a=found.current_a, supply_current_a=found.supply_current_a)
        # Current is nearly inverse to length, which makes this a fast converging correction.
        length = _on_grid(sizes.stack_l_m * found.current_a / target)
        if abs(found.current_a / target - 1) < _TOLERANCE or length == sizes.stack_l_m:
            return sizes
        if not limits.l_min_m <= length <= longest:
            break
        sizes = replace(sizes, stack_l_m=length)
    raise _no_size(point, f"the loop gave {sizes.current_a:.3g} A with the last size tried")


def _no_size(point: ProcessPoint, reason: str) -> InputError:
    return InputError(
        f'hardware.bias = "tree": no size of the reference gives '
        f"{point.hardware.unit_current_a:g} A in '{point.pdk.name}' ({reason}); change "
        'hardware.unit_current_a, or take hardware.bias = "ideal".'
    )


def _on_grid(length_m: float) -> float:
    return round(round(length_m / LAYOUT_GRID_M) * LAYOUT_GRID_M, 10)


def measure_reference(point: ProcessPoint, sizes: ReferenceSizes) -> ReferencePoint:
    """Operating point of the reference with its output line, in the state it is started into.

    Raises EnvironmentMissing when ngspice cannot solve it.
    """
    return sweep_reference(point, sizes, [point.hardware.supply_v])[0]


def sweep_reference(
    point: ProcessPoint, sizes: ReferenceSizes, supplies_v: Sequence[float]
) -> list[ReferencePoint]:
    """The same at several supplies, one operating point each."""
    found = []
    for supply_v in supplies_v:
        here = replace(
            point, hardware=point.hardware.model_copy(update={"supply_v": float(supply_v)})
        )
        body = (
            f"{bench(point, sizes)}vclear clear 0 0\n"
            + "".join(f"{line}\n" for line in nodesets(supply_v, f"{INSTANCE}."))
            + ".control\nop\nwrite out.raw\n.endc\n"
        )
        (plot,) = here.run_dc("reference", body)
        found.append(_point(supply_v, plot))
    return found


def bench(point: ProcessPoint, sizes: ReferenceSizes) -> str:
    """The reference with the line it feeds; ``vout`` carries the unit current, ``vdd`` all."""
    hw = point.hardware
    words = " ".join(
        f"{key}={value:.9g}" for key, value in sizes.parameters(hw.unit_w_m, hw.unit_l_m).items()
    )
    unit = f"wu={hw.unit_w_m:.9g} lu={hw.unit_l_m:.9g} mu={hw.weight_grid}"
    return (
        f"vtree vdd vtree 0\nvout vdd vline 0\n"
        f"{INSTANCE} ref_p clear rst vtree 0 bias_tree {words}\nxline ref_p vline line_p {unit}\n"
    )


def nodesets(supply_v: float, path: str) -> list[str]:
    """First guesses that lead the solver to the running state, not to that of no current."""
    gate = min(0.6, supply_v / 3)
    return [
        f".nodeset v({path}vp)={supply_v - gate:.6g} v({path}vn)={gate:.6g}",
        f".nodeset v({path}vg)={supply_v - 1.5 * gate:.6g} v({path}up)={supply_v:.6g}",
        f".nodeset v({path}xreset.good)={supply_v:.6g} v({path}xreset.late)=0",
    ]


def _point(supply_v: float, plot: Plot) -> ReferencePoint:
    return ReferencePoint(
        supply_v=supply_v,
        current_a=float(plot["i(vout)"][0]),
        supply_current_a=float(plot["i(vtree)"][0]),
        stack_v=supply_v - float(plot[f"v({INSTANCE}.xloop.vr)"][0]),
        reset_v=float(plot["v(rst)"][0]),
    )


def ideal_inversion(ratio: float = 2.0, pair: float = PAIR_RATIO) -> float:
    """Forward inversion F(v) of the diode stack from the equations above, by bisection."""

    def inversion(v: float) -> float:
        return math.log1p(math.exp(v / 2)) ** 2

    low, high = 0.0, 200.0
    for _ in range(100):
        middle = (low + high) / 2
        if inversion(middle - math.log(pair)) / inversion(middle) < 1 - 1 / ratio:
            low = middle
        else:
            high = middle
    return inversion(low)
