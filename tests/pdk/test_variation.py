"""Process variation in an adapter: what is read, what is refused, who has one."""

import re
from pathlib import Path

import pytest

from codesign.cli.main import main
from codesign.errors import InputError
from codesign.pdk import adapter_names, find_pdk, load_adapter
from codesign.pdk.adapter import ChipLaw, read_adapter
from codesign.pdk.variation import Shift, sigma_k, sigma_vth_v
from codesign.resources import resource_dir


def test_the_law_of_a_process_with_and_without_its_variation() -> None:
    pdk = find_pdk("generic180")
    assert pdk.law() is pdk.mismatch
    law = pdk.law(process=True)
    assert isinstance(law, ChipLaw)
    assert law.process == pdk.process_variation
    # Plans are named by what the law says: mismatch alone says nothing of the process.
    assert {**pdk.mismatch.model_dump(), "process": law.model_dump()["process"]} == law.model_dump()
    assert "process" not in pdk.mismatch.model_dump()


def test_an_adapter_without_the_law_is_refused_with_the_fix() -> None:
    without = [name for name in adapter_names() if not load_adapter(name).process_variation]
    assert without == ["sky130"]
    pdk = find_pdk("generic180")
    bare = type(pdk)(**{**vars(pdk), "process_variation": {}})
    with pytest.raises(InputError, match=r"generic180.*--process-variation.*docs/pdk\.md"):
        bare.law(process=True)


def test_sizes_enter_the_current_factor() -> None:
    shift = Shift(k=-0.01, w_m=6e-9, l_m=5e-9)
    assert shift.factor(1.2e-6, 1e-5) == pytest.approx(-0.01 + 0.005 - 0.0005)


def test_gf180_varies_as_its_statistical_section_says() -> None:
    process = load_adapter("gf180mcu").process_variation
    # 5 and 15 (18) mV are written in the section; the oxide adds 13.5 (17) and 2.5 (3.2) mV.
    assert sigma_vth_v(process, "n") == pytest.approx(0.0209, abs=1e-4)
    assert sigma_vth_v(process, "p") == pytest.approx(0.0255, abs=1e-4)
    assert sigma_k(process, "n", 4e-6, 1e-5) == pytest.approx(0.036, abs=1e-3)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("n = {}", "process_variation.n: .*changes nothing"),
        ("n = { nmos = { vth = 0.01 } }", "process_variation.n.nmos.vth"),
        ("n = { nmos = { vth_v = 10 } }", "process_variation.n.nmos.vth_v"),
        ("'a b' = { nmos = { vth_v = 0.01 } }", "process_variation"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, table: str, message: str) -> None:
    text = (resource_dir("pdk") / "generic180.toml").read_text()
    changed = re.sub(r"\[process_variation\](\n.+)+", f"[process_variation]\n{table}", text)
    assert changed != text
    path = tmp_path / "mine.toml"
    path.write_text(changed)
    with pytest.raises(InputError, match=message):
        read_adapter(path)


def test_pdk_show_says_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pdk", "show", "generic180"]) == 0
    assert "10 (N), 10 (P) mV, shared by all devices of a chip" in capsys.readouterr().out
