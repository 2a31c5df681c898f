"""Strategies of mapping side by side: tables from measurements, nothing measured or read here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

WEIGHT_ERROR_RMS, WEIGHT_ERROR_OVER_TEMPERATURE = 0.005, 0.01


def gain_column(temperature_c: float) -> str:
    """Column of the gains measured at a temperature."""
    return f"gain_{temperature_c:g}c"


def summarise_strategy(
    weights: pd.DataFrame, nominal_c: float, temperatures_c: Sequence[float]
) -> dict[str, Any]:
    """Errors of one strategy from its rows (``instance``, ``path``, ``wanted``, gains).

    An error is relative to the value the strategy gives the device, a drift to the gain at
    ``nominal_c``; ``meets`` says whether the weights hold what is promised of them.
    """
    wanted = weights["wanted"].to_numpy()
    nominal = weights[gain_column(nominal_c)].to_numpy()
    error = nominal / wanted - 1
    worst = int(np.abs(error).argmax())
    over, drift = {}, {}
    for temperature in temperatures_c:
        gain = weights[gain_column(temperature)].to_numpy()
        over[f"{temperature:g}"] = _rms_and_worst(gain / wanted - 1)
        drift[f"{temperature:g}"] = _rms_and_worst(gain / nominal - 1)
    worst_over = max(figures["worst"] for figures in over.values())
    rms = float(np.sqrt(np.mean(error**2)))
    return {
        "devices_measured": len(weights),
        "error_rms": rms,
        "error_worst": float(np.abs(error[worst])),
        "error_worst_instance": str(weights["instance"].iloc[worst]),
        "error_over_temperature": over,
        "error_over_temperature_worst": worst_over,
        "drift": drift,
        "paths": path_errors(weights, nominal_c),
        "meets": bool(rms <= WEIGHT_ERROR_RMS and worst_over <= WEIGHT_ERROR_OVER_TEMPERATURE),
    }


def path_errors(weights: pd.DataFrame, temperature_c: float) -> dict[str, dict[str, float]]:
    """Mean and rms error by kind of path: what is left between positive and negative terms."""
    error = weights[gain_column(temperature_c)] / weights["wanted"] - 1
    return {
        str(path): {
            "devices": int(part.size),
            "mean": float(part.mean()),
            "rms": float(np.sqrt((part**2).mean())),
        }
        for path, part in error.groupby(weights["path"])
    }


def static_error_units(
    weights: pd.DataFrame, temperature_c: float, mean_units: Mapping[str, float]
) -> dict[str, float]:
    """What the gain errors add up to in each summing node, in units, by node (``c0_3``).

    Rows have ``into`` (the node), ``signal`` (the node read, "" for a bias) and ``positive``;
    ``mean_units`` is what each node carries on average.
    """
    error = weights[gain_column(temperature_c)] - weights["wanted"]
    carried = [mean_units[name] if name else 1.0 for name in weights["signal"]]
    sign = np.where(weights["positive"], 1.0, -1.0)
    terms = pd.Series(sign * error.to_numpy() * np.array(carried))
    return {
        str(node): float(total)
        for node, total in terms.groupby(weights["into"].to_numpy()).sum().items()
    }


def strategy_lines(found: Mapping[str, Any]) -> list[str]:
    """The comparison as lines of text, one strategy each, after a head."""
    temperatures = [f"{value:g}" for value in found["temperatures_c"]]
    drifts = "".join(f"{f'at {value} C':>10}" for value in temperatures)
    lines = [
        f"{'':38}{'rounded':>8}{'error rms':>11}{'worst':>9}{drifts}"
        f"{'area um2':>10}{'power nW':>10}"
    ]
    for item in found["strategies"]:
        mark = " *" if item["name"] == found["used"] else ""
        over = "".join(
            f"{100 * item['error_over_temperature'][value]['worst']:>9.2f}%"
            for value in temperatures
        )
        lines.append(
            f"{item['title'] + mark:38}{item['not_representable']:>8}"
            f"{100 * item['error_rms']:>10.3f}%{100 * item['error_worst']:>8.3f}%{over}"
            f"{1e12 * item['gate_area_m2']:>10,.0f}{1e9 * item['predicted_power_w']:>10.0f}"
        )
    lines.append(
        "Measured per device in place; at a temperature: the worst. * is the design's own."
    )
    return lines


def _rms_and_worst(error: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return {"rms": float(np.sqrt(np.mean(error**2))), "worst": float(np.abs(error).max())}
