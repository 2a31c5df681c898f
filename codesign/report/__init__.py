"""Figures and pages: the evidence of a run as one HTML file (``build_report``)."""

from codesign.report.build import build_report

__all__ = ["build_report"]
