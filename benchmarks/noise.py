"""Noise densities of the devices that the product draws, for every process found here.

python benchmarks/noise.py
"""

from codesign.device.bench import ProcessPoint
from codesign.device.noise import CHARGE_C, Geometry, measure_noise
from codesign.errors import EnvironmentMissing
from codesign.flows import HardwareSection
from codesign.pdk import find_pdk
from codesign.pdk.adapter import adapter_names
from codesign.spice.ngspice import find_ngspice, ngspice_version

CURRENTS_A = (1e-10, 1e-9, 5e-9)


def main() -> None:
    ngspice = find_ngspice()
    for name in adapter_names():
        hardware = HardwareSection(pdk=name)
        try:
            pdk = find_pdk(name)
        except EnvironmentMissing:
            print(f"\n{name}: its models are not installed")
            continue
        point = ProcessPoint(pdk, hardware, ngspice, ngspice_version(ngspice))
        sizes = {
            "unit": (hardware.unit_w_m, hardware.unit_l_m),
            "cell": (hardware.cell_w_m, hardware.cell_l_m),
            "switch": (hardware.switch_w_m, hardware.switch_l_m),
        }
        rows = [(role, Geometry(p, *sizes[role])) for role in sizes for p in ("nmos", "pmos")]
        densities = measure_noise(point, [geometry for _, geometry in rows])
        print(f"\n{name}, {hardware.corner}, {hardware.temperature_c:g} C")
        print(
            f"{'device':14}{'um':>9}{'white/2qI':>11}{'I_inv nA':>10}{'flicker':>11}"
            f"{'exponent':>9}{'slope':>7}{'error':>7}   at 0.1, 1, 5 nA: white A/rtHz (of 2qI); "
            "flicker at 1 Hz A/rtHz; corner Hz"
        )
        for (role, geometry), found in zip(rows, densities, strict=True):
            size = f"{geometry.w_m * 1e6:g}/{geometry.l_m * 1e6:g}"
            text = (
                f"{role + ' ' + geometry.polarity:14}{size:>9}{found.white_factor:>11.3f}"
                f"{found.inversion_a * 1e9:>10.3g}{found.flicker:>11.3g}{found.exponent:>9.3f}"
                f"{found.slope:>7.3f}{found.error * 100:>6.1f}%  "
            )
            for current in CURRENTS_A:
                white = found.white_a2_per_hz(current)
                flicker = found.flicker_a2_per_hz(current)
                corner = (flicker / white) ** (1 / found.slope)
                text += (
                    f" {white**0.5:.2e} ({white / (2 * CHARGE_C * current):.2f}); "
                    f"{flicker**0.5:.2e}; {corner:.3g} |"
                )
            print(text)


if __name__ == "__main__":
    main()
