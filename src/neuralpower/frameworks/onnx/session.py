"""Sessions of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime

from neuralpower.frameworks.onnx.builder import Built


def open_session(
    built: Built,
    options: onnxruntime.SessionOptions,
    providers: Sequence[object] = ("CPUExecutionProvider",),
) -> tuple[onnxruntime.InferenceSession, list[object]]:
    """A session of the model, and the values that must live as long as it does."""
    data, large = built.outlined()
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in large.values()]
    if large:
        options.add_external_initializers(list(large), values)
    session = onnxruntime.InferenceSession(data, options, providers=list(providers))
    return session, [*values, *large.values()]


def session_options(threads: int, optimise: bool) -> onnxruntime.SessionOptions:
    """Options of a session: threads, sequential, graph optimisation all or none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    # Warnings (an unused initializer, say) are no business of the person who measures.
    options.log_severity_level = 3
    return options
