"""A run folder with a small made-up model and test clips, as ``train`` would leave it."""

from pathlib import Path

import numpy as np
import torch

from codesign.checkpoint import Model, save_model
from codesign.flows import parse_flow
from codesign.mapping.design import Shape
from codesign.network import FirstQuadrantNetwork
from codesign.rules import LAST_FRAME
from codesign.runs import Run, create_run
from codesign.tasks.base import Split
from codesign.testset import save_test_split
from tests.designs import SMALL, random_parameters

FRAMES = 3


def made_up_run(
    path: Path, shape: Shape = SMALL, clips: int = 4, seed: int = 0, **hardware: object
) -> Run:
    """Weights, flow and test clips; no design and no simulation yet."""
    flow = parse_flow({"name": "made-up", "hardware": hardware, "simulation": {"clips": 2}}, "test")
    run = create_run(path, flow)
    network = FirstQuadrantNetwork(shape.inputs, shape.state_dim, shape.layers, shape.classes)
    values = random_parameters(shape, seed)
    network.load_state_dict(
        {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
    )
    save_model(run, Model(network, tuple("ab"[: shape.classes]), LAST_FRAME, 8))
    draw = np.random.default_rng(seed)
    inputs = draw.uniform(0, 1, (clips, FRAMES, shape.inputs)).astype(np.float32)
    labels = torch.from_numpy(draw.integers(0, shape.classes, clips))
    ids = tuple(f"clip-{k}" for k in range(clips))
    save_test_split(run, Split(torch.from_numpy(inputs), labels, ids))
    return run
