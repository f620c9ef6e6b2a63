"""A new device from other ones' models and a few own measurements.

There are several ways from the models of other devices and the new measurements to a model
(``ways``): one device's model times a factor, a mixture of all devices' models, a model of the new
measurements alone, and means of these. Cross-validation chooses, family by family, target by
target, so that a transfer is no worse than doing without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import COMPOSITION, LEARNING_CURVE, MODELS_INDEX
from neuralpower.core.files import safe_name
from neuralpower.modeling.alike import ALIKE, PRODUCT, Kinds, kinds_of, way_of
from neuralpower.modeling.baselines import Device, refuse_facts, score_baselines
from neuralpower.modeling.data import Dataset, Layers, load_dataset
from neuralpower.modeling.data_sheet import (
    HALF_WIDTH,
    DataSheet,
    from_data_sheet,
    sheet_of,
    sheet_of_models,
)
from neuralpower.modeling.few import fit_kind
from neuralpower.modeling.fitting import (
    FitOptions,
    Fitted,
    build_model,
    choose,
    finish,
    fit_layers,
    limited,
)
from neuralpower.modeling.limits import ceiling_w
from neuralpower.modeling.metrics import mean_scores, scores
from neuralpower.modeling.models import Model, ModelSet, load_models, within
from neuralpower.modeling.platforms import PARTS, Work, write_models
from neuralpower.modeling.selection import TooFewError
from neuralpower.modeling.ways import DIRECT, best_of, nested, ways_to
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.manifest import Manifest
from neuralpower.records.sealing import refuse_changed


def transfer_layers(
    sources: Mapping[str, Model],
    layers: Layers,
    options: FitOptions | None = None,
    device: Device | None = None,
    kinds: Kinds | None = None,
) -> Fitted:
    """The way from the sources' models and the new measurements that has the least error.

    The score is out of fold: every row's factors and powers come from the other folds, and so does
    the choice between the ways. Beside it are the scores of all ways; ``direct`` is a model fitted
    on the new measurements alone, and where these are few one
    of all ``kinds`` of layers is tried too. Raises ``TooFewError`` as ``fitting.choose`` does.
    """
    options, device = options or FitOptions(), device or Device()
    direct = choose(layers, options)
    ways, guard = ways_to(sources, layers, direct, options)
    if kinds is not None:
        folds = [deal.problem.folds for deal in direct.deals[: len(direct.selection.dealt)]]
        ways.append(way_of(kinds, folds))
    best = ways[best_of(ways, layers.measured)]
    dealt = nested(ways, layers.measured, [deal.problem.folds for deal in direct.deals])
    lead, *others = best.parts
    model = direct.model()
    if best.name != DIRECT:
        model = build_model(layers, lead.equations, lead.anchor, dealt[0], best.name)
        model = replace(model, source=lead.source, exponent=lead.exponent, parts=tuple(others))
    # All kinds of the device have seen more of it than its few layers: no other need hold them.
    model = replace(model, guard=None if best.name == ALIKE else guard)
    if layers.target == "power_w":
        predicted = direct.selection.predicted if best.name == DIRECT else dealt[0]
        model = limited(model, layers, predicted, (device.idle_power_w, device.power_cap_w))
    baselines = {b.name: b.to_json() for b in score_baselines(direct.problem, device)}
    for way in ways:
        # Stored for its scores only: its equations stand in no baseline's form.
        each = [scores(layers.measured, predicted) for predicted in way.dealt]
        baselines[way.name] = {"equations": [], "scores": mean_scores(each)}
    source = {} if best.name == DIRECT else {"source": best.name}
    return finish(
        direct,
        layers,
        model,
        [within(predicted, model.limits) for predicted in dealt],
        baselines,
        {
            "inference": [],
            "provenance": {"data_sha256": layers.checksum(), **source},
        },
    )


def transfer_platform(
    sources: Sequence[str | Path],
    measurements: str | Path | None,
    out: str | Path,
    options: FitOptions | None = None,
    sheet: DataSheet | None = None,
) -> Path:
    """Models of the platform in ``measurements`` from other platforms' models.

    ``sources`` are folders that ``fit`` wrote. Families and targets that one of them has are
    transferred (``transfer_layers``), others are fitted as ``fit`` does, with the candidates of
    ``options``. What was not measured, or too little, comes from the device's data sheet
    (``data_sheet``): ``sheet``, or what the platform's manifest knows. Without ``measurements``
    the platform is called as the folder ``out``.
    Raises ``InputError`` for faulty input or when nothing can be transferred.
    """
    models = load_sources(sources)
    platform, data = _measured(measurements, Path(out), sheet)
    sheet = sheet_of(platform) if sheet is None else sheet
    options = options or FitOptions()
    work = Work(Path(out) / PARTS, options.checksum())
    limits = replace(sheet.of_device(), power_cap_w=sheet.power_cap_w or ceiling_w(data))
    refuse_facts(limits, platform.folder)
    done: dict[tuple[str, str], Fitted] = {}
    transferred: set[tuple[str, str]] = set()
    for (family, target), layers in sorted(data.layers.items()):
        found = {
            name: model
            for name, old in models.items()
            if (model := old.get(family, target)) and not model.parts
        }
        kinds = kinds_of(data.layers, family, target)
        try:
            if found:
                done[family, target] = transfer_layers(found, layers, options, limits, kinds)
                transferred.add((family, target))
            else:
                done[family, target] = fit_layers(layers, options, limits)
        except TooFewError as error:
            work.refuse(family, target, f"too few for a model: {error}")
    for family in data.families():
        for target in ("runtime_ms", "power_w"):
            kinds = kinds_of(data.layers, family, target)
            if kinds is not None and (family, target) not in done:
                done[family, target] = fit_kind(kinds, options, limits, {})
                work.refused = [
                    row
                    for row in work.refused
                    if (row["file"], row["column"]) != (f"{family} tables", target)
                ]
    wanted = {(family, target) for old in models.values() for family, target in old.models}
    for family, target in sorted(wanted - set(done)):
        if target in HALF_WIDTH and (model := from_data_sheet(models, family, target, sheet)):
            done[family, target] = Fitted({**model.facts, **model.to_json()}, [], [], {})
            transferred.add((family, target))
    done = {key: fitted for key, fitted in done.items() if work.takes(*key, fitted)}
    if not transferred & set(done):
        raise InputError(
            "no family with 5 configurations has a model there, and no data sheet is known of it "
            "and of them: measure more, use fit, or give --data-sheet",
            path=platform.folder,
        )
    for (family, target), fitted in done.items():
        work.add(family, target, fitted, {})
    # They are of the models that were there before.
    for name in (LEARNING_CURVE, COMPOSITION):
        (Path(out) / name).unlink(missing_ok=True)
    return write_models(Path(out), platform, data, work, options)


def _measured(
    measurements: str | Path | None, out: Path, sheet: DataSheet | None
) -> tuple[Platform, Dataset]:
    """The platform with its data sheet, and what was measured of it, perhaps nothing."""
    facts = {} if sheet is None else {name: v for name, v in asdict(sheet).items() if v}
    if measurements is None:
        name = safe_name(out.resolve().name, "platform")
        return Platform(name, out, (), manifest=_manifest(Manifest(), facts)), Dataset({}, [], {})
    platform = load_platform(measurements)
    refuse_changed(platform)
    platform = replace(platform, manifest=_manifest(platform.manifest, facts))
    return platform, load_dataset(platform)


def _manifest(manifest: Manifest, facts: Mapping[str, Any]) -> Manifest:
    known = {name: facts[name] for name in ("device", *_FIELDS) if name in facts}
    if manifest.device:
        known.pop("device", None)
    rest = {name: v for name, v in facts.items() if name not in ("device", *_FIELDS)}
    return replace(manifest, **known, other={**manifest.other, **rest})


#: Facts of a data sheet that a manifest has fields for.
_FIELDS = ("peak_gflops", "bandwidth_gb_s")


def load_sources(folders: Sequence[str | Path]) -> dict[str, ModelSet]:
    """The sets of models by the names of their platforms."""
    found: dict[str, ModelSet] = {}
    for folder in folders:
        models = load_models(folder)
        if any(
            model.guard or (model.parts and model.candidate != PRODUCT)
            for model in models.models.values()
        ):
            raise InputError(
                "these models were transferred themselves: start from measured ones", path=folder
            )
        if models.platform in found or models.platform == DIRECT:
            raise InputError(f"models of {models.platform!r} a second time", path=folder)
        refuse_facts(sheet_of_models(models).of_device(), Path(folder) / MODELS_INDEX)
        found[models.platform] = models
    return found
