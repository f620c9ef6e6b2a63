"""The commands on real models: a small platform fitted here, prototxts of the tests."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.networks.calibration import Composition, Factor, save_composition
from neuralpower.networks.explaining import sentences
from neuralpower.networks.launch import Launch
from neuralpower.networks.text import WIDTH

NET = """name: "net"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 32 kernel_size: 3 pad: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 64 kernel_size: 3 pad: 1 } }
layer { name: "branch" type: "Convolution" bottom: "conv1" top: "branch"
  convolution_param { num_output: 64 kernel_size: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "conv2" bottom: "branch" top: "sum" }
"""
HEADER = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,"
    "kernel_height,kernel_width,stride_height,stride_width,pad_height,pad_width,"
    "dilation_height,dilation_width,groups,pool_method,bias,runtime_ms,power_w"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A platform whose convolutions take a nanosecond a multiply-accumulate, and its models."""
    root = tmp_path_factory.mktemp("platform")
    rows = []
    for i in range(64):
        batch, width, out = 1 + i % 4, 4 * (1 + i % 8), 8 * (1 + i // 8)
        size, kernel = 8 * (1 + i % 5), (1, 3)[i % 2]
        ms = batch * width * out * size**2 * kernel**2 * 1e-6 + 0.01
        pad = kernel // 2
        rows.append(
            f"conv,{batch},{width},{size},{size},{out},{size},{size},{kernel},{kernel},1,1,"
            f"{pad},{pad},1,1,1,,1,{ms!r},"
        )
    (root / "board").mkdir()
    (root / "board" / "conv.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (root / "net.prototxt").write_text(NET)
    (root / "wider.prototxt").write_text(NET.replace("num_output: 64", "num_output: 128"))
    assert main(["fit", str(root / "board"), "--out", str(root / "models")]) == 0
    return root


def call(folder: Path, *words: str) -> int:
    return main([*words, "--models", str(folder / "models")])


def test_predict_writes_the_table_of_every_batch(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.csv"
    net = str(folder / "net.prototxt")
    assert call(folder, "predict", net, "--batch", "1", "--batch", "4", "--out", str(out)) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert tuple(rows[0]) == PREDICTION_COLUMNS
    totals = [row for row in rows if row["name"] == "TOTAL"]
    assert [row["batch"] for row in totals] == ["1", "4"]
    assert totals[0]["note"].startswith("covers 3 of 5 computing layers, 100 % of MACs")
    # conv1, conv2 and branch: 3, 32 and 32 inputs, 9, 9 and 1 taps, at 1 ns a MAC.
    macs = 32 * 32 * (3 * 32 * 9 + 32 * 64 * 9 + 32 * 64)
    assert float(totals[0]["runtime_ms"]) == pytest.approx(macs * 1e-6 + 0.03, rel=0.1)
    assert all(row["power_w"] == "" for row in rows)


def test_predict_prints_csv_json_and_markdown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = str(folder / "net.prototxt")
    assert call(folder, "predict", net) == 0
    assert capsys.readouterr().out.startswith("network,index,name,")
    assert call(folder, "predict", net, "--format", "json") == 0
    table = json.loads(capsys.readouterr().out)["rows"]
    assert table[-1]["name"] == "TOTAL"
    assert table[-1]["power_w"] is None
    assert call(folder, "predict", net, "--format", "md") == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| layer | type |")


def test_predict_reads_what_was_learnt_from_passes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, models = str(folder / "net.prototxt"), folder / "models"
    plain, scaled = tmp_path / "plain.json", tmp_path / "scaled.json"
    assert call(folder, "predict", net, "--format", "json", "--out", str(plain)) == 0
    save_composition(Composition({"conv": Factor(2.0, 2.0, 0.0, 3, 1.0)}), models)
    learnt = models / "composition.json"
    try:
        assert call(folder, "predict", net, "--format", "json", "--out", str(scaled)) == 0
        capsys.readouterr()
        for text, message in (
            ('{"schema_version": 1}', "composition.json: cannot be used"),
            (learnt.read_text().replace('sha256": "', 'sha256": "0'), "belongs to other models"),
        ):
            learnt.write_text(text)
            assert call(folder, "predict", net) == 2
            assert message in capsys.readouterr().err
            save_composition(Composition(), models)
    finally:
        learnt.unlink()
    before, after = (json.loads(path.read_text())["rows"][-1] for path in (plain, scaled))
    assert after["runtime_ms"] == pytest.approx(2 * before["runtime_ms"])
    assert after["runtime_ms_hi"] == pytest.approx(2 * before["runtime_ms_hi"])


def test_calibrate_writes_also_when_there_is_nothing_to_learn(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "composition.json"
    assert call(folder, "calibrate", str(folder / "board"), "--out", str(out)) == 0
    learnt = json.loads(out.read_text())
    assert len(learnt.pop("models_sha256")) == len(learnt.pop("sha256")) == 64
    assert learnt == {
        "schema_version": 3,
        "factors": {},
        "scales": {},
        "networks": [],
        "warnings": [],
        "launch": Launch().to_json(),
    }


def test_compare_ranks(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "compared.csv"
    nets = [str(folder / f"{name}.prototxt") for name in ("wider", "net")]
    assert call(folder, "compare", *nets, "--out", str(out)) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [(row["network"], row["rank"]) for row in rows] == [("net", "1"), ("wider", "2")]


def test_explain_says_what_changes_would_save(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "explained.json"
    net = str(folder / "net.prototxt")
    assert call(folder, "explain", net, "--format", "json", "--out", str(out)) == 0
    rows = {row["name"]: row for row in json.loads(out.read_text())["rows"]}
    assert [row["name"] for row in rows.values()] == ["conv2", "branch", "conv1"]
    # Half of conv1's outputs halve the inputs of both others: half of everything is saved.
    assert rows["conv1"]["half_width_saves_percent"] == pytest.approx(50, abs=6)
    assert rows["conv1"]["double_stride_saves_percent"] == pytest.approx(75, abs=6)
    # A kernel of 1x1 instead of 3x3 does a ninth of the work of conv1 alone.
    one = rows["conv1"]
    assert one["smaller_kernel_saves_ms"] == pytest.approx(one["runtime_ms"] * 8 / 9, rel=0.1)
    assert one["smaller_kernel_note"] is None
    saved = one["half_width_saves_percent"] / 100 * one["runtime_ms"] / one["runtime_share"]
    assert one["half_width_saves_ms"] == pytest.approx(saved)
    # conv2 alone cannot shrink: the sum needs both of its inputs to be of one shape.
    assert rows["conv2"]["half_width_saves_percent"] is None
    assert rows["conv2"]["half_width_note"]
    assert rows["conv2"]["bound"] in ("compute", "memory")


def test_a_saving_beyond_the_measured_range_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = folder / "one.prototxt"
    net.write_text(
        'layer { name: "data" type: "Input" top: "data"'
        " input_param { shape { dim: 1 dim: 8 dim: 32 dim: 32 } } }"
        ' layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"'
        " convolution_param { num_output: 32 kernel_size: 3 pad: 1 } }"
    )
    assert call(folder, "explain", str(net), "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["half_width_note"] is None
    assert row["double_stride_saves_percent"] > 50
    assert row["double_stride_note"].startswith("beyond the measured ")  # every stride was 1
    (line,) = sentences([row])
    assert "% (beyond the measured " in line
    assert "bound by arithmetic" in sentences([row | {"bound": "compute"}])[0]
    pooled = row | {"bound": "compute", "macs": 0}
    assert "bound by its comparisons and additions, not memory;" in sentences([pooled])[0]


def test_nothing_to_predict_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "loop.prototxt"
    net.write_text(
        'layer { name: "a" type: "ReLU" bottom: "b" top: "a" }'
        ' layer { name: "b" type: "ReLU" bottom: "a" top: "b" }'
    )
    assert call(folder, "explain", str(net)) == 2
    said = capsys.readouterr().err
    assert "loop.prototxt: no prediction: no layer with a model has a known shape" in said
    assert "give --blob-shape" in said
    for command in ("predict", "compare"):
        assert call(folder, command, str(net), "--format", "md") == 0
        message = capsys.readouterr().out
        assert "None" not in message
        assert ("shape unknown" in message) == (command == "predict")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict"], "give networks, --table CSV"),
        (["predict", "{net}", "--table", "x.csv"], "one of the three"),
        (["predict", "--table", "x.csv", "--batch", "2"], "--batch goes with prototxt"),
        (["predict", "{root}/absent.prototxt"], "no such file"),
        (["predict", "{net}", "{root}/board/../net.prototxt"], "has the same name as"),
        (["explain", "{root}/absent.prototxt"], "no such file"),
    ],
)
def test_faults_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    filled = [word.format(net=folder / "net.prototxt", root=folder) for word in words]
    assert call(folder, *filled) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("command", ["predict", "compare", "explain"])
def test_every_format_holds_the_same_rows(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    printed = {}
    for kind in ("csv", "json", "md"):
        assert call(folder, command, str(folder / "net.prototxt"), "--format", kind) == 0
        printed[kind] = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(printed["csv"])))
    assert rows
    values = json.loads(printed["json"])["rows"]
    assert [list(row) for row in values] == [list(row) for row in rows]
    for row, message in zip(rows, values, strict=True):
        assert row == {k: "" if v is None else str(v) for k, v in message.items()}
    body = [line for line in printed["md"].splitlines() if line.startswith("| ")]
    assert len(body) == len(rows) + 2  # the headings and their rule


def test_tables_for_people_fit_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    nets = [str(folder / f"{name}.prototxt") for name in ("net", "wider")]
    for words in (["predict", nets[0]], ["explain", nets[0]], ["compare", *nets]):
        assert call(folder, *words) == 0
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= WIDTH
        assert "conv2" in printed or "wider" in printed


def test_predicting_imports_no_heavy_module() -> None:
    code = (
        "import sys; import neuralpower.commands.predict, neuralpower.networks.composition, "
        "neuralpower.networks.loading, neuralpower.modeling.models, neuralpower.caffe.network; "
        "heavy = {'pandas', 'scipy', 'sklearn', 'statsmodels', 'matplotlib', 'torch'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


DATA_NET = NET.replace(
    'type: "Input" top: "data"\n  input_param { shape { dim: 2 dim: 3 dim: 32 dim: 32 } } }',
    'type: "Data" top: "data" data_param { source: "db" batch_size: 2 } }',
)


@pytest.mark.parametrize("command", ["predict", "compare", "explain"])
@pytest.mark.parametrize("option", ["--blob-shape=data=2x3x32x32", "--data-shape=3x32x32"])
def test_shapes_from_outside_in_every_command(
    folder: Path, tmp_path: Path, command: str, option: str
) -> None:
    net, out = tmp_path / "net.prototxt", tmp_path / "out.csv"
    net.write_text(DATA_NET)
    assert call(folder, command, str(net), option, "--out", str(out)) == 0
    given = out.read_text()
    assert call(folder, command, str(folder / "net.prototxt"), "--out", str(out)) == 0
    assert given == out.read_text().replace("data,Input,", "data,Data,")


@pytest.mark.parametrize("words", [["1", "16"], ["1,16"], ["1", "--batch", "16"]])
def test_every_way_to_give_batch_sizes(
    folder: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    net = str(folder / "net.prototxt")
    assert call(folder, "predict", net, "--batch", *words, "--out", str(out)) == 0
    rows = csv.DictReader(io.StringIO(out.read_text()))
    assert [row["batch"] for row in rows if row["name"] == "TOTAL"] == ["1", "16"]
    assert call(folder, "explain", net, "--batch", *words[:1], "2,3") == 2
    assert call(folder, "predict", "--batch", "4", net, "--out", str(out)) == 0


def test_misspelt_fields_are_on_standard_error_of_every_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, out = tmp_path / "net.prototxt", tmp_path / "out.csv"
    net.write_text(NET.replace("kernel_size: 1 }", "kernel_size: 1 strid: 1 }"))
    for command in ("predict", "compare", "explain"):
        assert call(folder, command, str(net), "--out", str(out)) == 0
        message = f"{net}:9: not sure: unknown field strid of ConvolutionParameter (is it stride?)"
        assert message in capsys.readouterr().err
    assert call(folder, "predict", str(net), "--out", str(out)) == 0
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(out.read_text()))}
    assert rows["branch"]["note"].startswith("not sure: ")
    assert "; 1 layer not sure" in rows["TOTAL"]["note"]


def test_a_part_of_a_network_is_not_ranked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    part = tmp_path / "part.prototxt"
    odd = 'layer { name: "odd" type: "Odd" bottom: "conv1" top: "odd" }\n'
    whole = NET.replace('layer { name: "conv2"', odd + 'layer { name: "conv2"')
    part.write_text(whole.replace('bottom: "conv1" top: "conv2"', 'bottom: "odd" top: "conv2"'))
    files = [str(folder / "net.prototxt"), str(part)]
    assert call(folder, "compare", *files, "--out", str(out)) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [(row["network"], row["rank"]) for row in rows] == [("net", "1"), ("part", "")]
    assert rows[1]["note"].startswith("not ranked, figures of a part; covers ")
    assert "100 % of MACs" not in rows[1]["note"]
    assert "the work of 3 is unknown" in rows[1]["note"]
    assert float(rows[1]["coverage"]) == pytest.approx(0.5)
    assert rows[0]["probability_before_next"] == ""
    kept = call(folder, "compare", *files, "--assume-elementwise", "--out", str(out))
    assert kept == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {row["rank"] for row in rows} == {"1", "2"}


def test_nothing_known_is_no_prediction(folder: Path, tmp_path: Path) -> None:
    net, out = tmp_path / "net.prototxt", tmp_path / "out.csv"
    net.write_text(DATA_NET)
    assert call(folder, "predict", str(net), "--out", str(out)) == 0
    total = list(csv.DictReader(io.StringIO(out.read_text())))[-1]
    assert (total["runtime_ms"], total["source"], total["coverage"]) == ("", "none", "0.0")
    assert total["note"].startswith("no prediction: ")
    assert "give --data-shape CxHxW" in total["note"]


def test_a_folder_of_platforms_and_a_folder_as_output(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = str(folder / "net.prototxt")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "board").symlink_to(folder / "models")
    assert main(["predict", net, "--models", str(tmp_path / "models")]) == 2
    deeper = tmp_path / "models" / "board"
    assert f"the models are one folder deeper: give {deeper}\n" in capsys.readouterr().err
    (tmp_path / "models" / "other").symlink_to(folder / "models")
    assert main(["predict", net, "--models", str(tmp_path / "models")]) == 2
    assert "has the models of several platforms: name one, board, other" in capsys.readouterr().err
    assert call(folder, "predict", net, "--out", str(tmp_path)) == 2
    assert f"{tmp_path}: is a folder: name a file in it" in capsys.readouterr().err


def test_many_networks_are_explained_once_and_one_at_fault_costs_no_other(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from neuralpower.networks.explaining import explain

    done: list[str] = []

    def counted(path: Path, *words: object, **options: object) -> list[dict[str, object]]:
        done.append(Path(path).name)
        return explain(path, *words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("neuralpower.networks.explaining_many.explain", counted)
    bad, out = tmp_path / "bad.prototxt", tmp_path / "changes.csv"
    bad.write_text("layer {")
    nets = [str(folder / "net.prototxt"), str(bad), str(folder / "wider.prototxt")]
    words = ("explain", *nets, "--kept", str(tmp_path / "kept"), "--out", str(out))
    assert call(folder, *words) == 0
    assert f"{bad}:" in capsys.readouterr().err
    first = out.read_text()
    rows = list(csv.DictReader(io.StringIO(first)))
    assert list(dict.fromkeys(row["network"] for row in rows)) == ["net", "wider"]
    assert done == ["net.prototxt", "bad.prototxt", "wider.prototxt"]
    assert call(folder, *words) == 0
    assert done[3:] == ["bad.prototxt"], "what has not changed is kept"
    assert out.read_text() == first
    assert call(folder, *words, "--layers", "1") == 0
    assert len(done) == 7
