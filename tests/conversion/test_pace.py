"""What is too slow by prediction is given up before it is built; whatever a prediction does not reach is built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgekit.catalog import load_catalog
from edgekit.catalog_schema import Profile, Speed
from edgekit.conversion.candidates import Candidate
from edgekit.conversion.convert import Order, convert, plan_order
from edgekit.conversion.pace import Paces
from edgekit.conversion.plan import AUTOMATIC, Wish, plan
from edgekit.errors import ConversionError
from edgekit.models import Model, load_model
from edgekit.simulation.calibrating import Calibration
from edgekit.simulation.layers import layers_of
from edgekit.simulation.published import Series
from edgekit.simulation.terms import NAMES, terms_of
from edgekit.simulation.writing import Voucher, with_speeds
from tests.conversion.project import FP32, INT8, only, write_converter, write_target
from tests.graphs import tiny_bert, tiny_cnn
from tests.models.architectures import mobilenet_v1
from tests.models.building import saved

ORIN = "jetson-orin-cpu"
LITERT = '\n[[runtimes]]\nid = "litert"\nformats = ["tflite"]\nprecisions = ["fp32", "int8"]'


def orin() -> Profile:
    """A board whose profile has constants of XNNPACK, which LiteRT computes with, and none of onnxruntime."""
    return load_catalog().profile(ORIN)


def speed(precision: str) -> Speed:
    (found,) = (
        item for item in orin().speeds if (item.runtime, item.precision) == ("tflite-xnnpack", precision)
    )
    return found


def slowed(item: Speed, by: float, **changes: object) -> Speed:
    constants = {name: value * by for name, value in item.constants_ps.items()}
    low, high = item.latency_ms
    return item.model_copy(update={"constants_ps": constants, "latency_ms": (low * by, high * by), **changes})


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load_model(saved(tmp_path_factory.mktemp("models"), mobilenet_v1()))


@pytest.fixture
def planned(project: Path, mobilenet: Model) -> tuple[Candidate, ...]:
    """onnxruntime and LiteRT, fp32 and int8."""
    write_converter(project, "ort", FP32, INT8)
    write_converter(project, "tfl", FP32, INT8, emits="tflite", runtime="litert")
    write_target(project, "board", more=LITERT)
    catalog = only("ort", "tfl")
    found = plan(
        catalog,
        catalog.target("board"),
        Wish(model=mobilenet, task="image-classification", calibrated=True),
    )
    assert [item.reason for item in found] == [None] * 4
    return found


def given_up(candidates: tuple[Candidate, ...]) -> dict[str, str]:
    return {item.label: item.reason for item in candidates if item.reason}


def paces(model: Model, *speeds: Speed, threads: int = 12) -> Paces:
    profile = orin().model_copy(update={"speeds": speeds}) if speeds else orin()
    return Paces.on(profile, model, most_threads=threads)


def test_beyond_a_limit_is_given_up_with_the_figures(
    planned: tuple[Candidate, ...], mobilenet: Model
) -> None:
    found = paces(mobilenet).keeping_to(10, planned)
    reason = given_up(found)["tfl fp32"]
    assert reason.startswith("predicted to take ")
    assert "tflite-xnnpack master 2023" in reason
    assert reason.endswith("more than the 10 ms asked for")
    # int8 takes a seventh; nothing is known of onnxruntime
    assert given_up(found).keys() == {"tfl fp32"}


def test_an_interval_that_reaches_into_the_limit_is_built(
    planned: tuple[Candidate, ...], mobilenet: Model
) -> None:
    item = speed("fp32")
    p50 = float(
        np.array([item.constants_ps.get(name, 0) for name in NAMES]) @ terms_of(layers_of(mobilenet)) / 1e9
    )
    low = p50 / item.interval_factor
    assert not given_up(paces(mobilenet).keeping_to((low + p50) / 2, planned))
    assert given_up(paces(mobilenet).keeping_to(0.99 * low, planned))


def test_fewer_threads_than_will_be_used_decide_nothing(
    planned: tuple[Candidate, ...], mobilenet: Model
) -> None:
    one = slowed(speed("fp32"), 1, threads=1)
    assert not given_up(paces(mobilenet, one, threads=4).keeping_to(1, planned))
    assert given_up(paces(mobilenet, one, threads=1).keeping_to(1, planned))
    # one thread may do where four do not
    four = slowed(speed("fp32"), 3, threads=4)
    assert not given_up(paces(mobilenet, slowed(one, 0.01), four, threads=4).keeping_to(1, planned))


def test_outside_of_what_was_measured_nothing_is_given_up(
    planned: tuple[Candidate, ...], tmp_path: Path
) -> None:
    """MobileNets alone were measured there: of attention in floats other boards know the time, if any does."""
    bert = load_model(saved(tmp_path, tiny_bert()))
    assert "tfl fp32" not in given_up(paces(bert).keeping_to(1e-6, planned))


def test_the_slower_of_two_as_exact_is_given_up(planned: tuple[Candidate, ...], mobilenet: Model) -> None:
    floats, integers = speed("fp32"), speed("int8")
    known = paces(
        mobilenet,
        floats,
        integers,
        slowed(floats, 3, runtime="onnxruntime"),
        slowed(integers, 3, runtime="onnxruntime"),
    )
    found = known.without_outpaced(planned, AUTOMATIC)
    assert given_up(found).keys() == {"ort fp32", "ort int8"}
    assert "tfl int8" in given_up(found)["ort int8"]
    assert all(item.in_reserve == (item.reason is not None) for item in found)


def test_less_exact_is_no_reason_and_what_was_asked_for_stays(
    planned: tuple[Candidate, ...], mobilenet: Model
) -> None:
    floats = speed("fp32")
    slow_integers = slowed(floats, 3, precision="int8")
    known = paces(mobilenet, floats, slow_integers)
    assert given_up(known.without_outpaced(planned, AUTOMATIC)).keys() == {"tfl int8"}
    assert not given_up(known.without_outpaced(planned, ("int8",)))
    # the published constants: int8 is much faster, and fp32 is more exact
    assert not given_up(paces(mobilenet).without_outpaced(planned, AUTOMATIC))


def test_intervals_that_overlap_decide_nothing(planned: tuple[Candidate, ...], mobilenet: Model) -> None:
    floats = speed("fp32")
    near = slowed(floats, floats.interval_factor**1.9, runtime="onnxruntime")
    assert not given_up(paces(mobilenet, floats, near).without_outpaced(planned, AUTOMATIC))


def own_speeds(project: Path, model: Model, factors: dict[str, float]) -> None:
    """A profile of this machine with speeds of its own: XNNPACK's constants times ``factors``."""
    floats = speed("fp32")
    constants = {name: 1e5 * floats.constants_ps.get(name, 1.0) for name in NAMES}
    p50 = sum(
        constants[name] * amount for name, amount in zip(NAMES, terms_of(layers_of(model)), strict=True)
    )
    found = {
        Series("host", runtime, "1", "fp32", 1, "own"): Calibration(
            constants_ps={name: factor * value for name, value in constants.items()},
            covered=NAMES,
            measurements=8,
            families=5,
            median_pct=5.0,
            p90_pct=10.0,
            interval_factor=1.2,
            latency_ms=(factor * p50 / 2e9, factor * p50 * 2 / 1e9),
        )
        for runtime, factor in factors.items()
    }
    (project / "profiles").mkdir()
    text = Path(load_catalog().places["profiles", "host"].path).read_text()
    voucher = Voucher(title="Own measurements", where="rows.csv", places=range(len(found)))
    (project / "profiles" / "host.toml").write_text(with_speeds(text, {"speeds": found}, [voucher]))


@pytest.fixture
def order(project: Path) -> Order:
    path = project / "cnn.onnx"
    onnx.save(tiny_cnn(), path)
    own_speeds(project, load_model(path), {"onnxruntime": 1.0, "openvino": 2.0})
    openvino = '\n[[runtimes]]\nid = "openvino"\nformats = ["openvino-ir"]\nprecisions = ["fp32"]'
    write_target(project, "board", precisions=("fp32",), more=openvino)
    write_converter(project, "broken", FP32)
    return Order(model=path, targets=("board",), out=project / "out", precisions=("fp32",), threads=1)


def test_convert_plans_with_the_speeds_of_a_profile_of_ones_own(order: Order) -> None:
    (found,) = plan_order(order, only("broken", "openvino")).values()
    assert [item.label for item in found if item.reason is None] == ["broken fp32"]
    limited = replace(order, latency_ms=1e-3)
    with pytest.raises(ConversionError, match=r"predicted to take .* more than the 0\.001 ms asked for"):
        convert(limited, catalog=only("broken", "openvino"))


def test_what_was_given_up_for_its_time_is_built_where_nothing_else_holds(order: Order) -> None:
    found = convert(order, catalog=only("broken", "openvino"))
    (kept,) = found.bundles
    assert kept.manifest.converter == "openvino"
    assert [item.converter for item in (*found.dropped, *found.beaten)] == ["broken"]
