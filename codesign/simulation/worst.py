"""Worst chips explained in the batched engine: shares to first order, or device by device."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from codesign.analysis.worst import (
    FIRST_ORDER,
    ONE_BY_ONE,
    Explained,
    choose_worst,
    worst_rows,
)
from codesign.simulation.probe import Chips, Probe
from codesign.simulation.sensitivity import first_order, first_state, states_differ

WORST = 10
TOP = 10
# Chips whose devices are taken one by one, a run for each device: as many as this much work allows,
# in runs x transistors x frames, about half a minute of one core, and always the first three.
_WORK = 160_000_000
_LEAST = 3

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def worst_chips(
    probe: Probe, chips: Chips, tables: dict[int, pd.DataFrame], corner: str
) -> pd.DataFrame:
    """``worst_rows`` of the worst chips, each on that clip of ``tables`` (sensitivities by place)
    on which its margin is least.

    To first order, but for chips with a state that is not the nominal chip's: slopes know nothing
    of flips, so there every device is tried, while the work allows.
    """
    rows = chips.rows
    measured = rows["at"].isin(list(tables)) & rows["ok"]
    if not measured.any():
        return pd.DataFrame()
    failures = (rows["margin_units"] < 0).astype(np.int64).groupby(rows["chip"]).sum()
    least = rows[measured].sort_values(["margin_units", "at"]).drop_duplicates("chip")
    chip = least["chip"].to_numpy(np.int64)
    margin_units = least["margin_units"].to_numpy(np.float64)
    failed = np.asarray(failures.loc[chip], dtype=np.int64)
    picked = choose_worst(chip, failed, margin_units, WORST)
    parts, tried = [], 0
    frames = int(probe.inputs_units.shape[1])
    most = max(_LEAST, _WORK // (len(probe.devices) ** 2 * frames))
    for at, index in zip(least["at"].to_numpy(np.int64)[picked], chip[picked], strict=True):
        found, one_by_one = _explain(
            probe,
            tables[int(at)],
            int(index),
            int(at),
            int(failures.loc[index]),
            corner,
            tried < most,
        )
        tried += one_by_one
        draws = probe.draws(np.array([index]))
        parts.append(
            worst_rows(
                found, probe.engine.instances, draws.delvto_v[0], draws.mulu0[0], probe.sigma()
            )
        )
    return pd.concat(parts, ignore_index=True)


def _explain(
    probe: Probe, table: pd.DataFrame, chip: int, at: int, failures: int, corner: str, may_try: bool
) -> tuple[Explained, bool]:
    nominal = probe.nominal(np.array([at]))
    draws = probe.draws(np.array([chip]))
    itself = probe.run(np.array([at]), draws.delvto_v, draws.mulu0, np.zeros(1, np.int64))
    differing = states_differ(itself, nominal)[0]
    shares = first_order(probe, table, np.array([chip]))[0]
    predicted = float(nominal.margin_units[0] + shares.sum())
    one_by_one = may_try and bool(differing.any())
    if one_by_one:
        shares = itself.margin_units[0] - _without(probe, chip, at, np.eye(len(shares), dtype=bool))
    # A device whose run failed explains nothing.
    order = np.argsort(np.nan_to_num(shares), kind="stable")[:TOP]
    first = np.zeros((TOP, len(shares)), dtype=bool)
    for rank in range(len(order)):
        first[rank, order[: rank + 1]] = True
    first = first[: len(order)]
    return Explained(
        chip=chip,
        corner=corner,
        failures=failures,
        clip_id=probe.plan.clip_ids[at],
        margin_units=float(itself.margin_units[0]),
        predicted_units=predicted,
        nominal_units=float(nominal.margin_units[0]),
        states_differing=int(differing.sum()),
        first_state=first_state(differing),
        ranked_by=ONE_BY_ONE if one_by_one else FIRST_ORDER,
        order=order,
        share_units=shares[order],
        without_units=_without(probe, chip, at, first),
        only_units=_without(probe, chip, at, ~first),
    ), one_by_one


def _without(probe: Probe, chip: int, at: int, reset: NDArray[np.bool_]) -> Floats:
    """Margins of a chip with the draws of the devices ``reset`` (n, devices) set to zero, (n,)."""
    draws = probe.draws(np.array([chip]))
    found = probe.run(
        np.full(len(reset), at),
        np.where(reset, 0.0, draws.delvto_v),
        np.where(reset, 1.0, draws.mulu0),
        np.arange(len(reset)),
    )
    return found.margin_units
