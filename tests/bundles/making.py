"""Make a small real bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.conversion.convert import Order, convert
from tests.conversion.project import ELSEWHERE, write_target
from tests.conversion.stripes import write_classifier, write_images


def make_bundle(folder: Path, *, runtime: str = "onnxruntime", format_: str = "onnx") -> Path:
    """``stripes-far.edgekit`` (fp32) in ``folder``, beside ``model/stripes.onnx`` and ``labelled/``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("EDGEKIT_CACHE", str(folder / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        write_target(folder, "far", arch=ELSEWHERE, runtime=runtime, format_=format_, precisions=("fp32",))
        order = Order(
            model=write_classifier(folder / "model", width=8),
            targets=("far",),
            out=folder,
            evaluation=write_images(folder / "labelled", 12, seed=6, labelled=True),
            threads=1,
        )
        return convert(order).bundles[0].path
