"""A run scored on labelled clips: a table with one row per clip, and what it adds up to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from codesign.analysis.intervals import mean_proportion, wilson
from codesign.checkpoint import Model
from codesign.decision_hardware import needs_of
from codesign.errors import InputError
from codesign.files import atomic_path, read_json
from codesign.runs import Run
from codesign.tasks.base import Split
from codesign.tasks.labelled import Labelled, Part, labelled_clips
from codesign.testset import load_test_split
from codesign.use.engines import Heard

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Evaluation:
    """One row per clip, and the figures; see ``score`` for the columns."""

    table: pd.DataFrame
    figures: dict[str, Any] = field(default_factory=dict)


def task_notes(run: Run) -> dict[str, Any]:
    """How a run treats a new clip, as training wrote it down.

    Raises InputError when the run's metrics are missing or damaged.
    """
    metrics = read_json(run.metrics_file, "the metrics of a run")
    try:
        return dict(metrics["task"]["notes"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{run.metrics_file} does not say how the run treats a clip (task.notes); train it "
            "again with 'codesign train'."
        ) from error


def clips_of(
    run: Run, model: Model, data_dirs: Sequence[Path], part: Part, count: int | None
) -> Labelled:
    """The labelled clips of folders, or the run's own test clips where no folder is given.

    At most ``count`` of them. Raises InputError as ``labelled_clips`` and ``load_test_split`` do.
    """
    if data_dirs:
        return labelled_clips(
            run.flow().task, model.class_names, task_notes(run), data_dirs, part, count
        )
    own = load_test_split(run)
    if own.per_frame:
        raise InputError(
            f"The test clips of {run.path} have a label per frame, and a clip is scored by one "
            "decision; their accuracy per frame is in metrics.json."
        )
    kept = slice(0, count)
    inputs, labels = own.batch(kept)
    split = Split(inputs, labels, own.ids[kept])
    words = tuple(model.class_names[int(label)] for label in labels)
    return Labelled(split, words, "test", {})


def score(run: Run, model: Model, clips: Labelled, heard: Heard, twin: Heard) -> Evaluation:
    """Decisions against labels and against the software twin's.

    Columns: clip, word, label, status ("ok", or why the clip has no result), decision, right,
    margin_units, twin_decision, twin_margin_units, agrees, and logit_<class>_units, what the
    decision rule compares. Values are missing where a clip failed. Figures count over the clips
    that ended well, with 95 % intervals; ``clips_failed`` says how many did not.
    """
    names, ok = np.array(model.class_names, dtype=object), heard.ok
    labels = clips.split.labels.numpy()
    decided = np.where(ok, heard.decision, 0)
    table = pd.DataFrame(
        {
            "clip": list(clips.split.ids),
            "word": list(clips.words),
            "label": names[labels],
            "status": list(heard.status),
            "decision": pd.Series(names[decided], dtype=object).where(ok),
            "right": pd.array(heard.decision == labels, dtype="boolean"),
            "margin_units": np.where(ok, heard.margins.max(axis=1), np.nan),
            "twin_decision": names[twin.decision],
            "twin_margin_units": twin.margins.max(axis=1),
            "agrees": pd.array(heard.decision == twin.decision, dtype="boolean"),
            **{f"logit_{name}_units": heard.compared[:, k] for k, name in enumerate(names)},
        }
    )
    for column in ("right", "agrees"):
        table.loc[~ok, column] = pd.NA
    return Evaluation(table, figures_of(run, model, clips, heard, twin))


def figures_of(
    run: Run, model: Model, clips: Labelled, heard: Heard, twin: Heard
) -> dict[str, Any]:
    """The headline figures of ``score``, JSON-able."""
    ok, classes = heard.ok, model.classes
    labels, decided = clips.split.labels.numpy()[ok], heard.decision[ok]
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, decided), 1)
    of_class, right = counts.sum(axis=1), counts.diagonal()
    agreeing = int((decided == twin.decision[ok]).sum())
    recalls = {
        name: {
            "clips": int(of_class[k]), "right": int(right[k]),
            "recall": float(right[k] / of_class[k]) if of_class[k] else None,
            "recall_interval": wilson(int(right[k]), int(of_class[k])),
        }
        for k, name in enumerate(model.class_names)
    }  # fmt: skip
    present = [float(right[k] / of_class[k]) for k in range(classes) if of_class[k]]
    total = int(of_class.sum())
    return {
        "decision": str(model.decision),
        "clips": len(ok),
        "clips_failed": int((~ok).sum()),
        "right": int(right.sum()),
        "accuracy": float(right.sum() / total) if total else None,
        "accuracy_interval": wilson(int(right.sum()), total),
        "balanced_accuracy": sum(present) / len(present) if present else None,
        "balanced_accuracy_interval": mean_proportion(right.tolist(), of_class.tolist()),
        "classes_without_clips": [n for k, n in enumerate(model.class_names) if not of_class[k]],
        "recall": recalls,
        "confusion": counts.tolist(),
        "twin_agreeing": agreeing,
        "twin_agreement_interval": wilson(agreeing, total),
        "decision_needs": _needs(run, model, heard),
        "part": clips.part,
        "other_words": dict(clips.elsewhere),
    }


def _needs(run: Run, model: Model, heard: Heard) -> dict[str, Any]:
    """What the decision costs in silicon, at the largest charge that these clips would leave."""
    hardware, frames = run.flow().hardware, heard.logits.shape[1]
    counted = model.decision.frames or frames
    # The charge on its way, not only where it ends: an integrator must not saturate between.
    charge = np.abs(np.cumsum(heard.logits[heard.ok][:, -counted:], axis=1)) / counted
    full_scale_a = float(charge.max()) * hardware.unit_current_a if charge.size else 0.0
    return asdict(
        needs_of(model.decision, model.classes, frames, hardware.frame_s, full_scale_a)
    ) | {"full_scale_a": full_scale_a}


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write the table of clips, CSV or parquet by the suffix.

    Raises InputError for another suffix and for a place that cannot be written.
    """
    check_table(path)
    with atomic_path(path) as temporary:
        if path.suffix == ".csv":
            table.to_csv(temporary, index=False, float_format="%.6g")
        else:
            table.to_parquet(temporary, index=False)


def check_table(path: Path) -> None:
    """Raise InputError unless ``write_table`` can name its format by the suffix."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"--out {path}: the table is .csv or .parquet; end the name in one.")


def confusion_rows(figures: Mapping[str, Any], names: Sequence[str]) -> list[list[str]]:
    """The confusion as text, a row per label that has clips: label, counts, recall."""
    rows = []
    for k, name in enumerate(names):
        one = figures["recall"][name]
        if one["clips"]:
            low, high = one["recall_interval"]
            told = f"{100 * one['recall']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
            rows.append([name, *map(str, figures["confusion"][k]), told])
    return rows
