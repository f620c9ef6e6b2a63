"""A recipe and its source files to a folder of measurement tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORK_TABLE
from neuralpower.core.files import csv_text, write_text
from neuralpower.importing.mapped_table import read_table
from neuralpower.importing.recipe import Recipe, SourceFile
from neuralpower.importing.rows import Pass, Visit
from neuralpower.importing.torch_log import read_layers, read_networks
from neuralpower.records.manifest import Manifest, write_manifest

LAYER_COLUMNS = (*CONFIGURATION_COLUMNS, "runtime_ms", "power_w", "repeat")
NETWORK_COLUMNS = (*("network", "input", "batch", "runtime_ms", "power_w", "energy_mj", "runs"),)
#: Significant digits that are kept of the figures: far more than a repeat agrees in.
_LAYER_DIGITS = {"runtime_ms": 6, "power_w": 5}
_NETWORK_DIGITS = {"runtime_ms": 6, "power_w": 6, "energy_mj": 6}


def convert(recipe: Recipe, sources: Path, out: Path) -> Path:
    """Write the measurement folder of a recipe from its source files below ``sources``.

    One table per family, ``networks.csv`` where networks were measured, and the manifest. A
    configuration's visits count in ``repeat`` in the order of files and lines. The same sources
    give the same bytes. Raises ``InputError`` as the readers do; then nothing is written.
    """
    tables: dict[str, list[dict[str, object]]] = {}
    visits: dict[str, int] = {}
    networks: list[dict[str, object]] = []
    for file in recipe.files:
        for row in _rows(file, sources / file.path):
            if isinstance(row, Pass):
                networks.append(_network_row(row))
                continue
            figures = _figures(row, _LAYER_DIGITS)
            key = row.configuration.key()
            visits[key] = visits.get(key, 0) + 1
            tables.setdefault(row.configuration.family, []).append(
                {**_configuration(row), **figures, "repeat": visits[key]}
            )
    if not tables:
        raise InputError("the sources hold no layer that can be read", path=sources)
    names = []
    for family, rows in sorted(tables.items()):
        rows.sort(key=lambda row: (row["repeat"], *(row[name] for name in CONFIGURATION_COLUMNS)))
        names.append(f"{family}.csv.gz")
        write_text(out / names[-1], csv_text(LAYER_COLUMNS, rows))
    if networks:
        networks.sort(key=lambda row: (row["network"], row["input"], row["batch"]))
        names.append(NETWORK_TABLE)
        write_text(out / names[-1], csv_text(NETWORK_COLUMNS, networks))
    write_manifest(out, Manifest.of(manifest_facts(recipe)), names)
    return out


def manifest_facts(recipe: Recipe) -> dict[str, object]:
    """What a recipe knows of its platform, as entries of a manifest."""
    powered = any("power_w" in file.columns for file in recipe.files)
    reason = recipe.facts.get("power_reason", "the source has no power")
    kept = {key: value for key, value in recipe.facts.items() if key != "power_reason"}
    return {
        **kept,
        "platform": recipe.name,
        "title": recipe.title,
        "device": recipe.device,
        "software": recipe.software,
        "description": recipe.description,
        **({"batch_sizes": list(recipe.batch_sizes)} if recipe.batch_sizes else {}),
        "power": {"measured": True} if powered else {"measured": False, "reason": reason},
        "published": {
            "title": recipe.source.title,
            "authors": recipe.source.authors,
            "repository": recipe.source.repository,
            "commit": recipe.source.commit,
            "licence": recipe.source.licence,
        },
        "sources": {file.path: file.sha256 for file in recipe.files},
    }


def _rows(file: SourceFile, path: Path) -> Iterator[Visit | Pass]:
    if file.reader == "torch layers":
        return read_layers(path, file.fields, file.columns)
    if file.reader == "torch networks":
        return read_networks(path, file.fields, file.columns)
    return read_table(path, file.family, file.columns, file.pool_method)


def _configuration(visit: Visit) -> dict[str, object]:
    return {name: getattr(visit.configuration, name) for name in CONFIGURATION_COLUMNS}


def _network_row(measured: Pass) -> dict[str, object]:
    return {
        "network": measured.network,
        "input": measured.input,
        "batch": measured.batch,
        **_figures(measured, _NETWORK_DIGITS),
        "runs": 1,
    }


def _figures(row: Visit | Pass, digits: Mapping[str, int]) -> dict[str, float | None]:
    values = {name: getattr(row, name) for name in digits}
    return {
        name: None if value is None else float(f"{value:.{digits[name]}g}")
        for name, value in values.items()
    }
