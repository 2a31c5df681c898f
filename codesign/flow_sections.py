"""What a flow can say: every knob with its type, default, range and meaning.

Names carry their unit (``_v`` volt, ``_a`` ampere, ``_s`` second, ``_m`` metre, ``_f`` farad,
``_c`` degree Celsius; ``_units`` means multiples of the unit current, the amperes that stand for
1.0 in software). The tasks are in ``codesign.task_sections``; ``codesign.flows`` reads and writes
them all.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer, model_validator

from codesign.rules import LAST_FRAME, Rule, parse_rule
from codesign.section import Section
from codesign.task_sections import DigitsTask, Task

# In a file a decision rule is a text, as in "last_k:10".
Decision = Annotated[InstanceOf[Rule], BeforeValidator(parse_rule), PlainSerializer(str)]

CellName = Literal[
    "fq_bmru", "memoryless", "bmru", "cmru", "alpha_cmru", "mingru", "deep_mingru", "lru", "gru",
    "brc", "nbrc", "hybrid", "wide_hybrid",
]  # fmt: skip

# Where a flow leaves training.learning_rate open; measured, see docs/cells.md.
_LEARNING_RATES = dict.fromkeys(get_args(CellName), 3e-2) | {"fq_bmru": 2e-2, "memoryless": 2e-2}


class NetworkSection(Section):
    """Shape of the network, and the cell that is its memory."""

    cell: CellName = Field(
        default="fq_bmru",
        description="fq_bmru is the cell of the chip; the others are baselines without a circuit",
    )
    start: dict[str, float] = Field(
        default_factory=dict,
        description="settings of a baseline's start, as in slow_frames = 100; docs/cells.md",
    )
    state_dim: int = Field(default=8, ge=1, le=1024, description="d: units per recurrent layer")
    layers: int = Field(default=2, ge=1, le=8, description="recurrent layers")


class TrainingSection(Section):
    """How the network is learned; the measured reasons are in docs/theory.md."""

    decision: Decision = Field(
        default=LAST_FRAME,
        description="how the chip decides: last_frame, mean_logit, last_k:FRAMES, majority, "
        "latch:UNITS or every_frame; loss and selection follow it",
    )
    starts: int = Field(
        default=16, ge=1, le=64, description="independent seeds; validation chooses"
    )
    selection: Literal["validation", "one_standard_error"] = Field(
        default="validation",
        description="the start kept: the best on validation, or, for a small validation split, "
        "the best on training among those within one standard error of it",
    )
    steps: int = Field(default=2000, ge=1, le=1_000_000, description="optimiser steps per start")
    batch_size: int = Field(default=64, ge=1, le=65536)
    learning_rate: float = Field(
        default=2e-2, gt=0, le=1, description="where it is not given, network.cell chooses it"
    )
    leak_start: float = Field(
        default=0.7, ge=0, lt=1, description="eps at step 0; 1 would be a pure accumulator"
    )
    leak_fraction: float = Field(
        default=0.3, ge=0, lt=1, description="part of the steps over which eps falls to 0"
    )
    surrogate_sharpness: float = Field(default=1.0, gt=0, le=100)
    margin_units: float = Field(
        default=0.35, ge=0, le=1, description="candidates are pushed this far from thresholds"
    )
    margin_weight: float = Field(default=8.0, ge=0, le=1000)
    margin_ramp_fraction: float = Field(
        default=0.0, ge=0, le=1, description="part of the steps over which that weight grows"
    )
    logit_margin_units: float = Field(
        default=1.0, ge=0, le=100, description="the right class should lead by this much"
    )
    logit_margin_weight: float = Field(default=0.0, ge=0, le=100)
    current_weight: float = Field(
        default=1e-3, ge=0, le=1, description="price per unit of mirrored current: power and range"
    )
    weight_limit: float = Field(default=4.0, gt=0, le=16, description="largest |weight|")
    beta_lo_min_units: float = Field(
        default=0.15, gt=0, le=1, description="lower thresholds stay above this, and above leaks"
    )
    alpha_min_units: float = Field(
        default=0.4, gt=0, le=5, description="smallest state: a smaller one charges its line slowly"
    )
    width_min_units: float = Field(
        default=0.2, gt=0, le=4, description="narrowest window, above the spread of its two sides"
    )
    grid_fraction: float = Field(
        default=0.5, ge=0, lt=1, description="part of the steps after which the grid sets in"
    )
    grid_ramp_fraction: float = Field(
        default=0.0, ge=0, lt=1, description="part of the steps over which it sets in"
    )
    mismatch_percent: float = Field(
        default=5.0, ge=0, le=50, description="p: one multiplicative draw per step, sigma = p/3"
    )
    mismatch: Literal["percent", "pdk"] = Field(
        default="percent",
        description="what training draws: noise of mismatch_percent on every parameter, or every "
        "transistor by the mismatch law of hardware.pdk at the sizes of the hardware section",
    )
    selection_draws: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="checkpoints are chosen by their mean accuracy on so many drawn chips; 0: on "
        "the nominal one",
    )
    leak_current_units: float = Field(
        default=0.03, ge=0, le=0.5, description="U(0, this) added to candidates while training"
    )
    initial_beta_lo_units: float = Field(default=0.6, gt=0, le=2)
    initial_width_units: float = Field(
        default=2.5, gt=0, le=4, description="wide windows hold longer: memory to begin with"
    )
    initial_center: Literal["window", "zero"] = Field(
        default="window", description="where the candidates of a new network are centred"
    )
    initial_spread_units: float = Field(
        default=1.0, gt=0, le=10, description="standard deviation of its candidates"
    )
    evaluate_every: int = Field(default=50, ge=1, description="steps between validations")
    patience: int = Field(
        default=0, ge=0, description="validations without progress before a start stops; 0: never"
    )
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")


class RefineSection(Section):
    """How ``train --refine`` continues a trained network on the sub-stepped twin."""

    steps: int = Field(default=600, ge=1, le=1_000_000, description="optimiser steps")
    batch_size: int = Field(default=64, ge=1, le=65536)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    refresh_every: int = Field(
        default=60, ge=1, description="steps between evaluations of the circuit, and validations"
    )
    clips: int = Field(
        default=512, ge=1, description="training clips the circuit is evaluated on each time"
    )
    margin_spreads: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="margin at thresholds, in multiples of the rms distance of the two twins' "
        "candidates",
    )
    margin_weight: float = Field(default=8.0, ge=0, le=1000)


class HardwareSection(Section):
    """The hardware specification: process, supply, currents, device sizes, cell."""

    pdk: str = Field(default="gf180mcu", pattern=r"^[A-Za-z0-9_\-]+$")
    corner: str = Field(default="typical", pattern=r"^[A-Za-z0-9_]+$")
    supply_v: float = Field(default=1.8, ge=0.9, le=5.5)
    temperature_c: float = Field(default=27.0, ge=-55, le=150)
    unit_current_a: float = Field(
        default=1e-9, ge=5e-11, le=1e-7, description="the amperes that stand for 1.0 in software"
    )
    weight_grid: Literal[8, 16] = Field(
        default=8, description="weights are multiples of 1/grid: unit devices in parallel"
    )
    weights: Literal["unit", "continuous", "single"] = Field(
        default="unit",
        description="unit: m unit devices of the grid; continuous: unit widths of any length, for "
        "any ratio; single: one device of any width, which drifts with temperature",
    )
    cell: Literal["async", "strobed"] = Field(
        default="strobed", description="published cell, or the one that looks once per frame"
    )
    strobe: Literal["ideal", "generator"] = Field(
        default="ideal",
        description="strobes of strobed cells from ideal sources, or from a generator of "
        "transistors; its power is measured and counted in both cases",
    )
    bias: Literal["ideal", "tree"] = Field(
        default="ideal",
        description="unit current from an ideal source, or from a reference of transistors with "
        "start-up and power-on reset",
    )
    frame_s: float = Field(default=0.01, gt=1e-5, le=10, description="one input frame on the chip")
    edge_s: float = Field(default=2e-5, gt=0, le=1e-2, description="rise time of the stimuli")
    unit_w_m: float = Field(default=1.2e-6, ge=1e-6, le=1e-4, description="unit device width")
    unit_l_m: float = Field(default=1e-5, ge=1e-6, le=4e-5, description="unit device length")
    cell_w_m: float = Field(default=4e-6, ge=1e-6, le=1e-4, description="cell mirror width")
    cell_l_m: float = Field(default=1e-5, ge=1e-6, le=4e-5, description="cell mirror length")
    switch_w_m: float = Field(default=5e-7, ge=2.2e-7, le=1e-5)
    switch_l_m: float = Field(default=5e-7, ge=2.8e-7, le=1e-5)
    v0_capacitance_f: float = Field(
        default=2e-14, ge=0, le=1e-11, description="capacitor on the decision node of each cell"
    )
    readout_v: float = Field(
        default=0.6, ge=0.2, le=3.0, description="voltage at which the logit currents are taken"
    )
    bias_min_units: float = Field(default=0.05, gt=0, le=1, description="smallest bias current")
    bias_max_units: float = Field(default=5.0, gt=1, le=20, description="largest bias current")

    @property
    def generates_strobes(self) -> bool:
        """Whether the strobe generator is simulated with the network."""
        return self.cell == "strobed" and self.strobe == "generator"

    @model_validator(mode="after")
    def _edge_inside_frame(self) -> "HardwareSection":
        if self.edge_s > self.frame_s / 20:
            raise ValueError(
                f"edge_s = {self.edge_s:g} is longer than a twentieth of frame_s = "
                f"{self.frame_s:g}; make edge_s smaller"
            )
        return self


class SimulationSection(Section):
    """Which clips go to the simulator, which simulator, and what must hold of the result."""

    engine: Literal["auto", "ngspice", "batched"] = Field(
        default="auto",
        description="auto: the batched engine for large plans of designs it can take",
    )
    clips: int = Field(default=24, ge=1, le=1_000_000, description="test clips simulated")
    jobs: int = Field(default=0, ge=0, le=1024, description="processes or threads; 0: one per core")
    timeout_s: float = Field(default=600.0, gt=0, description="per sample")
    near_tie_units: float = Field(
        default=0.1, ge=0, le=10, description="twin margins below this are listed as near-ties"
    )


class Flow(Section):
    """A complete recipe, from data to transistors."""

    name: str = Field(default="digits", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=80)
    seed: int = Field(default=0, ge=0, lt=2**31)
    task: Task = Field(default_factory=DigitsTask)
    network: NetworkSection = Field(default_factory=NetworkSection)
    training: TrainingSection = Field(default_factory=TrainingSection)
    refine: RefineSection = Field(default_factory=RefineSection)
    hardware: HardwareSection = Field(default_factory=HardwareSection)
    simulation: SimulationSection = Field(default_factory=SimulationSection)

    @model_validator(mode="after")
    def _devices_to_draw(self) -> "Flow":
        if self.training.mismatch == "pdk" and self.network.cell not in ("fq_bmru", "memoryless"):
            raise ValueError(
                f"training.mismatch = pdk draws transistors, and {self.network.cell} networks have "
                "none; make it percent"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _rate_of_the_cell(cls, data: Any) -> Any:
        """Fill in the learning rate that suits the cell, so that the run's flow states it."""
        network, training = (
            (data.get(key, {}) for key in ("network", "training"))
            if isinstance(data, dict)
            else (None, None)
        )
        if not isinstance(network, dict) or not isinstance(training, dict):
            return data  # other errors than ours, reported where they belong
        rate = _LEARNING_RATES.get(str(network.get("cell")))
        if rate is None or "learning_rate" in training:
            return data
        return {**data, "training": {**training, "learning_rate": rate}}
