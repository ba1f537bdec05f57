"""A contract with one wrong key must be found by the tensors stored with a sample, and the key named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.contracts import check_inputs, tensor_contract
from edgekit.errors import ContractError
from tests.contracts.making import Spec, image, loaded, picture, text_contract

RIGHT = {"size": [24, 32], "resize": "letterbox", "mean": [127.5] * 3, "std": [127.5] * 3, "pad_value": 114.0}


def stored_by(folder: Path, **changes: Any) -> dict[str, np.ndarray[Any, Any]]:
    return loaded(folder, inputs=[image(**RIGHT | changes)]).encode(picture()).tensors


def test_the_right_contract_passes(tmp_path: Path) -> None:
    contract = loaded(tmp_path, inputs=[image(**RIGHT)])
    check_inputs(contract, picture(), stored_by(tmp_path))


def test_rounding_of_another_cpu_passes(tmp_path: Path) -> None:
    stored = stored_by(tmp_path)
    stored["x"] += (np.random.default_rng(0).integers(-1, 2, stored["x"].shape) / 127.5).astype(
        np.float32
    ) * 0.5
    check_inputs(loaded(tmp_path, inputs=[image(**RIGHT)]), picture(), stored)


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"color": "bgr"}, "color = 'rgb' gives the stored one, the contract says 'bgr'"),
        ({"resize": "stretch"}, "resize = 'letterbox' gives the stored one, the contract says 'stretch'"),
        ({"interpolation": "nearest"}, "interpolation = 'bilinear' gives the stored one"),
        ({"layout": "nhwc"}, "layout = 'nchw' gives the stored one"),
        ({"mean": [127.0] * 3}, "another 'mean' or 'std'"),
        ({"std": [127.5, 127.5, 128.0]}, "another 'mean' or 'std'"),
        ({"mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4]}, "another 'mean' or 'std'"),
        ({"mean": [0.0] * 3, "std": [255.0] * 3}, "another 'mean' or 'std'"),
        ({"mean": [0.0] * 3, "std": [1.0] * 3, "dtype": "uint8"}, "the contract makes uint8"),
        ({"size": [32, 32]}, "the contract makes float32 [1, 3, 32, 32], stored is float32 [1, 3, 24, 32]"),
        ({"pad_value": 0.0}, "no other color, resize, interpolation or layout alone"),
    ],
    ids=lambda value: "" if isinstance(value, str) else ",".join(value),
)
def test_a_wrong_key_is_found(tmp_path: Path, wrong: dict[str, Any], cause: str) -> None:
    contract = loaded(tmp_path / "wrong", inputs=[image(**RIGHT | wrong)])
    with pytest.raises(ContractError) as caught:
        check_inputs(contract, picture(), stored_by(tmp_path))
    assert "input 'x': " in str(caught.value)
    assert cause in str(caught.value)


def test_the_size_of_the_difference_is_told_in_grey_levels(tmp_path: Path) -> None:
    contract = loaded(tmp_path / "wrong", inputs=[image(**RIGHT | {"mean": [117.5] * 3})])
    with pytest.raises(ContractError, match=r"up to 10\.0 grey levels \(mean 10\.00\)"):
        check_inputs(contract, picture(), stored_by(tmp_path))


def test_a_flat_picture_is_compared_too(tmp_path: Path) -> None:
    contract = loaded(tmp_path, inputs=[image()])
    flat = np.full((8, 8, 3), 9, np.uint8)
    stored = contract.encode(flat).tensors
    check_inputs(contract, flat, stored)
    with pytest.raises(ContractError, match=r"differs by up to 1\.0 grey levels"):
        check_inputs(contract, flat, {"x": stored["x"] + 1})


def test_inputs_that_are_missing_or_unknown_are_named(tmp_path: Path) -> None:
    stored = stored_by(tmp_path)
    contract = loaded(tmp_path, inputs=[image(**RIGHT)])
    with pytest.raises(ContractError) as caught:
        check_inputs(contract, picture(), {"z": stored["x"]})
    assert "input 'z' is not in the contract" in str(caught.value)
    assert "input 'x' was not stored" in str(caught.value)


def test_tokens_must_be_equal(tmp_path: Path) -> None:
    contract = text_contract(tmp_path)
    stored = contract.encode("good film").tensors
    check_inputs(contract, "good film", stored)
    with pytest.raises(
        ContractError, match=r"'input_ids': differs in 1 of 6 values, first at \[0, 1\]: .* 5, stored is 4"
    ):
        check_inputs(contract, "bad film", stored)
    with pytest.raises(ContractError, match=r"int64 \[1, 8\], stored is int64 \[1, 6\]"):
        check_inputs(text_contract(tmp_path / "longer", tokens=8), "good film", stored)


def test_arrays_must_be_equal() -> None:
    contract = tensor_contract([Spec("a", (2,))], [Spec("y", (1,))])
    raw = {"a": np.array([1.0, 2.0], np.float32)}
    check_inputs(contract, raw, raw)
    with pytest.raises(ContractError, match=r"first at \[1\]: the contract makes 2\.0, stored is 3\.0"):
        check_inputs(contract, raw, {"a": np.array([1.0, 3.0], np.float32)})
