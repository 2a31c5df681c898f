"""From the vectors ngspice saved to what a sample is judged by."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.circuit import testbench as bench
from codesign.circuit.timing import Timing
from codesign.flows import HardwareSection
from codesign.mapping.design import Shape
from codesign.simulation.traces import BLOCKS, Singles
from codesign.spice.ngspice import Outcome
from codesign.spice.rawfile import Plot

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Readout:
    """How a sample's plot is read; ``strobe_power_w`` is what the strobe generator draws where the
    deck has none."""

    shape: Shape
    hardware: HardwareSection
    timing: Timing
    strobe_power_w: float

    def complete(self, outcome: Outcome) -> Outcome:
        """A run that stopped early, or lacks a vector, is not a result."""
        if outcome.status != "ok":
            return outcome
        plot, stop_s = outcome.plots[0], self.timing.stop_s
        end = plot.scale[-1] if len(plot.scale) else 0.0
        wanted = bench.saved_vectors(self.shape, self.hardware.generates_strobes)
        missing = [name for name in wanted if name not in plot.names]
        if missing:
            message = f"the output lacks {missing[0]} ({len(missing)} vectors in all)"
        elif end < stop_s * (1 - 1e-6):
            message = f"the run stopped at {end:.4g} s of {stop_s:.4g} s"
        elif not np.isfinite(plot.values.real).all():
            message = "the output holds values that are not finite"
        else:
            return outcome
        return replace(outcome, status="missing_output", message=message, plots=())

    def values(self, plot: Plot) -> tuple[Singles, Singles, Singles, Floats]:
        """Candidates and states (layers, units, frames) and logits (frames, classes), amperes, at
        the sampling instants; mean power of each block, watts."""
        times, shape = self.timing.sample_times_s(), self.shape
        values = np.stack(
            [np.interp(times, plot.scale, plot[vector]) for *_, vector in self._probes()]
        ).astype(np.float32)
        cells = shape.layers * shape.state_dim
        grid = (shape.layers, shape.state_dim, len(times))
        power = [
            float(np.trapezoid(self._power_w(plot, block), plot.scale) / plot.scale[-1])
            for block in BLOCKS
        ]
        return (
            values[:cells].reshape(grid), values[cells : 2 * cells].reshape(grid),
            values[2 * cells :].T, np.array(power),
        )  # fmt: skip

    def waves(self, plot: Plot) -> pd.DataFrame:
        """Waveforms: time in seconds, currents in amperes, decision nodes in volts, powers."""
        shape = self.shape
        columns: dict[str, Floats] = {"time_s": plot.scale}
        for kind, layer, unit, vector in self._probes():
            name = f"logit.c{unit}_a" if kind == "logit" else f"{kind}.l{layer}.u{unit}_a"
            columns[name] = plot[vector]
        for layer in range(shape.layers):
            for unit in range(shape.state_dim):
                columns[f"v0.l{layer}.u{unit}_v"] = plot[bench.decision_vector(layer, unit)]
        for block in BLOCKS:
            columns[f"power.{block}_w"] = self._power_w(plot, block)
        singles = {name: "float32" for name in columns if name != "time_s"}
        return pd.DataFrame(columns).astype(singles)

    def _probes(self) -> list[tuple[str, int, int, str]]:
        shape = self.shape
        cells = [(la, un) for la in range(shape.layers) for un in range(shape.state_dim)]
        probes = [("candidate", la, un, bench.candidate_vector(la, un)) for la, un in cells]
        probes += [("state", la, un, bench.state_vector(la, un)) for la, un in cells]
        return probes + [("logit", -1, k, bench.logit_vector(k)) for k in range(shape.classes)]

    def _power_w(self, plot: Plot, block: str) -> Floats:
        if block == "strobe" and not self.hardware.generates_strobes:
            return np.full(len(plot.scale), self.strobe_power_w)
        # ngspice counts the current into a source's positive terminal, so a supply's is negative.
        vector = bench.STROBE_VECTOR if block == "strobe" else bench.supply_vector(block)
        return -plot[vector] * self.hardware.supply_v
