"""The readers of other tools' logs: what they find in true and in torn files."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.caffe_time import read_caffe_time
from neuralpower.importing.logs.energy_runs import read_codecarbon, read_zeus
from neuralpower.importing.logs.ort_profile import read_ort_profile
from neuralpower.importing.logs.power_logs import (
    read_nvidia_smi,
    read_tegrastats,
)
from neuralpower.importing.logs.tables import number, read_foreign, read_named_times
from neuralpower.importing.logs.torch_trace import read_torch_trace
from neuralpower.importing.logs.trtexec import read_trtexec

LOGS = Path(__file__).parent / "logs"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# ------------------------------------------------------------------------------- caffe time


def test_a_log_of_caffe_time_has_its_network_its_pass_and_its_forward_rows() -> None:
    log = read_caffe_time(LOGS / "lenet.log")
    assert (log.phase, log.runs, log.whole_ms, log.notes) == ("TEST", 10, 0.6138, [])
    assert log.network_title == "LeNet"
    times = {row.name: row.runtime_ms for row in log.rows}
    assert list(times) == [
        "data",
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "ip1",
        "relu1",
        "ip2",
        "prob",
    ]
    assert times["conv2"] == 0.4687  # its backward row says 0.0743
    assert log.rows[1].place == 185
    assert log.facts == {"phase": "TEST", "mode": "CPU", "iterations": 10}


def test_the_default_phase_of_caffe_time_is_said() -> None:
    log = read_caffe_time(LOGS / "lenet_train_phase.log")
    assert log.phase == "TRAIN"
    assert "phase TRAIN, the default" in log.notes[0]


def test_names_with_slashes_and_spaces_and_the_older_date(tmp_path: Path) -> None:
    text = (LOGS / "lenet.log").read_text()
    text = text.replace("I20261125", "I1125").replace("      conv1\t", "conv 1/7x7 s2\t")
    log = read_caffe_time(write(tmp_path / "a.log", text))
    assert log.rows[1].name == "conv 1/7x7 s2"
    assert log.whole_ms == 0.6138


def test_split_layers_are_no_layers_of_the_prototxt() -> None:
    log = read_caffe_time(LOGS / "googlenet.log.gz")
    assert sum(row.moves for row in log.rows) == 9
    assert log.whole_ms == 132.881


def test_a_log_that_is_cut_short_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cut short.*--partial"):
        read_caffe_time(LOGS / "cut_short_vgg16.log.gz")
    with pytest.raises(InputError, match="no layer times"):
        read_caffe_time(LOGS / "cut_short_vgg16.log.gz", partial=True)
    lines = (LOGS / "lenet.log").read_text().splitlines(keepends=True)
    cut = write(tmp_path / "cut.log", "".join(lines[:190]))
    with pytest.raises(InputError, match="cut short"):
        read_caffe_time(cut)
    log = read_caffe_time(cut, partial=True)
    assert [row.name for row in log.rows] == ["data", "conv1", "pool1", "conv2"]
    assert "cut short" in log.notes[0]
    assert log.whole_ms is None


def test_a_time_that_is_none_is_reported_with_its_line(tmp_path: Path) -> None:
    text = (LOGS / "lenet.log").read_text().replace("0.4687", "nan")
    with pytest.raises(InputError, match=r"bad\.log:189: the time 'nan'"):
        read_caffe_time(write(tmp_path / "bad.log", text))


# ------------------------------------------------------------------------ profiles as JSON

TRT: list[dict[str, Any]] = [
    {"count": 4},
    {"name": "conv1 + relu1 input reformatter 0", "averageMs": 0.1},
    {"name": "conv1 + relu1", "averageMs": 0.5, "medianMs": 0.4},
]


def test_a_profile_of_trtexec(tmp_path: Path) -> None:
    log = read_trtexec(write(tmp_path / "p.json", json.dumps(TRT)))
    assert [(r.runtime_ms, r.runs, r.place, r.moves) for r in log.rows] == [
        (0.1, 4, 2, True),
        (0.5, 4, 3, False),
    ]
    assert log.whole_ms == pytest.approx(0.6)
    medians = [TRT[0], TRT[2]]
    assert read_trtexec(write(tmp_path / "m.json", json.dumps(medians))).rows[0].runtime_ms == 0.4


def test_layer_information_names_the_operators(tmp_path: Path) -> None:
    info = {
        "Layers": [
            {
                "Name": "conv1 + relu1",
                "Metadata": "[ONNX Layer: /c/Conv]\u001f[ONNX Layer: /r/Relu]",
            }
        ]
    }
    layers = write(tmp_path / "layers.json", json.dumps(info))
    log = read_trtexec(write(tmp_path / "p.json", json.dumps(TRT)), layers)
    assert log.rows[1].parts == ("/c/Conv", "/r/Relu")


def ort(runs: int, *, model_run: bool = True) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for run in range(runs):
        for name, op, dur in (("c1", "Conv", 100), ("ReorderOutput", "ReorderOutput", 10)):
            shapes: list[dict[str, Any]] = [{"float": [2, 3, 8, 8]}, {"float": [4, 3, 3, 3]}]
            length = dur * (9 if run == 0 else run)
            events.append(
                {"cat": "Node", "name": f"{name}_kernel_time", "dur": length,
                 "args": {"op_name": op, "input_type_shape": shapes,
                          "output_type_shape": [{"float": [2, 4, 6, 6]}]}}
            )  # fmt: skip
            events.append({"cat": "Node", "name": f"{name}_fence_before", "dur": 1})
        if model_run:
            events.append({"cat": "Session", "name": "model_run", "dur": 1000 + run})
    return events


def test_a_profile_of_onnx_runtime_drops_its_first_run(tmp_path: Path) -> None:
    log = read_ort_profile(write(tmp_path / "o.json", json.dumps(ort(4))))
    conv, reorder = log.rows
    assert (conv.name, conv.runtime_ms, conv.runs, conv.family) == ("c1", 0.2, 3, "conv")
    assert (conv.inputs[0], conv.weight, conv.outputs) == (
        (2, 3, 8, 8), (4, 3, 3, 3), ((2, 4, 6, 6),),
    )  # fmt: skip
    assert reorder.moves
    assert (log.batch, log.whole_ms) == (2, 1.002)
    with pytest.raises(InputError, match="one run only"):
        read_ort_profile(write(tmp_path / "o.json", json.dumps(ort(1))))
    log = read_ort_profile(write(tmp_path / "o.json", json.dumps(ort(3, model_run=False))))
    assert log.whole_ms is None


def trace(runs: int, *, steps: bool = True, kernels: bool = False) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    for run in range(runs):
        start = 1000.0 * run
        if steps:
            events.append({"ph": "X", "cat": "user_annotation", "name": f"ProfilerStep#{run}",
                           "ts": start, "dur": 900})  # fmt: skip
        dims = [[2, 3, 8, 8], [4, 3, 3, 3], [4]]
        for name, at, dur, shapes in (
            ("aten::conv2d", 10, 200, dims),
            ("aten::convolution", 20, 100, dims),
            ("aten::relu", 300, 50 + run, [[2, 4, 6, 6]]),
        ):
            call = len(events)
            events.append(
                {
                    "ph": "X",
                    "cat": "cpu_op",
                    "name": name,
                    "ts": start + at,
                    "dur": dur,
                    "tid": 1,
                    "args": {"External id": call, "Input Dims": shapes},
                }
            )
            if kernels and name != "aten::conv2d":
                events.append({"ph": "X", "cat": "kernel", "name": "k", "ts": start + at + 400,
                               "dur": 7, "tid": 7, "args": {"External id": call}})  # fmt: skip
    return {"traceEvents": events}


@pytest.mark.parametrize("steps", [True, False])
def test_a_trace_of_pytorch_has_its_outermost_operators(steps: bool, tmp_path: Path) -> None:
    log = read_torch_trace(write(tmp_path / "t.json", json.dumps(trace(4, steps=steps))))
    assert [(row.name, row.family, row.runtime_ms) for row in log.rows] == [
        ("aten::conv2d", "conv", 0.2),
        ("aten::relu", "relu", 0.052),
    ]
    assert (log.runs, log.batch) == (3, 2)
    assert log.basis == "sum of the operators on the CPU"


def test_kernels_are_booked_for_the_operator_that_launched_them(tmp_path: Path) -> None:
    log = read_torch_trace(write(tmp_path / "t.json", json.dumps(trace(2, kernels=True))))
    assert [row.runtime_ms for row in log.rows] == [0.007, 0.007]
    assert log.facts["clock"] == "kernels on the GPU"


def test_a_trace_without_shapes_is_refused(tmp_path: Path) -> None:
    document = trace(2)
    for event in document["traceEvents"]:
        event.get("args", {}).pop("Input Dims", None)
    with pytest.raises(InputError, match="record_shapes=True"):
        read_torch_trace(write(tmp_path / "t.json", json.dumps(document)))


# ------------------------------------------------------------------------- power and energy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("-3", -3),
        ("1e3", 1e3),
    ],
)
def test_decimal_points_and_commas(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "1_000", "fast", "1;2"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text alone is the message
        number(text)


def test_a_table_with_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "Layer;Zeit (us);n\nconv1;1.500,5;3\nconv1;500,5;3\nip1;2;1\n")
    log = read_named_times(path, {"name": "Layer", "runtime": "Zeit (us)", "runs": "n"}, "us")
    assert [(row.name, row.runtime_ms) for row in log.rows] == [("conv1", 1.0005), ("ip1", 0.002)]
    with pytest.raises(InputError, match=r"no column 'ms' \(there are: Layer"):
        read_named_times(path, {"name": "Layer", "runtime": "ms"}, "ms")
    with pytest.raises(InputError, match="row 2: 1 fields where the header has 2"):
        read_foreign(write(tmp_path / "t.csv", "a,b\n1,2\n3\n"))


# ------------------------------------------------------------------- files of other kinds

READERS: dict[str, Callable[[Path], Any]] = {
    "caffe-time": read_caffe_time,
    "trtexec": read_trtexec,
    "onnxruntime": read_ort_profile,
    "torch-profiler": read_torch_trace,
    "nvidia-smi": read_nvidia_smi,
    "tegrastats": lambda path: read_tegrastats(path, 1.0),
    "zeus": read_zeus,
    "codecarbon": lambda path: read_codecarbon(path, "gpu"),
    "csv": lambda path: read_named_times(path, {}, "ms"),
}
OTHERS = {
    "empty": "",
    "torn JSON": '[{"count": 3}, {"name": "conv1", "aver',
    "another tool's": '{"traceEvents": 3, "Layers": {}}',
    "a list of numbers": "[1, 2, 3]",
    "deep": "[" * 200_000,
    "text": "root:x:0:0:root\nbin:x:1:1:bin\n",
    "not UTF-8": "\udcff\udcfe\udcfd",
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", READERS)
def test_files_of_other_kinds_are_one_line(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(OTHERS[kind].encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        READERS[name](path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.truncate(1_000_000_000)  # takes no room on the disk
    with pytest.raises(InputError, match="larger than 500 MB"):
        READERS[name](path)
    shutil.rmtree(tmp_path, ignore_errors=True)


DOCUMENTS: dict[str, Any] = {
    "trtexec": TRT,
    "onnxruntime": ort(3),
    "torch-profiler": trace(3, kernels=True),
}
JUNK: list[Any] = [None, True, -1, 1e300, float("nan"), "x", [], {}, [[1]], {"a": 1}, 2**70]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    if not isinstance(value, dict | list):
        return []
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [p for key, part in inner for p in ((*at, key), *places(part, (*at, key)))]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_value_of_another_kind_anywhere_is_a_line_or_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    found = places(DOCUMENTS[name])
    for turn, place in enumerate(found):
        for junk in (JUNK[turn % len(JUNK)], JUNK[(turn + 4) % len(JUNK)], "left out"):
            document = copy.deepcopy(DOCUMENTS[name])
            parent = document
            for key in place[:-1]:
                parent = parent[key]
            if junk == "left out":
                del parent[place[-1]]
            else:
                parent[place[-1]] = junk
            path.write_text(json.dumps(document))
            with contextlib.suppress(InputError):
                READERS[name](path)
