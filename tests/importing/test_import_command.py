"""``neuralpower import``: logs in, a folder of measurements that everything reads out."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpower.cli import main
from neuralpower.records.checks import check
from neuralpower.records.folder import load_network_layer_rows, load_platform, load_rows

ROOT = Path(__file__).resolve().parents[2]
LOGS = Path(__file__).parent / "logs"
LENET = ROOT / "prototxts/lenet.prototxt"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def failed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_caffe_logs_become_a_platform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my-caffe"
    logs = [str(LOGS / "lenet.log"), str(LOGS / "alexnet.log.gz")]
    assert main(["import", "caffe-time", *logs, "--out", str(out), "--device", "a CPU"]) == 0
    said = capsys.readouterr().err
    assert "lenet.log: lenet at batch 1, 100.0 % of the time matched" in said
    platform = load_platform(out)
    assert (platform.device, platform.software) == ("a CPU", "caffe time")
    assert check(platform).errors == 0
    conv = rows(out / "conv.csv")
    assert [(r["timed_in"], r["layer"], r["runtime_ms"]) for r in conv[:2]] == [
        ("lenet", "conv1", "0.0177"),
        ("lenet", "conv2", "0.4687"),
    ]
    assert {r["power_w"] for r in conv} == {""}
    assert [(r["network"], r["batch"], r["runtime_ms"], r["runs"]) for r in
            rows(out / "networks.csv")] == [
        ("lenet", "1", "0.6138", "10"), ("alexnet", "1", "121.707", "10"),
    ]  # fmt: skip
    assert len(load_network_layer_rows(platform)) == 9 + 24
    assert [path.name for path in platform.prototxts] == ["alexnet.prototxt", "lenet.prototxt"]
    account = json.loads((out / "import.json").read_text())
    assert account["logs"][0]["shares"] == {"exact": 1.0}
    assert account["logs"][0]["rows"][3]["layers"] == ["conv2"]
    again = tmp_path / "again" / "my-caffe"
    assert main(["import", "caffe-time", *logs, "--out", str(again), "--device", "a CPU"]) == 0
    names = sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file())
    assert all((out / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_logs_of_one_network_are_repeats(tmp_path: Path) -> None:
    log, out = str(LOGS / "lenet.log"), tmp_path / "twice"
    assert main(["import", "caffe-time", log, log, "--network", str(LENET), "--out", str(out)]) == 0
    assert [r["repeat"] for r in rows(out / "networks.csv")] == ["1", "2"]
    assert [r["repeat"] for r in rows(out / "conv.csv")] == ["1", "1", "2", "2"]


def test_a_zero_is_below_the_resolution_and_no_visit(tmp_path: Path) -> None:
    log = tmp_path / "lenet.log"
    log.write_text((LOGS / "lenet.log").read_text().replace("forward: 0.0006 ms", "forward: 0 ms"))
    out = tmp_path / "p"
    assert main(["import", "caffe-time", str(log), "--out", str(out)]) == 0
    assert not (out / "relu.csv").exists()
    inside = {r["name"]: r["runtime_ms"] for r in rows(out / "network_layers.csv")}
    assert inside["relu1"] == "0.0"


def test_what_stays_unmatched_is_written_with_its_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = {"conv1 + relu9": 3.0, "mystery": 1.0, "ip1 copy": 1.0}
    profile = [{"count": 5}, *({"name": name, "averageMs": ms} for name, ms in times.items())]
    path, out = tmp_path / "p.json", tmp_path / "orin"
    path.write_text(json.dumps(profile))
    words = ["import", "trtexec", str(path), "--network", str(LENET), "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "60.0 % of the time matched, 20.0 % moved data, 20.0 % unmatched" in said
    assert "unmatched: mystery (row 3), 20.00 %" in said
    entries = json.loads((out / "import.json").read_text())["logs"][0]["rows"]
    assert [(e["name"], e["matched"], e["share"]) for e in entries] == [
        ("conv1 + relu9", "fused", 0.6),
        ("mystery", "unmatched", 0.2),
        ("ip1 copy", "moved data", 0.2),
    ]
    assert entries[0]["not_found"] == ["relu9"]


def test_a_table_of_any_tool(tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "p"
    table.write_text("Name;Zeit\nconv1;1,5\nip1;0,25\n")
    words = ["--map", "name=Name", "--map", "runtime=Zeit", "--unit", "us"]
    assert main(["import", "csv", str(table), *words, "--network", str(LENET), "--batch", "4",
                 "--out", str(out)]) == 0  # fmt: skip
    (conv,) = rows(out / "conv.csv")
    assert (conv["batch"], float(conv["runtime_ms"])) == ("4", 0.0015)


def test_power_of_windows_and_energy_of_runs(tmp_path: Path) -> None:
    log = tmp_path / "smi.csv"
    log.write_text("timestamp, power.draw [W]\n" + "".join(
        f"2026/11/25 14:00:{s:02d}.000, {100 + s}.0 W\n" for s in range(20)))  # fmt: skip
    windows, out = tmp_path / "w.csv", tmp_path / "gpu"
    windows.write_text(
        "start,end,network,batch,runs\n"
        "2026-11-25 14:00:02,2026-11-25 14:00:12,lenet,8,1000\n"
        "2026-11-25 14:00:13,2026-11-25 14:00:15,alexnet,8,10\n"
    )
    words = ["--windows", str(windows), "--settle", "2", "--out", str(out)]
    assert main(["import", "nvidia-smi", str(log), *words]) == 0
    lenet, alexnet = rows(out / "networks.csv")
    assert (lenet["runtime_ms"], lenet["power_w"]) == ("10.0", "108.0")
    assert float(lenet["energy_j"]) == pytest.approx(1.08)
    assert (alexnet["runtime_ms"], alexnet["power_w"]) == ("200.0", "")
    said = json.loads((out / "import.json").read_text())["windows"]
    assert "3 are needed" in said[1]["reason"]

    zeus, runs = tmp_path / "z.csv", tmp_path / "zeus"
    zeus.write_text("start_time,window_name,elapsed_time,gpu0_energy\n1,lenet,2.0,300\n")
    words = ["--runs", "100", "--batch", "8", "--out", str(runs)]
    assert main(["import", "zeus", str(zeus), *words]) == 0
    (row,) = rows(runs / "networks.csv")
    assert [float(row[c]) for c in ("runtime_ms", "power_w", "energy_j")] == [20.0, 150.0, 3.0]


def test_power_of_layers_in_windows(tmp_path: Path) -> None:
    log = tmp_path / "t.log"
    log.write_text("".join(f"RAM 1/2MB VDD_IN {4000 + 100 * i}mW/1mW\n" for i in range(9)))
    windows, out = tmp_path / "w.csv", tmp_path / "p"
    columns = "batch,in_channels,in_height,in_width,out_channels,out_height,out_width"
    windows.write_text(f"start,end,family,{columns},runtime_ms\n0,4,relu,1,8,4,4,8,4,4,2.5\n")
    words = ["--windows", str(windows), "--settle", "0", "--interval", "0.5", "--out", str(out)]
    assert main(["import", "tegrastats", str(log), *words]) == 0
    (row,) = load_rows(load_platform(out))
    assert (row.values["power_w"], row.values["runtime_ms"]) == (pytest.approx(4.4), 2.5)


def test_faults_are_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "p")]
    lenet = str(LOGS / "lenet.log")
    profile = tmp_path / "p.json"
    profile.write_text('[{"count": 1}, {"name": "x", "averageMs": 1}]')
    trt = ["import", "trtexec", str(profile)]
    assert "--network NET is needed" in failed([*trt, *out], capsys)
    none = failed([*trt, "--network", str(LENET), *out], capsys)
    assert "none of its 1 names is a layer of lenet" in none
    two = failed(["import", "caffe-time", lenet, "--network", "a", "--network", "b", *out], capsys)
    assert "2 networks for 1 logs" in two
    cut = failed(["import", "caffe-time", str(LOGS / "cut_short_vgg16.log.gz"), *out], capsys)
    assert "cut short" in cut
    gone = failed(["import", "caffe-time", str(tmp_path / "no.log"), *out], capsys)
    assert "no such file" in gone
    torn = tmp_path / "torn.log"
    torn.write_text((LOGS / "lenet.log").read_text().replace('name: "conv1"', 'name: "conv1'))
    assert "the network at its head" in failed(["import", "caffe-time", str(torn), *out], capsys)
    other = tmp_path / "other.log"
    other.write_text((LOGS / "lenet.log").read_text().replace("conv2", "conv_two"))
    assert "another network of the name 'lenet'" in failed(
        ["import", "caffe-time", lenet, str(other), *out], capsys
    )
    assert not (tmp_path / "p").exists()
    (tmp_path / "p").mkdir()
    (tmp_path / "p/notes.txt").touch()
    full = failed(["import", "caffe-time", lenet, *out], capsys)
    assert "holds something already" in full
    assert [path.name for path in tmp_path.glob(".*")] == []


# ------------------------------------------------------- files that the tools make themselves


def test_a_profile_that_onnx_runtime_writes(tmp_path: Path) -> None:
    ort: Any = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    model = tmp_path / "squeezenet.onnx"
    prototxt = ROOT / "prototxts/squeezenet_v1_1.prototxt"
    assert main(["onnx", str(prototxt), "--out", str(model)]) == 0
    options = ort.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "ort")
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.zeros((1, 3, 227, 227), np.float32)}
    for _ in range(3):
        session.run(None, feed)
    profile = session.end_profiling()
    out = tmp_path / "ort-default"
    words = ["import", "onnxruntime", profile, "--network", str(model), "--out", str(out)]
    assert main(words) == 0
    log = json.loads((out / "import.json").read_text())["logs"][0]
    assert log["shares"].get("unmatched", 0) < 0.01
    assert log["facts"]["runs"] == 2
    conv = rows(out / "conv.csv")
    assert len(conv) == 26
    assert sum("relu" in row["fused"] for row in conv) > 20


def test_a_trace_that_pytorch_writes(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed (extra torch)")
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from torch.profiler import ProfilerActivity, profile, schedule

    nn = torch.nn
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    ).eval()  # fmt: skip
    x, trace, onnx = torch.zeros(4, 3, 32, 32), tmp_path / "trace.json", tmp_path / "net.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        keep = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(model, (x,), str(onnx), dynamo=False, training=keep,
                          do_constant_folding=False)  # fmt: skip
        with profile(
            activities=[ProfilerActivity.CPU],
            record_shapes=True,
            schedule=schedule(wait=0, warmup=1, active=3),
            on_trace_ready=lambda p: p.export_chrome_trace(str(trace)),
        ) as profiler:
            for _ in range(4):
                model(x)
                profiler.step()
    out = tmp_path / "torch"
    words = ["import", "torch-profiler", str(trace), "--network", str(onnx), "--out", str(out)]
    assert main(words) == 0
    log = json.loads((out / "import.json").read_text())["logs"][0]
    assert (log["batch"], log["facts"]["runs"]) == (4, 2)
    assert log["shares"].get("unmatched", 0) < 0.2  # Flatten is no layer with a time
    assert [row["matched"] for row in log["rows"] if "conv2d" in row["name"]] == ["order", "order"]
    assert {p.name for p in out.glob("*.csv")} >= {"conv.csv", "batchnorm.csv", "pool.csv"}
    assert rows(out / "batchnorm.csv")[0]["fused"] != ""


@pytest.mark.parametrize("family", ["conv", "fc", "pool", "eltwise", "relu"])
def test_a_template_filled_in_is_a_table(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    table = folder / f"{family}.csv"
    assert main(["measurements", "template", family, "--out", str(table)]) == 0
    assert "power_w, repeat" in capsys.readouterr().err
    header = table.read_text().strip().split(",")
    assert ("kernel_height" in header) == (family in ("conv", "pool"))
    assert "power_w" not in header
    cells = {"family": family, "pool_method": "max", "pad_height": "0", "pad_width": "0"}
    sizes = {"in_height": "1", "in_width": "1", "out_height": "1", "out_width": "1"}
    row = [{**cells, **sizes}.get(name, "2" if name == "inputs" else "1") for name in header]
    table.write_text(",".join(header) + "\n" + ",".join(row) + "\n")
    (read,) = load_rows(load_platform(folder))
    assert read.values["runtime_ms"] == 1.0
    assert main(["measurements", "check", str(folder)]) == 0
