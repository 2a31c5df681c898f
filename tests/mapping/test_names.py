"""One name from the checkpoint to the netlist."""

import pytest

from codesign.mapping.names import instance_name, label, relu_instance


@pytest.mark.parametrize(
    ("parameter", "index", "instance"),
    [
        ("projection.weight", (2, 5), "xprojection.mweight_2_5"),
        ("layers.0.candidate.bias", (3,), "xlayers_0.xcandidate.mbias_3"),
        ("layers.11.cell.beta_hi", (0,), "xlayers_11.xcell.mbeta_hi_0"),
        ("readout.weight", (1, 0), "xreadout.mweight_1_0"),
    ],
)
def test_instance_follows_the_parameter_path(
    parameter: str, index: tuple[int, ...], instance: str
) -> None:
    assert instance_name(parameter, index) == instance


def test_label_is_what_python_users_type() -> None:
    assert label("readout.weight", (1, 0)) == "readout.weight[1,0]"


def test_relu_sits_in_the_block_of_its_weights() -> None:
    assert relu_instance("layers.1.candidate", 4) == "xlayers_1.xcandidate.mrelu_4"
