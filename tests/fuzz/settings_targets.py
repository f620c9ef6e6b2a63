"""Readers of configurations, recipes, and of tables and records between the stages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mutations import change_json
from target import ROOT, Target, files, given, models, rows, table, yaml


def _read_config(folder: Path) -> None:
    from neuralpower.core.documents import read_yaml
    from neuralpower.core.errors import InputError
    from neuralpower.modeling.options import load_options
    from neuralpower.networks.reading import Readings
    from neuralpower.project.settings import settle
    from neuralpower.scoring.gate import load_tolerances
    from neuralpower.sweep.sweep_config import load_sweep

    path = folder / "config.yaml"
    faults = []
    for read in (load_options, load_tolerances, Readings, load_sweep):
        try:
            read(path)
        except InputError as error:
            faults.append(error)
    value = read_yaml(path)
    if isinstance(value, dict):
        settle(value, ROOT / "workflow/schemas/config.schema.yaml")
    if faults:
        raise faults[0]


def _read_data_sheet(folder: Path) -> None:
    from neuralpower.modeling.data_sheet import load_data_sheet

    load_data_sheet(folder / "sheet.yaml")


_SHEET = "device: x\npeak_gflops: 9300\nbandwidth_gb_s: 900\npower_cap_w: 200\nidle_power_w: 20\n"


def _read_recipe(folder: Path) -> None:
    from neuralpower.importing.conversion import manifest_facts
    from neuralpower.importing.recipe import load_recipe

    manifest_facts(load_recipe(folder))


def _read_overview(folder: Path) -> None:
    from neuralpower.networks.overview import read_overview

    for entry in read_overview(folder / "layers.csv"):
        _ = entry.reason if entry.refused else entry.as_row()


def _overview() -> list[bytes]:
    import tempfile

    from neuralpower.cli import main

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "layers.csv"
        networks = out.parent / "n"
        networks.mkdir()
        for name in ("lenet", "alexnet"):
            shutil.copy(ROOT / f"prototxts/{name}.prototxt", networks)
        main(["layers", str(networks), "--overview", str(out), "--out", str(out.parent / "l")])
        return [out.read_bytes()]


def _read_record(folder: Path) -> None:
    from neuralpower.project.provenance import configuration_of, differences, load_record

    record = load_record(folder / "results/provenance.json")
    differences(folder, record)
    configuration_of(folder)


_RECORD = {
    "schema_version": 1,
    "software": {"neuralpower": "1", "code_sha256": "0" * 64},
    "git": {"commit": "0" * 40, "changed": []},
    "configuration": {"networks": "all", "batch_sizes": [1]},
    "configuration_sha256": "0" * 64,
    "nodes": {
        "results/a.csv": {"sha256": "0" * 64, "made_by": "layers", "inputs": ["prototxts/a"]},
        "prototxts/a": {"sha256": "0" * 64, "made_by": "", "inputs": [], "files": {"b": "0" * 64}},
    },
}


def _read_configurations(folder: Path) -> None:
    from neuralpower.networks.configurations import predict_table

    predict_table(folder / "table.csv", models())


def _read_sweep_layers(folder: Path) -> None:
    from neuralpower.sweep.design import read_real_layers

    read_real_layers([folder / "table.csv"], ["lenet"])


def _layer_tables() -> list[bytes]:
    import contextlib
    import io

    from neuralpower.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(["layers", str(ROOT / "prototxts/lenet.prototxt"), "--format", "csv"])
    return [out.getvalue().encode()]


def _split(folder: Path) -> None:
    from neuralpower.project.shards import split

    split([folder / "table.csv"], 2, folder / "out")


SETTINGS: tuple[Target, ...] = (
    Target("configuration", "config.yaml", files("config/config.yaml"), yaml, _read_config),
    Target("data sheet", "sheet.yaml", given(_SHEET), yaml, _read_data_sheet),
    Target("recipe", "recipe.yaml", files("published/*/recipe.yaml"), yaml, _read_recipe),
    Target("overview", "layers.csv", _overview, table, _read_overview),
    Target(
        "provenance",
        "results/provenance.json",
        lambda: [json.dumps(_RECORD).encode()],
        change_json,
        _read_record,
        lambda folder: (folder / "results").mkdir(),
        document=True,
    ),
    Target(
        "configurations", "table.csv", lambda: [rows("conv.csv.gz", 8)], table, _read_configurations
    ),
    Target("near layers", "table.csv", _layer_tables, table, _read_sweep_layers),
    Target("shards", "table.csv", lambda: [rows("pool.csv.gz", 8)], table, _split),
)
