"""What int8 artifacts answer on other processors, with the true wheels: docs/decisions/0011 says what follows."""

from __future__ import annotations

import shutil
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
from tests.emulation.models import cosine, every_pair, every_sum, heavy_net, inputs, make_schemes
from tests.emulation.qemu import BOARDS, Guest, Questions, here
from tests.graphs import write_samples

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
    """Artifacts of one model with their samples, and what this machine answers to them."""

    questions: Questions
    here: Mapping[str, Array]

    def only(self, *names: str) -> Questions:
        return {path: samples for path, samples in self.questions.items() if path.name in names}


def case(files: list[Path], samples: list[Array], folder: Path) -> Case:
    questions = dict.fromkeys(files, samples)
    return Case(questions, here(questions, folder))


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
    renamed = [
        path.rename(folder / f"ghostnet-{path.name}") for path in made if path.stem in ("u8s8", "u8u8")
    ]
    return case(renamed, evaluation, folder)


@pytest.fixture(scope="module")
def litert(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The test CNN, a residual sum in it, as ai-edge-quantizer makes it."""
    folder = tmp_path_factory.mktemp("litert")
    converter = load_converter("litert")
    (variant,) = (item for item in converter.variants if item.precision == "int8" and not item.name)
    steps = Steps("tiny_cnn", folder / "steps")
    made = steps.convert(converter, variant)
    samples = [np.ascontiguousarray(sample["x"].transpose(0, 2, 3, 1)) for sample in steps.inputs]
    return case([made.path], samples, folder)


@pytest.fixture(scope="module")
def openvino(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The heavy net as NNCF quantizes it in the worker, for devices that saturate (7 bits) and others."""
    folder = tmp_path_factory.mktemp("openvino")
    steps = Steps("tiny_cnn", folder / "steps")
    onnx.save(heavy_net(), steps.onnx)
    shutil.rmtree(steps.calibration)
    steps.calibration = write_samples([{"x": x} for x in inputs(16, seed=1)], folder / "calibration")
    converter = load_converter("openvino")
    (nncf,) = (item for item in converter.variants if item.name == "nncf")
    made = []
    for bits in (7, 8):
        variant = nncf.model_copy(update={"options": {**nncf.options, "int8_weight_bits": bits}})
        path = steps.convert(converter, variant, f"nncf-{bits}bit").path
        made.append(path.rename(path.with_name(f"nncf-{bits}bit.xml")))
        path.with_suffix(".bin").rename(made[-1].with_suffix(".bin"))
    return case(made, inputs(4, seed=2), folder)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("sums")
    path = folder / "sums.onnx"
    onnx.save(every_sum(8), path)
    return case([path], [every_pair()], folder)


@pytest.fixture(scope="module")
def without_vnni(
    older_x86: Guest,
    heavy: Case,
    litert: Case,
    openvino: Case,
    sums: Case,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Array]:
    """What the older x86 answers to all of them."""
    questions = {**heavy.questions, **litert.questions, **openvino.questions, **sums.questions}
    return older_x86.answers(questions, tmp_path_factory.mktemp("older-x86"))


def test_without_vnni_8_bit_weights_lose_and_7_bits_do_not(
    without_vnni: Mapping[str, Array], heavy: Case
) -> None:
    source = heavy.here["float.onnx"]
    assert cosine(heavy.here["u8s8.onnx"], source) > 0.999, "with VNNI all is well"
    for scheme in ("u8s8", "s8s8"):
        assert cosine(without_vnni[f"{scheme}.onnx"], source) < 0.8, scheme
    np.testing.assert_array_equal(without_vnni["u8s8-7bit.onnx"], heavy.here["u8s8-7bit.onnx"])
    assert cosine(without_vnni["u8s8-7bit.onnx"], source) > 0.999


@pytest.mark.parametrize("name", ["u8u8.onnx", "u8s8.exact.onnx"])
def test_without_vnni_u8u8_and_the_exact_option_answer_as_with_it(
    without_vnni: Mapping[str, Array], heavy: Case, name: str
) -> None:
    np.testing.assert_array_equal(without_vnni[name], heavy.here["u8s8.onnx"])


def test_without_vnni_nncf_needs_7_bits_in_every_layer(
    without_vnni: Mapping[str, Array], openvino: Case
) -> None:
    """By itself NNCF keeps to 7 bits in the first layer alone."""
    loss = {name: cosine(without_vnni[name], answers) for name, answers in openvino.here.items()}
    assert loss["nncf-7bit.xml"] > 0.999
    assert loss["nncf-8bit.xml"] < loss["nncf-7bit.xml"] - 0.01


def test_without_vnni_litert_and_quantized_sums_are_exact(
    without_vnni: Mapping[str, Array], litert: Case, sums: Case
) -> None:
    for each in (litert, sums):
        for name, answers in each.here.items():
            np.testing.assert_array_equal(without_vnni[name], answers, err_msg=name)


@pytest.mark.network
@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_arm_answers_bit_for_bit(
    arm_guest: ArmGuest,
    board: str,
    heavy: Case,
    ghostnet: Case,
    litert: Case,
    sums: Case,
    tmp_path: Path,
) -> None:
    """All but a quantized Add: a few of its values round otherwise there, so it is not promised."""
    exact = heavy.only("u8s8.onnx", "u8u8.onnx", "u8s8-7bit.onnx"), ghostnet.questions, litert.questions
    questions = {path: samples for each in exact for path, samples in each.items()}
    found = arm_guest(board).answers({**questions, **sums.questions}, tmp_path)
    expected = {**heavy.here, **ghostnet.here, **litert.here}
    for path in questions:
        np.testing.assert_array_equal(
            found[path.name], expected[path.name], err_msg=f"{path.name} on {board}"
        )
    differing = found["sums.onnx"] != sums.here["sums.onnx"]
    assert 0 < differing.mean() < 1e-3
