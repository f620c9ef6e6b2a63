"""How a network's file is read: networks.yaml beside it, the configuration, the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.core.errors import InputError
from neuralpower.core.network_files import find_networks, network_name
from neuralpower.networks.loading import load_networks
from neuralpower.networks.reading import Reading, Readings

OUTSIDE = """
name: "outside"
layer { name: "data" type: "Data" top: "data" data_param { batch_size: 4 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "more" type: "Eltwise" bottom: "conv" bottom: "other" top: "more"
        include { stage: "deploy" } }
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(OUTSIDE)
    return path


def test_the_places_are_put_over_each_other(net: Path) -> None:
    (net.parent / "networks.yaml").write_text(
        "net: {title: A net, data_shape: 3x8x8, stages: deploy, blob_shapes: {other: 4x8x6x6}}\n"
    )
    reading = Readings().of(net)
    assert reading == Reading(
        stages=("deploy",), data_shape=(3, 8, 8), blob_shapes=(("other", (4, 8, 6, 6)),)
    )
    config = net.parent / "config.yaml"
    config.write_text(
        "reading: {net: {data_shape: 3x16x16, blob_shapes: {other: 4x8x14x14, x: scalar}}}"
    )
    reading = Readings(config).of(net)
    assert reading.data_shape == (3, 16, 16)
    assert dict(reading.blob_shapes or ()) == {"other": (4, 8, 14, 14), "x": ()}
    assert reading.stages == ("deploy",)
    given = Readings(config, Reading(data_shape=(3, 32, 32), phase="TRAIN")).of(net)
    assert (given.data_shape, given.phase) == ((3, 32, 32), "TRAIN")
    assert Readings(config).of(net.parent / "other.prototxt") == Reading()


def test_a_network_is_loaded_as_it_says(net: Path) -> None:
    (net.parent / "networks.yaml").write_text("net: {data_shape: 3x8x8}")
    (network,) = load_networks([net])
    assert network.layers[1].top_shapes == ((4, 8, 6, 6),)
    (network,) = load_networks([net], [], Readings(None, Reading(data_shape=(3, 16, 16))))
    assert network.layers[1].top_shapes == ((4, 8, 14, 14),)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ("data_shape: 8x8", "net.data_shape: '8x8' is no item"),
        ("data_shape: [3, 8, 8]", "net.data_shape: [3, 8, 8] is no shape"),
        ("phase: test", "net.phase: 'test': TRAIN or TEST"),
        ("level: 1.5", "net.level: a whole number"),
        ("stages: {a: 1}", "net.stages: the name of a stage"),
        ("blob_shapes: 3x4", "net.blob_shapes: names of blobs"),
        ("blob_shapes: {other: big}", "net.blob_shapes: 'big' is no shape"),
    ],
)
def test_a_fault_of_one_network_is_one_line(net: Path, facts: str, words: str) -> None:
    place = net.parent / "networks.yaml"
    place.write_text(f"net: {{{facts}}}\nother: {{level: 2}}")
    with pytest.raises(InputError) as caught:
        Readings().of(net)
    assert str(caught.value).startswith(f"{place}: {words}")
    assert Readings().of(net.parent / "other.prototxt") == Reading(level=2)
    config = net.parent / "config.yaml"
    config.write_text(f"reading: {{net: {{{facts}}}}}")
    with pytest.raises(InputError, match=r"reading\.net"):
        Readings(config)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("datashape", "data_shape"),
        ("data-shape", "data_shape"),
        ("blob_shape", "blob_shapes"),
        ("stage", "stages"),
        ("phse", "phase"),
        ("assume_elementwize", "assume_elementwise"),
        ("top1_eror", "top1_error"),
    ],
)
def test_a_slip_in_a_key_is_refused(net: Path, key: str, meant: str) -> None:
    place = net.parent / "networks.yaml"
    for text in (f"net: {{{key}: 3x8x8}}\n", f"net:\n  {key}: 3x8x8\n"):
        place.write_text(text)
        with pytest.raises(InputError, match=f"unknown key '{key}' .is it {meant}.") as caught:
            Readings().of(net)
        assert str(caught.value).startswith(f"{place}: net: ")
    place.write_text("net: {title: A net, remark: of my own, colour: red}\n")
    assert Readings().of(net) == Reading()


def test_a_shape_of_a_blob_that_is_not_there_is_said(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data-shape", "3x8x8", "--stage", "deploy", "--blob-shape", "other=4x8x6x6"]
    assert main(["layers", str(net), *words, "--blob-shape", "othr=4x8x6x6"]) == 0
    assert "net.prototxt: no blob 'othr': its shape is not used" in capsys.readouterr().err
    assert main(["layers", str(net), *words]) == 0
    assert "no blob" not in capsys.readouterr().err


def test_an_unknown_option_of_the_configuration_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("reading: {net: {shape: 3x8x8}}")
    with pytest.raises(InputError, match="unknown option 'shape'"):
        Readings(config)


def test_every_command_takes_the_options(
    net: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--data-shape", "3x8x8", "--stage", "deploy", "--blob-shape", "other=4x8x6x6"]
    assert main(["layers", str(net), *words]) == 0
    assert "4x8x6x6" in capsys.readouterr().out
    for command in ("predict", "compare", "explain", "evaluate", "calibrate", "onnx", "profile"):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        for option in ("--phase", "--stage", "--level", "--data-shape", "--blob-shape"):
            assert option in printed, command


def test_names_of_files() -> None:
    names = ("a.prototxt", "a.b.prototxt", "x.txt.prototxt", "x.pbtxt.gz", "x.prototxt.txt", ".gz")
    assert [network_name(name) for name in names] == ["a", "a.b", "x.txt", "x", "x.prototxt", ".gz"]


def test_a_folder_of_networks_names_what_it_cannot_use(tmp_path: Path) -> None:
    import os

    for name in ("b.prototxt", "a.pbtxt", "a.prototxt", "a b.prototxt", "notes.txt", "c.caffemodel",
                 "._b.prototxt", "networks.yaml", "README.md"):  # fmt: skip
        (tmp_path / name).write_text("")
    (tmp_path / ".#b.prototxt").symlink_to("nowhere")
    (tmp_path / "gone.prototxt").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "deep.prototxt").mkdir()
    os.mkfifo(tmp_path / "pipe.prototxt")
    (tmp_path / os.fsdecode(b"\xff.prototxt")).write_text("")
    found = find_networks(tmp_path)
    assert {name: path.name for name, path in found.files.items()} == {
        "a": "a.prototxt",
        "b": "b.prototxt",
    }
    assert found.refused["a.pbtxt"] == "has the same name as a.prototxt: rename one of them"
    assert "cannot be a file name" in found.refused["a b.prototxt"]
    assert found.refused["pipe.prototxt"] == "is not a regular file"
    assert set(found.refused) == {
        *("a.pbtxt", "a b.prototxt", "pipe.prototxt", "deep.prototxt", "gone.prototxt"),
        "\\udcff.prototxt",
    }
    ignored = "\n".join(found.ignored)
    assert "notes.txt: no network's file" in ignored
    assert "c.caffemodel" in ignored
    assert "folder: a folder: ignored" in ignored
    assert len(found.ignored) == 3
