"""Platforms learnt from public measurements: ``published/<platform>/``, all of our own making.

A folder holds the recipe (where the measurements are and what they mean), the models that were
fitted on them, how accurate they are, and a card for people; never a measured value. Models may
keep configurations of measured layers (``modeling.neighbours``) where the source has a licence.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import (
    BASELINES,
    COMPOSITION,
    CROSS_VALIDATION,
    DATA_QUALITY,
    DATA_RANGES,
    MANIFEST,
    MODELS_INDEX,
    OUT_OF_FOLD,
)
from neuralpower.core.files import csv_text, read_rows, read_text, safe_name, write_text
from neuralpower.core.licence import NO_LICENCE
from neuralpower.importing.recipe import FILE, Recipe, load_recipe

if TYPE_CHECKING:
    from neuralpower.modeling.fitting import FitOptions

ROOT = Path("published")
PROTOTXTS = "prototxts"
MODELS, ACCURACY, CARD = "models", "accuracy.json", "card.md"
#: Tables beside the models that hold no row of the measurements.
_TABLES = (BASELINES, COMPOSITION, CROSS_VALIDATION, DATA_QUALITY,
           DATA_RANGES)  # fmt: skip
#: Candidates that are kept of each model's selection.
_CANDIDATES = 20
#: Coefficients of two fits of the same rows agree within this.
RELATIVE = 1e-9


@dataclass(frozen=True)
class Published:
    """A published platform: its folder and its recipe."""

    folder: Path
    recipe: Recipe

    @property
    def name(self) -> str:
        """The platform's name."""
        return self.recipe.name

    @property
    def models(self) -> Path:
        """The folder of its committed models."""
        return self.folder / MODELS

    @property
    def fitted(self) -> bool:
        """Whether models are committed."""
        return (self.models / MODELS_INDEX).is_file() and (self.folder / ACCURACY).is_file()

    def index(self) -> dict[str, Any]:
        """The index of the committed models; empty without models."""
        return read_json(self.models / MODELS_INDEX) if self.fitted else {}

    def model_files(self) -> list[Path]:
        """The committed files that make up the models, the index last.

        Raises ``InputError`` for an index that is none, or a file that is not there.
        """
        index = self.index()
        names = index.get("models")
        if not isinstance(names, list):
            raise InputError("no models: run `neuralpower published refit`", path=self.models)
        files = [self.models / safe_name(str(name), "model", self.models) for name in names]
        files += [self.models / name for name in _TABLES]
        for path in files:
            if not path.is_file():
                raise InputError("no such file: restore it from the repository", path=path)
        return [*files, self.models / MODELS_INDEX]


def published_names(root: Path = ROOT) -> list[str]:
    """Folders of published platforms, sorted; empty where there is no such folder."""
    return sorted(safe_name(path.parent.name, "platform") for path in root.glob(f"*/{FILE}"))


def find(name: str, root: Path = ROOT) -> Published:
    """One published platform; ``InputError`` naming those that there are."""
    known = published_names(root)
    if not known:
        raise InputError("has no published platform: run it in the project's folder", path=root)
    if name not in known:
        raise InputError(f"{name!r} is none of the published platforms ({', '.join(known)})")
    return Published(root / name, load_recipe(root / name))


def shown(root: Path = ROOT) -> list[str]:
    """The published platforms that ``platforms: all`` shows: fitted, and meant for the report."""
    found = (find(name, root) for name in published_names(root))
    return [one.name for one in found if one.fitted and one.recipe.in_report]


def files_of(name: str, root: Path = ROOT) -> list[str]:
    """The committed files that the results of a published platform come from."""
    one = find(name, root)
    found = [*one.model_files(), one.folder / ACCURACY, one.folder / FILE]
    return [path.as_posix() for path in found]


def fetched(results: Path = Path("results"), root: Path = ROOT) -> list[str]:
    """Published platforms whose measurements were fetched into the results folder."""
    folder = results / "measurements"
    return [n for n in published_names(root) if (folder / n / MANIFEST).is_file()]


def prototxts(root: Path = ROOT) -> list[Path]:
    """Networks in the form in which published platforms ran them."""
    return sorted((root / PROTOTXTS).glob("*.prototxt"))


def use(published: Published, results: Path) -> None:
    """Put the committed models and accuracy where the workflow reads those of every platform.

    The table of out-of-fold predictions is a header only: the measured rows are not here.
    """
    from neuralpower.modeling.fitting import OUT_OF_FOLD_COLUMNS

    files = published.model_files()
    out = results / "models" / published.name
    out.mkdir(parents=True, exist_ok=True)
    (out / MODELS_INDEX).unlink(missing_ok=True)
    for stale in out.glob("*.*.json"):
        if stale.name not in {path.name for path in files}:
            stale.unlink()
    for path in files[:-1]:
        write_text(out / path.name, read_text(path))
    write_text(out / OUT_OF_FOLD, csv_text(OUT_OF_FOLD_COLUMNS, ()))
    accuracy = results / "accuracy" / f"{published.name}.json"
    write_text(accuracy, read_text(published.folder / ACCURACY))
    write_text(out / MODELS_INDEX, read_text(files[-1]))


def fit_options(one: Published) -> FitOptions:
    """The default ones; of a source without a licence no model keeps measured layers."""
    from neuralpower.modeling.candidates import DEFAULT_CANDIDATES
    from neuralpower.modeling.fitting import FitOptions

    if one.recipe.source.licence == NO_LICENCE:
        return FitOptions(DEFAULT_CANDIDATES)
    return FitOptions()


def keep(published: Published, refitted: Path) -> None:
    """Commit what a refit made: its models without rows, its accuracy (``refitted/``)."""
    again = Published(refitted, published.recipe)
    files = again.model_files()
    shutil.rmtree(published.models, ignore_errors=True)
    for path in files:
        text = read_text(path)
        if path.name == CROSS_VALIDATION:
            text = _best_candidates(path)
        write_text(published.models / path.name, text)
    write_text(published.folder / ACCURACY, read_text(refitted / ACCURACY))


def _best_candidates(path: Path) -> str:
    """The table of candidates with the best few of each model only, and the chosen one."""
    header, rows = read_rows(path)
    kept: list[dict[str, str]] = []
    for model in dict.fromkeys((row["family"], row["target"]) for row in rows):
        own = [row for row in rows if (row["family"], row["target"]) == model]
        best = sorted(own, key=lambda row: float(row["rmspe"]))[:_CANDIDATES]
        kept += [row for row in own if row in best or row["chosen"] == "1"]
    return csv_text(header, kept)


@dataclass(frozen=True)
class Difference:
    """One place where two fits differ."""

    model: str
    what: str
    committed: str
    refitted: str


def differences(committed: Path, refitted: Path) -> list[Difference]:
    """Where the models of two folders differ: in terms, or in numbers beyond ``RELATIVE``."""
    one, two = (read_json(folder / MODELS_INDEX) for folder in (committed, refitted))
    names = [set(map(str, index.get("models", []))) for index in (one, two)]
    found = [Difference(name, "model", "", "new") for name in sorted(names[1] - names[0])]
    found += [Difference(name, "model", "there", "gone") for name in sorted(names[0] - names[1])]
    if one.get("data_sha256") != two.get("data_sha256"):
        shas = (str(index.get("data_sha256"))[:12] for index in (one, two))
        found.append(Difference(MODELS_INDEX, "data_sha256", *shas))
    for name in sorted(names[0] & names[1]):
        before, after = (_shape(read_json(folder / name)) for folder in (committed, refitted))
        found += [Difference(name, *change) for change in _changes(before, after)]
    return found


def _shape(model: Mapping[str, object]) -> dict[str, object]:
    """What a model computes, without what only describes it."""
    kept = ("equations", "anchor", "interval", "exponent", "parts", "guard", "lean", "limits",
            "launch_ms", "ranges", "relative_sd", "error_correlation", "mean_ratio")  # fmt: skip
    return {name: model.get(name) for name in kept}


def _changes(one: Any, two: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        for key in sorted({*one, *two}):
            yield from _changes(one.get(key), two.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from _changes(a, b, f"{place}[{i}]")
    elif _number(one) and _number(two):
        if not math.isclose(one, two, rel_tol=RELATIVE, abs_tol=1e-300):
            yield place, repr(one), repr(two)
    elif one != two:
        yield place, str(one)[:60], str(two)[:60]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
