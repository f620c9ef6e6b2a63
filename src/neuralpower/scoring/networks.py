"""Whole networks that were measured against predictions composed from layer models.

Every network is predicted with a composition learnt from the *other* measured networks, so the
scores are those of a network that was never measured. The scores without anything learnt from
passes are beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from neuralpower.core.configuration import Prediction
from neuralpower.core.targets import TARGETS
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import network_rows
from neuralpower.networks.estimates import Models
from neuralpower.networks.held_out import HeldOut
from neuralpower.networks.learning import Trial, learn, load_trials
from neuralpower.networks.measured import Pass
from neuralpower.networks.reading import Readings
from neuralpower.scoring.accuracy import Accuracy, CompositionFacts, PassScore, PassSummary
from neuralpower.scoring.decomposition import decompose
from neuralpower.scoring.network_baselines import baseline_totals

#: name -> target -> entries, one per batch size.
Scores = dict[str, dict[str, list[PassScore]]]


def score_networks(
    measurements: str | Path,
    models: Models,
    prototxts: Sequence[str | Path] = (),
    *,
    models_dir: str | Path | None = None,
    readings: Readings | None = None,
    hold: Callable[[Sequence[Trial]], HeldOut] | None = None,
) -> Accuracy:
    """The network part of ``accuracy.json`` of a platform; all parts empty without networks.csv.

    ``networks``: name -> target -> a list of ``{batch, measured, half_range, runs, predicted, lo,
    hi, error_percent, coverage, baselines}``, one per batch size; runtime in ms, power in W, energy
    in mJ. ``network_summary``: target -> ``{n, networks, mape, rmspe, median_ape, bias_percent,
    interval_coverage, baselines}``; ``network_summary_plain``: the same without factors and
    scales learnt from passes; ``networks_without_prototxt``: names; ``network_composition``: what
    all passes teach; ``network_decomposition``: see that module.

    ``hold`` gives the passes as models estimate them that were fitted without each network's
    configurations (``networks.held_out``), where the models were fitted on these measurements and
    share layers with the networks: ``networks_held_out`` is then ``by configuration``, else ``by
    passes``, and ``network_shared_percent`` is the share of time in fitted configurations.

    ``prototxts`` are the networks that can be predicted, by file stem; files in the platform's
    own ``prototxts/`` folder override the same names. With ``models_dir``, the totals of the
    baselines that were fitted beside the models are given too. Raises ``InputError`` as the
    readers do.
    """
    trials, missing = load_trials(measurements, models, prototxts, readings)
    without = HeldOut(0.0) if hold is None else hold(trials)
    trials, held_out = _each_held_out(trials, without)
    plain = [_rows(trial, Composition()) for trial in trials]
    composition = learn(trials, without.trials)
    beside = baseline_totals([trial.network for trial in trials], models_dir)
    scores = _all_scores(trials, held_out, beside)
    result: Accuracy = {
        "networks": scores,
        "network_summary": summary(scores),
        "network_summary_plain": summary(_all_scores(trials, plain, beside)),
        "networks_without_prototxt": sorted(missing),
    }
    if trials:
        result["network_shared_percent"] = 100 * without.shared
        result["networks_held_out"] = "by configuration" if without.trials else "by passes"
        result["network_composition"] = cast(CompositionFacts, composition.to_json())
        result["network_decomposition"] = decompose(measurements, trials, held_out, models)
    return result


def _each_held_out(
    trials: Sequence[Trial], without: HeldOut
) -> tuple[list[Trial], list[list[Prediction]]]:
    """Every pass as models without its network estimate it, and its rows of prediction by a
    composition that the other networks taught."""
    own, rows = [], []
    for name in sorted({trial.measured.architecture for trial in trials}):
        others = {
            other: [t for t in seen if t.measured.architecture != name]
            for other, seen in without.trials.items()
            if other != name
        }
        seen = without.of(name, trials)
        composition = learn([t for t in seen if t.measured.architecture != name], others)
        for trial in seen:
            if trial.measured.architecture == name:
                own.append(trial)
                rows.append(_rows(trial, composition))
    return own, rows


def _rows(trial: Trial, composition: Composition) -> list[Prediction]:
    return network_rows(trial.network, trial.estimates, composition)


def _all_scores(
    trials: Sequence[Trial],
    rows: Sequence[Sequence[Mapping[str, object]]],
    beside: Sequence[Mapping[str, float]],
) -> Scores:
    scores: Scores = {}
    for trial, predicted, baselines in zip(trials, rows, beside, strict=True):
        targets = scores.setdefault(trial.measured.network, {})
        for target, entry in _scores(trial.measured, predicted[-1], baselines).items():
            targets.setdefault(target, []).append(entry)
    return scores


def _scores(
    measured: Pass, total: Mapping[str, Any], baselines: Mapping[str, float]
) -> dict[str, PassScore]:
    scores: dict[str, PassScore] = {}
    for target in TARGETS:
        value, predicted = measured.values.get(target), total[target]
        if value is None or predicted is None:
            continue
        scores[target] = {
            "batch": measured.batch,
            "measured": value,
            "half_range": measured.half_ranges.get(target),
            "runs": measured.runs,
            "predicted": predicted,
            "lo": total[f"{target}_lo"],
            "hi": total[f"{target}_hi"],
            "error_percent": 100 * (predicted / value - 1),
            "coverage": total["note"],
        }
        if target == "runtime_ms" and baselines:
            scores[target]["baselines"] = dict(baselines)
    return scores


def summary(scores: Scores) -> dict[str, PassSummary]:
    """Errors over all network-batch pairs by target, in per cent of the measurement."""
    result: dict[str, PassSummary] = {}
    for target in TARGETS:
        entries = [e for targets in scores.values() for e in targets.get(target, [])]
        if not entries:
            continue
        errors = np.array([entry["error_percent"] for entry in entries])
        inside = [entry["lo"] <= entry["measured"] <= entry["hi"] for entry in entries]
        result[target] = {
            "n": len(entries),
            "networks": sum(target in targets for targets in scores.values()),
            "mape": float(np.abs(errors).mean()),
            "rmspe": float(np.sqrt((errors**2).mean())),
            "median_ape": float(np.median(np.abs(errors))),
            "bias_percent": float(errors.mean()),
            "interval_coverage": float(100 * np.mean(inside)),
        }
        names = sorted(set.intersection(*(set(entry.get("baselines", {})) for entry in entries)))
        if names:
            result[target]["baselines"] = {
                name: float(
                    np.mean([100 * abs(e["baselines"][name] / e["measured"] - 1) for e in entries])
                )
                for name in names
            }
    return result
