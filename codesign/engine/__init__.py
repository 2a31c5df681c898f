"""The batched transistor engine; ``BatchedEngine`` is its door."""

from codesign.engine.batched import BatchedEngine, EngineResult
from codesign.engine.graph import Unsupported

__all__ = ["BatchedEngine", "EngineResult", "Unsupported"]
