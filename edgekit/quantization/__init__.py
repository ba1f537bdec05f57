"""Quantize a model once, into an ONNX graph with QuantizeLinear/DequantizeLinear pairs (QDQ)."""
