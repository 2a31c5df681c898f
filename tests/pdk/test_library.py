"""Following a library's sections as ngspice does."""

from pathlib import Path

from codesign.pdk.library import read_section

TEXT = """\
* comment .model not_a_model nmos
.LIB 'other.lib' helper
.lib Typical
 .lib "other.lib" inner
.include 'plain.inc'
.model Here.3 nmos
+ level=54
.subckt wrap a b
.model hidden nmos
.ends wrap
.endl Typical
.lib empty
.endl
"""


def _write(folder: Path) -> Path:
    (folder / "main.lib").write_text(TEXT)
    (folder / "other.lib").write_text(
        ".lib inner\n.model there pmos\n.endl\n.lib unused\n.model unused pmos\n.endl\n"
    )
    (folder / "plain.inc").write_text(".model plain nmos\n")
    return folder / "main.lib"


def test_a_section_gathers_models_from_everything_it_refers_to(tmp_path: Path) -> None:
    section = read_section(_write(tmp_path), "typical")
    assert section is not None
    assert section.models == {"here", "there", "plain"}
    assert [path.name for path in section.files] == ["main.lib", "other.lib", "plain.inc"]
    assert section.missing == ()


def test_an_empty_section_is_not_a_missing_one(tmp_path: Path) -> None:
    library = _write(tmp_path)
    empty = read_section(library, "EMPTY")
    assert empty is not None
    assert empty.models == frozenset()
    assert read_section(library, "nowhere") is None


def test_sections_that_refer_to_each_other_end(tmp_path: Path) -> None:
    library = tmp_path / "loop.lib"
    library.write_text(
        ".lib a\n.lib 'loop.lib' b\n.endl\n.lib b\n.lib 'loop.lib' a\n.model m nmos\n.endl\n"
    )
    section = read_section(library, "a")
    assert section is not None
    assert section.models == {"m"}


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    library = tmp_path / "main.lib"
    library.write_text(".lib a\n.include 'gone.inc'\n.endl\n")
    section = read_section(library, "a")
    assert section is not None
    assert section.missing == (tmp_path / "gone.inc",)


def test_settings_of_wrapped_cards_are_read_as_written(tmp_path: Path) -> None:
    library = tmp_path / "main.lib"
    library.write_text(
        ".lib a\n.param x = y + 2 z={1 + 2}\n+ q=3 $ said\n* not = this\n\n+ r='a b'\n"
        ".subckt wrap d g s b\n.param l=1\n"
        ".model Dev.4 NMOS (level=54\n* a comment = here\n+ vth0 = {x * (1 + z)} k1=0.5)\n"
        ".model other nmos\n.ends\n.endl\n"
    )
    section = read_section(library, "a", frozenset({"DEV"}))
    assert section is not None
    assert section.models == frozenset()
    assert section.wrapped == {"dev": "wrap", "other": "wrap"}
    assert section.parameters == {"x": "y + 2", "z": "{1 + 2}", "q": "3", "r": "'a b'"}
    (card,) = section.cards
    assert (card.name, card.kind) == ("dev.4", "nmos")
    assert dict(card.settings)["vth0"] == "{x * (1 + z)}"
    assert dict(card.settings)["k1"] == "0.5"
    assert dict(card.settings)["level"] == "54"
