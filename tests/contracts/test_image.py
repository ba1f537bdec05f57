"""Each resize rule against values worked out by hand, and the geometry that maps boxes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.contracts.image import encode_image
from edgekit.contracts.schema import ImageInput
from edgekit.errors import DataError
from tests.contracts.making import image, picture

RED = np.full((10, 20, 3), (0, 0, 255), np.uint8)


def spec(**changes: Any) -> ImageInput:
    return ImageInput.model_validate(image(**changes))


def test_colour_order_mean_and_std() -> None:
    tensor, _ = encode_image(RED, spec(mean=[5.0, 1.0, 2.0], std=[2.0, 1.0, 4.0]))
    assert tensor.shape == (1, 3, 4, 6)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 0, 0].tolist() == [125.0, -1.0, -0.5]
    bgr, _ = encode_image(RED, spec(color="bgr"))
    assert bgr[0, :, 0, 0].tolist() == [0.0, 0.0, 255.0]


def test_gray_has_one_channel_weighted_by_luminance() -> None:
    tensor, _ = encode_image(RED, spec(color="gray", mean=[0.0], std=[1.0], layout="nhwc"))
    assert tensor.shape == (1, 4, 6, 1)
    assert set(tensor.ravel()) == {76.0}  # 0.299 * 255, BT.601


def test_layouts_hold_the_same_values() -> None:
    nchw, _ = encode_image(picture(), spec())
    nhwc, _ = encode_image(picture(), spec(layout="nhwc"))
    np.testing.assert_array_equal(nchw, nhwc.transpose(0, 3, 1, 2))
    assert nhwc.flags.c_contiguous
    assert nchw.flags.c_contiguous


@pytest.mark.parametrize(
    ("dtype", "mean", "std", "expected"),
    [
        ("uint8", 0.0, 1.0, 255),
        ("uint8", 0.0, 0.5, 255),  # 510 is clipped
        ("int8", 128.0, 1.0, 127),
        ("int8", 127.5, 1.0, 127),  # 127.5 rounds to even 128, which is clipped
        ("uint8", 0.5, 1.0, 254),  # 254.5 rounds half to even
    ],
)
def test_integer_inputs_are_rounded_and_clipped(dtype: str, mean: float, std: float, expected: int) -> None:
    white = np.full((4, 6, 3), 255, np.uint8)
    tensor, _ = encode_image(white, spec(dtype=dtype, mean=[mean] * 3, std=[std] * 3))
    assert tensor.dtype == np.dtype(dtype)
    assert set(tensor.ravel().tolist()) == {expected}


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8", "int8", "int32", "int64"])
def test_each_value_of_each_channel_is_the_schemas_formula(dtype: str, layout: str) -> None:
    mean, std = np.array([103.9, 116.8, 123.7], np.float32), np.array([58.4, 57.1, 57.4], np.float32)
    pixels = np.arange(768, dtype=np.uint32).reshape(32, 8, 3).astype(np.uint8)  # 0 to 255 in each place
    made = spec(size=[32, 8], color="bgr", dtype=dtype, layout=layout, mean=mean.tolist(), std=std.tolist())
    wanted = (pixels.astype(np.float32) - mean) / std
    if "int" in dtype:
        wanted = np.rint(wanted).clip(np.iinfo(dtype).min, np.iinfo(dtype).max)
    tensor, _ = encode_image(pixels, made)
    found = tensor[0] if layout == "nhwc" else tensor[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(found, wanted.astype(dtype))


def test_stretch_takes_both_sides_to_size() -> None:
    _, geometry = encode_image(picture(40, 60), spec())
    assert (geometry.scale, geometry.offset) == ((0.1, 0.1), (0.0, 0.0))


def test_letterbox_is_centred_and_filled_with_the_pad_value() -> None:
    tensor, geometry = encode_image(RED, spec(size=[8, 8], resize="letterbox", pad_value=127.5))
    assert geometry.offset == (0.0, 2.0)
    assert geometry.scale == (0.4, 0.4)
    assert set(tensor[0, 0, :2].ravel()) == {127.5}
    assert set(tensor[0, 0, 2:6].ravel()) == {255.0}
    assert set(tensor[0, 0, 6:].ravel()) == {127.5}


def test_letterbox_keeps_at_least_one_pixel_of_a_very_long_image() -> None:
    tensor, _ = encode_image(np.full((1, 1000, 3), 255, np.uint8), spec(size=[8, 8], resize="letterbox"))
    assert tensor.max() == 255.0


def test_crop_takes_the_centre_of_the_covering_size() -> None:
    stripes = np.zeros((4, 12, 3), np.uint8)
    stripes[:, 4:8] = 255
    tensor, geometry = encode_image(stripes, spec(size=[4, 4], resize="crop"))
    assert set(tensor.ravel()) == {255.0}
    assert geometry.offset == (-4.0, 0.0)


def test_crop_takes_the_short_side_to_its_own_length_first() -> None:
    _, geometry = encode_image(picture(300, 451), spec(size=[224, 224], resize="crop", resize_short_side=256))
    assert geometry.scale == pytest.approx(
        (384 / 451, 256 / 300)
    )  # long side cut as torchvision does: 384.85
    assert geometry.offset == (-80.0, -16.0)


@pytest.mark.parametrize("hw", [(223, 500), (500, 223), (7, 3000), (1, 1), (224, 224), (225, 224)])
def test_crop_fills_the_size_whatever_the_image(hw: tuple[int, int]) -> None:
    white = np.full((*hw, 3), 255, np.uint8)
    tensor, _ = encode_image(white, spec(size=[224, 224], resize="crop", pad_value=-1.0))
    assert tensor.min() == 255.0


def test_fit_height_pads_to_the_right() -> None:
    tensor, geometry = encode_image(RED, spec(size=[5, 16], resize="fit-height", pad_value=7.0))
    assert geometry.scale == (0.5, 0.5)
    assert set(tensor[0, 0, :, :10].ravel()) == {255.0}
    assert set(tensor[0, 0, :, 10:].ravel()) == {7.0}


def test_fit_height_squeezes_what_is_too_wide() -> None:
    tensor, geometry = encode_image(RED, spec(size=[5, 4], resize="fit-height", pad_value=7.0))
    assert geometry.scale == (0.2, 0.5)
    assert set(tensor[0, 0].ravel()) == {255.0}


@pytest.mark.parametrize(
    ("hw", "made"),
    [
        ((100, 200), (96, 192)),  # never enlarged; 200 / 32 = 6.25
        ((2000, 1000), (960, 480)),
        ((959, 950), (960, 960)),
        ((1000, 10), (960, 32)),  # at least one multiple
    ],
)
def test_limit_side_shrinks_and_rounds_to_multiples(hw: tuple[int, int], made: tuple[int, int]) -> None:
    tensor, geometry = encode_image(picture(*hw), spec(size=[960, 960], resize="limit-side"))
    assert tensor.shape[2:] == made == geometry.input_hw
    assert geometry.scale == (made[1] / hw[1], made[0] / hw[0])


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox", "fit-height", "limit-side"])
def test_geometry_maps_a_mark_back_to_where_it_was(resize: str) -> None:
    marked = np.zeros((200, 300, 3), np.uint8)
    marked[90:110, 140:170] = 255
    tensor, geometry = encode_image(marked, spec(size=[128, 160], resize=resize))
    rows, columns = np.nonzero(tensor[0, 0] > 127)
    edges = [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]
    found = geometry.to_original(edges)
    # half a pixel of the input is 2 pixels of the image at the strongest reduction here
    np.testing.assert_allclose(found, [[140, 90], [170, 110]], atol=2.0)


def test_geometry_clips_to_the_image() -> None:
    _, geometry = encode_image(picture(40, 60), spec(resize="letterbox", size=[8, 8]))
    np.testing.assert_array_equal(geometry.to_original([[-50, -50], [50, 50]]), [[0, 0], [60, 40]])


@pytest.mark.parametrize(
    "wrong",
    [
        "a text",
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["text", "no channels", "alpha", "float", "empty"],
)
def test_what_is_no_image_is_refused(wrong: object) -> None:
    with pytest.raises(DataError, match="input 'x'"):
        encode_image(wrong, spec())


def test_the_image_itself_is_left_as_it_was() -> None:
    source = picture()
    kept = source.copy()
    encode_image(source, spec(color="bgr", size=[40, 60]))
    np.testing.assert_array_equal(source, kept)
