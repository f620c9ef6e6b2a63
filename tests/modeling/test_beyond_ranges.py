"""Beyond the measured range: more width, no power without doubt, no runtime that falls."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modeling_tables import QUICK, conv_records, fc_records, layers_of, measured, write_platform

from neuralpower.modeling.data import Layers
from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.fitting import choose, limited
from neuralpower.modeling.models import Model, load_models
from neuralpower.networks.composition import network_batch
from neuralpower.networks.estimates import configuration_columns

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH = 32
CAP_W = 165.0


def runtime(table: FeatureTable) -> np.ndarray:
    return 0.02 + 2.5e-7 * table["macs"] ** 0.95 + 2e-7 * table["moved_elements"]


def power(table: FeatureTable) -> np.ndarray:
    """A board that idles at 40 W and saturates at its cap."""
    busy = table["macs"] / (table["macs"] + 3e7)
    return np.minimum(40.0 + 140.0 * busy, CAP_W)


@pytest.fixture(scope="module")
def measured_at_32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("beyond")
    conv = [{**record, "batch": BATCH} for record in conv_records(150)]
    fc = [{**record, "batch": BATCH} for record in fc_records(60)]
    tables = {
        "conv.csv": measured(conv, runtime, noise=0.05, power=power),
        "fc.csv": measured(fc, runtime, noise=0.05, power=power),
    }
    return write_platform(root / "p", tables)


def model_of(folder: Path, family: str, target: str) -> tuple[Model, Layers]:
    layers = layers_of(folder, family, target)
    choice = choose(layers, QUICK)
    model = choice.model()
    if target == "power_w":
        model = limited(model, layers, choice.selection.predicted, (None, CAP_W))
    return model, layers


@pytest.fixture(scope="module")
def times(measured_at_32: Path) -> tuple[Model, Layers]:
    return model_of(measured_at_32, "conv", "runtime_ms")


@pytest.fixture(scope="module")
def watts(measured_at_32: Path) -> tuple[Model, Layers]:
    return model_of(measured_at_32, "conv", "power_w")


def at(layers: Layers, batch: float) -> dict[str, np.ndarray]:
    return {**layers.columns, "batch": np.full(len(layers), float(batch))}


def test_inside_the_range_nothing_changes(times: tuple[Model, Layers]) -> None:
    model, layers = times
    free = replace(model, ranges={}).predict(layers.columns)
    kept = model.predict(layers.columns)
    for name in ("value", "lo", "hi"):
        assert getattr(kept, name).tobytes() == getattr(free, name).tobytes()


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_intervals_widen_with_the_distance(
    times: tuple[Model, Layers], watts: tuple[Model, Layers], side: float
) -> None:
    for model, layers in (times, replace_limits(watts)):
        widths = []
        for octaves in (0, 1, 2, 3, 4):
            guess = model.predict(at(layers, BATCH * 2.0 ** (side * octaves)))
            widths.append(float(np.median(np.log(guess.hi / guess.lo))))
        assert widths == sorted(widths)
        assert widths[-1] > 1.3 * widths[0]


def replace_limits(pair: tuple[Model, Layers]) -> tuple[Model, Layers]:
    return replace(pair[0], limits=(None, None)), pair[1]


def test_power_at_the_cap_is_not_known_to_the_watt(watts: tuple[Model, Layers]) -> None:
    """Layers that draw the board's limit at 32 images need not do so with one."""
    model, layers = watts
    capped = layers.measured >= 0.999 * CAP_W
    assert capped.sum() > 10
    for batch in (1, 4, 256):
        guess = model.predict(at(layers, batch))
        assert (guess.hi <= CAP_W).all()
        assert (guess.lo < 0.97 * guess.value).all()


def test_power_falls_with_the_batch_and_saturates(watts: tuple[Model, Layers]) -> None:
    """Against the law of the made-up board, whose powers the measured batch shows in part."""
    model, layers = watts
    mean, errors = [], []
    for batch in (1, 2, 8, 32, 128):
        columns = at(layers, batch)
        guess = model.predict(columns)
        law = power(FeatureTable(columns, "conv"))
        mean.append(float(guess.value.mean()))
        errors.append(float(np.mean(np.abs(guess.value / law - 1.0))))
        held = np.mean((guess.lo <= law) & (law <= guess.hi))
        assert held >= 0.6
    assert mean == sorted(mean)
    assert max(errors) < 0.5


@pytest.mark.parametrize("family", ["conv", "fc"])
@pytest.mark.parametrize("target", ["runtime_ms"])
def test_runtime_does_not_fall_as_the_batch_doubles(
    measured_at_32: Path, family: str, target: str
) -> None:
    model, layers = model_of(measured_at_32, family, target)
    values = [model.predict(at(layers, batch)).value for batch in 2.0 ** np.arange(12)]
    for smaller, larger in itertools.pairwise(values):
        assert (larger >= smaller * (1.0 - 1e-12)).all()
        most = 2.0 if family == "fc" else 2.0**1.25
        assert (larger <= most * smaller * (1.0 + 1e-9)).all()


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.integers(1, 10**9), min_size=2, max_size=6))
def test_a_row_alone_has_the_bits_it_has_in_a_table(
    times: tuple[Model, Layers], batches: list[int]
) -> None:
    model, layers = times
    columns = {name: values[: len(batches)] for name, values in layers.columns.items()}
    columns["batch"] = np.array(batches, dtype=np.float64)
    whole = model.predict(columns)
    assert np.isfinite(whole.hi).all()
    assert ((whole.lo <= whole.value) & (whole.value <= whole.hi)).all()
    for i in range(len(batches)):
        alone = model.predict({name: values[i : i + 1] for name, values in columns.items()})
        assert alone.value[0] == whole.value[i]
        assert (alone.lo[0], alone.hi[0]) == (whole.lo[i], whole.hi[i])


PUBLISHED = sorted(path.parent for path in REPOSITORY.glob("published/*/models/models.json"))


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_platforms_away_from_their_batches(folder: Path) -> None:
    """Of some 350 layers and eleven doublings few take less time: inside the range, if at all."""
    from neuralpower.caffe.network import load_network

    models = load_models(folder)
    falls = steps = 0
    for name in ("alexnet", "densenet121", "googlenet", "mobilenet_v2", "resnet50", "vgg16"):
        network = load_network(REPOSITORY / f"published/prototxts/{name}.prototxt")
        base = network_batch(network)
        assert base
        every = [layer.configuration for layer in network.layers if layer.configuration]
        for family in models.families():
            found = [one for one in every if one.family == family]
            if not found:
                continue
            columns = configuration_columns(found)
            images = columns["batch"] / base
            model = models.get(family, "runtime_ms")
            assert model
            powered = models.get(family, "power_w")
            before = None
            for batch in 2.0 ** np.arange(12):
                there = {**columns, "batch": images * batch}
                value = model.predict(there).value
                if before is not None:
                    falls += int((value < 0.9 * before).sum())
                    steps += len(value)
                before = value
                if powered is not None:
                    guess = powered.predict(there)
                    outside = np.array([times > 1.5 or times < 0.6 for times in
                                        np.nan_to_num(guess.extrapolates_by, nan=1.0)])  # fmt: skip
                    assert (guess.hi > 1.01 * guess.lo)[outside].all()
    assert falls <= 4
    assert falls <= 0.002 * steps
