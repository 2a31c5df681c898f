"""mismatch.html: what Monte Carlo found, for somebody who was not there."""

from codesign.report.mismatch.page import mismatch_pages

__all__ = ["mismatch_pages"]
