"""What is no file in place of one, names on their way to a terminal, deep and large documents."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attacking import CASES, LENET, MODELS, ROOT, TABLES, changed, copied, refused

from neuralpower.cli import main


@pytest.mark.parametrize("name", ["manifest.json", "conv.csv", "conv.csv.gz", "visits.jsonl.gz"])
@pytest.mark.parametrize("kind", ["pipe", "device", "broken link"])
def test_what_is_no_file_in_a_folder_of_measurements_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    folder, out = changed(tmp_path), tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero" if kind == "device" else "nowhere")
    if kind == "broken link" and name.endswith((".json", ".jsonl.gz")):
        return  # as if the file was not there
    words = ("measurements", "merge", folder, "--platform", "p", "--out", out)
    assert name in refused(capsys, *words)
    assert not out.exists()
    if name != "visits.jsonl.gz":
        refused(capsys, "fit", folder, "--out", out, "--config", tmp_path / "quick.yaml")
        assert not out.exists()


@pytest.mark.parametrize("name", ["net.prototxt", "net.prototxt.gz", "net.onnx", "x.yaml", "x.csv"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_in_place_of_a_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    if name.endswith("onnx"):
        pytest.importorskip("onnx")
    place = tmp_path / name
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to("/dev/zero")
    given: tuple[str | Path, ...] = ("layers", place)
    if name == "x.yaml":
        given = ("layers", LENET, "--config", place)
    elif name == "x.csv":
        given = ("predict", "--models", MODELS, "--table", place)
    assert "pipe" in refused(capsys, *given)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_names_in_files_cannot_write_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 32 '
        'dim: 32 } } }\nlayer { name: "c\\033[2J\\342\\200\\250z" type: "Convolution" bottom: "x" '
        'top: "y\\033]0;X\\007\\nk" convolution_param { num_output: 8 kernel_size: 3 } }\n'
    )
    folder = changed(tmp_path)
    manifest = {"device": "a\x1b[2J\u2028b", "software": "\x1b[1m", "power_reason": "\x07"}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {}}))
    words: tuple[str | Path, ...]
    for words in (
        ("layers", net),
        ("predict", net, "--models", MODELS),
        ("explain", net, "--models", MODELS),
        ("compare", net, LENET, "--models", MODELS),
        ("onnx", net, "--out", tmp_path / "net.onnx"),
        ("measurements", "check", folder),
    ):
        if words[0] == "onnx" and importlib.util.find_spec("onnxruntime") is None:
            continue
        out, err = _Terminal(), _Terminal()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        assert main([str(word) for word in words]) in (0, 1)
        printed = out.getvalue() + err.getvalue()
        assert printed
        assert printed.replace("\n", "").isprintable(), words


@pytest.mark.parametrize("format", ["csv", "md", "json"])
@pytest.mark.parametrize("command", ["layers", "predict", "explain", "compare"])
def test_names_write_nothing_into_a_pipe_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, format: str
) -> None:
    """What is piped ends on a terminal too (head, cat); files hold names as they are."""
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 32 '
        'dim: 32 } } }\nlayer { name: "c\\033[2J\\302\\233m\\342\\200\\256z" type: "Convolution" '
        'bottom: "x" top: "y\\033]0;X\\007k" convolution_param { num_output: 8 kernel_size: 3 } }\n'
    )
    words = [command, str(net), "--format", format]
    words += [] if command == "layers" else ["--models", str(MODELS)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.replace("\n", "").isprintable()
    # A table of Markdown has no control characters at all.
    seen = format != "md" and command != "compare"
    assert not seen or "\\x1b[2J" in printed or "\\u001b[2J" in printed
    if format == "csv" and command == "layers":
        assert main([*words, "--out", str(tmp_path / "net.csv")]) == 0
        assert "c\x1b[2J\x9bm\u202ez" in (tmp_path / "net.csv").read_text()


def test_a_handed_network_of_escape_sequences_is_piped_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["layers", str(CASES / "d12_escape_sequences.prototxt")]) == 0
    assert "a\\x1b]0;PWN\\x07\\x1b[2J" in capsys.readouterr().out


def test_records_of_wrong_types_are_reported_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(TABLES / "visits_wrong_types", tmp_path)
    for words in (
        ("measurements", "check", folder),
        ("measurements", "export", folder, "--format", "csv", "--out", tmp_path / "out"),
        ("measurements", "merge", folder, "--platform", "p", "--out", tmp_path / "out"),
        ("shards", "merge", folder, "--out", tmp_path / "out"),
        ("fit", folder, "--out", tmp_path / "out"),
        ("transfer", folder, "--models", MODELS, "--out", tmp_path / "out"),
        ("evaluate", folder, "--models", MODELS, "--out", tmp_path / "out"),
    ):
        assert "visits.jsonl.gz:1: not a record of a visit" in refused(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_fails_its_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(TABLES / "header_only", tmp_path)
    assert main(["measurements", "check", str(folder)]) == 1
    assert "error: header_only: its tables have no rows" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["networks.yaml", "config", "recipe", "gate"])
def test_a_deep_document_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    deep = (CASES / "d04_deep_networks.yaml").read_text()
    if kind == "networks.yaml":
        shutil.copy(LENET, tmp_path)
        (tmp_path / "networks.yaml").write_text("alexnet: {phase: TEST}\n" + deep)
        said = refused(capsys, "layers", tmp_path / "lenet.prototxt")
    elif kind == "recipe":
        from neuralpower.core.errors import InputError
        from neuralpower.importing.recipe import load_recipe

        (tmp_path / "recipe.yaml").write_text(deep)
        with pytest.raises(InputError) as caught:
            load_recipe(tmp_path)
        said = str(caught.value)
    else:
        (tmp_path / "config.yaml").write_text(deep)
        accuracy = ROOT / "published/raptorlake-pytorch/accuracy.json"
        folder = CASES / "d01_one_absurd_row"
        words: tuple[str | Path, ...] = ("fit", folder, "--out", tmp_path / "out")
        if kind == "gate":
            words = ("gate", accuracy, "--baseline", accuracy)
        said = refused(capsys, *words, "--config", tmp_path / "config.yaml")
    assert "nested too deeply" in said


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("networks.yaml", "x: {phase: TEST}\ny: " + "[" * 100_000, "nested too deeply"),
        ("networks.yaml.gz", "", ""),
        ("bomb.prototxt.gz", " " * 300_000_000, "larger than"),
        ("deep.prototxt", "layer { " * 50_000, "deep.prototxt"),
    ],
)
def test_a_stranger_takes_no_more_than_a_gigabyte(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    shutil.copy(LENET, tmp_path)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress(text.encode(), 1))
    else:
        (tmp_path / name).write_text(text)
    read = name if "prototxt" in name else "lenet.prototxt"
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "layers", read],
        cwd=tmp_path, capture_output=True, text=True, preexec_fn=_limited, timeout=60,
    )  # fmt: skip
    if not words:
        assert done.returncode == 0
        return
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_table_that_unpacks_to_more_than_memory_is_one_line(tmp_path: Path) -> None:
    """Eight million short rows, some kilobytes as they are sent."""
    folder = tmp_path / "p"
    folder.mkdir()
    piece = gzip.compress(b"lenet,1,1\n" * 1_000_000, 1)
    with (folder / "networks.csv.gz").open("wb") as stream:
        stream.write(gzip.compress(b"network,batch,runtime_ms\n"))
        for _ in range(8):
            stream.write(piece)
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "measurements", "check", "p"],
        cwd=tmp_path, capture_output=True, text=True, preexec_fn=_limited, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert done.stderr == (
        "neuralpower: p/networks.csv.gz: more than 500000 rows of whole networks\n"
    )
