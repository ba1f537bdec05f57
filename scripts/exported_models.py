"""Write ONNX graphs of the classifiers and transformers that Qualcomm timed, from the libraries they were exported from.

    pip install torch==2.13.0 torchvision==0.28.0 timm==1.0.31 transformers==TRANSFORMERS onnx
    python scripts/exported_models.py FOLDER

Apart from the other scripts, as edgekit itself needs none of these. Weights are random: layers are all that is read.
Parameters are printed, to be held to those that are stated beside the latencies.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn

TORCHVISION: Mapping[str, str] = {
    "mobilenet_v2": "mobilenet_v2", "mobilenet_v3_large": "mobilenet_v3_large",
    "mobilenet_v3_small": "mobilenet_v3_small", "mnasnet05": "mnasnet0_5", "squeezenet1_1": "squeezenet1_1",
    "resnet18": "resnet18", "resnet50": "resnet50", "resnet101": "resnet101", "convnext_tiny": "convnext_tiny",
    "convnext_base": "convnext_base", "vit": "vit_b_16",
}  # fmt: skip
TIMM: Mapping[str, str] = {
    "convnext_v2_base": "convnextv2_base", "efficientformer": "efficientformer_l1",
    "efficientvit_b2_cls": "efficientvit_b2", "efficientvit_l2_cls": "efficientvit_l2",
    "mobilenet_v4": "mobilenetv4_conv_medium", "nasnet": "nasnetalarge",
}  # fmt: skip
