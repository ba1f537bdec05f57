"""Pre- and post-processing of tasks, said in one file: the same code calibrates, evaluates and applies."""

from edgekit.contracts.agreement import agreement
from edgekit.contracts.fitting import check_fit
from edgekit.contracts.geometry import Geometry
from edgekit.contracts.golden import check_inputs
from edgekit.contracts.loading import LoadedContract, find_contract, load_contract, tensor_contract
from edgekit.contracts.predictions import (
    Box,
    Boxes,
    Classes,
    Embedding,
    Keypoint,
    Mask,
    Pose,
    Poses,
    Prediction,
    ScoredLabel,
    Tensors,
    Text,
    TextRegion,
    TextRegions,
)
from edgekit.contracts.schema import Contract
from edgekit.contracts.types import Encoded, Image, Raw, Tensor, TensorSpec

__all__ = [
    "Box",
    "Boxes",
    "Classes",
    "Contract",
    "Embedding",
    "Encoded",
    "Geometry",
    "Image",
    "Keypoint",
    "LoadedContract",
    "Mask",
    "Pose",
    "Poses",
    "Prediction",
    "Raw",
    "ScoredLabel",
    "Tensor",
    "TensorSpec",
    "Tensors",
    "Text",
    "TextRegion",
    "TextRegions",
    "agreement",
    "check_fit",
    "check_inputs",
    "find_contract",
    "load_contract",
    "tensor_contract",
]
