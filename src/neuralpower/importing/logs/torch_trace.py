"""A chrome trace of PyTorch's profiler, with ``record_shapes=True``.

Outermost operators (``aten::conv2d`` and the like) are the rows. Where the trace has kernels of a
GPU that is the time of the kernels which the operator and those inside it launched, else it is
the operator's own time on the CPU. A step (``ProfilerStep``) is a run; the first is dropped where
there are more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.timings import Shape, TimedRow, Timing, milliseconds, read_document

FAMILIES = {
    "aten::adaptive_avg_pool2d": "pool",
    "aten::adaptive_max_pool2d": "pool",
    "aten::add": "eltwise",
    "aten::add_": "eltwise",
    "aten::avg_pool2d": "pool",
    "aten::batch_norm": "batchnorm",
    "aten::cat": "concat",
    "aten::conv2d": "conv",
    "aten::conv_transpose2d": "deconv",
    "aten::elu": "elu",
    "aten::elu_": "elu",
    "aten::hardtanh": "relu",
    "aten::hardtanh_": "relu",
    "aten::leaky_relu": "relu",
    "aten::leaky_relu_": "relu",
    "aten::linear": "fc",
    "aten::max_pool2d": "pool",
    "aten::mean": "pool",
    "aten::mul": "eltwise",
    "aten::prelu": "prelu",
    "aten::relu": "relu",
    "aten::relu6": "relu",
    "aten::relu_": "relu",
    "aten::sigmoid": "sigmoid",
    "aten::sigmoid_": "sigmoid",
    "aten::softmax": "softmax",
    "aten::tanh": "tanh",
}
_WEIGHTED = frozenset({"conv", "deconv", "fc"})
_STEP = "ProfilerStep"


@dataclass(slots=True)
class _Operator:
    """An outermost operator of a trace; ``calls`` are the ids of it and of those inside it."""

    name: str
    start: float
    end: float
    place: int
    shapes: tuple[Shape, ...]
    thread: object
    calls: set[object] = field(default_factory=set)
    kernels_us: float = 0.0

    @property
    def key(self) -> tuple[str, tuple[Shape, ...]]:
        """What two runs of one operator have in common."""
        return self.name, self.shapes


def read_torch_trace(path: str | Path) -> Timing:
    """The operators of a trace, medians over its steps (or over the repeats that it shows)."""
    document = read_document(path, "a trace of PyTorch's profiler")
    events = document.get("traceEvents") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise InputError("no trace of PyTorch's profiler: it has no traceEvents", path=path)
    whole = [e for e in enumerate(events, 1) if isinstance(e[1], dict) and e[1].get("ph") == "X"]
    operators = _outermost(whole, path)
    if not operators:
        raise InputError("no operators (cat cpu_op) in the trace: profile the CPU too", path=path)
    on_gpu = _add_kernels(whole, operators, path)
    steps = [
        (start, start + milliseconds(e.get("dur"), path, number))
        for number, e in whole
        if str(e.get("name", "")).startswith(_STEP) and e.get("cat") == "user_annotation"
        for start in [milliseconds(e.get("ts"), path, number)]
    ]
    runs = _runs(operators, sorted(steps))
    if any(not operator.shapes for run in runs for operator in run if operator.name in FAMILIES):
        raise InputError("the trace has no shapes: profile with record_shapes=True", path=path)
    kept = runs[1:] or runs
    rows = [_row(copies, on_gpu) for copies in zip(*kept, strict=True)]
    batch = next((r.inputs[0][0] for r in rows if r.family in _WEIGHTED and r.inputs), 0)
    where = "kernels on the GPU" if on_gpu else "operators on the CPU"
    return Timing(
        [row for row in rows if row.runtime_ms > 0 or row.family],
        len(kept),
        "PyTorch profiler",
        whole_ms=sum(row.runtime_ms for row in rows),
        basis=f"sum of the {where}",
        batch=batch,
        facts={
            "runs": len(kept),
            "statistic": "median",
            "clock": where,
            "warm_up": "first run dropped" if len(runs) > 1 else "none",
        },
    )


Events = Sequence[tuple[int, Mapping[str, object]]]


def _outermost(events: Events, path: str | Path) -> list[_Operator]:
    """Operators that lie in no other of their thread, in the order of time."""
    found: list[_Operator] = []
    calls = [(number, event) for number, event in events if event.get("cat") == "cpu_op"]
    spans = [
        (str(event.get("tid")), milliseconds(event.get("ts"), path, number),
         milliseconds(event.get("dur"), path, number), number, event)
        for number, event in calls
    ]  # fmt: skip
    open_by_thread: dict[object, _Operator] = {}
    for thread, start, length, number, event in sorted(spans, key=lambda s: (s[1], -s[2])):
        facts = event.get("args")
        facts = facts if isinstance(facts, dict) else {}
        outer = open_by_thread.get(thread)
        if outer is None or start >= outer.end:
            outer = _Operator(
                str(event.get("name", "")), start, start + length, number,
                _dims(facts.get("Input Dims")), thread,
            )  # fmt: skip
            open_by_thread[thread] = outer
            found.append(outer)
        outer.calls.add(str(facts.get("External id")))
    return found


def _add_kernels(events: Events, operators: list[_Operator], path: str | Path) -> bool:
    """Add the time of every kernel to the operator that launched it; whether there is any."""
    owner = {call: operator for operator in operators for call in operator.calls}
    on_gpu = False
    for number, event in events:
        if event.get("cat") not in ("kernel", "gpu_memcpy", "gpu_memset"):
            continue
        on_gpu = True
        facts = event.get("args")
        call = facts.get("External id") if isinstance(facts, dict) else None
        operator = None if call is None else owner.get(str(call))
        if operator is not None:
            operator.kernels_us += milliseconds(event.get("dur"), path, number)
    return on_gpu


def _runs(operators: list[_Operator], steps: list[tuple[float, float]]) -> list[list[_Operator]]:
    """Operators by run: by the steps of the trace, else by the period in which they repeat."""
    if steps:
        runs = [[o for o in operators if a <= o.start < b] for a, b in steps]
        runs = [run for run in runs if run]
        lengths = {len(run) for run in runs}
        if len(lengths) > 1:
            common = max(lengths, key=lambda n: sum(len(run) == n for run in runs))
            runs = [run for run in runs if len(run) == common]
        if runs:
            return runs
    keys = [operator.key for operator in operators]
    for period in range(1, len(keys) // 2 + 1):
        if len(keys) % period == 0 and keys[period:] == keys[:-period]:
            return [operators[i : i + period] for i in range(0, len(keys), period)]
    return [operators]


def _row(copies: Sequence[_Operator], on_gpu: bool) -> TimedRow:
    one = copies[0]
    times = [c.kernels_us if on_gpu else c.end - c.start for c in copies]
    family = FAMILIES.get(one.name, "")
    weight = one.shapes[1] if family in _WEIGHTED and len(one.shapes) > 1 else ()
    return TimedRow(
        one.name,
        median(times) / 1000,
        len(copies),
        one.place,
        family=family,
        inputs=one.shapes,
        weight=weight,
    )


def _dims(value: object) -> tuple[Shape, ...]:
    """``[[1, 3, 224, 224], [64, 3, 7, 7], []]``: shapes of tensors; lists of tensors are opened."""
    found: list[Shape] = []
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, list) and entry and all(isinstance(part, list) for part in entry):
            found += _dims(entry)
        elif isinstance(entry, list) and entry and all(isinstance(n, int) for n in entry):
            found.append(tuple(entry))
    return tuple(found)
