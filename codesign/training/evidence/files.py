"""Evidence as files of the run: ``evidence/`` with JSON, parquet tables and one safetensors file.

evidence.json is written last, with the digest of the weights it was measured on: evidence of
other weights is not used.
"""

import hashlib
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from codesign.checkpoint import Model, load_model
from codesign.errors import InputError
from codesign.files import atomic_path, read_json, write_json
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.testset import has_test_split, load_test_split
from codesign.training.evidence.clips import Raster
from codesign.training.evidence.gather import SCHEMA, Evidence, Networks, evidence_of

_TABLES = ("rules", "clips", "units", "distances")
_NODES = ("inputs", "candidates", "states", "logits", "compared")
_HALF = 6e4  # within the range of half precision
_FACTS, _RASTERS = "evidence.json", "rasters.safetensors"


def weights_digest(run: Run) -> str:
    """SHA-256 of the run's weights."""
    return hashlib.sha256(run.weights_file.read_bytes()).hexdigest()


def save_control(run: Run, parameters: Mapping[str, Tensor]) -> None:
    """Write the weights of the kept control, under the names of the network's."""
    tensors = {name: value.float().contiguous() for name, value in parameters.items()}
    with atomic_path(run.control_file) as temporary:
        temporary.write_bytes(save_tensors(tensors))


def record_evidence(run: Run, networks: Networks, split: Split) -> None:
    """Measure a run whose weights are on disk on its test clips, and keep that with the control."""
    if networks.control is not None:
        save_control(run, networks.control)
    save_evidence(run, evidence_of(networks, split))


def find_evidence(run: Run) -> Evidence | None:
    """The evidence of a run: as it was kept, else measured now on the run's test clips.

    None where the run has no weights or no test clips (a model that came from elsewhere).
    """
    kept = load_evidence(run)
    if kept is not None or not run.weights_file.is_file() or not has_test_split(run):
        return kept
    model = load_model(run)
    return evidence_of(Networks(model, _load_control(run, model)), load_test_split(run))


def _load_control(run: Run, model: Model) -> dict[str, Tensor] | None:
    if not run.control_file.is_file():
        return None
    try:
        found = load_tensors(run.control_file)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(
            f"{run.control_file} is damaged ({error}); delete it, and the control is left out."
        ) from error
    if {name: value.shape for name, value in found.items()} != {
        name: value.shape for name, value in model.network.state_dict().items()
    }:
        raise InputError(
            f"{run.control_file} does not have the shapes of {run.weights_file.name}; delete it, "
            "and the control is left out."
        )
    return found


def save_evidence(run: Run, evidence: Evidence) -> None:
    """Write the evidence of a run whose weights are on disk already."""
    folder = run.evidence_dir
    shutil.rmtree(folder, ignore_errors=True)
    for name in _TABLES:
        with atomic_path(folder / f"{name}.parquet") as temporary:
            getattr(evidence, name).to_parquet(temporary, index=False)
    # Contiguous: safetensors writes the memory of an array whatever its strides.
    tensors = {
        f"{number}.{node}": np.ascontiguousarray(
            np.clip(getattr(raster, node), -_HALF, _HALF), np.float16
        )
        for number, raster in enumerate(evidence.rasters)
        for node in _NODES
    }
    with atomic_path(folder / _RASTERS) as temporary:
        temporary.write_bytes(save(tensors))
    listed = [
        {key: value for key, value in vars(raster).items() if key not in _NODES}
        for raster in evidence.rasters
    ]
    facts = {**evidence.facts, "weights_sha256": weights_digest(run), "rasters": listed}
    write_json(folder / _FACTS, facts)


def load_evidence(run: Run) -> Evidence | None:
    """The evidence of the run's present weights; None where there is none.

    Raises InputError for a file that is missing or cannot be read.
    """
    path = run.evidence_dir / _FACTS
    if not path.is_file() or not run.weights_file.is_file():
        return None
    facts = read_json(path, "the evidence of a training")
    if (
        not isinstance(facts, dict)
        or facts.get("schema") != SCHEMA
        or facts.get("weights_sha256") != weights_digest(run)
    ):
        return None
    try:
        tables = {name: pd.read_parquet(run.evidence_dir / f"{name}.parquet") for name in _TABLES}
        tensors = load_file(run.evidence_dir / _RASTERS)
        rasters = tuple(_raster(tensors, n, item) for n, item in enumerate(facts["rasters"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{run.evidence_dir} (evidence of the training) is damaged: {error}. Delete it, and "
            "'codesign report' makes it again from the test clips of the run."
        ) from error
    return Evidence(facts=facts, rasters=rasters, **tables)


def _raster(tensors: dict[str, Any], number: int, item: dict[str, Any]) -> Raster:
    nodes = {node: tensors[f"{number}.{node}"].astype(np.float32) for node in _NODES}
    return Raster(**item, **nodes)
