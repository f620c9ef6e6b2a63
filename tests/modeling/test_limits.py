"""What a board can draw, from its record."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.modeling.data import load_dataset
from neuralpower.modeling.limits import device_of
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.manifest import Manifest
from neuralpower.reporting.model_page import _facts

H200 = Path(__file__).resolve().parents[2] / "measurements/h200-pytorch-fp32"


def _with(platform: Platform, **facts: object) -> Platform:
    manifest = platform.manifest
    return replace(platform, manifest=replace(manifest, other={**manifest.other, **facts}))


def test_the_limits_of_the_h200_are_those_of_its_record() -> None:
    platform = load_platform(H200)
    data = load_dataset(platform)
    device = device_of(platform, data)
    # One layer drew 0.6 W more than the limit of 700 W; the board at rest draws less than any.
    assert device.power_cap_w == pytest.approx(700.646)
    assert device.idle_power_w == pytest.approx(124.907, abs=1e-3)
    given = device_of(_with(platform, power_cap_w=690.0, idle_power_w=100.0), data)
    assert (given.power_cap_w, given.idle_power_w) == (690.0, 100.0)


def test_without_a_record_only_a_plateau_of_the_measurements_is_a_limit() -> None:
    platform = load_platform(H200)
    device = device_of(replace(platform, manifest=Manifest()), load_dataset(platform))
    assert (device.idle_power_w, device.power_cap_w) == (None, None)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"power_cap_w": 300.0}, "power_cap_w is 300 W, but a layer drew more, 700.646 W"),
        ({"idle_power_w": 200.0}, "idle_power_w is 200 W, but a layer drew less, 126.882 W"),
    ],
)
def test_limits_that_the_measurements_contradict_are_refused(
    facts: dict[str, float], said: str
) -> None:
    platform = load_platform(H200)
    with pytest.raises(InputError, match=said):
        device_of(_with(platform, **facts), load_dataset(platform))


def test_what_was_not_checked_by_itself_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two commands: fit's summary, and the page of a kind with two rows of power."""
    shutil.copytree(H200, tmp_path / "few")
    for path in (tmp_path / "few").glob("*.csv.gz"):
        if path.name.split(".")[0] not in ("relu", "elu", "tanh", "prelu", "pool", "conv"):
            path.unlink()
    (tmp_path / "few/manifest.json").unlink()
    assert main(["fit", str(tmp_path / "few"), "--out", str(tmp_path / "models")]) == 0
    said = capsys.readouterr().err.splitlines()
    assert (
        "power from all kinds of layers together, too few of the kind measured, errors not known: "
        "elu, prelu, relu, tanh"
    ) in [line.removeprefix("neuralpower: ") for line in said]
    model = read_json(tmp_path / "models/relu.power_w.json")
    facts = dict(_facts(model))
    assert facts["Error on unseen layers"].startswith("not known: the model is made from ")
    assert facts["Error on unseen layers"].endswith("of 6 kinds, 2 of this one")
