"""Every reader of what a stranger could send, with inputs to begin from.

A target is a file in a folder and a function that reads it as the commands do. The function gives
nothing back: that it returns, or raises an ``InputError`` of one line, is what is asked.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mutations

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(__file__).parent / "seeds"
MODELS = ROOT / "published/raptorlake-pytorch/models"

Read = Callable[[Path], None]
Change = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Target:
    """A reader: ``file`` of a folder that ``prepare`` fills is what ``change`` makes of a seed."""

    name: str
    file: str
    seeds: Callable[[], list[bytes]]
    change: Change
    read: Read
    prepare: Read = field(default=lambda folder: None)
    #: Documents of which every key is given every wrong value.
    document: bool = False


def _text(draw: random.Random, data: bytes) -> bytes:
    return mutations.change_text(draw, data.decode()).encode("utf-8", "surrogatepass")


def _table(draw: random.Random, data: bytes) -> bytes:
    return mutations.change_table(draw, data.decode()).encode("utf-8", "surrogatepass")


def _yaml(draw: random.Random, data: bytes) -> bytes:
    from neuralpower.core.documents import parse_yaml

    if draw.random() < 0.3:
        return _text(draw, data)
    value = mutations.change_document(draw, parse_yaml(data.decode()))
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _packed(change: Change) -> Change:
    def changed(draw: random.Random, data: bytes) -> bytes:
        plain = gzip.decompress(data)
        if draw.random() < 0.05:
            return mutations.change_bytes(draw, data)
        return mutations.packed(change(draw, plain))

    return changed


def _files(*patterns: str, most: int = 20_000) -> Callable[[], list[bytes]]:
    def read() -> list[bytes]:
        found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        return [data for path in found if len(data := path.read_bytes()) <= most]

    return read


def _given(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


@functools.cache
def _models() -> Any:
    from neuralpower.modeling.models import load_models

    return load_models(MODELS)


def _predict(network: Any) -> None:
    from neuralpower.core.configuration import PREDICTION_COLUMNS
    from neuralpower.core.files import csv_text
    from neuralpower.networks.composition import predict_networks

    csv_text(PREDICTION_COLUMNS, predict_networks([network], _models()))


# -------------------------------------------------------------------------------- networks


def _read_prototxt(folder: Path) -> None:
    from neuralpower.caffe.network import layer_row, load_network
    from neuralpower.core.configuration import LAYER_COLUMNS
    from neuralpower.core.json_tables import document

    path = folder / "net.prototxt"
    kind = path.stat().st_size % 4
    network = load_network(
        path,
        strict=kind == 1,
        known_types=kind == 2,
        assume_elementwise=kind == 3,
        phase="TRAIN" if kind == 0 else "TEST",
    )
    document("layers", LAYER_COLUMNS, [layer_row(network, layer) for layer in network.layers])
    network.coverage()
    if path.stat().st_size % 16 == 0:
        _predict(network)


def _prototxts() -> list[bytes]:
    found = _files("prototxts/*.prototxt", "tests/caffe/cases/*.prototxt", most=6_000)()
    return [data for data in found if data.isascii()]


def _onnx_models() -> list[bytes]:
    from neuralpower.frameworks.onnx.builder import build_network
    from neuralpower.onnx_in.loading import load_network

    found = []
    for name in ("lenet", "squeezenet_v1_1", "mobilenet_v1", "shufflenet_v2_x1_0", "densenet121"):
        path = ROOT / f"prototxts/{name}.prototxt"
        if path.exists():
            data, _ = build_network(load_network(path), 0).outlined()
            found.append(bytes(data))
    return found


def _onnx_change(draw: random.Random, data: bytes) -> bytes:
    if draw.random() < 0.1:
        return mutations.change_bytes(draw, data)
    import onnx

    model = onnx.ModelProto.FromString(data)
    mutations.change_message(draw, model if draw.random() < 0.1 else model.graph)
    return bytes(model.SerializePartialToString())


def _read_onnx(folder: Path) -> None:
    from neuralpower.caffe.network import layer_row
    from neuralpower.onnx_in.network import load_onnx

    network = load_onnx(folder / "net.onnx")
    for layer in network.layers:
        layer_row(network, layer)
    network.coverage()


def _caffemodel_change(draw: random.Random, data: bytes) -> bytes:
    if draw.random() < 0.1:
        return mutations.change_bytes(draw, data)
    from neuralpower.caffe import caffe_pb2

    message = caffe_pb2.NetParameter.FromString(data)
    mutations.change_message(draw, message)
    return message.SerializePartialToString()


def _read_caffemodel(folder: Path) -> None:
    from neuralpower.frameworks.caffemodel import read_caffemodel

    read_caffemodel(folder / "net.caffemodel", 0)


def _read_networks_yaml(folder: Path) -> None:
    from neuralpower.networks.published import published_error, read_published
    from neuralpower.networks.reading import Readings

    readings = Readings()
    for name in ("lenet", "alexnet", "x"):
        readings.of(folder / f"{name}.prototxt").as_facts()
    for facts in read_published(folder / "networks.yaml").values():
        published_error(facts, "top1_error")


# ---------------------------------------------------------------------------- measurements


def _rows(name: str, most: int) -> bytes:
    path = ROOT / "measurements/ort-cpu" / name
    data = path.read_bytes()
    lines = (gzip.decompress(data) if name.endswith(".gz") else data).decode().splitlines(True)
    return "".join(lines[: most + 1]).encode()


def _read_layer_table(folder: Path) -> None:
    from neuralpower.modeling.data import load_dataset
    from neuralpower.records.checks import check
    from neuralpower.records.folder import load_platform

    check(load_platform(folder))
    load_dataset(folder)


def _read_networks_table(folder: Path) -> None:
    from neuralpower.networks.measured import load_passes, measured_inside
    from neuralpower.records.checks import check
    from neuralpower.records.folder import load_platform

    platform = load_platform(folder)
    check(platform)
    load_passes(platform)
    measured_inside(platform)


def _with_rows(*names: str) -> Read:
    def prepare(folder: Path) -> None:
        for name in names:
            plain = name.removesuffix(".gz")
            (folder / plain).write_bytes(_rows(name, 12))

    return prepare


def _unsealed_manifest() -> list[bytes]:
    manifest = json.loads((SEEDS / "board/manifest.json").read_text())
    del manifest["files"]
    return [json.dumps(manifest).encode()]


def _unsealed_board(folder: Path) -> None:
    """The recorded board with a manifest that lists no checksums: its files may change."""
    shutil.copytree(SEEDS / "board", folder, dirs_exist_ok=True)
    (folder / "manifest.json").write_bytes(_unsealed_manifest()[0])


def _read_board(folder: Path) -> None:
    from neuralpower.records.checks import check
    from neuralpower.records.folder import load_network_rows, load_platform, load_rows
    from neuralpower.records.readme import readme_text
    from neuralpower.records.repeat_facts import power_facts, runtime_facts
    from neuralpower.records.visits import read_visit_records

    platform = load_platform(folder)
    report = check(platform)
    runtime_facts(report.repeatability)
    power_facts(report.power, platform.manifest)
    rows, networks = load_rows(platform), load_network_rows(platform)
    for name in ("peak_gflops", "bandwidth_gb_s", "idle_power_w", "power_cap_w"):
        platform.number(name)
    read_visit_records(folder)
    readme_text(platform.manifest, report.repeatability, rows, networks)


def _merge_board(folder: Path) -> None:
    from neuralpower.records.merging.merge import merge

    out = folder.parent / "merged"
    shutil.rmtree(out, ignore_errors=True)
    merge([folder], "merged", out)


def _both(folder: Path) -> None:
    _read_board(folder)
    _merge_board(folder)
    _read_page(folder)


def _read_page(folder: Path) -> None:
    from neuralpower.records.folder import load_platform
    from neuralpower.reporting.measurement_page import Recorded, _context

    _context("board", Recorded(load_platform(folder)))


def _read_run(folder: Path) -> None:
    from dataclasses import replace

    from neuralpower.records.journal import VisitLog, begin_run, read_run

    run = read_run(folder)
    VisitLog(folder).read()
    if run is not None:
        begin_run(folder, replace(run), extend=True)


def _read_characterised(folder: Path) -> None:
    from neuralpower.profiling.sensor_facts import read_calibration

    read_calibration(folder / "characterise.json")


def _parquet() -> list[bytes]:
    import io

    import pyarrow
    import pyarrow.csv
    import pyarrow.parquet

    found = []
    for compression in ("none", "zstd"):
        table = pyarrow.csv.read_csv(io.BytesIO(_rows("conv.csv.gz", 20)))
        out = io.BytesIO()
        pyarrow.parquet.write_table(table, out, compression=compression)
        found.append(out.getvalue())
    return found


# ---------------------------------------------------------------------------------- models


def _read_models(folder: Path) -> None:
    from neuralpower.caffe.network import load_network
    from neuralpower.modeling.baselines import load_baselines
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.composition import predict_networks

    models = load_models(folder)
    composition = load_composition(folder)
    load_baselines(folder)
    network = load_network(ROOT / "prototxts/lenet.prototxt")
    for row in predict_networks([network], models, composition):
        for target in ("runtime_ms", "power_w", "energy_mj"):
            value, low, high = (row[target + end] for end in ("", "_lo", "_hi"))
            assert value is None or (value >= 0 and 0 <= low <= high), row


def _read_index(folder: Path) -> None:
    (folder / "composition.json").unlink(missing_ok=True)  # it is of the index as it was
    _read_models(folder)


def _copied_models(folder: Path) -> None:
    """Models whose index holds no checksums: every file is looked at by itself."""
    shutil.copytree(MODELS, folder, dirs_exist_ok=True)
    index = json.loads((folder / "models.json").read_text())
    index.pop("sha256", None)
    (folder / "models.json").write_text(json.dumps(index))
    _stamp(folder)


def _stamp(folder: Path) -> None:
    from neuralpower.networks.calibration import load_composition, save_composition

    save_composition(load_composition(MODELS), folder)


def _restamped(draw: random.Random, data: bytes) -> bytes:
    """A composition with changed values whose checksums fit: only its values can be refused."""
    changed = mutations.change_json(draw, data)
    try:
        value = json.loads(changed)
    except ValueError:
        return changed
    if not isinstance(value, dict):
        return changed
    from neuralpower.networks.calibration import _own_sum

    value.pop("sha256", None)
    return json.dumps({**value, "sha256": _own_sum(value)}).encode("utf-8", "surrogatepass")


def _compositions() -> list[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _copied_models(Path(folder))
        return [(Path(folder) / "composition.json").read_bytes()]


def _read_gate(folder: Path) -> None:
    from neuralpower.scoring.accuracy import load_accuracy
    from neuralpower.scoring.gate import Tolerances, compare, failed, load_figures

    now, _ = load_figures(folder / "accuracy.json")
    load_accuracy(folder / "accuracy.json")
    failed(compare(now, now, Tolerances()))


# --------------------------------------------------------------------------- configuration


def _read_config(folder: Path) -> None:
    from neuralpower.core.documents import read_yaml
    from neuralpower.core.errors import InputError
    from neuralpower.modeling.options import load_options
    from neuralpower.networks.reading import Readings
    from neuralpower.project.settings import settle
    from neuralpower.scoring.gate import load_tolerances
    from neuralpower.sweep.sweep_config import load_sweep

    path = folder / "config.yaml"
    faults = []
    for read in (load_options, load_tolerances, Readings, load_sweep):
        try:
            read(path)
        except InputError as error:
            faults.append(error)
    value = read_yaml(path)
    if isinstance(value, dict):
        settle(value, ROOT / "workflow/schemas/config.schema.yaml")
    if faults:
        raise faults[0]


def _read_recipe(folder: Path) -> None:
    from neuralpower.importing.conversion import manifest_facts
    from neuralpower.importing.recipe import load_recipe

    manifest_facts(load_recipe(folder))


def _read_overview(folder: Path) -> None:
    from neuralpower.networks.overview import read_overview

    for entry in read_overview(folder / "layers.csv"):
        _ = entry.reason if entry.refused else entry.as_row()


def _overview() -> list[bytes]:
    import tempfile

    from neuralpower.cli import main

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "layers.csv"
        networks = out.parent / "n"
        networks.mkdir()
        for name in ("lenet", "alexnet"):
            shutil.copy(ROOT / f"prototxts/{name}.prototxt", networks)
        main(["layers", str(networks), "--overview", str(out), "--out", str(out.parent / "l")])
        return [out.read_bytes()]


def _read_record(folder: Path) -> None:
    from neuralpower.project.provenance import configuration_of, differences, load_record

    record = load_record(folder / "results/provenance.json")
    differences(folder, record)
    configuration_of(folder)


_RECORD = {
    "schema_version": 1,
    "software": {"neuralpower": "1", "code_sha256": "0" * 64},
    "git": {"commit": "0" * 40, "changed": []},
    "configuration": {"networks": "all", "batch_sizes": [1]},
    "configuration_sha256": "0" * 64,
    "nodes": {
        "results/a.csv": {"sha256": "0" * 64, "made_by": "layers", "inputs": ["prototxts/a"]},
        "prototxts/a": {"sha256": "0" * 64, "made_by": "", "inputs": [], "files": {"b": "0" * 64}},
    },
}


def _read_configurations(folder: Path) -> None:
    from neuralpower.networks.configurations import predict_table

    predict_table(folder / "table.csv", _models())


def _read_sweep_layers(folder: Path) -> None:
    from neuralpower.sweep.design import read_real_layers

    read_real_layers([folder / "table.csv"], ["lenet"])


def _layer_tables() -> list[bytes]:
    import contextlib
    import io

    from neuralpower.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["layers", str(ROOT / "prototxts/lenet.prototxt"), "--format", "csv"])
    return [out.getvalue().encode()]


def _split(folder: Path) -> None:
    from neuralpower.project.shards import split

    split([folder / "table.csv"], 2, folder / "out")


# ----------------------------------------------------------------------------------- logs


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
        events.append({"ph": "X", "cat": "user_annotation", "name": f"ProfilerStep#{run}",
                       "ts": start, "dur": 900})  # fmt: skip
        for name, at, dims in (
            ("aten::conv2d", 10, [[1, 1, 28, 28], [20, 1, 5, 5], [20]]),
            ("aten::max_pool2d", 300, [[1, 20, 24, 24]]),
        ):
            call = len(events)
            facts = {"External id": call, "Input Dims": dims}
            events.append({"ph": "X", "cat": "cpu_op", "name": name, "ts": start + at, "dur": 50,
                           "tid": 1, "args": facts})  # fmt: skip
            events.append({"ph": "X", "cat": "kernel", "name": "k", "ts": start + at + 400,
                           "dur": 7, "tid": 7, "args": {"External id": call}})  # fmt: skip
    return [json.dumps({"traceEvents": events}).encode()]


def _ort_profile() -> list[bytes]:
    events: list[dict[str, Any]] = []
    for run in range(3):
        for name, op, dur in (("conv1", "Conv", 100), ("ReorderOutput", "ReorderOutput", 10)):
            events.append(
                {"cat": "Node", "name": f"{name}_kernel_time", "dur": dur + run,
                 "args": {"op_name": op,
                          "input_type_shape": [{"float": [1, 1, 28, 28]}, {"float": [20, 1, 5, 5]}],
                          "output_type_shape": [{"float": [1, 20, 24, 24]}]}}
            )  # fmt: skip
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
_LENET = str(ROOT / "prototxts/lenet.prototxt")


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


_JSON = mutations.change_json
_LINES = mutations.change_lines
_NET = ("--network", _LENET)


def _seed(name: str) -> Callable[[], list[bytes]]:
    return lambda: [(SEEDS / name).read_bytes()]


TARGETS: tuple[Target, ...] = (
    Target("prototxt", "net.prototxt", _prototxts, _text, _read_prototxt),
    Target("onnx", "net.onnx", _onnx_models, _onnx_change, _read_onnx),
    Target("caffemodel", "net.caffemodel", _files("tests/caffe/cases/*.caffemodel"),
           _caffemodel_change, _read_caffemodel),
    Target("networks.yaml", "networks.yaml", _files("prototxts/networks.yaml"), _yaml,
           _read_networks_yaml),
    Target("layer table", "conv.csv", lambda: [_rows("conv.csv.gz", 12), _rows("pool.csv.gz", 12)],
           _table, _read_layer_table),
    Target("parquet", "conv.parquet", _parquet, mutations.change_bytes, _read_layer_table),
    Target("networks table", "networks.csv", lambda: [_rows("networks.csv", 12)], _table,
           _read_networks_table, _with_rows("relu.csv.gz")),
    Target("layers of networks", "network_layers.csv", lambda: [_rows("network_layers.csv.gz", 40)],
           _table, _read_networks_table, _with_rows("relu.csv.gz", "networks.csv")),
    Target("manifest", "manifest.json", _unsealed_manifest, _JSON, _both, _unsealed_board,
           document=True),
    Target("visits", "visits.jsonl.gz", _seed("board/visits.jsonl.gz"), _packed(_LINES), _both,
           _unsealed_board),
    Target("power log", "power/001.csv.gz", _seed("board/power/001.csv.gz"), _packed(_table), _both,
           _unsealed_board),
    Target("recorded table", "conv.csv.gz", _seed("board/conv.csv.gz"), _packed(_table), _both,
           _unsealed_board),
    Target("run", "run.json", _seed("board/run.json"), _JSON, _read_run, document=True),
    Target("journal", "visits.jsonl",
           lambda: [gzip.decompress((SEEDS / "board/visits.jsonl.gz").read_bytes())], _LINES,
           _read_run),
    Target("characterise", "characterise.json", _files("measurements/ort-cpu/characterise.*.json"),
           _JSON, _read_characterised),
    Target("characterise, shown", "characterise.json",
           _files("measurements/ort-cpu/characterise.*.json"), _JSON, _read_page, _unsealed_board),
    Target("model", "fc.runtime_ms.json",
           lambda: [(MODELS / "fc.runtime_ms.json").read_bytes()], _JSON, _read_models,
           _copied_models),
    Target("index", "models.json", _files("published/raptorlake-pytorch/models/models.json"), _JSON,
           _read_index, _copied_models, document=True),
    Target("composition", "composition.json", _compositions, _restamped, _read_models,
           _copied_models),
    Target("baselines", "baselines.json",
           _files("published/raptorlake-pytorch/models/baselines.json", most=10**6), _JSON,
           _read_models, _copied_models),
    Target("accuracy", "accuracy.json", _files("published/raptorlake-pytorch/accuracy.json",
           most=10**6), _JSON, _read_gate),
    Target("configuration", "config.yaml", _files("config/config.yaml"), _yaml, _read_config),
    Target("recipe", "recipe.yaml", _files("published/*/recipe.yaml"), _yaml, _read_recipe),
    Target("overview", "layers.csv", _overview, _table, _read_overview),
    Target("provenance", "results/provenance.json", lambda: [json.dumps(_RECORD).encode()], _JSON,
           _read_record, lambda folder: (folder / "results").mkdir(), document=True),
    Target("configurations", "table.csv", lambda: [_rows("conv.csv.gz", 8)], _table,
           _read_configurations),
    Target("near layers", "table.csv", _layer_tables, _table, _read_sweep_layers),
    Target("shards", "table.csv", lambda: [_rows("pool.csv.gz", 8)], _table, _split),
    Target("caffe time", "log.txt", _caffe_log, _text, _imported("caffe-time", "FOLDER/log.txt")),
    Target("trtexec", "profile.json", _given(_TRTEXEC), _JSON,
           _imported("trtexec", "FOLDER/profile.json", *_NET), document=True),
    Target("layer information", "info.json", _given(_LAYER_INFO), _JSON,
           _imported("trtexec", "FOLDER/profile.json", "--layer-info", "FOLDER/info.json", *_NET),
           _profile, document=True),
    Target("onnxruntime", "profile.json", _ort_profile, _JSON,
           _imported("onnxruntime", "FOLDER/profile.json", *_NET), document=True),
    Target("torch profiler", "trace.json", _trace, _JSON,
           _imported("torch-profiler", "FOLDER/trace.json", *_NET), document=True),
    Target("named times", "times.csv", _given(_NAMED), _table,
           _imported("csv", "FOLDER/times.csv", "--map", "name=Layer", "--map", "runtime=Zeit (us)",
                     "--map", "runs=n", *_NET)),
    Target("nvidia-smi", "smi.csv", _given(_SMI), _table,
           _imported("nvidia-smi", "FOLDER/smi.csv", "--windows", "FOLDER/windows.csv",
                     "--settle", "0"), _windows),
    Target("tegrastats", "tegra.txt", _given(_TEGRA), _text,
           _imported("tegrastats", "FOLDER/tegra.txt", "--windows", "FOLDER/windows.csv",
                     "--settle", "0"), _windows),
    Target("windows", "windows.csv", _given(_WINDOWS, _LAYER_WINDOWS), _table,
           _imported("nvidia-smi", "FOLDER/smi.csv", "--windows", "FOLDER/windows.csv",
                     "--settle", "0"), _logs),
    Target("zeus", "zeus.csv", _given(_ZEUS), _table,
           _imported("zeus", "FOLDER/zeus.csv", "--batch", "1", "--runs", "10")),
    Target("codecarbon", "emissions.csv", _given(_CARBON), _table,
           _imported("codecarbon", "FOLDER/emissions.csv", "--batch", "1", "--runs", "10")),
    Target("printed modules", "log.txt", _given(_MODULES), _text, _read_modules),
)  # fmt: skip
