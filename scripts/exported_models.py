"""Write ONNX graphs of the networks that Qualcomm timed and that PyTorch's libraries have, for ``measured_models.py``.

    pip install torch==2.13.0 torchvision==0.28.0 timm==1.0.31 transformers==5.24.0 onnx
    python -m scripts.exported_models FOLDER

Apart from it, as edgekit itself needs none of these. Weights are random: layers are all that is read. Printed are the
parameters, for they are stated beside the latencies.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
import transformers
from torch import Tensor, nn
from torchvision import models

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


def networks() -> Iterator[tuple[str, nn.Module, tuple[Tensor, ...]]]:
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
    folder.mkdir(parents=True, exist_ok=True)
    for name, network, shown in networks():
        network.eval()
        torch.onnx.export(network, shown, folder / f"{name}.onnx", dynamo=False, opset_version=17)
        print(name, sum(tensor.numel() for tensor in network.parameters()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
