"""The base of everything a flow can say."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all configuration: immutable, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
