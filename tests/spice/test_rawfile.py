"""The raw file reader: several plots, real and complex, binary and ASCII, and damage."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from codesign.spice.ngspice import find_ngspice, run_text
from codesign.spice.rawfile import RawFileError, read_raw

HEADER = """\
Title: a test
Date: today
Plotname: {plot}
Flags: {flags}
No. Variables: {variables}
No. Points: {points}
Variables:
"""


def _binary(values: NDArray[np.generic], names: list[str], flags: str, plot: str) -> bytes:
    points, variables = values.shape
    text = HEADER.format(plot=plot, flags=flags, variables=variables, points=points)
    text += "".join(f"\t{k}\t{name}\tvoltage\n" for k, name in enumerate(names))
    return text.encode() + b"Binary:\n" + values.tobytes()


def test_two_binary_plots_real_and_complex(tmp_path: Path) -> None:
    real = np.arange(6.0).reshape(3, 2)
    # Bytes that look like text inside the values must not be taken for a header.
    real[0, 0] = np.frombuffer(b"Binary:\n")[0]
    other = (np.arange(4.0) + 1j * np.arange(4.0)[::-1]).reshape(2, 2)
    path = tmp_path / "two.raw"
    path.write_bytes(
        _binary(real, ["time", "V(A)"], "real", "Transient Analysis")
        + _binary(other, ["frequency", "v(a)"], "complex", "AC Analysis")
    )
    first, second = read_raw(path)
    assert first.names == ("time", "v(a)")
    np.testing.assert_array_equal(first["V(a)"], real[:, 1])
    np.testing.assert_array_equal(first.scale, real[:, 0])
    assert second.name == "AC Analysis"
    np.testing.assert_array_equal(second.complex("v(a)"), other[:, 1])


def test_ascii_values(tmp_path: Path) -> None:
    text = HEADER.format(plot="AC Analysis", flags="complex", variables=2, points=2)
    text += "\t0\tfrequency\tfrequency\n\t1\tv(out)\tvoltage\nValues:\n"
    text += " 0\t1.0,0.0\n\t2.0,-1.0\n\n 1\t10.0,0.0\n\t4.0,3.0\n"
    path = tmp_path / "ascii.raw"
    path.write_text(text)
    (plot,) = read_raw(path)
    np.testing.assert_array_equal(plot.complex("v(out)"), [2 - 1j, 4 + 3j])


@pytest.mark.parametrize("cut", [10, 150, -1, -17])
def test_a_truncated_file_is_an_error(tmp_path: Path, cut: int) -> None:
    whole = _binary(np.arange(6.0).reshape(3, 2), ["time", "v(a)"], "real", "Transient Analysis")
    path = tmp_path / "cut.raw"
    path.write_bytes(whole[:cut])
    with pytest.raises(RawFileError):
        read_raw(path)


def test_missing_and_empty_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RawFileError, match="No such file"):
        read_raw(tmp_path / "none.raw")
    (tmp_path / "empty.raw").touch()
    with pytest.raises(RawFileError, match="no plot"):
        read_raw(tmp_path / "empty.raw")


def test_an_unknown_vector_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(_binary(np.zeros((1, 1)), ["time"], "real", "Transient Analysis"))
    with pytest.raises(KeyError, match=r"v\(x\)"):
        read_raw(path)[0]["v(x)"]


DECK = """\
* rc
v1 in 0 dc 1 ac 1
r1 in out 1k
c1 out 0 1u
.save v(out) i(v1)
.control
{filetype}
op
write out.raw
set appendwrite
ac dec 2 10 1000
write out.raw
.endc
.end
"""


@pytest.mark.ngspice
@pytest.mark.parametrize("filetype", ["", "set filetype=ascii"])
def test_what_ngspice_writes_is_read(filetype: str) -> None:
    outcome = run_text(find_ngspice(), DECK.format(filetype=filetype))
    assert outcome.status == "ok", outcome.log
    point, sweep = outcome.plots
    assert point["v(out)"][0] == pytest.approx(1.0)
    expected = 1 / (1 + 2j * np.pi * sweep.scale * 1e-3)
    np.testing.assert_allclose(sweep.complex("v(out)"), expected, rtol=1e-4)
