"""Write the images that lie beside the model: ``eval/<label>/`` of test images, ``calib/`` of training images.

    python -m examples.ghostnet.subset --data /usr/share/datasets/fashion-mnist

The first ones of each class are taken, so that nobody chose them. A file's name is the image's place in its IDX file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from examples.ghostnet import fashion

EVAL_PER_CLASS = 100
CALIB_PER_CLASS = 12


def first_of_each(labels: fashion.Bytes, count: int) -> list[int]:
    """Places of the first ``count`` images of every class, in rising order."""
    return sorted(
        int(place) for label in np.unique(labels) for place in np.flatnonzero(labels == label)[:count]
    )


def write_png(path: Path, image: fashion.Bytes) -> None:
    """Write one grey image as a small PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not written:
        raise OSError(f"{path}: OpenCV cannot encode it")
    path.write_bytes(png.tobytes())


def main() -> None:
    """Write both folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=fashion.DEBIAN_FOLDER, help="folder of the four IDX files"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where eval/ and calib/ go")
    options = parser.parse_args()
    images, labels = fashion.load(options.data, "t10k")
    for place in first_of_each(labels, EVAL_PER_CLASS):
        write_png(options.out / "eval" / fashion.LABELS[labels[place]] / f"{place:05}.png", images[place])
    images, labels = fashion.load(options.data, "train")
    for place in first_of_each(labels, CALIB_PER_CLASS):
        write_png(options.out / "calib" / f"{place:05}.png", images[place])


if __name__ == "__main__":
    main()
