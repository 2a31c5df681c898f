"""The network against its equations as a plain loop; many networks against one at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codesign.cells import Memoryless
from codesign.mapping.design import Shape
from codesign.network import FirstQuadrantNetwork, Trace, evaluate
from tests.designs import SMALL, parameter_shapes, random_parameters

Rows = list[list[float]]


def _network(shape: Shape, seed: int) -> FirstQuadrantNetwork:
    network = FirstQuadrantNetwork(shape.inputs, shape.state_dim, shape.layers, shape.classes)
    values = random_parameters(shape, seed)
    network.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    return network.double()


def _inputs(shape: Shape, seed: int, clips: int = 2, frames: int = 5) -> Tensor:
    draw = np.random.default_rng([seed, 1]).uniform(0, 2, (clips, frames, shape.inputs))
    return torch.from_numpy(draw)


def _affine(weight: Rows, bias: list[float], x: list[float]) -> list[float]:
    return [
        b + sum(w * v for w, v in zip(row, x, strict=True))
        for row, b in zip(weight, bias, strict=True)
    ]


def _relu(x: list[float]) -> list[float]:
    return [max(value, 0.0) for value in x]


def _plain(shape: Shape, p: dict[str, list[float]], m: dict[str, Rows], clip: Rows) -> list[Rows]:
    """Every node of every frame in plain Python: projection, then per layer c, h, x; logits."""
    held = [[0.0] * shape.state_dim for _ in range(shape.layers)]
    frames = []
    for u in clip:
        x = _relu(_affine(m["projection.weight"], p["projection.bias"], u))
        nodes = [x]
        for k in range(shape.layers):
            name = f"layers.{k}"
            c = _relu(_affine(m[f"{name}.candidate.weight"], p[f"{name}.candidate.bias"], x))
            for i in range(shape.state_dim):
                high = p[f"{name}.cell.beta_hi"][i]
                low = high - p[f"{name}.cell.width"][i]
                if c[i] > high:
                    held[k][i] = p[f"{name}.cell.alpha"][i]
                elif c[i] <= low:
                    held[k][i] = 0.0
            v = _relu(_affine(m[f"{name}.output.weight"], p[f"{name}.output.bias"], held[k]))
            x = [before + added for before, added in zip(x, v, strict=True)]
            nodes += [c, list(held[k]), x]
        frames.append([*nodes, _affine(m["readout.weight"], p["readout.bias"], x)])
    return frames


def _nodes(trace: Trace) -> list[Tensor]:
    layers = zip(trace.candidates, trace.states, trace.outputs, strict=True)
    return [trace.projection, *(node for layer in layers for node in layer), trace.logits]


@settings(max_examples=40)
@given(
    shape=st.builds(
        Shape,
        inputs=st.integers(1, 4),
        state_dim=st.integers(1, 4),
        layers=st.integers(1, 3),
        classes=st.integers(2, 3),
    ),
    seed=st.integers(0, 1000),
)
def test_forward_is_the_equations(shape: Shape, seed: int) -> None:
    network, inputs = _network(shape, seed), _inputs(shape, seed)
    values = {name: value.tolist() for name, value in network.state_dict().items()}
    vectors = {name: value for name, value in values.items() if not name.endswith("weight")}
    matrices = {name: value for name, value in values.items() if name.endswith("weight")}
    nodes = _nodes(network(inputs))
    for b, clip in enumerate(inputs.tolist()):
        for t, expected in enumerate(_plain(shape, vectors, matrices, clip)):
            for node, value in zip(nodes, expected, strict=True):
                torch.testing.assert_close(node[b, t].tolist(), value, rtol=1e-10, atol=1e-12)


def test_the_random_networks_do_set_hold_and_reset() -> None:
    """Or the comparison above would compare zeros."""
    state = torch.cat(
        [_network(SMALL, seed)(_inputs(SMALL, seed, frames=20)).states[0] for seed in range(20)]
    )
    now, before = state[:, 1:] > 0, state[:, :-1] > 0
    assert (now & ~before).any()
    assert (~now & before).any()
    assert 0.05 < now.double().mean() < 0.95


@pytest.mark.parametrize("leading", [(3,), (2, 2)])
def test_stacked_networks_equal_one_at_a_time(leading: tuple[int, ...]) -> None:
    count = int(np.prod(leading))
    networks = [_network(SMALL, seed) for seed in range(count)]
    stacked = {
        name: torch.stack([network.state_dict()[name] for network in networks]).view(
            leading + networks[0].state_dict()[name].shape
        )
        for name in networks[0].state_dict()
    }
    inputs = _inputs(SMALL, 0)
    together = _nodes(evaluate(stacked, inputs))
    for k, network in enumerate(networks):
        place = np.unravel_index(k, leading)
        for node, alone in zip(together, _nodes(network(inputs)), strict=True):
            assert node.shape == leading + alone.shape
            torch.testing.assert_close(node[place], alone)


def test_stacked_networks_keep_their_gradients_apart() -> None:
    inputs, networks = _inputs(SMALL, 0), [_network(SMALL, seed) for seed in (1, 2)]
    names = list(networks[0].state_dict())
    stacked = {
        name: torch.stack([n.state_dict()[name] for n in networks]).requires_grad_()
        for name in names
    }
    together = torch.autograd.grad(
        evaluate(stacked, inputs).logits.square().sum(), [stacked[name] for name in names]
    )
    for k, network in enumerate(networks):
        loss = network(inputs).logits.square().sum()
        alone = torch.autograd.grad(loss, list(network.parameters()))
        for name, found, expected in zip(names, together, alone, strict=True):
            torch.testing.assert_close(found[k], expected, msg=f"gradient of {name}")


def test_names_and_shapes_are_those_of_the_design() -> None:
    shape = Shape(inputs=3, state_dim=4, layers=2, classes=5)
    network = FirstQuadrantNetwork(3, 4, 2, 5)
    found = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert found == parameter_shapes(shape)
    assert found["projection.weight"] == (4, 3)
    assert found["layers.1.cell.width"] == (4,)
    assert found["readout.weight"] == (5, 4)
    assert network.shape == (3, 4, 2, 5)
    assert {name for name, _ in network.named_parameters()} == set(found)


def test_every_signal_but_the_logits_is_a_current() -> None:
    for seed in range(20):
        trace = _network(SMALL, seed)(_inputs(SMALL, seed))
        assert all((node >= 0).all() for node in _nodes(trace)[:-1])
    logits = torch.cat([_network(SMALL, seed)(_inputs(SMALL, seed)).logits for seed in range(20)])
    assert (logits < 0).any()


def test_a_stray_current_adds_to_the_candidates_of_its_layer() -> None:
    network, inputs = _network(SMALL, 3), _inputs(SMALL, 3)
    stray = torch.tensor([[0.1, 0.2], [0.3, 0.0]], dtype=torch.float64)
    moved = _network(SMALL, 3)
    with torch.no_grad():
        for layer in range(SMALL.layers):
            moved.get_parameter(f"layers.{layer}.candidate.bias").add_(stray[layer])
    parameters = dict(network.named_parameters())
    found = evaluate(parameters, inputs, stray=stray)
    assert not torch.equal(found.candidates[1], network(inputs).candidates[1])
    for node, expected in zip(_nodes(found), _nodes(moved(inputs)), strict=True):
        torch.testing.assert_close(node, expected)


def test_a_candidate_below_zero_still_learns() -> None:
    """The cell compares the drive before its ReLU, so a silent unit has a gradient."""
    parameters = {name: value.detach() for name, value in _network(SMALL, 0).named_parameters()}
    bias = torch.full((2,), -9.0, dtype=torch.float64, requires_grad=True)
    trace = evaluate(parameters | {"layers.0.candidate.bias": bias}, _inputs(SMALL, 0))
    assert not trace.candidates[0].any()
    (gradient,) = torch.autograd.grad(trace.states[0].sum(), bias)
    assert (gradient > 0).all()


def test_the_control_sees_one_frame_at_a_time() -> None:
    parameters = dict(_network(SMALL, 4).named_parameters())
    inputs = _inputs(SMALL, 4, clips=3, frames=8)
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    shuffled = evaluate(parameters, inputs[:, order], cell=Memoryless()).logits
    torch.testing.assert_close(
        shuffled, evaluate(parameters, inputs, Memoryless()).logits[:, order]
    )
