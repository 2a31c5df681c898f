"""How samples are executed, as far as results do not depend on it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExecutionOptions:
    """``memory_limit_mb`` bounds the address space of every simulator process, in MB (1e6 bytes).

    ``only_failed`` runs samples again that failed; without it a failure is a result and stays.
    ``keep`` keeps deck, raw output and log of samples that ended well. ``scheduler`` is the address
    of a Dask scheduler, or ``local[:N]``; None uses processes of this machine.
    """

    memory_limit_mb: float | None = None
    only_failed: bool = False
    keep: bool = False
    scheduler: str | None = None

    @property
    def memory_limit_bytes(self) -> int | None:
        return None if self.memory_limit_mb is None else int(self.memory_limit_mb * 1e6)


DEFAULT_EXECUTION = ExecutionOptions()
