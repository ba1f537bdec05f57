"""Train the small GhostNet on Fashion-MNIST and export it to ONNX.

    apt-get install dataset-fashion-mnist
    python3 -m venv /tmp/ghostnet-venv
    /tmp/ghostnet-venv/bin/pip install torch==2.13.0 numpy onnx onnxruntime
    /tmp/ghostnet-venv/bin/python -m examples.ghostnet.train --out /tmp/ghostnet.onnx

torch is needed here only; nothing else of edgekit imports it. The test images are looked at once, after the
last epoch: settings were chosen with ``--holdout``, on training images kept aside.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import os
import sys
import time
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported

import numpy as np
import onnx
import onnxruntime
import torch
from torch.nn.functional import cross_entropy, pad
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from examples.ghostnet import fashion
from examples.ghostnet.ghostnet import GhostNet

MEAN, STD = 72.94, 90.02  # of the training pixels, 0..255; the same figures stand in contract.toml
BORDER = 1  # a training image is shifted by up to so many pixels in both directions


def normalize(images: torch.Tensor) -> torch.Tensor:
    """Bytes [N, 28, 28] -> float32 [N, 1, 28, 28]."""
    return ((images.float() - MEAN) / STD).unsqueeze(1)


def augment(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Mirror half of the images and shift each by up to ``BORDER`` pixels."""
    count, height, width = images.shape
    images = torch.where(torch.rand(count, 1, 1, generator=random) < 0.5, images.flip(2), images)
    padded = pad(images, (BORDER,) * 4)
    top, left = torch.randint(0, 2 * BORDER + 1, (2, count, 1, 1), generator=random)
    rows, columns = top + torch.arange(height)[:, None], left + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], rows, columns]


def fit(model: GhostNet, images: torch.Tensor, labels: torch.Tensor, options: argparse.Namespace) -> GhostNet:
    """Train ``model`` with AdamW on a one-cycle learning rate; return the running average of its weights."""
    random = torch.Generator().manual_seed(options.seed)
    steps = len(images) // options.batch
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=options.decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, epochs=options.epochs, steps_per_epoch=steps, pct_start=0.2
    )
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.average), use_buffers=True)
    for epoch in range(options.epochs):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(images), generator=random)[: steps * options.batch].split(
            options.batch
        ):
            loss = cross_entropy(
                model(
                    normalize(augment(images[batch], random)).contiguous(memory_format=torch.channels_last)
                ),
                labels[batch],
                label_smoothing=options.smoothing,
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            averaged.update_parameters(model)
            total += loss.item()
        print(f"epoch {epoch + 1:2}/{options.epochs}: loss {total / steps:.4f}", file=sys.stderr, flush=True)
    trained: GhostNet = averaged.module
    return trained


def export(model: GhostNet, path: Path) -> None:
    """Write ``model`` as ONNX, opset 17, with a free batch dimension; ``image`` in, ``logits`` out."""
    portable = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        portable,
        (torch.zeros(1, 1, 28, 28),),
        path,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,  # the newer exporter writes opset 18 and converts down
    )


def sign(path: Path) -> None:
    """Write into the file where it comes from and what its licence is."""
    model = onnx.load(path)
    facts = {
        "licence": "Apache-2.0",
        "source": "edgekit, examples/ghostnet/train.py, trained on Fashion-MNIST (MIT, Zalando SE)",
        "paper": "Han et al., GhostNet: More Features from Cheap Operations, arXiv 1911.11907",
    }
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, path)


def check_export(model: GhostNet, path: Path, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Accuracy of the ONNX file in onnxruntime; its logits must be those of torch within float32 rounding.

    Raises:
        AssertionError: they are not.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batches = [normalize(batch).numpy() for batch in images.split(500)]
    logits = np.concatenate([session.run(None, {"image": batch})[0] for batch in batches])
    with torch.inference_mode():
        expected = model.eval()(normalize(images[:500])).numpy()
    np.testing.assert_allclose(logits[:500], expected, rtol=1e-3, atol=1e-4)
    return float((logits.argmax(1) == labels.numpy()).mean())


def keep_freed_memory() -> None:
    """Let glibc reuse freed blocks: returning them to the kernel after each step makes training 1.5 times slower."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        trim_threshold, mmap_threshold = -1, -3  # names of <malloc.h>
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 2**30)


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=fashion.DEBIAN_FOLDER, help="folder of the four IDX files"
    )
    parser.add_argument("--out", type=Path, default=Path("ghostnet.onnx"), help="ONNX file to write")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=4e-3, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay")
    parser.add_argument("--smoothing", type=float, default=0.02, help="label smoothing")
    parser.add_argument(
        "--average", type=float, default=0.999, help="decay of the running average of the weights"
    )
    parser.add_argument("--threads", type=int, default=1, help="the model is too small for more to help")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument(
        "--holdout", type=int, default=0, help="test on so many training images kept aside instead"
    )
    return parser.parse_args()


def main() -> None:
    """Train, export, check, and print the accuracy."""
    options = parse_options()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    images, labels = (torch.tensor(part) for part in fashion.load(options.data, "train"))
    labels = labels.long()
    if options.holdout:
        tests, answers = images[-options.holdout :], labels[-options.holdout :]
        images, labels = images[: -options.holdout], labels[: -options.holdout]
    else:
        tests, answers = (torch.tensor(part) for part in fashion.load(options.data, "t10k"))
        answers = answers.long()
    begin, begin_cpu = time.monotonic(), time.process_time()
    model = fit(GhostNet(len(fashion.LABELS)).to(memory_format=torch.channels_last), images, labels, options)
    minutes, cpu_minutes = (time.monotonic() - begin) / 60, (time.process_time() - begin_cpu) / 60
    export(model, options.out)
    sign(options.out)
    measured = check_export(model, options.out, tests, answers)
    print(f"{options.out}: {measured:.4f} of {len(tests)} images right; seed {options.seed}")
    print(f"{minutes:.1f} minutes, {cpu_minutes:.1f} of them on the processor", file=sys.stderr)


if __name__ == "__main__":
    main()
