"""The hand-written netlists, read as data."""

import re
from pathlib import Path

import pytest

from codesign.circuit.elements import Capacitor, Library, Mosfet, flatten
from codesign.circuit.library import (
    LIBRARY_FILES,
    library_text,
    parse_subcircuits,
    read_library,
    with_models,
)
from codesign.circuit.strobe import STROBE_FILE
from codesign.errors import InputError


def test_cells_have_the_published_transistors_and_a_reset() -> None:
    cells = read_library()
    for name, count in (("bmru_async", 10), ("bmru_strobed", 15)):
        devices = [e for e in cells[name].elements if isinstance(e, Mosfet)]
        assert len(devices) == count
        assert "mrst" in {device.name for device in devices}
        assert sum(isinstance(e, Capacitor) for e in cells[name].elements) == 1


def test_flatten_resolves_parameters_and_nodes() -> None:
    library = Library("turn_n_to_p", read_library())
    copy, line = flatten(library)
    assert isinstance(copy, Mosfet)
    assert isinstance(line, Mosfet)
    assert copy.w_m == pytest.approx(1.2e-6)
    assert copy.l_m == pytest.approx(1e-5)
    assert copy.m == 8
    assert line.drain == line.gate == "p"


def test_models_are_replaced_as_words_only() -> None:
    assert with_models(
        "m1 a b c d generic180_nmos w=1u\n* my_generic180_nmos_x", "nfet", "pfet"
    ) == ("m1 a b c d nfet w=1u\n* my_generic180_nmos_x")
    text = "".join(library_text(name) for name in LIBRARY_FILES)
    replaced = with_models(text, "nfet_03v3", "pfet_03v3")
    assert not re.search(r"\bgeneric180_nmos\b", replaced)
    assert not re.search(r"\bgeneric180_pmos\b", replaced)


@pytest.mark.parametrize(
    "line", ["r1 a b 1k", "m1 a b c d other w=1u l=1u", "m1 a b", ".param x=1", "c1 a b 3q"]
)
def test_a_line_outside_the_dialect_is_named(line: str) -> None:
    text = f"* a cell\n.subckt cell a b c d\n{line}\n.ends\n"
    with pytest.raises(InputError, match=r"x\.cir, line 3"):
        parse_subcircuits(text, "x.cir")


def test_no_parameter_is_called_ln() -> None:
    """ngspice takes a subcircuit parameter named ln for the logarithm and fails."""
    for cell in read_library().values():
        assert "ln" not in cell.parameters


def test_every_shipped_file_is_in_the_list() -> None:
    shipped = {path.name for path in (Path(__file__).parents[2] / "netlists").glob("*.cir")}
    assert shipped == {*LIBRARY_FILES, STROBE_FILE}
