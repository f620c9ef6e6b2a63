"""Readers of measurements: tables, manifests, records, logs of sensors."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import mutations
from mutations import change_json, change_lines
from target import SEEDS, Read, Target, files, packed, rows, seed, table


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
            (folder / plain).write_bytes(rows(name, 12))

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
    """Reading it, and by turns merging it or showing it."""
    _read_board(folder)
    (_merge_board, _read_page)[_size(folder) % 2](folder)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
        table = pyarrow.csv.read_csv(io.BytesIO(rows("conv.csv.gz", 20)))
        out = io.BytesIO()
        pyarrow.parquet.write_table(table, out, compression=compression)
        found.append(out.getvalue())
    return found


MEASUREMENTS: tuple[Target, ...] = (
    Target(
        "layer table",
        "conv.csv",
        lambda: [rows("conv.csv.gz", 12), rows("pool.csv.gz", 12)],
        table,
        _read_layer_table,
    ),
    Target("parquet", "conv.parquet", _parquet, mutations.change_bytes, _read_layer_table),
    Target(
        "networks table",
        "networks.csv",
        lambda: [rows("networks.csv", 12)],
        table,
        _read_networks_table,
        _with_rows("relu.csv.gz"),
    ),
    Target(
        "layers of networks",
        "network_layers.csv",
        lambda: [rows("network_layers.csv.gz", 40)],
        table,
        _read_networks_table,
        _with_rows("relu.csv.gz", "networks.csv"),
    ),
    Target(
        "manifest",
        "manifest.json",
        _unsealed_manifest,
        change_json,
        _both,
        _unsealed_board,
        document=True,
    ),
    Target(
        "visits",
        "visits.jsonl.gz",
        seed("board/visits.jsonl.gz"),
        packed(change_lines),
        _both,
        _unsealed_board,
    ),
    Target(
        "power log",
        "power/001.csv.gz",
        seed("board/power/001.csv.gz"),
        packed(table),
        _both,
        _unsealed_board,
    ),
    Target(
        "recorded table",
        "conv.csv.gz",
        seed("board/conv.csv.gz"),
        packed(table),
        _both,
        _unsealed_board,
    ),
    Target("run", "run.json", seed("board/run.json"), change_json, _read_run, document=True),
    Target(
        "journal",
        "visits.jsonl",
        lambda: [gzip.decompress((SEEDS / "board/visits.jsonl.gz").read_bytes())],
        change_lines,
        _read_run,
    ),
    Target(
        "characterise",
        "characterise.json",
        files("measurements/ort-cpu/characterise.*.json"),
        change_json,
        _read_characterised,
    ),
    Target(
        "characterise, shown",
        "characterise.json",
        files("measurements/ort-cpu/characterise.*.json"),
        change_json,
        _read_page,
        _unsealed_board,
    ),
)
