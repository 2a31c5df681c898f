"""Training: schedule, objective, the chip's limits, groups of starts, selection, metrics."""

from codesign.training.run import is_finished, train

__all__ = ["is_finished", "train"]
