"""Mapping strategies side by side for several trained networks: error, temperature, area, power.

    python benchmarks/mapping.py runs/digits runs/kws_yes
    python benchmarks/mapping.py runs/digits --scale 0.93

Each run is exported into a temporary folder with the flow's own hardware; then every strategy is
designed, every weight measured in its block in ngspice at its typical current, and the sign paths
and the currents of all nodes are listed. The runs stay as they are. ``--scale`` multiplies every
weight, which takes them off the grid: what a strategy then rounds is listed with it.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from codesign.analysis.strategies import strategy_lines
from codesign.checkpoint import load_model, save_model
from codesign.circuit.export import export_design
from codesign.circuit.strategies import compare_strategies
from codesign.flows import load_flow
from codesign.mapping.exported import load_exported
from codesign.runs import Run


def network_lines(facts: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What the comparison says of one network."""
    lines = strategy_lines(found)
    for item in found["strategies"]:
        drift = max(figures["worst"] for figures in item["drift"].values())
        lines.append(
            f"  {item['name']:12} drift {100 * drift:6.2f} % at most, not representable "
            f"{item['not_representable']} (up to {item['rounding_units_worst']:.3f} units)"
        )
        lines.append(
            f"  {'':12} static error {item['candidate_error_units_rms']:.4f} (candidates) and "
            f"{item['logit_error_units_rms']:.4f} units rms (logits), as promised: "
            f"{'yes' if item['meets'] else 'no'}"
        )
    own = next(item for item in found["strategies"] if item["name"] == found["used"])
    lines.append("  left by kind of path (mean, rms):")
    lines += [
        f"    {name:34}{100 * left['mean']:8.3f} %{100 * left['rms']:8.3f} %"
        for name, left in own["paths"].items()
    ]
    ranges = facts["ranges"]
    suggestion = ranges["suggestion"]
    largest, smallest = ranges["largest"], ranges["smallest_state"]
    low, high = (1e9 * suggestion[f"{end}_unit_a"] for end in ("lowest", "highest"))
    lines.append(
        f"  largest node {largest['units']:.3g} units ({largest['node']}), smallest state "
        f"{smallest['units']:.3g} ({smallest['node']}); unit currents {low:.3g} to {high:.3g} nA; "
        f"{len(ranges['outside'])} nodes outside:"
    )
    lines += [
        f"    {node['node']}: {problem}"
        for node in ranges["outside"]
        for problem in node["problems"]
    ]
    lines += [
        f"    {item['node']}: {item['factor']:.3g} times larger for the same function with "
        f"{weights} weights ({'enough' if item['enough'] else 'not enough'})"
        for weights, raised in ranges["raised_states"].items()
        for item in raised
    ]
    return lines


def path_lines(paths: dict[str, Any]) -> list[str]:
    """Gain and delay of the sign paths of the process."""
    lines = [
        f"{'gain error (%) at':24}" + "".join(f"{i * 1e9:8.3g}" for i in paths["current_a"]) + " nA"
    ]
    for name, gain in paths["gain"].items():
        trimmed = paths["trimmed"][name]
        lines.append(f"  {name:22}" + "".join(f"{100 * (g - 1):8.2f}" for g in gain))
        if max(abs(a - b) for a, b in zip(gain, trimmed, strict=True)) > 1e-4:
            lines.append(
                f"    {'turn for its current':20}"
                + "".join(f"{100 * (g - 1):8.2f}" for g in trimmed)
            )
    for name, delay in paths["delays"].items():
        lines.append(
            f"  {name:22} up {1e3 * delay['up_s']:.3f} ms, down {1e3 * delay['down_s']:.3f} ms"
        )
    charge = paths["charge_per_gate_c"]
    lines.append(
        f"charge of a unit gate: P {1e15 * charge['p']:.3f} fC, N {1e15 * charge['n']:.3f} fC"
    )
    return lines


def scale_weights(run: Run, factor: float) -> None:
    """Multiply every weight and bias of a run's model."""
    model = load_model(run)
    for name, value in model.network.named_parameters():
        if name.endswith((".weight", ".bias")):
            value.data *= factor
    save_model(run, model)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--set", action="append", default=[], help="hardware keys, as in flows")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every weight by this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="codesign-mapping-") as name:
        for k, path in enumerate(given.runs):
            run = Run(Path(name) / path.name)
            shutil.copytree(
                path, run.path, ignore=shutil.ignore_patterns("sim", "design", "report")
            )
            if given.scale != 1:
                scale_weights(run, given.scale)
            export_design(run, load_flow(run.flow_file, tuple(given.set)).hardware)
            found = compare_strategies(run)
            if k == 0:
                print("\n".join(path_lines(found["sign_paths"])))
            print(f"\n{path.name}")
            print("\n".join(network_lines(load_exported(run).facts, found)), flush=True)


if __name__ == "__main__":
    main()
