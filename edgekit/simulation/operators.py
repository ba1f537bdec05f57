"""Which class of work each operator is, in ONNX and in TFLite. What is in no table cannot be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from edgekit.simulation.layer import LayerKind

Kind = LayerKind | Literal["free"]

FREE: Final = "free"
"""Only a view of its input, folded away, or fused into a neighbour."""


def _table(free: str, elementwise: str, norm: str, pool: str, move: str) -> Mapping[str, Kind]:
    groups: dict[Kind, str] = {
        FREE: free,
        "elementwise": elementwise,
        "norm": norm,
        "pool": pool,
        "move": move,
    }
    return {name: kind for kind, names in groups.items() for name in names.split()}


ONNX_KINDS = _table(
    free="Cast CastLike Constant ConstantOfShape Dropout Flatten Identity QuantizeLinear DequantizeLinear Range "
    "Reshape Shape Size Squeeze Unsqueeze",
    elementwise="Abs Add And BatchNormalization BiasGelu Ceil Celu Clip Cos Div Elu Equal Erf Exp FastGelu Floor "
    "Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod "
    "Mul Neg Not Or PRelu Pow QLinearAdd QLinearLeakyRelu QLinearMul QLinearSigmoid QuickGelu Reciprocal Relu Round Selu "
    "Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tanh ThresholdedRelu Where Xor",
    norm="GroupNormalization InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization "
    "MeanVarianceNormalization QLinearSoftmax RMSNormalization SimplifiedLayerNormalization "
    "SkipLayerNormalization SkipSimplifiedLayerNormalization Softmax",
    pool="AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool QLinearAveragePool "
    "QLinearGlobalAveragePool ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare",
    move="ArgMax ArgMin Compress Concat CumSum DepthToSpace EmbedLayerNormalization Expand Gather GatherBlockQuantized "
    "GatherElements GatherND NonMaxSuppression NonZero OneHot Pad QLinearConcat Resize ReverseSequence ScatterElements "
    "ScatterND Slice SpaceToDepth Split Tile TopK Transpose Trilu Upsample",
)

TFLITE_KINDS = _table(
    free="CAST DEQUANTIZE EXPAND_DIMS FILL QUANTIZE RANGE RESHAPE SHAPE SQUEEZE",
    elementwise="ABS ADD ADD_N CEIL COS DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD GELU GREATER GREATER_EQUAL "
    "HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC MAXIMUM MINIMUM MUL NEG "
    "NOT_EQUAL POW PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SELECT SELECT_V2 SIGN SIN SQRT SQUARE "
    "SQUARED_DIFFERENCE SUB TANH WHERE",
    norm="L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION LOG_SOFTMAX SOFTMAX",
    pool="AVERAGE_POOL_2D L2_POOL_2D MAX_POOL_2D MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM",
    move="ARG_MAX ARG_MIN BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION CUMSUM DEPTH_TO_SPACE EMBEDDING_LOOKUP GATHER "
    "GATHER_ND MIRROR_PAD ONE_HOT PACK PAD PADV2 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SCATTER_ND SLICE "
    "SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V STRIDED_SLICE TILE TOPK_V2 TRANSPOSE UNPACK",
)

FUSED_ACTIVATIONS = frozenset({"Clip", "LeakyRelu", "Relu"})
"""Of ONNX: what every runtime calibrated here computes while it writes the result of the operator before it."""
