"""What a model is compared with: simple, physical and published predictors.

Each baseline is the largest of one or more linear equations, so it is stored and evaluated like a
model. Scores are out of fold: a baseline with a parameter is fitted on the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import BASELINES
from neuralpower.core.plausible import impossible_facts
from neuralpower.modeling.crossvalidation import Candidate, Problem, Trial, try_candidate
from neuralpower.modeling.features import Array, Columns, FeatureTable
from neuralpower.modeling.members import Equation, equation_from_json, equation_to_json
from neuralpower.modeling.metrics import scores
from neuralpower.modeling.terms import INTERCEPT, Factor, Term, TermTable
from neuralpower.modeling.vocabularies import vocabulary

BYTES = 4.0
PALEO_FAMILIES = ("conv", "fc", "pool")
PAPER = Candidate("paper", "absolute", "lasso")


@dataclass(frozen=True)
class Device:
    """Peak rate (10^9 floating-point operations a second) and memory bandwidth (GB/s), if known;
    what the board draws when idle and at its cap (W), if known."""

    peak_gflops: float | None = None
    bandwidth_gb_s: float | None = None
    idle_power_w: float | None = None
    power_cap_w: float | None = None


def refuse_facts(device: Device, path: str | Path) -> None:
    """``InputError`` for facts that no device has: one beyond what there is, or a board that draws
    no less when idle than at its limit."""
    for reason in impossible_facts(asdict(device)):
        raise InputError(reason, path=path)


@dataclass(frozen=True)
class Baseline:
    """A baseline of a family: the largest of its equations; ``scores`` as of ``metrics.scores``."""

    family: str
    name: str
    equations: tuple[Equation, ...]
    scores: Mapping[str, Any]

    def predict(self, columns: Columns) -> Array:
        """Predicted values (n,) for configuration columns; may be negative (the paper's)."""
        table = TermTable(FeatureTable(columns, self.family))
        return np.asarray(np.max([e.raw(table) for e in self.equations], axis=0))

    def to_json(self) -> dict[str, object]:
        """Equations and scores as JSON values."""
        equations = [equation_to_json(e) for e in self.equations]
        return {"equations": equations, "scores": dict(self.scores)}

    @classmethod
    def from_json(cls, family: str, name: str, value: object) -> Baseline:
        """The baseline of ``to_json``; errors as of ``models.Model.from_json``."""
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")
        equations = tuple(equation_from_json(e) for e in value["equations"])
        return cls(family, name, equations, dict(value["scores"]))


_Fit = Callable[[FeatureTable, Array], tuple[Equation, ...]]


def _linear(parts: Mapping[Term, float]) -> Equation:
    return Equation("linear", tuple(parts), tuple(float(c) for c in parts.values()))


def _feature(name: str) -> Term:
    return (Factor(name),)


def _constant(table: FeatureTable, measured: Array) -> tuple[Equation, ...]:
    # The constant of least relative error: a mean of 1/y over a mean of 1/y^2.
    return (_linear({INTERCEPT: _relative_slope(np.ones(len(measured)), measured)}),)


def _relative_slope(x: Array, measured: Array) -> float:
    """The c that makes sum((c x / y - 1)^2) least."""
    ratio = x / measured
    return float(ratio.sum() / (ratio**2).sum())


def _proportional(name: str) -> _Fit:
    def fit(table: FeatureTable, measured: Array) -> tuple[Equation, ...]:
        return (_linear({_feature(name): _relative_slope(table[name], measured)}),)

    return fit


def _roofline(work: str, traffic: str) -> _Fit:
    """max(work / rate, traffic / bandwidth), both fitted (Williams et al., 2009)."""

    def fit(table: FeatureTable, measured: Array) -> tuple[Equation, ...]:
        x, z = table[work], table[traffic]
        best: tuple[float, float, float] | None = None
        for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):  # starting shares of the two regimes
            bound = x / z > np.quantile(x / z, quantile)
            a, b = 0.0, 0.0
            for _ in range(50):
                a = _relative_slope(x[bound], measured[bound]) if bound.any() else a
                b = _relative_slope(z[~bound], measured[~bound]) if (~bound).any() else b
                again = a * x > b * z
                if (again == bound).all():
                    break
                bound = again
            error = float(np.mean((np.maximum(a * x, b * z) / measured - 1.0) ** 2))
            if best is None or error < best[0]:
                best = (error, a, b)
        assert best is not None
        return (_linear({_feature(work): best[1]}), _linear({_feature(traffic): best[2]}))

    return fit


def _fixed_roofline(work: str, traffic: str, device: Device) -> _Fit:
    assert device.peak_gflops is not None
    assert device.bandwidth_gb_s is not None
    compute = 2.0 / (device.peak_gflops * 1e6)
    memory = BYTES / (device.bandwidth_gb_s * 1e6)

    def fit(table: FeatureTable, measured: Array) -> tuple[Equation, ...]:
        return (_linear({_feature(work): compute}), _linear({_feature(traffic): memory}))

    return fit


def paleo_features(family: str) -> tuple[str, str]:
    """The features that Paleo counts as work (half its operations) and as moved elements."""
    if family == "pool":
        return "operations", "paleo_pool_elements"
    return vocabulary(family).main, "paleo_elements"


def paleo(family: str, device: Device, percent_of_peak: float = 1.0) -> Equation:
    """Paleo's layer time in ms (Qi, Sparks, Talwalkar, 2017) for a known device.

    ``T = bytes / bandwidth + operations / (peak * percent_of_peak)``; its memory terms divide
    by 2^30 bytes a gigabyte, its rate by 10^9. Layers other than convolution, inner product and
    pooling cost their input and output only.
    """
    assert device.peak_gflops is not None
    assert device.bandwidth_gb_s is not None
    memory = BYTES * 1e3 / (device.bandwidth_gb_s * 2.0**30)
    if family not in PALEO_FAMILIES:
        return _linear({_feature("transferred"): memory})
    work, traffic = paleo_features(family)
    compute = 2.0 / (device.peak_gflops * 1e6 * percent_of_peak)
    return _linear({_feature(work): compute, _feature(traffic): memory})


def _paleo_fitted(family: str, device: Device) -> _Fit:
    """One fitted share of peak where the device is known; else rate and bandwidth are fitted."""
    work, traffic = paleo_features(family)

    def fit(table: FeatureTable, measured: Array) -> tuple[Equation, ...]:
        x, z = table[work] / measured, table[traffic] / measured
        if device.peak_gflops is not None and device.bandwidth_gb_s is not None:
            memory = paleo(family, device).coefficients[1]
            a = max(0.0, float((x * (1.0 - memory * z)).sum() / (x * x).sum()))
            return (_linear({_feature(work): a, _feature(traffic): memory}),)
        from scipy.optimize import nnls

        scale = np.array([np.sqrt((x * x).sum()), np.sqrt((z * z).sum())])
        solution, _ = nnls(np.stack([x, z], axis=1) / scale, np.ones(len(measured)))
        a, b = (float(c) for c in solution / scale)
        return (_linear({_feature(work): a, _feature(traffic): b}),)

    return fit


def _fits(problem: Problem, device: Device) -> dict[str, _Fit]:
    fits: dict[str, _Fit] = {"constant": _constant}
    family = problem.layers.family
    if problem.layers.target == "power_w":
        return fits
    main = vocabulary(family).main
    fits["macs" if main.endswith("macs") else "elements"] = _proportional(main)
    if problem.layers.target != "runtime_ms":
        return fits
    known = device.peak_gflops is not None and device.bandwidth_gb_s is not None
    if main != "transferred":
        fits["roofline"] = _roofline(main, "moved_elements")
        if known:
            fits["roofline_given"] = _fixed_roofline(main, "moved_elements", device)
    if family in PALEO_FAMILIES:
        fits["paleo_fitted"] = _paleo_fitted(family, device)
        if known:
            fits["paleo_ppp1"] = lambda table, measured: (paleo(family, device),)
    return fits


def score_baselines(problem: Problem, device: Device) -> list[Baseline]:
    """All baselines that apply, scored out of fold and fitted on all rows for later use."""
    measured, family = problem.layers.measured, problem.layers.family
    result = []
    for name, fit in _fits(problem, device).items():
        predicted = np.empty(len(measured))
        for fold, rows in enumerate(problem.rows):
            kept = problem.layers.take(np.flatnonzero(problem.folds != fold))
            equations = fit(kept.table(), kept.measured)
            table = TermTable(problem.features(fold))
            predicted[rows] = np.max([e.raw(table) for e in equations], axis=0)
        equations = fit(problem.table, measured)
        result.append(Baseline(family, name, equations, scores(measured, predicted)))
    return result + _paper(problem)


def _paper(problem: Problem) -> list[Baseline]:
    """The published recipe: its terms, absolute errors, the penalty of least squared CV error."""
    trial = try_candidate(problem, PAPER, guarded=False)
    if trial is None:
        return []
    measured = problem.layers.measured
    predicted = np.empty(len(measured))
    for fold, rows in enumerate(problem.rows):
        others = problem.folds != fold
        errors = (trial.inner[fold][others].astype(np.float64) - measured[others, None]) ** 2
        predicted[rows] = trial.outer[rows, int(np.argmin(errors.mean(axis=0)))]
    size = int(np.argmin(((trial.outer - measured[:, None]) ** 2).mean(axis=0)))
    equation = trial.equation(size, 1.0, 1.0)
    fitted = equation.raw(TermTable(problem.table))
    return [
        Baseline(
            problem.layers.family,
            "paper",
            (equation,),
            {**scores(measured, predicted), "n_terms": _terms(trial, size)},
        ),
        Baseline(
            problem.layers.family,
            "paper_in_sample",
            (equation,),
            {**scores(measured, fitted), "n_terms": _terms(trial, size)},
        ),
    ]


def _terms(trial: Trial, size: int) -> int:
    return int(trial.counts[size])


def load_baselines(models_dir: str | Path) -> dict[tuple[str, str], list[Baseline]]:
    """The baselines that ``fit`` stored beside the models, by family and target."""
    path = Path(models_dir) / BASELINES
    try:
        value = read_json(path, "baselines")
        return {
            (family, target): [Baseline.from_json(family, name, b) for name, b in named.items()]
            for family, targets in value.items()
            for target, named in targets.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"damaged ({error}): fit again", path=path) from None
