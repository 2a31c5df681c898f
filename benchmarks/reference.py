"""The on-chip reference by itself at the 45 points: current, start-up, line and temperature.

    python benchmarks/reference.py > reports/pvt/reference.txt

Sizes it for 1 nA (``--unit``), then measures: the operating point everywhere; supply ramps of
10 us, 1 ms, 100 ms and 1 s from nothing, and a sag to 0.6 V, everywhere; the current against the
supply and against temperature at the typical corner.
"""

import argparse
import math
from dataclasses import replace

import numpy as np

from codesign.device.bench import ProcessPoint
from codesign.device.calibrate import calibrate
from codesign.device.reference import (
    PAIR_RATIO,
    ReferenceSizes,
    ideal_inversion,
    measure_reference,
    size_reference,
    sweep_reference,
)
from codesign.device.startup import ramp, settled, start_up
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.simulation.points import CornerPoint, corner_points, nominal_index
from codesign.spice.ngspice import find_ngspice, ngspice_version

RAMPS_S = (1e-5, 1e-3, 0.1, 1.0)
SAG_V = 0.6
# The current counts as that of the operating point within this.
SAME = 0.005


def at(nominal: ProcessPoint, point: CornerPoint) -> ProcessPoint:
    return replace(nominal, hardware=point.hardware(nominal.hardware))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pdk", default="gf180mcu")
    parser.add_argument("--unit", type=float, default=1e-9, help="unit current in ampere")
    given = parser.parse_args()
    hardware = HardwareSection(pdk=given.pdk, unit_current_a=given.unit)
    ngspice = find_ngspice()
    nominal = ProcessPoint(find_pdk(given.pdk), hardware, ngspice, ngspice_version(ngspice))
    sizes = size_reference(nominal, calibrate(nominal).mirrors)
    print(f"{given.pdk}, {nominal.ngspice_version}, unit current {given.unit:g} A")
    print(f"sizes: {sizes}")
    print(f"forward inversion of the diode stack by the equations: {ideal_inversion():.2f}\n")
    everywhere(nominal, sizes)
    regulation(nominal, sizes)


def everywhere(nominal: ProcessPoint, sizes: ReferenceSizes) -> None:
    points = corner_points(nominal.hardware.supply_v)
    middle = measure_reference(at(nominal, points[nominal_index()]), sizes).current_a
    ramps = "".join(f"{f'ramp {ramp_s:g} s':>27}" for ramp_s in RAMPS_S)
    print(f"{'point':24}{'I (nA)':>9}{'of nom.':>9}{'own (nA)':>9}{'V_r/U_T lnK':>13}{ramps}")
    print(f"{'':67}" + f"{'end; reset ends at':>27}" * len(RAMPS_S) + f"{'after a sag':>13}")
    starts = resets = sags = 0
    for point in points:
        here = at(nominal, point)
        found = measure_reference(here, sizes)
        thermal_v = 8.617333e-5 * (point.temperature_c + 273.15) * math.log(PAIR_RATIO)
        line = (
            f"{point.text():24}{1e9 * found.current_a:>9.4f}{found.current_a / middle:>9.3f}"
            f"{1e9 * found.supply_current_a:>9.3f}{found.stack_v / thermal_v:>16.4f}"
        )
        for ramp_s in RAMPS_S:
            started = start_up(here, sizes, ramp_s)
            end = started.current_a / found.current_a
            starts += abs(end - 1) < SAME
            reset = "never"
            if started.released_supply_v is not None and started.released_current_a is not None:
                resets += 1
                part = started.released_current_a / found.current_a
                reset = f"{started.released_supply_v:.2f} V, {part:.3f} I"
            line += f"{f'{end:.4f}; {reset}':>27}"
        after = sag(here, sizes) / found.current_a
        sags += abs(after - 1) < SAME
        print(f"{line}{after:>13.4f}", flush=True)
    total = len(points) * len(RAMPS_S)
    print(
        f"\nstarted: {starts} of {total} ramps end within {100 * SAME:g} % of the operating point; "
        f"reset came and went in {resets} of {total}; back after a sag to {SAG_V:g} V: {sags} of "
        f"{len(points)}\n"
    )


def sag(point: ProcessPoint, sizes: ReferenceSizes) -> float:
    """The current in the end, after the supply was there, sagged for 10 ms and came back."""
    volts = point.hardware.supply_v
    supply = [(0, 0), (1e-3, volts), (0.04, volts), (0.0401, SAG_V), (0.05, SAG_V), (0.0501, volts)]
    return settled(ramp(point, sizes, [(float(t), float(v)) for t, v in supply]), "i(vout)")


def regulation(nominal: ProcessPoint, sizes: ReferenceSizes) -> None:
    supply_v = nominal.hardware.supply_v
    supplies = [round(part * supply_v, 4) for part in (0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.1)]
    currents = [found.current_a for found in sweep_reference(nominal, sizes, supplies)]
    print("supply (V): current (nA)   " + ", ".join(
        f"{v:g}: {1e9 * a:.4f}" for v, a in zip(supplies, currents, strict=True)
    ))  # fmt: skip
    low, middle, high = currents[-3:]
    line = (high - low) / middle / (supplies[-1] - supplies[-3])
    print(f"line regulation, 0.9 to 1.1 of the supply: {100 * line:.2f} %/V")
    celsius = [-40.0, -20.0, 0.0, 27.0, 55.0, 85.0, 125.0]
    by_temperature = [
        measure_reference(
            replace(nominal, hardware=nominal.hardware.model_copy(update={"temperature_c": c})),
            sizes,
        ).current_a
        for c in celsius
    ]
    print("temperature (C): current (nA)   " + ", ".join(
        f"{c:g}: {1e9 * a:.4f}" for c, a in zip(celsius, by_temperature, strict=True)
    ))  # fmt: skip
    cold, hot = by_temperature[1], by_temperature[5]
    slope = (hot - cold) / by_temperature[3] / (celsius[5] - celsius[1])
    exponent = np.log(hot / cold) / np.log((85 + 273.15) / (273.15 - 20))
    print(
        f"temperature coefficient, -20 to 85 C: {1e6 * slope:.0f} ppm/K, as T^{exponent:.2f} "
        "(mobility times T^2)"
    )


if __name__ == "__main__":
    main()
