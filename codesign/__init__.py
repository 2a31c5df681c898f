"""From a trained recurrent network to transistors, and back to evidence."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("codesign")
except PackageNotFoundError:  # a checkout used without installing it
    __version__ = "0.0.0+uninstalled"
