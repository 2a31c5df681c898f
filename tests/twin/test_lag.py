"""The closed form of a line against fine integration of its equation, and its gradient."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from codesign.twin.lag import Pull, lag


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


def test_a_line_pulled_to_its_rail_follows_its_equation_down_and_up() -> None:
    """I_in - I_0 exp(V / nV_T) + N exp(-V / V_T), by fine integration."""
    thermal, slope, capacitance, pulled = 0.025, 0.036, 10.0, 2.0
    zero = -10.0
    pull = Pull(
        torch.full((40, 1), pulled, dtype=torch.float64),
        torch.tensor(capacitance * thermal, dtype=torch.float64),
        zero, slope / thermal, zero + 0.13 / slope,
    )  # fmt: skip
    drives = torch.cat([torch.full((20, 1), -0.6), torch.full((20, 1), 0.5)]).double()
    steps = torch.full((40, 1), 0.3, dtype=torch.float64)
    charge = torch.full_like(drives, capacitance * slope)
    first = torch.tensor([1.0], dtype=torch.float64)
    y = lag(drives, steps, charge, torch.full_like(drives, 1e9), first, pull)
    volts = slope * (-torch.log(y[:, 0]).numpy() - zero)

    def rises(t: float, v: np.ndarray) -> np.ndarray:
        drive = -0.6 if t < 6.0 else 0.5
        return (drive - np.exp(zero + v / slope) + pulled * np.exp(-v / thermal)) / capacitance

    times = 0.3 * np.arange(1, 41)
    exact = solve_ivp(
        rises, (0, 12), [-slope * zero], max_step=0.01, t_eval=times, rtol=1e-9, method="LSODA"
    )
    np.testing.assert_allclose(volts, exact.y[0], atol=6e-3)
    assert exact.y[0].min() < 0.05  # it did reach the rail
