"""Write the coverage of the reference's public prototxts into ``docs/audit/caffe_coverage.md``.

    python benchmarks/caffe_coverage.py

Reads ``INDEX.csv`` and the files of the reference beside the repository (its own tricky files are
left out), in lenient mode: first as published, without options, then with those that real Caffe
was given.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

from neuralpower.caffe.network import Network, load_network
from neuralpower.core.errors import InputError
from neuralpower.core.files import write_text

REPOSITORY = Path(__file__).resolve().parents[1]
REFERENCE = REPOSITORY / "../shared/reference/caffe"
PAGE = REPOSITORY / "docs" / "audit" / "caffe_coverage.md"
START, END = "<!-- coverage: start -->", "<!-- coverage: end -->"


def load(row: dict[str, str]) -> Network:
    """The network of one row of the index, with the stand-ins for its data."""
    data_shape = re.search(r"--fake-data (\S+)", row["options"])
    tops = re.search(r"--fake-tops (\S+)", row["options"])
    blobs = dict(item.split("=") for item in tops[1].split(";")) if tops else {}
    return load_network(
        REFERENCE / "prototxt" / row["prototxt"],
        data_shape=tuple(map(int, data_shape[1].split("x"))) if data_shape else None,
        blob_shapes={name: tuple(map(int, dims.split("x"))) for name, dims in blobs.items()},
    )


#: Layer types of networks to be trained: data, losses, accuracies, in all formats.
_TRAINED = re.compile(
    r"\w*(Data|DATA|_data|DataLayer|Loss|LOSS|_loss|Accuracy|ACCURACY|accuracy)|data|images"
)
_GIVEN = ("DummyData", "MemoryData", "DUMMY_DATA", "MEMORY_DATA")
#: The shares that the first version had, of the same files: full tables, files.
_BEFORE = {"deploy": (113, 121), "train": (12, 55)}


def trained(text: str) -> bool:
    """Whether a prototxt is train-like: it names data, a loss, an accuracy or the phase TRAIN."""
    words = re.findall(r"""\b(?:type|layer)\s*:\s*["']?(\w+)""", text)
    named = any(_TRAINED.fullmatch(word) for word in words if word not in _GIVEN)
    return named or re.search(r"phase\s*:\s*TRAIN", text) is not None


def as_published(index: list[dict[str, str]]) -> list[str]:
    """The shares of files with a full table when they are read without options."""
    full, files = {"deploy": 0, "train": 0}, {"deploy": 0, "train": 0}
    for name in sorted({row["prototxt"] for row in index}):
        path = REFERENCE / "prototxt" / name
        kind = "train" if trained(path.read_text(encoding="utf-8", errors="replace")) else "deploy"
        files[kind] += 1
        try:
            layers = load_network(path).layers
        except InputError:
            continue
        full[kind] += bool(layers) and all(layer.known for layer in layers)
    table = ["| files | before | now |", "|---|---|---|"]
    for kind, (known, number) in _BEFORE.items():
        now = f"{full[kind]} of {files[kind]} ({100 * full[kind] / files[kind]:.0f} %)"
        table.append(
            f"| {kind}-like | {known} of {number} ({100 * known / number:.0f} %) | {now} |"
        )
    head = (
        "As published, without options, this many files have a full table (every shape known). "
        "Train-like: the file names a data layer, a loss, an accuracy or the phase TRAIN."
    )
    return [head, "", *table, ""]


def lines() -> list[str]:
    """The table, a row per file, and the totals over it."""
    with (REFERENCE / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        index = [row for row in csv.DictReader(stream) if row["origin_repo"] != "self-written"]
    rows = sorted((row for row in index if row["phase"] == "TEST"), key=lambda row: row["id"])
    body, layers, known, files, whole = [], 0, 0, 0, 0
    for row in rows:
        name = f"| {row['id']} | {row['format']} | {row['caffe'] or 'refused'} |"
        try:
            network = load(row)
        except InputError as error:
            body.append(f"{name} not read: {error.message} |||||")
            continue
        cover = network.coverage()
        files += 1
        layers += int(cover["layers"])
        known += int(cover["layers_known"])
        whole += cover["layers"] == cover["layers_known"]
        unknown = next((layer.note for layer in network.layers if not layer.known), "")
        body.append(
            f"{name} {cover['layers']} | {100 * cover['layers_known_share']:.1f} | "
            f"{cover['layers_supported']} | {cover['macs']:.4g} | "
            f"{100 * cover['macs_supported_share']:.1f} | {unknown.replace('|', '/')[:110]} |"
        )
    summary = (
        f"{len(rows)} public files (phase TEST), {files} read, {whole} of them with every shape "
        f"known; {known} of {layers} layers have known shapes ({100 * known / layers:.2f} %)."
    )
    head = [
        "| file | format | real Caffe | layers | shapes known, % | with a family | MACs | "
        "of which with a family, % | first unknown |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return [
        *as_published(index),
        "With the options that real Caffe was given:",
        "",
        summary,
        "",
        *head,
        *body,
    ]


def main() -> int:
    """Replace the table between the markers of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    write_text(PAGE, "\n".join([before + START, "", *lines(), "", END + after]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
