"""The page of a characterisation: verdict, then a section per group of sweeps, then provenance."""

from codesign.report.characterization.build import build_characterization, render_characterization

__all__ = ["build_characterization", "render_characterization"]
