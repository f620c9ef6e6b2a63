"""Which executors there are, by name; a framework is imported only when it is asked for."""

from __future__ import annotations

from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import Executor, ExecutorOptions

#: Names that ``make_executor`` knows.
EXECUTORS = ("onnxruntime", "torch", "jax")


def make_executor(name: str, threads: int, options: ExecutorOptions | None = None) -> Executor:
    """The executor of a name; its framework is imported only here."""
    if name == "onnxruntime":
        if options is not None and options.device == "cuda":
            from neuralpower.frameworks.onnx.cuda import OnnxCudaExecutor

            return OnnxCudaExecutor(options)
        if options not in (None, ExecutorOptions()):
            raise InputError(
                "onnxruntime runs on --device cpu or cuda, and on a cpu has no choice of "
                "precision, memory format and autotuning"
            )
        from neuralpower.frameworks.onnx.cpu import OnnxRuntimeExecutor

        return OnnxRuntimeExecutor(threads=threads)
    if name == "torch":
        from neuralpower.frameworks.torch.executor import TorchExecutor

        return TorchExecutor(threads, options)
    if name == "jax":
        from neuralpower.frameworks.jax.executor import JaxExecutor

        return JaxExecutor(threads, options)
    raise InputError(f"executor {name!r} is not known: take one of {', '.join(EXECUTORS)}")
