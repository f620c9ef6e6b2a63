"""Caffe layers as ONNX models, run by ONNX Runtime."""

from neuralpower.core.extras import not_installed

try:
    import onnx as onnx
    import onnxruntime as onnxruntime
except ImportError as error:
    # The one place that says so: whatever is asked for below, this is imported first.
    raise not_installed(str(error.name), "onnx") from None
