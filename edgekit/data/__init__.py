"""Calibration and evaluation data from folders and files."""

from edgekit.data.accuracy import accuracy
from edgekit.data.calibration import CalibrationSet, encode_sample, write_calibration
from edgekit.data.opening import open_samples
from edgekit.data.raw_files import read_raw, write_raw
from edgekit.data.samples import Label, Sample, Samples

__all__ = [
    "CalibrationSet",
    "Label",
    "Sample",
    "Samples",
    "accuracy",
    "encode_sample",
    "open_samples",
    "read_raw",
    "write_calibration",
    "write_raw",
]
