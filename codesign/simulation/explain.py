"""Every root disagreement looked at again, in its waveform where there is one.

ngspice's waveforms are on disk for plans that keep them. The batched engine's are computed again,
for the blocks of sixteen samples in which a state differs, as the run itself saw them. Of each root
the cell's frame is kept in root_waves.parquet; roots.parquet has one row per root.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from codesign.analysis.causes import Limits
from codesign.analysis.evidence import RootFacts, RootWave, judge_wave
from codesign.analysis.samples import explain_decisions
from codesign.analysis.tally import Tally
from codesign.analysis.yardstick import Yardstick
from codesign.files import atomic_path
from codesign.flows import HardwareSection
from codesign.simulation.engines import Batch
from codesign.simulation.results import Results
from codesign.simulation.sample import sample_name, waves_path

# Blocks of sixteen samples computed again for their waveforms, at most; a second or so of work for
# digits, half a minute for a hundred frames.
BLOCKS = 64
# Whole clips kept for the viewer of a batched run.
WHOLE_CLIPS = 12
BATCHED_WAVES = "waves_batched"
_SNIPPET = ("at", "candidate_units", "v0_v", "state_units")
WAVEFORM, SAMPLED = "waveform", "sampled values"

Waves = Iterator[tuple[int, pd.DataFrame]]
Part = dict[str, Any]


def explain(
    folder: Path, yardstick: Yardstick, hardware: HardwareSection, results: Results,
    batch: Batch | None,
) -> Results:  # fmt: skip
    """Judge all roots, write roots.parquet and root_waves.parquet, and put the causes found into
    the tables and sums."""
    roots = _table(results, yardstick.decides_by())
    judged: dict[int, tuple[str, str]] = {}
    parts: list[pd.DataFrame] = []
    by_sample: dict[int, list[Part]] = {}
    for row in roots.to_dict("records"):
        by_sample.setdefault(row["sample"], []).append({str(k): v for k, v in row.items()})
    for sample, waves in _waves(folder, results.samples, by_sample, batch):
        for root in by_sample[sample]:
            wave = cut(waves, root, yardstick)
            judged[root["root"]] = judge_wave(wave, facts(root, yardstick, hardware))
            parts.append(_snippet(root["root"], wave))
    sampled_cause = roots["cause"].copy()
    _fill(roots, judged)
    _write(folder / "roots.parquet", roots)
    empty = pd.DataFrame(
        {name: [] for name in ("root", "at", "candidate_units", "v0_v", "state_units")}
    )
    _write(folder / "root_waves.parquet", pd.concat(parts) if parts else empty)
    _put_causes(folder / "states.parquet", roots)
    states = int(np.prod(yardstick.cells("alpha").shape)) * yardstick.timing.frames
    samples = explain_decisions(results.samples, roots, states)
    _write(folder / "samples.parquet", samples)
    tally = _recount(results.tally, sampled_cause, roots["cause"])
    return replace(results, samples=samples, roots=roots, tally=tally)


def _fill(roots: pd.DataFrame, judged: dict[int, tuple[str, str]]) -> None:
    """Cause, evidence and the sentence that says why, of every root."""
    unseen = [(str(cause), "no waveform was kept") for cause in roots["cause"]]
    found = [judged.get(k, kept) for k, kept in zip(roots["root"], unseen, strict=True)]
    roots["cause"] = pd.Series([cause for cause, _ in found], dtype="str")
    roots["why"] = pd.Series([why for _, why in found], dtype="str")
    roots["evidence"] = pd.Series(
        [WAVEFORM if k in judged else SAMPLED for k in roots["root"]], dtype="str"
    )


def _table(results: Results, limits: Limits) -> pd.DataFrame:
    """The roots with what they were decided by and how many states follow from each."""
    roots = results.roots.sort_values(["sample", "frame", "layer", "unit"], ignore_index=True)
    roots.insert(0, "root", np.arange(len(roots)))
    at = (roots["layer"].to_numpy(), roots["unit"].to_numpy())
    was_on = roots["chip_was_active"].to_numpy(bool)
    for name, of_on, of_off in (
        ("threshold_units", limits.beta_lo, limits.beta_hi),
        ("spread_units", limits.spread_lo, limits.spread_hi),
    ):
        roots[name] = np.where(was_on, of_on[at], of_off[at])
    roots["gap_units"] = roots["twin_candidate_units"] - roots["threshold_units"]
    roots["unsound"] = limits.unsound[at]
    rows = results.samples.set_index("sample")
    for name in ("clip_id", "chip"):
        roots[name] = rows[name].reindex(roots["sample"]).array
    differs = ~rows["agree"].astype("boolean").fillna(True)
    roots["decision_differs"] = differs.reindex(roots["sample"]).to_numpy(bool)
    counts = results.followers
    keys = pd.MultiIndex.from_frame(roots[["sample", "frame", "layer", "unit"]])
    roots["states"] = counts.reindex(keys).fillna(1).to_numpy(np.int64)
    return roots


def _waves(
    folder: Path, samples: pd.DataFrame, wanted: dict[int, Any], batch: Batch | None
) -> Waves:
    """Waveforms of the samples in ``wanted`` that have or can have any."""
    if batch is None:
        for sample in wanted:
            path = waves_path(folder, sample)
            if path.is_file():
                yield sample, pd.read_parquet(path)
        return
    whole = _worth_keeping(samples)
    kept = folder / BATCHED_WAVES
    kept.mkdir(exist_ok=True)
    for path in kept.glob("*.parquet"):
        path.unlink()
    blocks = dict.fromkeys(batch.block(sample) for sample in [*whole, *wanted])
    for block in list(blocks)[:BLOCKS]:
        for sample, waves in batch.waves(block):
            if sample in whole:
                _write(kept / f"{sample_name(sample)}.parquet", waves)
            if sample in wanted:
                yield sample, waves


def _worth_keeping(samples: pd.DataFrame) -> list[int]:
    """Samples to see as a whole: decisions that differ, then most states, then the first."""
    ok = samples[samples["status"] == "ok"]
    order = ok.assign(agree=ok["agree"].astype(bool), wrong=-ok["states_differing"].astype(int))
    ranked = order.sort_values(["agree", "wrong", "sample"])["sample"]
    return [int(sample) for sample in ranked.head(WHOLE_CLIPS)]


def cut(waves: pd.DataFrame, root: Part, yardstick: Yardstick) -> RootWave:
    """The root's cell from the sampling instant of the frame before to that of its own."""
    timing, unit_a = yardstick.timing, yardstick.unit_current_a
    instants = [-1.0, *timing.sample_times_s()]
    start, stop = instants[root["frame"]], instants[root["frame"] + 1]
    at = f"l{root['layer']}.u{root['unit']}"
    time = waves["time_s"].to_numpy(np.float64)
    # The ends are interpolated: ngspice's steps know no sampling instants.
    inner = time[(time > start) & (time < stop)]
    points = np.concatenate([[max(start, float(time[0]))], inner, [stop]])

    def along(name: str, scale: float) -> Any:
        return np.interp(points, time, waves[name].to_numpy(np.float64)) / scale

    return RootWave(
        points / timing.frame_s - root["frame"],
        along(f"candidate.{at}_a", unit_a),
        along(f"v0.{at}_v", 1.0),
        along(f"state.{at}_a", unit_a),
    )


def facts(root: Part, yardstick: Yardstick, hardware: HardwareSection) -> RootFacts:
    """What the tables know of a root."""
    limits, at = yardstick.decides_by(), (root["layer"], root["unit"])
    strobed = hardware.cell == "strobed"
    return RootFacts(
        twin_candidate=root["twin_candidate_units"],
        twin_on=bool(root["twin_active"]),
        was_on=bool(root["chip_was_active"]),
        beta_hi=float(limits.beta_hi[at]),
        beta_lo=float(limits.beta_lo[at]),
        alpha=float(limits.alpha[at]),
        spread=root["spread_units"],
        unsound=bool(root["unsound"]),
        late_below=bool(root["late_below"]),
        window=yardstick.timing.window(root["layer"]) if strobed else None,
        supply_v=hardware.supply_v,
    )


def _snippet(root: int, wave: RootWave) -> pd.DataFrame:
    values = (wave.at, wave.candidate, wave.v0, wave.state)
    table = pd.DataFrame(dict(zip(_SNIPPET, values, strict=True))).astype("float32")
    table.insert(0, "root", root)
    return table


def _put_causes(path: Path, roots: pd.DataFrame) -> None:
    """The causes of the roots as they were judged, into the table of states."""
    if not len(roots):
        return
    states = pd.read_parquet(path)
    keys = ["sample", "frame", "layer", "unit"]
    judged = roots.set_index(keys)["cause"]
    rows = states.index[~states["agree"].to_numpy(bool)]
    found = judged.reindex(pd.MultiIndex.from_frame(states.loc[rows, keys]))
    states.loc[rows, "cause"] = found.fillna(
        pd.Series(states.loc[rows, "cause"].array, index=found.index)
    ).array
    _write(path, states)


def _recount(tally: Tally, before: "pd.Series[str]", after: "pd.Series[str]") -> Tally:
    counts = dict(tally.causes)
    for names, sign in ((before, -1), (after, 1)):
        for name, n in names.value_counts().items():
            counts[str(name)] = counts.get(str(name), 0) + sign * int(n)
    return replace(tally, causes={name: n for name, n in counts.items() if n})


def _write(path: Path, table: pd.DataFrame) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), temporary)
