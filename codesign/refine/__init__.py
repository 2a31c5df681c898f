"""The co-design loop: a trained network continued on the twin of its own circuit."""

from codesign.refine.run import refine

__all__ = ["refine"]
