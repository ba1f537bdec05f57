"""A small classifier that is right, and detectors and a segmentation of the zoo, as bundles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.data.images import find_images, read_image
from edgekit.models.zoo.store import resolve
from tests.camera.bundles import bundle_of
from tests.conversion.stripes import stripes, write_classifier


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which way do the stripes run?"""
    folder = tmp_path_factory.mktemp("stripes")
    sample = stripes(0, np.random.default_rng(0))
    return bundle_of(write_classifier(folder, width=8), folder / "stripes.edgekit", sample)


@pytest.fixture(scope="session")
def blazeface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo_bundle("blazeface", tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo_bundle("yolov3-tiny", tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def selfie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zoo_bundle("selfie-segmentation", tmp_path_factory.mktemp("zoo"))


def zoo_bundle(model: str, folder: Path) -> Path:
    path = resolve(model)
    photo = read_image(find_images(path.parent / "eval")[0])
    return bundle_of(path, folder / f"{model}.edgekit", photo)
