"""Speed of the Caffe front end as ratios to protobuf's own parser, all measured in one run.

    python benchmarks/caffe_bench.py

1. The layer table of a large network, from its text to CSV, against ``text_format.Parse`` of the
   same text (limit 1.3).
2. A thousand prototxts in one process: time per file against the first hundred, and peak memory
   (linear, under 100 MB).
3. ``neuralpower layers`` of LeNet as a process against ``import google.protobuf.text_format``
   (limit 2.5), medians of CPU times of alternating runs.

Inception-ResNet-v2 is read from the reference beside the repository where there is one.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from google.protobuf import text_format

from neuralpower.caffe import caffe_pb2
from neuralpower.caffe.network import LAYER_COLUMNS, layer_row, parse_network
from neuralpower.core.files import csv_text

REPOSITORY = Path(__file__).resolve().parents[1]
OWN = REPOSITORY / "prototxts"
REFERENCE = REPOSITORY / "../shared/reference/caffe/prototxt"
LARGE = ("resnet152*.prototxt", "inception_resnet_v2*.prototxt", "inceptionv4*.prototxt")
PAIRS = 9
FILES = 1000


def table(text: str) -> str:
    """The layer table of a network as CSV."""
    network = parse_network(text)
    return csv_text(LAYER_COLUMNS, [layer_row(network, layer) for layer in network.layers])


def protobuf_parse(text: str) -> object:
    """The same text through protobuf's parser, unknown fields skipped as ours does."""
    return text_format.Parse(text, caffe_pb2.NetParameter(), allow_unknown_field=True)


def seconds(function: Callable[[str], object], text: str) -> float:
    """CPU time of one call."""
    start = time.process_time()
    function(text)
    return time.process_time() - start


def large_networks() -> list[Path]:
    """The large prototxts that are at hand: our own first, then the reference's."""
    found: dict[str, Path] = {}
    for folder in (OWN, REFERENCE):
        for pattern in LARGE:
            for path in sorted(folder.glob(pattern)):
                found.setdefault(path.name, path)
    return list(found.values())


def compare_with_protobuf() -> bool:
    """Print the ratio for every large network; False when one is over the limit."""
    fine = True
    for path in large_networks():
        text = path.read_text(encoding="utf-8")
        table(text)
        ours, theirs = [], []
        for _ in range(PAIRS):
            theirs.append(seconds(protobuf_parse, text))
            ours.append(seconds(table, text))
        ratio = statistics.median(ours) / statistics.median(theirs)
        fine = fine and ratio <= 1.3
        print(
            f"{path.stem}: table {statistics.median(ours) * 1e3:.0f} ms, protobuf's parse "
            f"{statistics.median(theirs) * 1e3:.0f} ms, ratio {ratio:.2f} (limit 1.3)"
        )
    return fine


def thousand_files() -> bool:
    """Print time per file and peak memory over a thousand prototxts."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(OWN.glob("*.prototxt"))]
    # The large ones would only make the run longer.
    texts = [text for text in texts if len(text) < 60_000] or [""]
    marks = {}
    start = time.process_time()
    for number in range(1, FILES + 1):
        table(texts[number % len(texts)])
        if number in (FILES // 10, FILES):
            marks[number] = (time.process_time() - start) / number
    growth = marks[FILES] / marks[FILES // 10]
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{FILES} prototxts in one process: {marks[FILES] * 1e3:.1f} ms per file, "
        f"{growth:.2f} times the first {FILES // 10}; peak memory {memory_mb:.0f} MB (limit 100)"
    )
    return memory_mb < 100


def start_up() -> bool:
    """Print the process time of the command against protobuf's import."""
    lenet = OWN / "lenet.prototxt"
    commands = [
        [sys.executable, "-c", "import google.protobuf.text_format"],
        [sys.executable, "-m", "neuralpower", "layers", str(lenet)],
    ]
    # As after an installation: both read compiled modules.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: list[list[float]] = [[], []]
    for _ in range(PAIRS + 1):
        for command, record in zip(commands, times, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, capture_output=True, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            record.append(used)
    # The first run compiles them.
    floor, ours = (statistics.median(record[1:]) for record in times)
    print(
        f"layers lenet.prototxt: {ours * 1e3:.0f} ms of CPU, import of text_format "
        f"{floor * 1e3:.0f} ms, ratio {ours / floor:.2f} (limit 2.5)"
    )
    return ours <= 2.5 * floor


def main() -> int:
    """Run all three; status 1 when a limit is passed."""
    results = [thousand_files(), compare_with_protobuf(), start_up()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
