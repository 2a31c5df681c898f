"""A run that takes sound, untrained: the inputs of a generated folder, weights made up."""

from pathlib import Path

import torch

from codesign.checkpoint import Model, save_model
from codesign.files import write_json
from codesign.flows import parse_flow
from codesign.network import Network
from codesign.rules import parse_rule
from codesign.runs import Run, create_run
from codesign.tasks import load_task
from codesign.testset import save_test_split

BINARY = {"name": "speech_commands", "keyword": "yes", "others": ["no"], "augment_copies": 0}
SEVERAL = {"name": "keywords", "words": ["yes", "no"], "augment_copies": 0}


def speech_run(path: Path, data: Path, task: dict[str, object], decision: str) -> Run:
    """As ``train`` would leave it, but for what nobody reads."""
    flow = parse_flow({"name": "heard", "task": task}, "test")
    loaded = load_task(flow.task, data, 0)
    run = create_run(path, flow)
    torch.manual_seed(3)
    network = Network(13, 3, 2, len(loaded.class_names))
    save_model(run, Model(network, loaded.class_names, parse_rule(decision), 8))
    save_test_split(run, loaded.test)
    write_json(run.metrics_file, {"task": {"notes": loaded.notes}})
    return run
