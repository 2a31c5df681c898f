"""PDK adapters: find a process on this machine, load it, know its limits and its mismatch."""

from codesign.pdk.adapter import Adapter, Limits, MismatchLaw, adapter_names, load_adapter
from codesign.pdk.find import Place, find_pdk, search_pdk
from codesign.pdk.found import Pdk

__all__ = [
    "Adapter",
    "Limits",
    "MismatchLaw",
    "Pdk",
    "Place",
    "adapter_names",
    "find_pdk",
    "load_adapter",
    "search_pdk",
]
