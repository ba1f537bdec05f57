"""``edgekit models``: the zoo of models with known origin, licence and hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli.facts import print_facts
from edgekit.cli.output import JsonOption, note, print_json, print_table, progress

if TYPE_CHECKING:
    from edgekit.contracts.schema import Contract

app = typer.Typer(
    help="Models of known origin and licence, made from the files of package registries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("ls")
def ls(json: JsonOption = False) -> None:
    """List the models, their licences, and which are fetched.

    Example: edgekit models ls
    """
    from edgekit.models.zoo import entries, zoo_dir
    from edgekit.models.zoo.facts import brief

    models = [brief(model) for model in entries().values()]
    if json:
        print_json({"cache": str(zoo_dir()), "models": models})
        return
    rows = [(m["id"], m["task"], m["licence"], _megabytes(m["size_bytes"])) for m in models]
    print_table(("model", "task", "weights under", "fetched>"), rows)
    note(f"fetched models are in {zoo_dir()}")


@app.command("get")
def get(
    model_ids: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Ids of models ls.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Copy the models' folders here.")] = None,
    json: JsonOption = False,
) -> None:
    """Fetch models, check them, and keep them in the cache.

    A model's folder holds the .onnx, its contract, labels or tokenizer, licence, and samples in calib/ and eval/.

    Example: edgekit models get efficientnet-lite0 minilm
    """
    from edgekit.models import zoo
    from edgekit.models.zoo.copying import copy_out

    with progress("fetching models") as advance:
        folders = zoo.get(model_ids, advance)
    if out is not None:
        folders = [copy_out(folder, out) for folder in folders]
    paths = [folder / f"{model_id}.onnx" for model_id, folder in zip(model_ids, folders, strict=True)]
    if json:
        facts = zip(model_ids, paths, strict=True)
        print_json({"models": [{"id": name, "path": str(path)} for name, path in facts]})
        return
    for path in paths:
        typer.echo(str(path))


@app.command("show")
def show(
    model_id: Annotated[str, typer.Argument(metavar="MODEL", help="An id of models ls.")],
    json: JsonOption = False,
) -> None:
    """Show where a model comes from, its licences, hashes, and how it is fed and read.

    Example: edgekit models show ppocrv4-det
    """
    from edgekit.models.zoo import entry
    from edgekit.models.zoo.facts import contract_of, full

    model = entry(model_id)
    facts = full(model)
    if json:
        print_json(facts)
        return
    print_facts(f"{model.id}: {model.name}", [*_origin(facts), *_form(facts), *_contract(contract_of(model))])
    licences = [(x["of"], x["spdx"], x["vouched_by"]) for x in facts["licences"]]
    print_table(("licence of", "", "what vouches for it"), licences)
    packages = [(p["registry"], f"{p['name']} {p['version']}", p["sha256"]) for p in facts["packages"]]
    if packages:
        print_table(("registry", "package", "sha256"), packages)


def _origin(facts: dict[str, Any]) -> list[tuple[str, object]]:
    origin = facts["origin"]
    rows: list[tuple[str, object]] = [("", facts["summary"]), ("from", origin["source"])]
    rows += [(key, origin[key]) for key in ("paper", "citation") if origin[key]]
    return rows


def _form(facts: dict[str, Any]) -> list[tuple[str, object]]:
    state = f"{facts['path']}, {_megabytes(facts['size_bytes'])}" if facts["fetched"] else "not fetched"
    return [
        ("file", state),
        ("sha256", facts["onnx_sha256"]),
        ("opset", facts["opset"]),
        *(("input", f"{name} {form}") for name, form in facts["inputs"].items()),
        *(("output", f"{name} {form}") for name, form in facts["outputs"].items()),
        ("samples", facts["samples"]),
        ("right answer", facts["right_answer"]),
    ]


def _contract(contract: Contract) -> list[tuple[str, object]]:
    first = contract.inputs[0]
    match first.kind:
        case "image":
            way = f"{first.resize} to {first.size[0]} x {first.size[1]}, {first.color}, {first.layout}, {first.dtype}"
        case "tokens":
            way = f"text in {first.tokens} tokens by {contract.tokenizer}"
        case "tensor":
            way = "tensors as they are"
    return [("task", contract.task), ("fed with", way), ("read as", contract.output.kind)]


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"
