"""Scores of a platform's models: stored out-of-fold predictions, or fresh measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import OUT_OF_FOLD
from neuralpower.core.files import read_pieces
from neuralpower.modeling.baselines import Baseline, load_baselines
from neuralpower.modeling.data import Layers, load_dataset
from neuralpower.modeling.features import Array
from neuralpower.modeling.intervals import coverage_by_size
from neuralpower.modeling.metrics import coverage, mean_scores, rmspe, scores
from neuralpower.modeling.models import Model, ModelSet, load_models
from neuralpower.modeling.platforms import created, data_checksum
from neuralpower.networks.reading import Readings
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.sealing import refuse_changed
from neuralpower.scoring.accuracy import Accuracy, LayerScore, LayerScores

if TYPE_CHECKING:
    from neuralpower.networks.learning import Trial


def evaluate(
    measurements: str | Path,
    models: str | Path,
    prototxts: Sequence[Path] = (),
    readings: Readings | None = None,
) -> Accuracy:
    """The contents of accuracy.json.

    ``scored_on`` says what the layers' figures mean: ``out of fold`` when the measurements are
    those that were fitted (then the stored cross-validated predictions are scored), ``fresh
    measurements`` otherwise. Networks are scored when the folder has measured networks.
    Raises ``InputError`` for faulty tables or models, or where nothing can be scored.
    """
    platform = load_platform(measurements)
    refuse_changed(platform)
    fitted = load_models(models)
    checksum = data_checksum(platform)
    same = fitted.facts.get("data_sha256") == checksum
    result: Accuracy = {
        "platform": platform.name,
        "models_of": fitted.platform,
        "software": platform.software,
        "created": created(platform),
        "data_sha256": checksum,
        "scored_on": "out of fold" if same else "fresh measurements",
        "layers": (
            _stored_scores(Path(models), fitted) if same else score_layers(platform, models, fitted)
        ),
        "networks": {},
        "network_summary": {},
    }
    if platform.network_files:
        from neuralpower.networks.held_out import HeldOut, hold_out
        from neuralpower.scoring.networks import score_networks

        def hold(trials: Sequence[Trial]) -> HeldOut:
            return hold_out(platform.folder, models, fitted, trials)

        scored = score_networks(
            platform.folder,
            fitted,
            list(prototxts),
            models_dir=models,
            hold=hold if same else None,
            readings=readings,
        )
        result |= scored
    if not result["layers"] and not result["networks"]:
        text = f"nothing to score: no usable rows of a family that {models} has a model of"
        raise InputError(text, path=platform.folder)
    return result


def score_layers(
    platform: Platform | str | Path, models_dir: str | Path, models: ModelSet | None = None
) -> Mapping[str, LayerScores]:
    """Scores of stored models and baselines on a platform's measurements, as they are.

    Nothing is fitted here; families without a model are left out.
    """
    models = models or load_models(models_dir)
    baselines = load_baselines(models_dir)
    data = load_dataset(platform if isinstance(platform, Platform) else str(platform))
    result: dict[str, dict[str, LayerScore]] = {}
    for (family, target), layers in sorted(data.layers.items()):
        model = models.get(family, target)
        if model is None:
            continue
        guess = model.predict(layers.columns)
        entry = _entry(model, layers.measured, guess.value, guess.lo, guess.hi, layers.visits)
        beside = baselines.get((family, target), [])
        entry["baselines"] = {b.name: _rmspe_of(b, layers) for b in beside}
        entry["extrapolating"] = sum(bool(name) for name in guess.extrapolates)
        result.setdefault(family, {})[target] = cast(LayerScore, entry)
    return result


def _rmspe_of(baseline: Baseline, layers: Layers) -> float:
    figure: float = scores(layers.measured, baseline.predict(layers.columns))["rmspe"]
    return figure


def _stored_scores(folder: Path, models: ModelSet) -> Mapping[str, LayerScores]:
    """Scores of the stored out-of-fold predictions, recomputed from their table."""
    path = folder / OUT_OF_FOLD
    table = _stored_rows(path)
    result: dict[str, dict[str, LayerScore]] = {}
    for (family, target), model in sorted(models.models.items()):
        if not model.facts.get("scores"):
            # Nothing of it was cross-validated (``modeling.alike``, ``modeling.data_sheet``).
            continue
        if (family, target) not in table:
            raise InputError(f"has no rows of {family} {target}: fit again", path=path)
        deals = table[family, target]
        entries = [_entry(model, *np.array(list(rows.values())).T) for rows in deals.values()]
        entry = cast(LayerScore, {**mean_scores(entries), "visits": entries[0]["visits"]})
        entry["baselines"] = dict(model.facts.get("baselines", {}))
        kinds = (model.facts.get("scores") or {}).get("coverage_by_kind")
        entry["coverage_by_kind"] = dict(kinds or {})
        if target == "energy_mj":
            entry["derived_rmspe"] = _derived(family, table)
        result.setdefault(family, {})[target] = entry
    return result


#: By the key of a configuration: measured, predicted, lo, hi, visits.
_Rows = dict[str, tuple[float, ...]]


def _stored_rows(path: Path) -> dict[tuple[str, str], dict[str, _Rows]]:
    """The table of out-of-fold predictions: (family, target) -> deal of the folds -> rows."""
    numbers = ("measured", "predicted", "lo", "hi", "visits")
    table: dict[tuple[str, str], dict[str, _Rows]] = {}
    for piece in read_pieces(path, ("family", "target", "key", "deal", *numbers)):
        at = [piece.header.index(name) for name in ("family", "target", "key", "deal", *numbers)]
        for number, fields in enumerate(piece.records, piece.first):
            family, target, key, deal, *texts = (fields[i] for i in at)
            try:
                values = tuple(map(float, texts))
            except ValueError:
                raise InputError("a number is damaged: fit again", path=path, row=number) from None
            table.setdefault((family, target), {}).setdefault(deal, {})[key] = values
    return table


def _derived(family: str, table: Mapping[tuple[str, str], Mapping[str, _Rows]]) -> float:
    """RMSPE of predicted runtime times predicted power: energy without its own model."""
    found = []
    for deal, rows in table[family, "energy_mj"].items():
        # Of a family with many rows there is one deal only.
        times, powers = (
            table[family, t].get(deal) or next(iter(table[family, t].values()))
            for t in ("runtime_ms", "power_w")
        )
        keys = [key for key in rows if key in times and key in powers]
        measured = np.array([rows[key][0] for key in keys])
        found.append(rmspe(measured, np.array([times[k][1] * powers[k][1] for k in keys])))
    return float(np.mean(found))


def _entry(
    model: Model, measured: Array, predicted: Array, lo: Array, hi: Array, visits: np.ndarray
) -> dict[str, object]:
    return {
        **scores(measured, predicted),
        "visits": int(visits.sum()),
        "n_terms": model.n_terms,
        "candidate": model.candidate,
        "interval_coverage": coverage(measured, lo, hi),
        "interval_width": float(100.0 * np.median((hi - lo) / predicted)),
        "coverage_by_size": coverage_by_size(measured, predicted, lo, hi),
        "mean_ratio": float(measured.sum() / predicted.sum()),
    }
