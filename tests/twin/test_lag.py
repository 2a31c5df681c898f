"""The closed form of a line against fine integration of its equation, and its gradient."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from codesign.twin.lag import lag


def _steps(drive: list[float], start: float, step: float, charge: float) -> torch.Tensor:
    drives = torch.tensor(drive, dtype=torch.float64)[:, None]
    steps = torch.full_like(drives, step)
    most = torch.full_like(drives, torch.inf)
    first = torch.tensor([1 / start], dtype=torch.float64)
    return 1 / lag(drives, steps, torch.full_like(drives, charge), most, first)[:, 0]


@pytest.mark.parametrize("start", [1e-4, 0.3, 20.0])
@pytest.mark.parametrize("drive", [0.0, 0.02, 1.0, 15.0, -0.4])
def test_closed_form_is_the_equation(start: float, drive: float) -> None:
    charge, step = 40.0, 60.0
    found = _steps([drive] * 5, start, step, charge)
    exact = solve_ivp(
        lambda _, ln: (drive - np.exp(ln)) / charge,
        (0, 5 * step), [np.log(start)], rtol=1e-10, atol=1e-12,
        t_eval=step * np.arange(1, 6),
    )  # fmt: skip
    np.testing.assert_allclose(found.numpy(), np.exp(exact.y[0]), rtol=1e-6)


def test_without_current_a_line_decays_as_one_over_time() -> None:
    found = _steps([0.0] * 3, 1.0, 100.0, 10.0)
    np.testing.assert_allclose(found.numpy(), [1 / 11, 1 / 21, 1 / 31])


def test_any_step_is_stable() -> None:
    found = _steps([1.0, -3.0, 1e-9, 2.0], 1e-6, 1e9, 1.0)
    assert torch.isfinite(found).all()
    assert found[0] == pytest.approx(1.0)
    assert found[3] == pytest.approx(2.0)


def test_a_line_that_is_emptied_stops_at_its_limit_and_recovers_from_there() -> None:
    drives = torch.tensor([[-1.0], [-1.0], [1.0]], dtype=torch.float64)
    steps = torch.tensor([[1e4], [1e4], [30.0]], dtype=torch.float64)
    most = torch.full_like(drives, 1e3)
    first = torch.ones(1, dtype=torch.float64)
    y = lag(drives, steps, torch.full_like(drives, 10.0), most, first)
    assert y[0, 0] == y[1, 0] == 1e3
    assert y[2, 0] == pytest.approx(1 + (1e3 - 1) * np.exp(-3.0))


def test_gradient() -> None:
    draw = torch.Generator().manual_seed(1)

    def random(*size: int) -> torch.Tensor:
        return torch.rand(*size, generator=draw, dtype=torch.float64).requires_grad_()

    drive, charge, start = random(2, 4, 3), random(2, 4, 3), random(2, 3)
    steps = torch.full((4, 1), 0.7, dtype=torch.float64)
    limit = torch.full((2, 4, 3), 2.5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda d, c, s: lag(d - 0.3, steps, c + 0.5, limit, 1 / (s + 0.5)), (drive, charge, start)
    )
