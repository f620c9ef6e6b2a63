"""Pages say what was measured: sizes, or nothing at all where only a data sheet is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_text import Tags

from neuralpower.cli import main

PUBLISHED = Path(__file__).parents[2] / "published"
NET = """input: "d" input_shape { dim: 32 dim: 8 dim: 16 dim: 16 }
layer { name: "c" type: "Convolution" bottom: "d" top: "c"
  convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
"""


def test_nothing_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t4.yaml").write_text(
        "device: NVIDIA T4\npeak_gflops: 8100\nbandwidth_gb_s: 320\npower_cap_w: 70\n"
    )
    results = tmp_path / "results"
    models = results / "models" / "t4"
    words = ["transfer", "--data-sheet", str(tmp_path / "t4.yaml"), "--out", str(models)]
    assert main([*words, "--models", str(PUBLISHED / "a30-pytorch-tf32" / "models")]) == 0
    families = "batchnorm, conv, fc, pool, relu"
    assert capsys.readouterr().err == (
        f"power from the data sheet, not measured, errors not known: {families}\n"
        f"runtime from the data sheet, not measured, errors not known: {families}\n"
    )
    net = tmp_path / "net.prototxt"
    net.write_text(NET)
    table = results / "layers" / "net.csv"
    assert main(["layers", str(net), "--out", str(table)]) == 0
    table = results / "predictions" / "t4" / "net.csv"
    words = ["predict", str(net), "--models", str(models), "--batch", "32", "--out", str(table)]
    assert main(words) == 0
    assert main(["report", str(results), "--out", str(tmp_path / "report")]) == 0
    pages = {
        name: Tags((tmp_path / "report" / name).read_text()).text
        for name in ("platforms/t4.html", "networks/net.html", "index.html")
    }
    page = pages["platforms/t4.html"]
    assert (
        f"Nothing was measured on this device: power of {families} and runtime of {families} come "
        "from its data sheet (8100 GFLOP/s, 320 GB/s, 70 W at most)"
    ) in page
    wrong = ("No power was measured", "fit: candidates", "How it was measured", "no accuracy file")
    for absent in (*wrong, "Batch sizes measured", "Convolutions measured"):
        assert absent not in page
    assert "nothing was measured on this device" in pages["networks/net.html"]
    assert "energy per image" in pages["networks/net.html"]
    assert "nobody: from its data sheet" in pages["index.html"]


def test_the_sizes_that_were_measured_are_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PUBLISHED.parent)
    results = tmp_path / "results"
    assert main(["published", "use", "raptorlake-pytorch", "--results", str(results)]) == 0
    assert main(["report", str(results), "--out", str(tmp_path / "report")]) == 0
    page = Tags((tmp_path / "report" / "platforms" / "raptorlake-pytorch.html").read_text()).text
    assert "Batch sizes measured34 to 2047" in page
    assert "Convolutions measuredinput channels 1 to 15, output channels 1 to 63, input" in page
    assert "with at most 15 input channels" in page, "to know before use"
    assert "licence stated there: MIT" in page
    assert "Protocolnot recorded: only tables of measurements are known" in page
