"""What int8 artifacts answer on other processors, with the true wheels: docs/decisions/0011 says what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.contracts import load_contract
from edgekit.data import encode_sample, open_samples
from edgekit.host import detect
from tests.converters.steps import Steps, load_converter
from tests.emulation.conftest import ArmGuest
from tests.emulation.guest import Array
from tests.emulation.models import every_pair, every_sum, heavy_net, inputs, make_schemes
from tests.emulation.qemu import Guest, here
from tests.emulation.view import CORES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.skipif(
        not detect().exact_int8, reason="this machine saturates: its answers are no reference"
    ),
    pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors:UserWarning"),
]
GHOSTNET = Path(__file__).parents[2] / "examples" / "ghostnet"


@dataclass(frozen=True, slots=True)
class Case:
    """Artifacts of one model, samples, and what this machine answers to them."""

    files: tuple[Path, ...]
    samples: list[Array]
    here: Mapping[str, Array]

    def on(self, guest: Guest, folder: Path, *names: str) -> Mapping[str, Array]:
        wanted = [path for path in self.files if not names or path.name in names]
        return guest.answers(wanted, self.samples, folder)


def case(files: list[Path], samples: list[Array], folder: Path) -> Case:
    return Case(tuple(files), samples, here(files, samples, folder))


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The net whose sums leave 16 bits, in float and in every scheme."""
    folder = tmp_path_factory.mktemp("heavy")
    source = folder / "float.onnx"
    onnx.save(heavy_net(), source)
    made = make_schemes(source, inputs(16, seed=1), folder / "made")
    return case([source, *made], inputs(4, seed=2), folder)


@pytest.fixture(scope="module")
def ghostnet(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The trained net of the examples, as edgekit quantizes it."""
    folder = tmp_path_factory.mktemp("ghostnet")
    contract = load_contract(GHOSTNET / "contract.toml")
    (name,) = (item.name for item in contract.schema.inputs)
    calibration, evaluation = (
        [
            encode_sample(sample, contract).tensors[name]
            for sample in open_samples(GHOSTNET / part, contract, count)
        ]
        for part, count in (("calib", 32), ("eval", 8))
    )
    made = make_schemes(GHOSTNET / "ghostnet.onnx", calibration, folder / "made", name)
    return case([path for path in made if path.stem in ("u8s8", "u8u8")], evaluation, folder)


@pytest.fixture(scope="module")
def litert(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The test CNN, a residual sum in it, as ai-edge-quantizer makes it."""
    folder = tmp_path_factory.mktemp("litert")
    converter = load_converter("litert")
    (variant,) = (item for item in converter.variants if item.precision == "int8")
    steps = Steps("tiny_cnn", folder / "steps")
    made = steps.convert(converter, variant)
    samples = [np.ascontiguousarray(sample["x"].transpose(0, 2, 3, 1)) for sample in steps.inputs]
    return case([made.path], samples, folder)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("sums")
    path = folder / "sums.onnx"
    onnx.save(every_sum(8), path)
    return case([path], [every_pair()], folder)


def cosine(ours: Array, reference: Array) -> float:
    """The worst of all samples."""
    rows = [(a.ravel().astype(float), b.ravel().astype(float)) for a, b in zip(ours, reference, strict=True)]
    return min(float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in rows)


def test_without_vnni_8_bit_weights_lose_and_7_bits_do_not(
    older_x86: Guest, heavy: Case, tmp_path: Path
) -> None:
    found, source = heavy.on(older_x86, tmp_path), heavy.here["float.onnx"]
    assert cosine(heavy.here["u8s8.onnx"], source) > 0.999, "with VNNI all is well"
    for scheme in ("u8s8", "s8s8"):
        assert cosine(found[f"{scheme}.onnx"], source) < 0.8, scheme
    np.testing.assert_array_equal(found["u8s8-7bit.onnx"], heavy.here["u8s8-7bit.onnx"])
    assert cosine(found["u8s8-7bit.onnx"], source) > 0.999


def test_without_vnni_u8u8_and_the_exact_option_give_the_answers_of_vnni(
    older_x86: Guest, heavy: Case, tmp_path: Path
) -> None:
    found = heavy.on(older_x86, tmp_path, "u8u8.onnx", "u8s8.exact.onnx")
    for name, answers in found.items():
        np.testing.assert_array_equal(answers, heavy.here["u8s8.onnx"], err_msg=name)


def test_without_vnni_litert_and_sums_are_exact(
    older_x86: Guest, litert: Case, sums: Case, tmp_path: Path
) -> None:
    for each in (litert, sums):
        for name, answers in each.on(older_x86, tmp_path).items():
            np.testing.assert_array_equal(answers, each.here[name], err_msg=name)


@pytest.mark.network
@pytest.mark.parametrize("core", CORES)
def test_arm_answers_bit_for_bit(
    arm_guest: ArmGuest, core: str, heavy: Case, ghostnet: Case, litert: Case, tmp_path: Path
) -> None:
    guest = arm_guest(core)
    for each in (heavy, ghostnet, litert):
        names = ("u8s8.onnx", "u8u8.onnx", "u8s8-7bit.onnx", "model.tflite")
        for name, answers in each.on(guest, tmp_path, *names).items():
            np.testing.assert_array_equal(answers, each.here[name], err_msg=f"{name} on {core}")


@pytest.mark.network
def test_on_arm_a_quantized_add_may_round_the_other_way(
    arm_guest: ArmGuest, sums: Case, tmp_path: Path
) -> None:
    """Why a graph with Add is not promised bit for bit: a fused multiply-add decides a few ties otherwise."""
    (ours,), (reference,) = sums.on(arm_guest("cortex-a76"), tmp_path)["sums.onnx"], sums.here["sums.onnx"]
    differing = ours != reference
    assert 0 < differing.mean() < 1e-3
