"""Caffe layers as ONNX models, run by ONNX Runtime."""

from neuralpower.core.errors import InputError

try:
    import onnx as onnx
    import onnxruntime as onnxruntime
except ImportError as error:
    # The one place that says so: whatever is asked for below, this is imported first.
    raise InputError(
        f"{error.name} is not installed: install the extra, pip install 'neuralpower[onnx]'"
    ) from None
