"""Models that have not seen a network's layers, for networks whose layers are in the tables.

Some sets *are* the layers of the networks that were measured whole. A network's score then counts
only with models that were fitted without the configurations that occur in it: leave one network
out by configuration. The models are kept beside the others (``without/<architecture>/``), because
learning the composition and scoring both need them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name
from neuralpower.modeling.crossvalidation import Candidate
from neuralpower.modeling.data import Dataset, Layers, load_dataset
from neuralpower.modeling.fitting import FitOptions, choose, limited
from neuralpower.modeling.models import Model, ModelSet, load_model, save_model
from neuralpower.modeling.selection import TooFewError
from neuralpower.networks.composition import estimate_networks
from neuralpower.networks.learning import Trial

FOLDER = "without"
#: Networks are held out by configuration when this share of their time is in fitted layers.
SHARED = 0.05
_TARGETS = ("runtime_ms", "power_w")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class HeldOut:
    """A platform's passes, each as models estimate it that were fitted without its network.

    ``shared``: share of the predicted time of all passes that is in fitted configurations.
    ``trials``: architecture -> all passes by the models without it; empty where little is shared,
    then the platform's own models serve.
    """

    shared: float
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)

    def of(self, architecture: str, otherwise: Sequence[Trial]) -> Sequence[Trial]:
        """All passes as they count for the score of one architecture."""
        return self.trials.get(architecture, otherwise)


def hold_out(
    measurements: str | Path,
    models_dir: str | Path,
    models: ModelSet,
    trials: Sequence[Trial],
    tell: Progress | None = None,
) -> HeldOut:
    """Fit models without each network's configurations, where that makes a difference.

    ``tell`` is called with each network that is fitted. Raises ``InputError`` for faulty tables.
    """
    if not trials:
        return HeldOut(0.0)
    data = load_dataset(measurements)
    known = set().union(*(layers.keys() for layers in data.layers.values()))
    inside = {name: _keys(trials, name) for name in _architectures(trials)}
    shared = _shared(trials, known)
    if shared < SHARED:
        return HeldOut(shared)
    found = {}
    for name, keys in inside.items():
        folder = Path(models_dir) / FOLDER / safe_name(name, "network")
        without = _models_without(data, models, keys, folder, name, tell)
        estimates = estimate_networks([trial.network for trial in trials], without)
        found[name] = [replace(t, estimates=e) for t, e in zip(trials, estimates, strict=True)]
    return HeldOut(shared, found)


def _architectures(trials: Sequence[Trial]) -> list[str]:
    return sorted({trial.measured.architecture for trial in trials})


def _keys(trials: Sequence[Trial], architecture: str) -> set[str]:
    return {
        layer.configuration.key()
        for trial in trials
        if trial.measured.architecture == architecture
        for layer in trial.network.layers
        if layer.configuration is not None
    }


def _shared(trials: Sequence[Trial], known: set[str]) -> float:
    common = whole = 0.0
    for trial in trials:
        times = trial.estimates.runtime_ms
        for layer, there, time in zip(
            trial.network.layers, times.known.tolist(), times.value.tolist(), strict=True
        ):
            if there and layer.configuration is not None:
                whole += time
                common += time * (layer.configuration.key() in known)
    return common / whole if whole else 0.0


def _models_without(
    data: Dataset,
    models: ModelSet,
    keys: set[str],
    folder: Path,
    name: str,
    tell: Progress | None,
) -> ModelSet:
    options = _options(models)
    found: dict[tuple[str, str], Model] = {}
    stated = False
    for (family, target), model in sorted(models.models.items()):
        layers = data.layers.get((family, target))
        if target not in _TARGETS or layers is None:
            continue
        own = layers.keys()
        kept = np.array([key not in keys for key in own])
        if kept.all():
            found[family, target] = model
            continue
        path = folder / f"{family}.{target}.json"
        rest = layers.take(kept)
        stamp = hashlib.sha256(f"{options.checksum()} {rest.checksum()}".encode()).hexdigest()
        if (kept_model := _stored(path, stamp)) is None:
            if tell and not stated:
                tell(f"fitting without the layers of {name}")
                stated = True
            kept_model = _fit(rest, options, model, stamp)
            if kept_model is None:
                continue
            save_model(kept_model, path)
        found[family, target] = kept_model
    return ModelSet(models.platform, found, models.facts)


def _stored(path: Path, stamp: str) -> Model | None:
    """A model of an earlier run, if it is of the very same rows, options and code."""
    try:
        model = load_model(path)
    except InputError:
        return None
    return model if model.facts.get("stamp") == stamp else None


def _fit(layers: Layers, options: FitOptions, like: Model, stamp: str) -> Model | None:
    try:
        choice = choose(layers, options)
    except TooFewError:
        return None
    model = replace(choice.model(), facts={"stamp": stamp})
    if like.limits == (None, None):
        return model
    return limited(model, layers, choice.selection.predicted, like.limits)


def _options(models: ModelSet) -> FitOptions:
    """The options that the models were fitted with, from their index."""
    stated = models.facts.get("options")
    try:
        if not isinstance(stated, Mapping):
            raise TypeError("no options")
        candidates = tuple(Candidate.from_text(text) for text in stated["candidates"])
        return FitOptions(candidates, int(stated["folds"]), int(stated["seed"]))
    except (KeyError, TypeError, ValueError):
        return FitOptions()
