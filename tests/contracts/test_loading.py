"""Contract files and the files they name; everything wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.contracts import find_contract, load_contract, tensor_contract
from edgekit.errors import ContractError
from tests.contracts.making import CLASSES, Spec, contract, image, loaded, text_contract

TEXT = {"kind": "text", "name": "y", "characters": "characters.txt"}


def test_labels_are_read_by_line(tmp_path: Path) -> None:
    assert loaded(tmp_path, labels=("tabby, cat", " dog ")).labels == ("tabby, cat", "dog")


def test_a_crlf_file_and_a_byte_order_mark_are_no_part_of_labels(tmp_path: Path) -> None:
    path = contract(tmp_path)
    (tmp_path / "labels.txt").write_bytes("\ufeffcat\r\ndog\r\n".encode())
    assert load_contract(path).labels == ("cat", "dog")


def test_characters_that_python_takes_for_line_ends_stay_characters(tmp_path: Path) -> None:
    path = contract(tmp_path, "text-recognition", output=TEXT)
    (tmp_path / "characters.txt").write_bytes("a\n\u2028\n\u3000\n\x85\n".encode())
    assert load_contract(path).characters == ("", "a", "\u2028", "\u3000", "\x85", " ")


def test_every_problem_stands_in_one_message(tmp_path: Path) -> None:
    path = contract(tmp_path, inputs=[image(colour="rgb", mean=[1.0])], tokenizer="none.json")
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "labels.txt").unlink()
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "colour: unknown key" in lines[0]
    assert "tokenizer: no file 'none.json'" in lines[1]
    assert "output.labels: no file 'labels.txt'" in lines[2]


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "link.txt", "sub", "a\\u0000b"])
def test_named_files_are_inside_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("cat\n")
    path = contract(tmp_path / "model", output=CLASSES | {"labels": "LABELS"})
    path.write_text(path.read_text().replace("LABELS", name))
    (tmp_path / "model" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "model" / "sub").mkdir()
    with pytest.raises(ContractError, match=r"output\.labels: "):
        load_contract(path)


@pytest.mark.parametrize("content", [b"", b"cat\n\ndog\n", b"caf\xe9\n"], ids=["empty", "gap", "latin-1"])
def test_a_wrong_label_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = contract(tmp_path)
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ContractError, match=r"contract\.toml: output\.labels: 'labels\.txt'"):
        load_contract(path)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": {}}', b"\xff\xfe"])
def test_a_broken_tokenizer_is_refused(tmp_path: Path, content: bytes) -> None:
    text_contract(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ContractError, match=r"tokenizer\.json: "):
        load_contract(tmp_path / "contract.toml")


@pytest.mark.parametrize("content", [b"schema = ", b"\xff", b"schema = 1\n" + b"a.b" * 10_000])
def test_what_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "contract.toml"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=r"contract\.toml: "):
        load_contract(path)


def test_a_missing_contract_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        load_contract(tmp_path / "contract.toml")


def test_the_hash_covers_the_files_that_answers_depend_on(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    assert first.sha256 == loaded(tmp_path).sha256
    assert first.sha256 != loaded(tmp_path, labels=("cat", "dog", "cow")).sha256
    assert first.sha256 != loaded(tmp_path, inputs=[image(color="bgr")]).sha256


def test_a_written_contract_loads_as_the_same(tmp_path: Path) -> None:
    first = text_contract(tmp_path / "a")
    (tmp_path / "b").mkdir()
    assert set(first.write_to(tmp_path / "b")) == {"contract.toml", "labels.txt", "tokenizer.json"}
    assert load_contract(tmp_path / "b" / "contract.toml").sha256 == first.sha256


def test_a_models_own_contract_goes_before_the_folders(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    assert find_contract(model) is None
    (tmp_path / "contract.toml").touch()
    assert find_contract(model) == tmp_path / "contract.toml"
    (tmp_path / "net.contract.toml").touch()
    assert find_contract(model) == tmp_path / "net.contract.toml"


def test_a_model_without_contract_takes_arrays(tmp_path: Path) -> None:
    made = tensor_contract([Spec("a", (1, 2)), Spec("b:0", (1,), "int64")], [Spec("y", (1,)), Spec("z", ())])
    encoded = made.encode({"a": np.ones((1, 2)), "b:0": np.array([3])})
    assert {name: value.dtype.name for name, value in encoded.tensors.items()} == {
        "a": "float32",
        "b:0": "int64",
    }
    made.write_to(tmp_path)
    assert load_contract(tmp_path / "contract.toml").sha256 == made.sha256


def test_a_model_with_free_shape_has_no_contract_yet() -> None:
    with pytest.raises(ContractError, match=r"'a' has no fixed shape.*--shape a:1"):
        tensor_contract([Spec("a", ("batch", 2))], [Spec("y", (1,))])


def test_a_dtype_that_is_not_handled_is_named() -> None:
    with pytest.raises(ContractError, match="'float64' is not one of"):
        tensor_contract([Spec("a", (1,), "float64")], [Spec("y", (1,))])
