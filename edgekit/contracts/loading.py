"""Read a contract file and what it names; or make the plain one of a model without."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.contracts._named_files import lines, read_named_files
from edgekit.contracts.schema import Contract, Output, TokenInput
from edgekit.contracts.types import Encoded, Raw, Tensor, TensorSpec
from edgekit.errors import ContractError
from edgekit.strict import check_record

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from edgekit.contracts.geometry import Geometry
    from edgekit.contracts.predictions import Prediction


@dataclass(frozen=True)
class LoadedContract:
    """A contract that was checked, with the files it names read."""

    schema: Contract
    toml: str
    """The file's text, as a bundle stores it."""
    folder: Path | None
    """Where the named files are; None for ``tensor_contract``, which names none."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Content of every named file, by its name in the contract."""

    @cached_property
    def sha256(self) -> str:
        """Over the contract's text and every file it names: what changes an answer changes it."""
        digest = hashlib.sha256(self.toml.encode())
        for name in sorted(self.files):
            digest.update(b"\0" + name.encode() + b"\0" + hashlib.sha256(self.files[name]).digest())
        return digest.hexdigest()

    def reading(self, output: Output) -> LoadedContract:
        """The same with another way to read what the model gives, such as another threshold."""
        return replace(self, schema=self.schema.model_copy(update={"output": output}))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels of a classifier, detector or segmentation, () elsewhere."""
        name = getattr(self.schema.output, "labels", None)
        return tuple(line.strip() for line in lines(self.files[name])) if name else ()

    @cached_property
    def characters(self) -> tuple[str, ...]:
        """What a text recogniser's indices mean: blank (as ""), the file's characters, a space; () elsewhere."""
        name = getattr(self.schema.output, "characters", None)
        return ("", *lines(self.files[name]), " ") if name else ()

    @cached_property
    def keypoints(self) -> tuple[str, ...]:
        """Names of the points of a pose in the model's order, () elsewhere."""
        name = getattr(self.schema.output, "keypoints", None)
        return tuple(line.strip() for line in lines(self.files[name])) if name else ()

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """ContractError where the contract has none or it cannot be read."""
        from edgekit.contracts.text import load_tokenizer

        tokens = [item.tokens for item in self.schema.inputs if isinstance(item, TokenInput)]
        if self.schema.tokenizer is None or not tokens:
            raise ContractError(f"a contract of task '{self.schema.task}' has no tokenizer")
        return load_tokenizer(self.files[self.schema.tokenizer], tokens[0], where=self.schema.tokenizer)

    def encode(self, raw: Raw) -> Encoded:
        """Model inputs made from ``raw``; DataError where it is not what the contract asks for."""
        from edgekit.contracts.encoding import encode  # OpenCV takes 0.2 s to import

        return encode(self, raw)

    def decode(self, outputs: Mapping[str, Tensor], meta: Geometry | None = None) -> Prediction:
        """The answer in the source model's ``outputs`` (batch 1) to the sample that ``meta`` came with.

        ContractError where an output is missing, has an unexpected shape or, unless the task is ``tensor``, holds
        NaN or infinity.
        """
        from edgekit.contracts.decoding import decode

        return decode(self, outputs, meta)

    def write_to(self, folder: Path) -> tuple[str, ...]:
        """Write ``contract.toml`` and every file it names to ``folder``; return their names."""
        for name, content in {"contract.toml": self.toml.encode(), **self.files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return ("contract.toml", *self.files)


def load_contract(path: Path) -> LoadedContract:
    """Read and check ``path`` and the files it names; ContractError lists every problem."""
    try:
        text = path.read_bytes().decode()
        data = tomllib.loads(text)
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{path}: {error}") from None
    schema, problems = check_record(data, Contract, where=str(path))
    files, file_problems = read_named_files(path, data)
    problems += file_problems
    if schema is None or problems:
        raise ContractError("\n".join(problems))
    contract = LoadedContract(schema, text, path.parent, files)
    if schema.tokenizer:
        _ = contract.tokenizer  # parsed now, so that a broken one is found here
    return contract


def find_contract(model_path: Path) -> Path | None:
    """``<stem>.contract.toml``, else ``contract.toml``, beside the model; None where there is neither."""
    beside = (model_path.with_name(f"{model_path.stem}.contract.toml"), model_path.with_name("contract.toml"))
    return next((path for path in beside if path.is_file()), None)


def tensor_contract(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> LoadedContract:
    """The contract of a model without one: arrays in, numbers out. ContractError where a dimension is free."""
    import tomlkit  # only this function writes TOML

    problems = [
        f"input '{spec.name}' has no fixed shape {list(spec.shape)}; give one with --shape {spec.name}:1,…"
        for spec in inputs
        if not all(isinstance(side, int) and side > 0 for side in spec.shape)
    ]
    data = {
        "schema": 1,
        "task": "tensor",
        "inputs": [
            {"kind": "tensor", "name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}
            for spec in inputs
        ],
        "output": {"kind": "tensor", "names": [spec.name for spec in outputs]},
    }
    schema = None
    if not problems:
        schema, problems = check_record(data, Contract, where="the model's own inputs and outputs")
    if schema is None:
        raise ContractError("\n".join(problems))
    return LoadedContract(schema, tomlkit.dumps(data), None)
