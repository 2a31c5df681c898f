"""The TOML adapters: what ships is valid, what is wrong is named."""

import math
import re
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.flows import HardwareSection
from codesign.pdk import MismatchLaw, adapter_names, load_adapter
from codesign.pdk.adapter import PairConstants, read_adapter
from codesign.resources import resource_dir


@pytest.mark.parametrize("name", adapter_names())
def test_shipped_adapters_cover_the_default_hardware(name: str) -> None:
    adapter = load_adapter(name)
    hardware = HardwareSection()
    limits = adapter.limits
    assert set(adapter.corners) == {"typical", "ss", "ff", "sf", "fs"}
    for w_m, l_m in (
        (hardware.unit_w_m, hardware.unit_l_m),
        (hardware.cell_w_m, hardware.cell_l_m),
        (hardware.switch_w_m, hardware.switch_l_m),
    ):
        assert limits.w_min_m <= w_m <= limits.w_max_m
        assert limits.l_min_m <= l_m <= limits.l_max_m
    assert adapter.supply_max_v >= hardware.supply_v


def test_the_mismatch_law_is_pelgroms() -> None:
    law = MismatchLaw(
        nmos=PairConstants(a_vt_v_m=5e-9, a_k_m=1e-8), pmos=PairConstants(a_vt_v_m=4e-9, a_k_m=0)
    )
    single = law.sigma_vth_v("nmos", 2e-6, 8e-6)
    # A pair of two independent devices differs by sqrt(2) sigma, which is A / sqrt(W L).
    assert math.isclose(single * math.sqrt(2), 5e-9 / math.sqrt(2e-6 * 8e-6))
    assert math.isclose(law.sigma_vth_v("nmos", 2e-6, 8e-6, m=4), single / 2)
    assert law.sigma_k("pmos", 2e-6, 8e-6) == 0


def test_gf180_uses_the_effective_area_of_its_own_wrappers() -> None:
    law = load_adapter("gf180mcu").mismatch
    # 0.7071 * par_vth / sqrt((l - 0.15 um)(w + 0.1 um)), as written in the model file.
    expected = 0.7071 * 0.007148e-6 / math.sqrt((1e-5 - 1.5e-7) * (4e-6 + 1e-7))
    assert math.isclose(law.sigma_vth_v("nmos", 4e-6, 1e-5), expected, rel_tol=1e-4)


@pytest.mark.parametrize(
    ("line", "becomes", "message"),
    [
        ("supply_max_v = 1.98", "supply_max_v = -1", "supply_max_v"),
        ("supply_max_v = 1.98", "supply = 1.98", "supply"),
        ('nmos = ["generic180_nmos"]', 'nmos = ["x\\n.control"]', r"nmos\.0"),
        ('shipped = "generic180/', 'shipped = "../../', "search.shipped"),
        ("[parameters]", "[parameters]\n'a b' = 1", "parameters"),
        ("[limits]", "[limits", "not valid TOML"),
    ],
)
def test_a_wrong_adapter_is_an_error_that_names_the_key(
    tmp_path: Path, line: str, becomes: str, message: str
) -> None:
    text = (resource_dir("pdk") / "generic180.toml").read_text()
    assert line in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(line, becomes))
    with pytest.raises(InputError, match=message):
        read_adapter(path)


def test_a_missing_adapter_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read the PDK adapter"):
        read_adapter(tmp_path / "none.toml")


DOCS = Path(__file__).parents[2] / "docs"


def test_the_adapter_of_the_guide_is_valid(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", (DOCS / "pdk.md").read_text(), re.DOTALL)
    assert block is not None
    path = tmp_path / "mykit.toml"
    path.write_text(block[1])
    adapter = read_adapter(path)
    assert adapter.corners["typical"] == "NN"
    assert adapter.nmos[0] == "g45n1svt"


def test_the_table_of_generic180_names_every_parameter_of_its_cards() -> None:
    page = (DOCS / "generic180.md").read_text().split("## Corners")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    cards = (resource_dir("pdk") / "generic180" / "generic180.lib").read_text()
    devices = cards[cards.index(".model generic180_nmos") :]
    # Zero switches a term off; the rest of these are selectors or BSIM4's own defaults.
    settings = dict(re.findall(r"(\w+)=([^\s]+)", devices))
    plain = {
        "level", "version", "binunit", "paramchk", "capmod", "diomod", "a0", "ags", "drout",
        "delta", "wr", "tnom", "ua1", "ub1", "uc1", "at", "cgbo", "clc", "cle", "acde", "moin",
        "mjd", "cjd", "pbd", "cjswd", "jsd", "jswd", "njs", "njd", "xtid", "xtis", "dvt2",
    }  # fmt: skip
    valued = {name for name, value in settings.items() if value != "0"}
    assert valued - plain <= documented
    assert documented <= set(settings)
