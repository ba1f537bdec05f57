"""Print a model's int8 answers by instruction set and scheme: ``python -m tests.emulation.table efficientnet-lite0``.

The model is one of the zoo, or a file with a contract, ``calib`` and ``eval`` beside it. Needs qemu-user.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from edgekit.contracts import load_contract
from edgekit.conversion.order import Order, take_in
from edgekit.data import encode_sample, open_samples
from edgekit.devices.emulated import set_up
from edgekit.models import prepare_onnx
from edgekit.models.zoo import resolve
from tests.emulation.models import cosine, make_schemes
from tests.emulation.qemu import BOARDS, arm, here, older_x86


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--samples", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekit-emulation-") as folder:
        print_table(resolve(given.model, lambda done, total, doing: None), given.samples, Path(folder))


def print_table(path: Path, count: int, folder: Path) -> None:
    model = take_in(Order(model=path, targets=(), out=folder)).model
    contract = load_contract(path.parent / "contract.toml")
    name = model.inputs[0].name
    source = prepare_onnx(model, folder / "float.onnx")
    calibration, samples = (
        [
            encode_sample(item, contract).tensors[name]
            for item in open_samples(path.parent / part, contract, size)
        ]
        for part, size in (("calib", 32), ("eval", count))
    )
    questions = dict.fromkeys([source, *make_schemes(source, calibration, folder / "made", name)], samples)
    known = here(questions, folder)
    del questions[source]
    guests = {"x86 Haswell, no VNNI": older_x86()}
    emulation = set_up()
    guests |= {core: arm(folder, emulation, board) for core, board in BOARDS.items()}
    print(f"{count} samples\n| | scheme | smallest cosine to fp32 | to this machine |\n|---|---|---|---|")
    for machine, found in (
        ("here", known),
        *((key, guest.answers(questions, folder)) for key, guest in guests.items()),
    ):
        for path in questions:
            ours, theirs = found[path.name], known[path.name]
            same = "bit for bit" if np.array_equal(ours, theirs) else f"{cosine(ours, theirs):.5f}"
            print(
                f"| {machine} | {path.stem} | {cosine(ours, known[source.name]):.4f} | {same} |", flush=True
            )


if __name__ == "__main__":
    main()
