"""The page of a simulation with device noise: ``noise.html``."""

from codesign.report.noise.page import noise_pages

__all__ = ["noise_pages"]
