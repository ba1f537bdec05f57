"""Write ONNX graphs of the networks that were timed on NPUs and that PyTorch's libraries have, for ``measured_models.py``.

    pip install torch==2.13.0 torchvision==0.28.0 timm==1.0.31 transformers==5.24.0 onnx
    python -m scripts.exported_models FOLDER

Apart from it, as edgekit itself needs none of these. Weights are random: layers are all that is read. Printed are the
parameters, for Qualcomm states them beside the latencies. Its networks go to FOLDER/qai, those of Ascend's model zoo and of
Paddle-Lite's tables to FOLDER/ascend.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
import transformers
from timm.utils.model import reparameterize_model
from torch import Tensor, nn
from torchvision import models

from scripts import ascend_networks
from scripts.torch_networks import NETWORKS

IMAGE = torch.zeros(1, 3, 224, 224)
VIDEO = torch.zeros(1, 3, 16, 112, 112)
TOKENS = 128
OF_TORCHVISION = {
    "mobilenet_v2": (models.mobilenet_v2, IMAGE),
    "mobilenet_v3_large": (models.mobilenet_v3_large, IMAGE),
    "squeezenet1_1": (models.squeezenet1_1, IMAGE),
    "resnet18": (models.resnet18, IMAGE),
    "resnet50": (models.resnet50, IMAGE),
    "resnet101": (models.resnet101, IMAGE),
    "convnext_tiny": (models.convnext_tiny, IMAGE),
    "vit": (models.vit_b_16, IMAGE),
    "resnet_3d": (models.video.r3d_18, VIDEO),
    "resnet_mixed": (models.video.mc3_18, VIDEO),
    "resnet_2plus1d": (models.video.r2plus1d_18, VIDEO),
}


class Segmenter(nn.Module):
    """FCN on a ResNet-50, without the head that only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = models.segmentation.fcn_resnet50(weights=None, weights_backbone=None)

    def forward(self, image: Tensor) -> Tensor:
        answer: dict[str, Tensor] = self.inside(image)
        return answer["out"]


class Sentence(nn.Module):
    """all-MiniLM-L6-v2: the mean over tokens is the sentence's vector."""

    def __init__(self) -> None:
        super().__init__()
        shape = transformers.BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
            attn_implementation="eager",
        )  # fmt: skip
        self.inside = transformers.BertModel(shape, add_pooling_layer=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.inside(input_ids=tokens, attention_mask=mask).last_hidden_state.mean(1)


ON_ASCEND = {
    "alexnet": (models.alexnet, 224),
    "mnasnet1_0": (models.mnasnet1_0, 224),
    "mobilenet_v3_small": (models.mobilenet_v3_small, 224),
    "resnet101_256": (models.resnet101, 256),
    "resnet152_256": (models.resnet152, 256),
    "resnet18_256": (models.resnet18, 256),
    "resnet34": (models.resnet34, 224),
    "squeezenet1_0": (models.squeezenet1_0, 224),
    "vgg19": (models.vgg19, 224),
}
"""Of torchvision, with the side of the input."""
ON_ASCEND_OF_TIMM = {
    "darknet53": ("darknet53", 256),
    "ghostnet": ("ghostnet_100", 224),
    "legacy_xception": ("legacy_xception", 299),
    "pp_lcnet": ("lcnet_100", 224),
    "repvgg_a0": ("repvgg_a0", 224),
    "res2net101_v1b": ("res2net101d", 224),
    "res2net50": ("res2net50_26w_4s", 224),
    "resnest50": ("resnest50d", 224),
    "resnetv2_50x1_bit": ("resnetv2_50x1_bit", 128),
    "seresnet50": ("seresnet50", 224),
    "spnasnet_100": ("spnasnet_100", 224),
    "tresnet_m": ("tresnet_m", 224),
    "twins_pcpvt_small": ("twins_pcpvt_small", 224),
    "vit_base_patch32_224": ("vit_base_patch32_224", 224),
    "vit_base_patch32_384": ("vit_base_patch32_384", 384),
    "vovnet39": ("vovnet39a", 224),
}


def on_ascend() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Name, network, inputs."""
    for name, (make, side) in ON_ASCEND.items():
        yield name, make(), (torch.zeros(1, 3, side, side),)
    timm.layers.set_fused_attn(False)
    for name, (known, side) in ON_ASCEND_OF_TIMM.items():
        network = timm.create_model(known, exportable=True).eval()
        # RepVGG is timed with its branches merged
        merged = reparameterize_model(network) if known.startswith("repvgg") else network
        yield name, merged, (torch.zeros(1, 3, side, side),)
    for name, (draw, shape) in ascend_networks.NETWORKS.items():
        yield name, draw(), (torch.zeros(*shape),)


def on_qualcomm() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
    """Name at Qualcomm, network, inputs."""
    for name, (make, shown) in OF_TORCHVISION.items():
        yield name, make(), (shown,)
    yield "mobilenet_v4", timm.create_model("mobilenetv4_conv_medium"), (IMAGE,)
    yield "fcn_resnet50", Segmenter(), (IMAGE,)
    tokens = torch.ones(1, TOKENS, dtype=torch.long), torch.ones(1, 1, 1, TOKENS)
    yield "minilm_v2", Sentence(), tokens
    for name, (network, shown) in NETWORKS.items():
        yield name, network, (shown,)


def main(folder: Path) -> None:
    for place, networks in (("qai", on_qualcomm()), ("ascend", on_ascend())):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name, network, shown in networks:
            network.eval()
            path = folder / place / f"{name}.onnx"
            torch.onnx.export(network, shown, path, dynamo=False, opset_version=17)
            print(name, sum(tensor.numel() for tensor in network.parameters()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
