"""The cell that docs/cells.md shows how to add works as it stands, and as every cell must."""

from pathlib import Path
from typing import Any

import torch

PAGE = Path(__file__).parents[2] / "docs" / "cells.md"


def test_the_example_of_a_new_cell_runs() -> None:
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {"__name__": "example"}
    exec(code, names)
    cell = names["Leaky"]()
    own = cell.start(4, 6, torch.Generator()).own
    drives = {"candidate": torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(0))}
    states = cell.states(drives, own)
    state = torch.zeros(4, 2)
    for t in range(6):
        state = cell.step({"candidate": drives["candidate"][:, t]}, own, state)
        torch.testing.assert_close(states[:, t], state)


def test_the_page_names_every_cell() -> None:
    from codesign.cells import CELLS

    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in CELLS if f"| `{name}` |" not in text] == []
