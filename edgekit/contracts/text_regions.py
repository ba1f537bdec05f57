"""Read rotated boxes of text from the probability map of a DB head, as PP-OCR does."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edgekit.contracts.geometry import Geometry
from edgekit.contracts.predictions import TextRegion, TextRegions
from edgekit.contracts.schema import TextRegionsOutput
from edgekit.contracts.types import Tensor
from edgekit.errors import ContractError

_Corners = npt.NDArray[np.float32]
_RotatedRectangle = tuple[tuple[float, float], tuple[float, float], float]
"""Centre, size, angle in degrees, as OpenCV's minAreaRect gives it."""
_MAX_REGIONS = 1000
_SMALLEST_SIDE = 3
"""Of a region before it is enlarged, in pixels of the map; PP-OCR's ``min_size``."""


def decode_text_regions(probabilities: Tensor, output: TextRegionsOutput, geometry: Geometry) -> TextRegions:
    """Regions of [1, 1, H, W], on the original image, top to bottom, then left to right."""
    if probabilities.ndim != 4 or probabilities.shape[:2] != (1, 1):
        raise ContractError(
            f"output '{output.name}' has shape {list(probabilities.shape)}; a map is [1, 1, H, W]"
        )
    score_map = np.ascontiguousarray(probabilities[0, 0], np.float32)
    mask = (score_map > output.threshold).astype(np.uint8)
    contours = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0][:_MAX_REGIONS]
    found = [_region(contour, score_map, output, geometry) for contour in contours]
    regions = [region for region in found if region]
    return TextRegions(
        tuple(sorted(regions, key=lambda region: (region.corners[0][1], region.corners[0][0])))
    )


def _region(
    contour: npt.NDArray[np.int32],
    score_map: npt.NDArray[np.float32],
    output: TextRegionsOutput,
    geometry: Geometry,
) -> TextRegion | None:
    rectangle: _RotatedRectangle = cv2.minAreaRect(contour)
    if min(rectangle[1]) < _SMALLEST_SIDE:
        return None
    score = _mean_inside(score_map, _corners(rectangle))
    if score < output.box_threshold:
        return None
    # the head's map may be smaller than its input
    to_input = np.divide(geometry.input_hw[::-1], score_map.shape[::-1])
    corners = geometry.to_original(_corners(_enlarge(rectangle, output.unclip_ratio)) * to_input)
    return TextRegion(tuple((float(x), float(y)) for x, y in corners), score)


def _enlarge(rectangle: _RotatedRectangle, ratio: float) -> _RotatedRectangle:
    """Undo the shrinking that DB trains with: move every side out by area * ratio / perimeter.

    PP-OCR offsets the polygon with Clipper and takes the smallest rectangle around the result; of a rectangle
    that is the same rectangle with longer sides, but for Clipper's whole pixels.
    """
    centre, (width, height), angle = rectangle
    distance = width * height * ratio / (2 * (width + height))
    return centre, (width + 2 * distance, height + 2 * distance), angle


def _corners(rectangle: _RotatedRectangle) -> _Corners:
    """Clockwise from the top left: of the two left-most corners the upper one comes first."""
    by_x = sorted(cv2.boxPoints(rectangle).tolist())
    left, right = sorted(by_x[:2], key=lambda point: point[1]), sorted(by_x[2:], key=lambda point: point[1])
    return np.asarray([left[0], right[0], right[1], left[1]], np.float32)


def _mean_inside(score_map: npt.NDArray[np.float32], corners: _Corners) -> float:
    """Mean of the map over the filled polygon, in the window around it."""
    height, width = score_map.shape
    low = np.clip(np.floor(corners.min(0)), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(corners.max(0)), 0, (width - 1, height - 1)).astype(int)
    window = score_map[low[1] : high[1] + 1, low[0] : high[0] + 1]
    mask = np.zeros(window.shape, np.uint8)
    cv2.fillPoly(mask, [(corners - low).astype(np.int32)], 1)
    return float(cv2.mean(window, mask)[0])
