"""The training page: what was learned, what it is worth, and how the network does it."""

from codesign.report.training.page import training_page

__all__ = ["training_page"]
