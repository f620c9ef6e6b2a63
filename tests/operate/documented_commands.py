"""Finding the commands that the documentation shows, and what their placeholders stand for."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from operate_project import NETWORK, ROOT

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "config/README.md", "results/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
PROGRAMS = ("neuralpower", "snakemake", "make")
#: ``sh`` and what is done with the block: run as it is, planned only, or why it is not run.
FENCE = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^    (?=\S)(.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
#: Words of synopses and what takes their place in the small project.
VALUES = {
    "C": "config/config.yaml",
    "FAMILY": "conv",
    "KIND": "device",
    "N": "1",
    "NAME": "mine",
    "NEW_DIR": "out/new",
    "P": "mine",
    "PAGE": "index",
    "PERCENT": "5",
    "YAML": "prototxts/networks.yaml",
    "csv|json|md": "json",
    "text|latex|python": "latex",
}
#: The same for the word after a flag, and for a word without one ("").
AFTER = {
    ("--models", "DIR"): "results/models/tiny",
    ("--measurements", "DIR"): "measurements/tiny",
    ("--baseline", "FILE"): "accuracy.json",
    ("--points", "P"): "0.5",
    ("", "DIR"): "measurements/tiny",
    ("", "results/measurements/local"): "measurements/tiny",
    ("", "measurements/P"): "measurements/tiny",
}
#: Commands that no test runs: what they hold, and why. Their flags are checked.
NOT_RUN = {
    "--device cuda": "needs a GPU",
    "--meter nvml": "needs a GPU",
    "published fetch": "needs a network: tests/importing fetches from the loopback",
    "published refit": "needs what fetch brings: tests/published",
    "--section first_run": "needs large networks' tables: tests/standins runs it",
}
if not find_spec("onnx"):
    NOT_RUN[".onnx"] = "needs the extra `onnx`"
if not find_spec("pyarrow"):
    NOT_RUN["--format parquet"] = "needs the extra `parquet`"


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it: ``where`` is fence, indented or inline."""

    page: Path
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.text}"


def blocks() -> Iterator[tuple[Path, str, str]]:
    """Page, treatment and text of every shell block."""
    for page in PAGES:
        for language, treatment, text in FENCE.findall(page.read_text()):
            if language == "sh":
                yield page, treatment, text


def shown() -> list[Shown]:
    """Every command of every page, in blocks, in indented lines and in the text."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for language, _, block in FENCE.findall(text):
            if language == "sh":
                lines = block.replace("\\\n", " ").splitlines()
                found += [Shown(page, "fence", line) for line in lines]
        rest = FENCE.sub("", text)
        found += [Shown(page, "indented", line) for line in INDENTED.findall(rest)]
        found += [Shown(page, "inline", " ".join(t.split())) for t in INLINE.findall(rest)]
    return [
        Shown(one.page, one.where, command)
        for one in found
        if (command := _command(one.text)).split()[:1] and command.split()[0] in PROGRAMS
    ]


def _command(text: str) -> str:
    """A line without its comment and without the path or the interpreter before the program."""
    text = re.sub(r"\s#.*$", "", text).strip()
    text = re.sub(r"^(\.venv/bin/|python3? -m )", "", text)
    return text


def filled(text: str, *, optional: bool) -> list[str]:
    """The words of a command with its placeholders filled; optional parts kept or left out.

    What would be written goes below ``out/``.
    """
    text = text.replace("\\|", "|")  # as a cell of a table has it
    text = OPTIONAL.sub(r" \1 " if optional else " ", text) if " [" in text else text
    words = shlex.split(text.replace("...", " ").replace("<platform>", "tiny"))
    result = []
    for before, word in zip(["", *words], words, strict=False):
        flag = before if before.startswith("--") else ""
        if flag in ("--out", "--learning-curve"):
            result.append(f"out/written{Path(word).suffix.replace('.json', '')}")
        else:
            result.append(AFTER.get((flag, word), VALUES.get(word, word)))
    return result


def furnish(project: Path) -> None:
    """Give the small project the files that the pages speak of; its network replaces theirs."""
    shutil.copy(ROOT / "prototxts/networks.yaml", project / "prototxts")
    mini = project / "prototxts/mini.prototxt"
    for name in (
        "NET",
        "A",
        "B",
        "deploy",
        "lenet",
        "nets/mini",
        "prototxts/alexnet",
        "prototxts/lenet",
    ):
        path = project / f"{name}.prototxt"
        path.parent.mkdir(exist_ok=True)
        shutil.copy(mini, path)
    (project / "train_val.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }'
        " transform_param { crop_size: 227 } data_param { batch_size: 4 } }\n"
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n'
    )
    (project / "test.prototxt").write_text(
        NETWORK + 'layer { name: "fc" type: "InnerProduct" bottom: "rois" top: "fc"'
        " inner_product_param { num_output: 2 } }\n"
    )
    sheet = (ROOT / "docs/modelling.md").read_text().partition("    device: NVIDIA V100\n")[2]
    lines = ["device: NVIDIA V100", *sheet.partition("\n\n")[0].splitlines()]
    (project / "v100.yaml").write_text("".join(f"{line.strip()}\n" for line in lines))
    (project / "published").symlink_to(ROOT / "published")
    measured = (project / "measurements/tiny/softmax.csv").read_text().splitlines()
    (project / "sweeps").mkdir()
    for name in ("TABLE", "CONFIGURATIONS.csv", "sweeps/softmax.csv"):
        (project / name).write_text("\n".join(measured[:4]) + "\n")
    for name, place in {
        "MEASUREMENTS_DIR": "measurements/tiny",
        "MODELS_DIR": "results/models/tiny",
        "MODELS_OF_OTHER_DEVICES": "results/models/tiny",
        "RESULTS_DIR": "results",
        "accuracy.json": "results/accuracy/tiny.json",
        "FILE": "results/predictions/tiny/mini.csv",
        "results/models/caffe-cpu": "results/models/tiny",
        "results/accuracy/caffe-cpu.json": "results/accuracy/tiny.json",
        "results/predictions/caffe-cpu": "results/predictions/tiny",
    }.items():
        link = project / name
        link.symlink_to(os.path.relpath(project / place, link.parent))
    # The guide to imported logs; LeNet's stand under the name that the small project has for it.
    logs = ROOT / "tests/importing/logs"
    shutil.copy(logs / "lenet.log", project / "mini.log")
    for name in ("alexnet", "squeezenet_v1_1", "googlenet"):
        text = gzip.decompress((logs / f"{name}.log.gz").read_bytes())
        (project / f"{name.partition('_')[0]}.log").write_bytes(text)
    if find_spec("onnx"):
        _onnx_models(project)
    activate = project / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.touch()


def _onnx_models(project: Path) -> None:
    """Small models under the names that the page on ONNX has."""
    from onnx import TensorProto, helper

    for name, given in (("resnet50", "data"), ("detector", "images")):
        value = helper.make_tensor_value_info(given, TensorProto.FLOAT, ["n", 8, "h", "w"])
        if name == "resnet50":
            value = helper.make_tensor_value_info(given, TensorProto.FLOAT, ["n", 8, 12, 12])
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        node = helper.make_node("Relu", [given], ["y"], "relu")
        graph = helper.make_graph([node], name, [value], [out])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        (project / f"{name}.onnx").write_bytes(model.SerializeToString())
