"""Readers of the logs of other tools, each through the whole `measurements import`."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from mutations import change_json
from target import ROOT, Read, Target, given, table, text


def _imported(*words: str) -> Read:
    """The whole command, with the file as the log."""

    def read(folder: Path) -> None:
        import contextlib
        import io

        from neuralpower.commands import import_

        shutil.rmtree(folder / "out", ignore_errors=True)
        parser = _parser()
        given = [word.replace("FOLDER", str(folder)) for word in words]
        arguments = parser.parse_args([*given, "--out", str(folder / "out")])
        with contextlib.redirect_stderr(io.StringIO()):
            import_.run(arguments)

    return read


@functools.cache
def _parser() -> Any:
    import argparse

    from neuralpower.commands import import_

    parser = argparse.ArgumentParser()
    import_.add_arguments(parser)
    return parser


def _trace() -> list[bytes]:
    events: list[dict[str, Any]] = []
    for run, kernels in itertools.product(range(2), (False, True)):
        start = 1000.0 * (2 * run + kernels)
        events.append(
            {
                "ph": "X",
                "cat": "user_annotation",
                "name": f"ProfilerStep#{run}",
                "ts": start,
                "dur": 900,
            }
        )
        for name, at, dims in (
            ("aten::conv2d", 10, [[1, 1, 28, 28], [20, 1, 5, 5], [20]]),
            ("aten::max_pool2d", 300, [[1, 20, 24, 24]]),
        ):
            call = len(events)
            facts = {"External id": call, "Input Dims": dims}
            events.append(
                {
                    "ph": "X",
                    "cat": "cpu_op",
                    "name": name,
                    "ts": start + at,
                    "dur": 50,
                    "tid": 1,
                    "args": facts,
                }
            )
            events.append(
                {
                    "ph": "X",
                    "cat": "kernel",
                    "name": "k",
                    "ts": start + at + 400,
                    "dur": 7,
                    "tid": 7,
                    "args": {"External id": call},
                }
            )
    return [json.dumps({"traceEvents": events}).encode()]


def _ort_profile() -> list[bytes]:
    events: list[dict[str, Any]] = []
    for run in range(3):
        for name, op, dur in (("conv1", "Conv", 100), ("ReorderOutput", "ReorderOutput", 10)):
            events.append(
                {
                    "cat": "Node",
                    "name": f"{name}_kernel_time",
                    "dur": dur + run,
                    "args": {
                        "op_name": op,
                        "input_type_shape": [{"float": [1, 1, 28, 28]}, {"float": [20, 1, 5, 5]}],
                        "output_type_shape": [{"float": [1, 20, 24, 24]}],
                    },
                }
            )
        events.append({"cat": "Session", "name": "model_run", "dur": 1000 + run})
    return [json.dumps(events).encode()]


_TRTEXEC = json.dumps(
    [
        {"count": 10},
        {"name": "conv1", "timeMs": 1.0, "averageMs": 0.1, "medianMs": 0.1, "percentage": 50.0},
        {"name": "conv2 + relu1", "averageMs": 0.2, "medianMs": 0.2},
        {"name": "Reformatting CopyNode for Input Tensor 0", "averageMs": 0.1, "medianMs": 0.1},
    ]
)
_LAYER_INFO = json.dumps(
    {"Layers": [{"Name": "conv1", "Metadata": "[ONNX Layer: /conv1/Conv]\u001e[ONNX Layer: b]"}]}
)
_SMI = (
    "timestamp, index, uuid, power.draw [W]\n"
    "2026/11/25 14:00:00.000, 0, GPU-1, 100.00 W\n2026/11/25 14:00:01.000, 0, GPU-1, [N/A]\n"
    "2026/11/25 14:00:02.000, 0, GPU-1, 120.00 W\n2026/11/25 14:00:03.000, 0, GPU-1, 140.00 W\n"
)
_ORIN = "RAM 2448/7850MB SWAP 0/3925MB CPU [1%@729] VDD_IN {}mW/4990mW VDD_SOC 1395mW/1395mW"
_TEGRA = "".join(f"11-25-2026 14:00:0{s} {_ORIN.format(5000 + s)}\n" for s in range(4))
_WINDOWS = "start,end,network,batch,runs\n2026-11-25T14:00:00,2026-11-25T14:00:03,lenet,1,100\n"
_LAYER_WINDOWS = (
    "start,end,family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,"
    "runtime_ms\n2026-11-25T14:00:00,2026-11-25T14:00:03,relu,1,8,4,4,8,4,4,0.5\n"
)
_ZEUS = "start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n1,alexnet,2.0,300.5,99.5\n"
_CARBON = (
    "timestamp,project_name,duration,emissions,cpu_energy,gpu_energy,ram_energy,energy_consumed,"
    "codecarbon_version\n2026-11-25T14:00:00,net,36,1e-6,1e-3,2e-3,1e-4,3.1e-3,2.8\n"
)
_NAMED = "Layer;Zeit (us);n\nconv1;1.500,5;3\nconv2;500,5;3\nip1;2;1\n"
_MODULES = """resnet18 (32, 3, 224, 224)
ResNet (32, 3, 224, 224) 0.0113 91.5
Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False) (32, 3, 224, 224) 0.1 9
ReLU(inplace=True) (32, 64, 112, 112) 0.00091 90.1
MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False) (32, 64, 112, 112) 0.1 9
Linear(in_features=512, out_features=1000, bias=True) (32, 512) 0.0001 80
"""


def _read_modules(folder: Path) -> None:
    from neuralpower.importing.formulas import Formula
    from neuralpower.importing.torch_log import read_layers, read_networks

    fields = ("seconds", "watts")
    columns = {"runtime_ms": Formula("seconds", times=1000.0), "power_w": Formula("watts")}
    list(read_layers(folder / "log.txt", fields, columns))
    list(read_networks(folder / "log.txt", fields, columns))


def _windows(folder: Path) -> None:
    (folder / "windows.csv").write_text(_WINDOWS)


def _logs(folder: Path) -> None:
    (folder / "smi.csv").write_text(_SMI)


def _profile(folder: Path) -> None:
    (folder / "profile.json").write_text(_TRTEXEC)


def _caffe_log() -> list[bytes]:
    return [(ROOT / "tests/importing/logs/lenet.log").read_bytes()]


_NET = ("--network", str(ROOT / "prototxts/lenet.prototxt"))

LOGS: tuple[Target, ...] = (
    Target("caffe time", "log.txt", _caffe_log, text, _imported("caffe-time", "FOLDER/log.txt")),
    Target(
        "trtexec",
        "profile.json",
        given(_TRTEXEC),
        change_json,
        _imported("trtexec", "FOLDER/profile.json", *_NET),
        document=True,
    ),
    Target(
        "layer information",
        "info.json",
        given(_LAYER_INFO),
        change_json,
        _imported("trtexec", "FOLDER/profile.json", "--layer-info", "FOLDER/info.json", *_NET),
        _profile,
        document=True,
    ),
    Target(
        "onnxruntime",
        "profile.json",
        _ort_profile,
        change_json,
        _imported("onnxruntime", "FOLDER/profile.json", *_NET),
        document=True,
    ),
    Target(
        "torch profiler",
        "trace.json",
        _trace,
        change_json,
        _imported("torch-profiler", "FOLDER/trace.json", *_NET),
        document=True,
    ),
    Target(
        "named times",
        "times.csv",
        given(_NAMED),
        table,
        _imported(
            "csv",
            "FOLDER/times.csv",
            "--map",
            "name=Layer",
            "--map",
            "runtime=Zeit (us)",
            "--map",
            "runs=n",
            *_NET,
        ),
    ),
    Target(
        "nvidia-smi",
        "smi.csv",
        given(_SMI),
        table,
        _imported(
            "nvidia-smi", "FOLDER/smi.csv", "--windows", "FOLDER/windows.csv", "--settle", "0"
        ),
        _windows,
    ),
    Target(
        "tegrastats",
        "tegra.txt",
        given(_TEGRA),
        text,
        _imported(
            "tegrastats", "FOLDER/tegra.txt", "--windows", "FOLDER/windows.csv", "--settle", "0"
        ),
        _windows,
    ),
    Target(
        "windows",
        "windows.csv",
        given(_WINDOWS, _LAYER_WINDOWS),
        table,
        _imported(
            "nvidia-smi", "FOLDER/smi.csv", "--windows", "FOLDER/windows.csv", "--settle", "0"
        ),
        _logs,
    ),
    Target(
        "zeus",
        "zeus.csv",
        given(_ZEUS),
        table,
        _imported("zeus", "FOLDER/zeus.csv", "--batch", "1", "--runs", "10"),
    ),
    Target(
        "codecarbon",
        "emissions.csv",
        given(_CARBON),
        table,
        _imported("codecarbon", "FOLDER/emissions.csv", "--batch", "1", "--runs", "10"),
    ),
    Target("printed modules", "log.txt", given(_MODULES), text, _read_modules),
)
