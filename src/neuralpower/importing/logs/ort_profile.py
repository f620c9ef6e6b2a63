"""The profile that ONNX Runtime writes (``SessionOptions.enable_profiling``).

One event a node and run (``cat`` Node, ``<node>_kernel_time``, microseconds). The first run of a
session prepares buffers and is dropped; a node's time is the median of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.timings import Shape, TimedRow, Timing, milliseconds, read_document

_KERNEL = "_kernel_time"
#: Operators that only bring data into the layout of the kernels, or to another device.
_MOVES = frozenset({"ReorderInput", "ReorderOutput", "MemcpyFromHost", "MemcpyToHost"})
FAMILIES = {
    "AveragePool": "pool",
    "BatchNormalization": "batchnorm",
    "Concat": "concat",
    "Conv": "conv",
    "ConvTranspose": "deconv",
    "Elu": "elu",
    "FusedConv": "conv",
    "FusedGemm": "fc",
    "Gemm": "fc",
    "GlobalAveragePool": "pool",
    "GlobalMaxPool": "pool",
    "LRN": "lrn",
    "MaxPool": "pool",
    "PRelu": "prelu",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Tanh": "tanh",
}


def read_ort_profile(path: str | Path) -> Timing:
    """The kernel times of a profile. Raises ``InputError`` for one of fewer than two runs."""
    document = read_document(path, "a profile of ONNX Runtime")
    if not isinstance(document, list) or not all(isinstance(event, dict) for event in document):
        raise InputError("no profile of ONNX Runtime: a list of events is needed", path=path)
    times: dict[str, list[float]] = {}
    first: dict[str, tuple[int, Mapping[str, object]]] = {}
    passes: list[float] = []
    for number, event in enumerate(document, 1):
        name, kind = str(event.get("name", "")), event.get("cat")
        if kind == "Node" and name.endswith(_KERNEL):
            node = name.removesuffix(_KERNEL)
            first.setdefault(node, (number, event))
            times.setdefault(node, []).append(milliseconds(event.get("dur"), path, number, 1e-3))
        elif kind == "Session" and name == "model_run":
            passes.append(milliseconds(event.get("dur"), path, number, 1e-3))
    if not times:
        raise InputError("no profile of ONNX Runtime: it has no kernel times", path=path)
    runs = max(len(found) for found in times.values())
    if runs < 2:
        raise InputError(
            "one run only, and the first is dropped: run the session at least twice", path=path
        )
    rows = [
        _row(node, found[1:] or found, *first[node])
        for node, found in times.items()
        if len(found) == runs
    ]
    batch = next((row.inputs[0][0] for row in rows if row.inputs and row.inputs[0]), 0)
    notes = []
    if len(rows) != len(times):
        notes.append(f"{len(times) - len(rows)} nodes did not run in every run: left out")
    return Timing(
        rows,
        runs - 1,
        "ONNX Runtime",
        whole_ms=median(passes[1:]) if len(passes) == runs else None,
        basis="median of model_run, profiler on",
        batch=batch,
        facts={"runs": runs - 1, "statistic": "median", "warm_up": "first run dropped"},
        notes=notes,
    )


def _row(node: str, times: list[float], number: int, event: Mapping[str, object]) -> TimedRow:
    facts = event.get("args")
    facts = facts if isinstance(facts, dict) else {}
    op = str(facts.get("op_name", ""))
    inputs = _shapes(facts.get("input_type_shape"))
    family = FAMILIES.get(op, "")
    weight = inputs[1] if family in ("conv", "deconv", "fc") and len(inputs) > 1 else ()
    return TimedRow(
        node,
        median(times),
        len(times),
        number,
        family=family,
        inputs=inputs,
        outputs=_shapes(facts.get("output_type_shape")),
        weight=weight,
        moves=op in _MOVES,
    )


def _shapes(value: object) -> tuple[Shape, ...]:
    """``[{"float": [1, 3, 224, 224]}, ...]`` as shapes; what has another form is left out."""
    found: list[Shape] = []
    for entry in value if isinstance(value, list) else []:
        for sizes in entry.values() if isinstance(entry, dict) else []:
            if isinstance(sizes, list) and all(isinstance(size, int) for size in sizes):
                found.append(tuple(sizes))
    return tuple(found)
