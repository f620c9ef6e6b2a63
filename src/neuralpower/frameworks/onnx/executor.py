"""ONNX Runtime's executor for a device."""

from __future__ import annotations

from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import Executor, ExecutorOptions


def make(threads: int, options: ExecutorOptions) -> Executor:
    """ONNX Runtime on the processor or on an NVIDIA GPU."""
    if options.device == "cuda":
        from neuralpower.frameworks.onnx.cuda import OnnxCudaExecutor

        return OnnxCudaExecutor(options)
    if options != ExecutorOptions():
        raise InputError(
            "onnxruntime runs on --device cpu or cuda, and on a cpu has no choice of "
            "precision, memory format and autotuning"
        )
    from neuralpower.frameworks.onnx.cpu import OnnxRuntimeExecutor

    return OnnxRuntimeExecutor(threads=threads)
