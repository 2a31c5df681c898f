"""Adapters outside the package: found, validated, and unable to write into a netlist."""

from pathlib import Path

import pytest

from codesign.errors import EnvironmentMissing, InputError
from codesign.pdk import adapter_names, find_pdk, load_adapter
from tests.pdk.gpdk_tree import ADAPTER, gpdk_tree


def _environ(*folders: Path) -> dict[str, str]:
    return {"CODESIGN_PDKS": ":".join(map(str, folders))}


def test_a_kit_is_found_under_its_own_spelling(tmp_path: Path) -> None:
    library = gpdk_tree(tmp_path)
    pdk = find_pdk("gpdk045", None, _environ(tmp_path))
    assert (pdk.nmos, pdk.pmos, pdk.library) == ("g45n1svt", "g45p1svt", library)
    assert pdk.header("typical") == f".lib '{library}' NN\n"
    assert "gpdk045" in adapter_names(_environ(tmp_path))
    assert "gpdk045" not in adapter_names({})


def test_a_library_may_be_named_by_its_path(tmp_path: Path) -> None:
    library = gpdk_tree(tmp_path / "kit").rename(tmp_path / "elsewhere.lib")
    library.write_text(library.read_text().replace("'Kit_Models.lib'", "'elsewhere.lib'"))
    text = ADAPTER.replace('shipped = "kit/models/Kit_Models.lib"', f'path = "{library}"')
    (tmp_path / "mine.toml").write_text(text)
    pdk = find_pdk("mine", None, _environ(tmp_path))
    assert (pdk.source, pdk.library) == ("path", library)


def test_another_section_or_parameter_is_another_process(tmp_path: Path) -> None:
    gpdk_tree(tmp_path)
    (tmp_path / "b.toml").write_text(ADAPTER.replace('typical = "NN"', 'typical = "SS"'))
    (tmp_path / "c.toml").write_text(ADAPTER.replace("[corners]", "[parameters]\nx = 1\n[corners]"))
    kits = [find_pdk(name, None, _environ(tmp_path)) for name in ("gpdk045", "b", "c")]
    assert len({kit.sha256 for kit in kits}) == 1
    assert len({kit.digest for kit in kits}) == 3


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"g45n1svt"]', '"g45n1svt w=1\\n.control"]', r"nmos\.1"),
        ('typical = "NN"', "typical = \"NN'\\n.include 'x\"", r"corners\.typical"),
        ('title = "A made-up 180 nm kit"', 'title = "kit\\n.control"', "title"),
        ('typical = "NN"\n', "", "has no 'typical'"),
        ('shipped = "kit/', 'shipped = "../kit/', r"search\.shipped"),
        ("[search]\nshipped", "[search.root]\nshipped", "search.root"),
        ('shipped = "kit/models/Kit_Models.lib"', "", "names no place"),
        ('shipped = "kit/models/Kit_Models.lib"', 'path = "here.lib"', "is not absolute"),
    ],
)
def test_what_could_reach_a_netlist_is_refused(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    assert old in ADAPTER
    (tmp_path / "bad.toml").write_text(ADAPTER.replace(old, new))
    with pytest.raises(InputError, match=key):
        load_adapter("bad", _environ(tmp_path))


def test_names_that_are_taken_or_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "sky130.toml").write_text(ADAPTER)
    with pytest.raises(InputError, match=r"has the name of .*sky130\.toml; rename one"):
        adapter_names(_environ(tmp_path / "a"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "my kit.toml").write_text(ADAPTER)
    with pytest.raises(InputError, match="'my kit'; use letters"):
        adapter_names(_environ(tmp_path / "b"))
    with pytest.raises(InputError, match="nowhere, which is not a folder"):
        adapter_names(_environ(tmp_path / "nowhere"))


def test_a_library_that_is_not_there_names_the_adapter(tmp_path: Path) -> None:
    gpdk_tree(tmp_path).unlink()
    with pytest.raises(EnvironmentMissing, match=r"Correct \[search\] in .*gpdk045\.toml"):
        find_pdk("gpdk045", None, _environ(tmp_path))
