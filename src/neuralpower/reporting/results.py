"""The tables of a results folder, read once and only when a page asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import CROSS_VALIDATION, MANIFEST, MODELS_INDEX
from neuralpower.core.files import read_rows, read_text, safe_name
from neuralpower.core.licence import licence_words
from neuralpower.core.network_files import network_files
from neuralpower.core.targets import TARGETS
from neuralpower.networks.overview import Listed, read_overview
from neuralpower.networks.text import TOTAL
from neuralpower.scoring.accuracy import Accuracy

if TYPE_CHECKING:
    from neuralpower.records.checks import Report

Row = dict[str, Any]

_NUMBERS = frozenset(
    {"index", "batch", "macs", "runtime_share", "energy_share", "coverage", "extrapolates_by"}
    | {t + e for t in TARGETS for e in ("", "_lo", "_hi")}
)


def typed(row: Mapping[str, str], numbers: frozenset[str] = _NUMBERS) -> Row:
    """A row with its number columns as floats; empty is None."""
    return {
        name: (float(text) if name in numbers else text) if text else None
        for name, text in row.items()
    }


def is_total(row: Mapping[str, object]) -> bool:
    """Whether a prediction row is a network's total (a layer may have the same name)."""
    return row["name"] == TOTAL and row["index"] is None


def read_typed(path: Path, numbers: frozenset[str], required: Sequence[str] = ()) -> list[Row]:
    """A CSV table with its number columns as floats.

    Raises ``InputError`` naming the row of a field that is not a number.
    """
    rows = []
    for n, row in enumerate(read_rows(path, required)[1], 1):
        try:
            rows.append(typed(row, numbers))
        except ValueError as error:
            raise InputError(str(error), path=path, row=n) from None
    return rows


def optional_json(path: Path) -> dict[str, object]:
    """A JSON object; an empty one where there is no file."""
    return read_json(path) if path.exists() else {}


_CREDITED = ("title", "authors", "repository", "commit", "licence")


@dataclass(frozen=True, slots=True)
class Credit:
    """What is to be cited for a platform that others measured."""

    platform: str
    title: str
    authors: str
    repository: str
    commit: str
    licence: str

    @property
    def licence_words(self) -> str:
        """What the source says of its licence."""
        return licence_words(self.licence)


@dataclass(frozen=True)
class PlatformResults:
    """What the results folder holds about one platform; absent tables are empty."""

    name: str
    results: Path
    measurements: Path | None
    _ranges: dict[str, Mapping[str, Sequence[float]]] = field(default_factory=dict, repr=False)

    @property
    def models_folder(self) -> Path:
        """The folder of the platform's models."""
        return self.results / "models" / self.name

    @cached_property
    def accuracy(self) -> Accuracy:
        """``accuracy.json``."""
        path = self.results / "accuracy" / f"{self.name}.json"
        return cast(Accuracy, optional_json(path))

    @cached_property
    def models(self) -> dict[str, Any]:
        """The index of the models, ``models.json``."""
        return optional_json(self.models_folder / MODELS_INDEX)

    @cached_property
    def manifest(self) -> dict[str, object]:
        """``manifest.json`` of the measurements."""
        if self.measurements is None:
            return {}
        return optional_json(self.measurements / MANIFEST)

    @property
    def is_recorded(self) -> bool:
        """Whether the folder of its measurements is here, with tables: it has a page then."""
        folder = self.measurements
        return folder is not None and any(
            path.name.endswith((".csv", ".csv.gz", ".parquet")) for path in folder.glob("*")
        )

    def table(
        self, name: str, numbers: frozenset[str] = frozenset(), words: Sequence[str] = ()
    ) -> list[Row]:
        """A table of the models' folder, empty where there is none; it must have these columns."""
        path = self.models_folder / name
        return read_typed(path, numbers, [*words, *sorted(numbers)]) if path.exists() else []

    @cached_property
    def candidates(self) -> list[Row]:
        """What was tried for every model, with its cross-validated error."""
        numbers = frozenset({"n_terms", "rmspe", "standard_error", "chosen"})
        return self.table(CROSS_VALIDATION, numbers, ("family", "target", "candidate"))

    def model(self, family: str, target: str) -> dict[str, Any]:
        """One model's file."""
        return optional_json(
            self.models_folder / f"{safe_name(family, 'family')}.{safe_name(target, 'target')}.json"
        )

    def ranges(self, family: str) -> Mapping[str, Sequence[float]]:
        """Measured least and largest of each column of a family's layers."""
        if family not in self._ranges:
            self._ranges[family] = self.model(family, "runtime_ms").get("ranges", {})
        return self._ranges[family]

    def prediction_file(self, network: str) -> Path:
        """The prediction table of a network."""
        return self.results / "predictions" / self.name / f"{network}.csv"

    @property
    def networks(self) -> list[str]:
        """Networks with predictions."""
        folder = self.results / "predictions" / self.name
        return sorted(path.stem for path in folder.glob("*.csv"))

    def predictions(self, network: str) -> list[Row]:
        """All rows of a network, totals included; empty where there are none."""
        path = self.prediction_file(network)
        return read_typed(path, _NUMBERS, PREDICTION_COLUMNS[:19]) if path.exists() else []

    @cached_property
    def _totals(self) -> dict[str, list[Row]]:
        """The rows of the table of all totals, by network."""
        path = self.results / "predictions" / f"{self.name}.csv"
        found: dict[str, list[Row]] = {}
        for row in read_typed(path, _NUMBERS, PREDICTION_COLUMNS[:19]) if path.exists() else []:
            found.setdefault(str(row["network"]), []).append(row)
        return found

    def totals(self, network: str) -> list[Row]:
        """The ``TOTAL`` rows of a network that have a figure, in the table's order."""
        rows = self._totals.get(network)
        if rows is None:
            rows = [row for row in self.predictions(network) if is_total(row)]
        return [row for row in rows if row["runtime_ms"] is not None]

    @cached_property
    def _changes(self) -> dict[str, list[Row]]:
        from neuralpower.networks.explaining import COLUMNS

        path = self.results / "changes" / f"{self.name}.csv"
        words = {"network", "name", "type", "bound", *(n for n in COLUMNS if n.endswith("_note"))}
        found: dict[str, list[Row]] = {}
        for row in read_typed(path, frozenset(COLUMNS) - words, COLUMNS) if path.exists() else []:
            found.setdefault(str(row["network"]), []).append(row)
        return found

    def changes(self, network: str) -> list[Row]:
        """The costliest layers and what changing them would save; empty where there is no table."""
        return self._changes.get(network, [])

    @cached_property
    def checked(self) -> Report | None:
        """What ``measurements check`` finds in the folder; None without one that can be read."""
        from neuralpower.records.checks import check
        from neuralpower.records.folder import load_platform

        if not self.is_recorded or self.measurements is None:
            return None
        try:
            return check(load_platform(self.measurements))
        except InputError:
            return None

    def own_prototxt(self, network: str) -> bool:
        """Whether the platform ran the network from its own prototxt."""
        folder = self.measurements
        return folder is not None and network in network_files(folder / "prototxts")

    @cached_property
    def why_no_power(self) -> str:
        """Why there are no power figures; empty where there are some."""
        if any(name.endswith(".power_w.json") for name in self.of_data_sheet):
            return ""
        fitted = self.models.get("rows", {}).values()
        scored = self.accuracy.get("layers", {}).values()
        if any(rows.get("with_power") for rows in fitted) or any(t.get("power_w") for t in scored):
            return ""
        power = self.manifest.get("power")
        reason = power.get("reason") if isinstance(power, dict) else self.models.get("power_reason")
        return str(reason or "its measurements hold no power")

    @cached_property
    def of_data_sheet(self) -> list[str]:
        """Files of models that come from the device's data sheet, without a measurement."""
        names = self.models.get("data_sheet")
        return [str(name) for name in names] if isinstance(names, list) else []

    @property
    def unmeasured(self) -> bool:
        """Whether nothing was measured on the device: all models come from its data sheet."""
        return bool(self.of_data_sheet) and not self.models.get("rows")

    @property
    def has_power(self) -> bool:
        """Whether power and energy are predicted."""
        return not self.why_no_power

    @property
    def credit(self) -> Credit | None:
        """Who measured it, where others did (``published/``); None for measurements of ours."""
        source = self.models.get("published")
        if not isinstance(source, Mapping):
            return None
        said = {name: str(source.get(name) or "") for name in _CREDITED}
        return Credit(self.name, **said)

    def fact(self, name: str) -> str:
        """A fact of the manifest, or of the models' index, in words; empty if not known."""
        value = self.manifest.get(name) or self.models.get(name)
        if isinstance(value, Mapping):
            return ", ".join(f"{key} {item}" for key, item in value.items())
        if isinstance(value, list):
            return ", ".join(str(item) for item in value)
        return "" if value is None else str(value)


@dataclass(frozen=True)
class Results:
    """A results folder: networks, platforms, and the facts of ``networks.yaml``."""

    folder: Path
    measurement_folders: Sequence[Path] = ()
    networks_file: Path | None = None
    wanted_networks: Sequence[str] | None = None
    wanted_platforms: Sequence[str] | None = None
    #: An earlier run to compare with.
    other: Results | None = None
    _platforms: dict[str, PlatformResults] = field(default_factory=dict)

    @cached_property
    def networks(self) -> list[str]:
        """Networks that have a layer table or predictions, sorted: all, or those wanted."""
        found = {path.stem for path in (self.folder / "layers").glob("*.csv")}
        for name in self.platforms:
            found |= set(self.platform(name).networks)
        wanted = self._wanted
        # Tables of a network whose file was taken away may still lie there.
        return sorted(found if wanted is None else found & wanted)

    @cached_property
    def unread(self) -> dict[str, str]:
        """Why networks that are wanted have no layer table, by name: their file is at fault."""
        refused = {entry.network: entry.reason for entry in self.overview if entry.refused}
        wanted = refused if self.wanted_networks is None else self.wanted_networks
        return {
            name: refused.get(name, "it has no layer table: run the workflow")
            for name in sorted(set(wanted) - set(self.networks))
        }

    @cached_property
    def overview(self) -> list[Listed]:
        """Every file of the folder of networks, as the layers stage listed it."""
        path = self.folder / "layers.csv"
        return read_overview(path) if path.exists() else []

    @cached_property
    def _wanted(self) -> frozenset[str] | None:
        if self.wanted_networks is not None:
            return frozenset(self.wanted_networks)
        files = network_files(self.networks_file.parent) if self.networks_file is not None else {}
        return frozenset(files) or None

    def log(self, *stage: str) -> str:
        """The last line of a stage's log, as ``log("layers", "lenet")``; empty without one."""
        path = self.folder / "logs" / Path(*stage[:-1], f"{stage[-1]}.log")
        lines = read_text(path).strip().splitlines() if path.is_file() else []
        return lines[-1].removeprefix("neuralpower: ") if lines else ""

    @cached_property
    def platforms(self) -> list[str]:
        """Platforms with predictions, models or an accuracy file, sorted: all, or those wanted.

        A platform whose files cannot be read is among ``broken`` instead.
        """
        return [name for name in self._found_platforms if name not in self.broken]

    @cached_property
    def broken(self) -> dict[str, str]:
        """Platforms that cannot be shown, with the reason: a fault in a file, or nothing fitted."""
        found: dict[str, str] = {}
        for name in self._found_platforms:
            platform = self.platform(name)
            try:
                _ = platform.accuracy, platform.models, platform.manifest
            except InputError as error:
                found[name] = str(error)
        # Results that a stage has lost since are those of an earlier run: they are not shown.
        for name in sorted(set(self.wanted_platforms or ()) - set(found)):
            kept = (self.folder / "models" / name / MODELS_INDEX,
                    self.folder / "accuracy" / f"{name}.json")  # fmt: skip
            if not all(path.is_file() for path in kept):
                stages = ("checksums", "fit", "evaluate")
                said = (self.log(stage, name) for stage in stages)
                found[name] = next(filter(None, said), "nothing was fitted: run the workflow")
        return found

    @cached_property
    def _found_platforms(self) -> list[str]:
        found = {path.stem for path in (self.folder / "accuracy").glob("*.json")}
        for kind in ("models", "predictions"):
            found |= {path.name for path in (self.folder / kind).glob("*") if path.is_dir()}
        if self.wanted_platforms is not None:
            found &= set(self.wanted_platforms)
        return sorted(found)

    def platform(self, name: str) -> PlatformResults:
        """One platform's results."""
        if name not in self._platforms:
            self._platforms[name] = PlatformResults(name, self.folder, self._measurements(name))
        return self._platforms[name]

    def _measurements(self, name: str) -> Path | None:
        for folder in (*self.measurement_folders, self.folder / "measurements"):
            for candidate in (folder / name, folder):
                if candidate.name == name and candidate.is_dir():
                    return candidate
        return None

    def layers_file(self, network: str) -> Path:
        """The layer table of a network."""
        return self.folder / "layers" / f"{network}.csv"

    def layers(self, network: str) -> list[Row]:
        """The layer table of a network, empty where there is none."""
        path = self.layers_file(network)
        numbers = {"index", "params", "macs", "input_elements", "output_elements", "supported"}
        if not path.exists():
            return []
        numbers |= {"weight_elements", "batch"}
        return read_typed(path, frozenset(numbers), ("network", "name", "type", *sorted(numbers)))

    @cached_property
    def published(self) -> dict[str, dict[str, object]]:
        """Facts of the networks (title, paper, published errors), by name."""
        if self.networks_file is None or not self.networks_file.exists():
            return {}
        from neuralpower.networks.published import read_published

        return read_published(self.networks_file)


def with_power_first(results: Results) -> list[PlatformResults]:
    """The platforms in the order of pages: those with power first, then those of our measurement,
    each part by name."""
    found = [results.platform(name) for name in results.platforms]
    return sorted(found, key=lambda p: (not p.has_power, p.credit is not None))
