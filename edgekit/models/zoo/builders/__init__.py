"""How a model's files become one ONNX file and its samples: a module a builder, with one function.

    def build(files: Mapping[str, Path], out: Path) -> None

``files`` are the package members that the zoo file names. The builder writes ``model.onnx`` (the same bytes from
the same files), what the contract names, and ``calib/`` and ``eval/`` where it has samples, into the folder ``out``.
"""

BUILDERS: dict[str, str] = {
    "blazeface": "edgekit.models.zoo.builders.blazeface",
    "blazepose": "edgekit.models.zoo.builders.blazepose",
    "checkout": "edgekit.models.zoo.builders.checkout",
    "efficientnet_lite0": "edgekit.models.zoo.builders.efficientnet_lite0",
    "minilm": "edgekit.models.zoo.builders.minilm",
    "minilm_int8": "edgekit.models.zoo.builders.minilm_int8",
    "minilm_sentiment": "edgekit.models.zoo.builders.minilm_sentiment",
    "ppocr_cls": "edgekit.models.zoo.builders.ppocr_cls",
    "ppocr_det": "edgekit.models.zoo.builders.ppocr_det",
    "ppocr_rec": "edgekit.models.zoo.builders.ppocr_rec",
    "selfie_segmentation": "edgekit.models.zoo.builders.selfie_segmentation",
    "yolov3_tiny": "edgekit.models.zoo.builders.yolov3_tiny",
}
"""Modules by the names that zoo files use; imported when needed, because they load onnx and OpenCV."""
