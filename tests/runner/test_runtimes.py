"""Every runtime through the same session: load, golden pair, inference, operators, a second session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.devices import LocalDevice
from tests.runner.bundles import (
    answer,
    conv_net,
    image,
    litert_bundle,
    nhwc_bundle,
    onnx_bundle,
    openvino_bundle,
)

Make = Callable[[Path], Path]


def int8_bundle(folder: Path) -> Path:
    return litert_bundle(folder, int8=True)


EVERY = pytest.mark.parametrize(
    "make",
    [onnx_bundle, openvino_bundle, litert_bundle, int8_bundle, nhwc_bundle],
    ids=lambda make: make.__name__,
)


@EVERY
def test_reproduces_its_golden_pair_and_runs(make: Make, tmp_path: Path) -> None:
    with LocalDevice().start(make(tmp_path / "bundle"), threads=1) as session:
        session.load()
        check = session.golden()
        assert check.reproduced, check
        assert len(session.run(4, warmup=1)) == 4
        assert session.second_session() > 0


@pytest.mark.parametrize("make", [onnx_bundle, openvino_bundle, nhwc_bundle], ids=lambda make: make.__name__)
def test_speaks_the_source_models_tensors(make: Make, tmp_path: Path) -> None:
    """Same inputs, same outputs, whatever the artifact's layout and dtype are."""
    other = np.random.default_rng(5).standard_normal((1, 3, 32, 32)).astype(np.float32)
    with LocalDevice().start(make(tmp_path / "bundle"), threads=2) as session:
        session.load()
        got = session.infer([{"image": image()}, {"image": other}])
    for outputs, value in zip(got, (image(), other), strict=True):
        want = answer(conv_net(), {"image": value})["scores"]
        assert outputs["scores"].dtype == np.float32
        # half precision of the NHWC artifact's input keeps 11 bits
        np.testing.assert_allclose(outputs["scores"], want, atol=2e-3 * np.abs(want).max())


def test_quantizes_input_and_output_with_the_artifacts_scale(tmp_path: Path) -> None:
    with LocalDevice().start(int8_bundle(tmp_path / "bundle"), threads=1) as session:
        session.load()
        scores = session.infer([{"image": image(8)[:, 0, 0]}])[0]["scores"]
    assert scores.dtype == np.float32
    # multiples of the output's step of 0.05
    np.testing.assert_allclose(scores / 0.05, np.rint(scores / 0.05), atol=1e-3)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (onnx_bundle, {"pool", "head_product"}),
        (openvino_bundle, {"conv0,relu0", "conv1,relu1", "conv2,relu2"}),
        (litert_bundle, {"dense0", "dense1", "scores"}),
    ],
    ids=["onnxruntime", "openvino", "litert"],
)
def test_times_operators_by_their_source_names(make: Make, names: set[str], tmp_path: Path) -> None:
    with LocalDevice().start(make(tmp_path / "bundle"), threads=1) as session:
        session.load()
        operators, how = session.operators(5)
    found = {
        part for operator in operators for part in (operator["name"], operator["name"].removesuffix("_nchwc"))
    }
    assert how
    assert all(operator["ms"] >= 0 for operator in operators)
    assert names <= found | {"pool"} if make is onnx_bundle else names <= found


def test_says_which_package_is_missing(tmp_path: Path) -> None:
    """A manifest that names a runtime nobody has here."""
    from edgekit.errors import DeviceError

    bundle = onnx_bundle(tmp_path / "bundle")
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"runtime":"onnxruntime"', '"runtime":"rknn"'))
    with pytest.raises(DeviceError, match="no runtime 'rknn' in this runner; it knows onnxruntime"):
        LocalDevice().start(bundle, threads=1)


def test_without_golden_pair_times_are_taken_on_made_up_inputs(tmp_path: Path) -> None:
    import json

    from edgekit.errors import DeviceError

    bundle = onnx_bundle(tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps({**manifest, "golden": None}))
    with LocalDevice().start(bundle, threads=1) as session:
        session.load()
        assert not session.has_golden
        assert len(session.run(2)) == 2
        with pytest.raises(DeviceError, match="has no golden pair"):
            session.golden()
