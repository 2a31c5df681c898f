"""What training leaves for its page: measurements of the kept network on the test split."""

from codesign.training.evidence.clips import Raster
from codesign.training.evidence.files import (
    find_evidence,
    load_evidence,
    record_evidence,
    save_control,
    save_evidence,
)
from codesign.training.evidence.gather import Evidence, Networks, evidence_of

__all__ = [
    "Evidence", "Networks", "Raster", "evidence_of", "find_evidence", "load_evidence",
    "record_evidence", "save_control", "save_evidence",
]  # fmt: skip
