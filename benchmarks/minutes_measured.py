"""How good networks are predicted after so many minutes of measuring a new GPU.

    python benchmarks/minutes_measured.py MEASUREMENTS_DIR [--minutes 1 2 4 6 8] [--out FILE.csv]

Takes the visits of layers in the order in which they were made, as far as their wall time goes,
fits models on these alone and scores the measured networks: each is left out of what composition
learns from the others, and no layer of a network is among the rows unless the sweep drew it. The
visits of the networks are not counted; who measures none gets plain sums, which are worse.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGETS = ("runtime_ms", "power_w", "energy_mj")
COLUMNS = ("minutes", "configurations", "with_power", *(f"{t}_mape" for t in TARGETS), "covered")


def main() -> None:
    """Print a row per number of minutes; write them where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("measurements", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 3, 4, 6, 8, 60])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [_after(arguments.measurements, minutes) for minutes in arguments.minutes]
    if arguments.out:
        with arguments.out.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _after(folder: Path, minutes: float) -> dict[str, object]:
    orders, spent = _orders(folder, 60.0 * minutes)
    with tempfile.TemporaryDirectory() as work:
        part, models, scores = (Path(work) / name for name in ("part", "models", "scores.json"))
        counts = _part_of(folder, part, orders)
        _run("fit", part, "--out", models)
        _run("calibrate", part, "--models", models)
        networks = sorted((folder / "prototxts").glob("*.prototxt"))
        _run("evaluate", part, "--models", models, "--networks", *networks, "--out", scores)
        found = json.loads(scores.read_text(encoding="utf-8"))
    summary = found["network_summary"]
    row: dict[str, object] = {"minutes": round(spent / 60.0, 1), **counts}
    row |= {f"{t}_mape": round(summary[t]["mape"], 1) if t in summary else "" for t in TARGETS}
    row["covered"] = summary["runtime_ms"]["n"]
    print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    return row


def _orders(folder: Path, seconds: float) -> tuple[set[int], float]:
    """Places of the visits of layers and anchors made within so many seconds, and the seconds."""
    with gzip.open(folder / "visits.jsonl.gz", "rt", encoding="utf-8") as stream:
        visits = {record["visit"]: record for record in map(json.loads, stream)}
    kept: set[int] = set()
    spent = 0.0
    for record in sorted(visits.values(), key=lambda r: int(r["order"])):
        if record["kind"] == "network":
            continue
        if spent + record["wall_s"] > seconds:
            break
        spent += record["wall_s"]
        kept.add(int(record["order"]))
    return kept, spent


def _part_of(folder: Path, part: Path, orders: set[int]) -> dict[str, object]:
    """A copy of a platform with the rows of some visits and all networks; what it holds."""
    part.mkdir()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name in ("sha256", "checksums", "files"):
        manifest.pop(name, None)
    (part / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.copy(folder / "networks.csv", part)
    shutil.copytree(folder / "prototxts", part / "prototxts")
    keys: set[str] = set()
    powered: set[str] = set()
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if int(row["order"]) in orders]
        if not rows:
            continue
        keys |= {row["config_key"] for row in rows}
        powered |= {row["config_key"] for row in rows if row["power_w"]}
        with gzip.open(part / path.name, "wt", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return {"configurations": len(keys), "with_power": len(powered)}


def _run(command: str, *words: object) -> None:
    line = [sys.executable, "-m", "neuralpower", command, *map(str, words)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


if __name__ == "__main__":
    main()
