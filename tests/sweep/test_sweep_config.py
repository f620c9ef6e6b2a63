"""The section of the configuration: every fault is one line that names the key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_fixtures import REPOSITORY, SECTION, section

from neuralpower.core.errors import InputError
from neuralpower.sweep.sweep_config import DEPTHWISE, load_sweep, parse_sweep

Change = Callable[[dict[str, Any]], Any]


def conv(key: str, value: Any) -> Change:
    return lambda sweep: sweep["families"]["conv"].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update(sead=1), "sweep.sead: unknown key; known are seed"),
        (lambda s: s.pop("seed"), "sweep.seed: is missing"),
        (lambda s: s.update(seed=-1), "sweep.seed: a whole number from 0 on is needed, not -1"),
        (lambda s: s.update(seed=True), "sweep.seed: a whole number"),
        (lambda s: s.update(near_networks="toy"), "near_networks: a list of network names"),
        (lambda s: s.update(near_share=2), "near_share: a share from 0 to 1 is needed, not 2"),
        (lambda s: s.update(families={}), "sweep.families: at least one family"),
        (lambda s: s["families"].update(cnov={}), "sweep.families.cnov: unknown key; known"),
        (lambda s: s["families"].update(conv=3), "sweep.families.conv: a mapping"),
        (lambda s: s["families"]["conv"].pop("batch"), "families.conv.batch: is missing"),
        (lambda s: s["families"]["conv"].pop("count"), "families.conv.count: is missing"),
        (lambda s: s.pop("max_memory_mb"), "max_memory_mb: is missing"),
        (conv("count", 0), "families.conv.count: a whole number from 1 on"),
        (
            conv("count", "2e3"),
            "families.conv.count: a whole number from 1 on is needed, not '2e3'",
        ),
        (conv("kernal", 3), "families.conv.kernal: unknown key; known are count"),
        (conv("kernel", []), "families.conv.kernel: at least one value"),
        (conv("kernel", 0), "families.conv.kernel: a whole number from 1 on is needed, not 0"),
        (conv("kernel", {"low": 5, "high": 3}), "conv.kernel: low 5 is above high 3"),
        (conv("kernel", {"low": 0, "high": 3}), "conv.kernel.low: a whole number from 1 on"),
        (conv("kernel", {3: 1.5}), "conv.kernel.3: a whole number from 0 on is needed, not 1.5"),
        (conv("kernel", {3: 10**9}), "conv.kernel: the weights sum to more than"),
        (conv("kernel", {3: 0}), "conv.kernel: at least one value"),
        (conv("padding", "some"), "conv.padding: 'some' is not one of valid, same, any"),
        (conv("bias", 2), "conv.bias: 0 or 1 is needed, not 2"),
        (conv("groups", "deep"), "conv.groups: a whole number from 1 on is needed, not 'deep'"),
        (conv("rectangular_share", "x"), "conv.rectangular_share: a share from 0 to 1"),
    ],
)
def test_faults_name_the_key(change: Change, message: str) -> None:
    sweep = section()
    change(sweep)
    with pytest.raises(InputError) as fault:
        parse_sweep(sweep, path="config.yaml")
    assert message in str(fault.value)
    assert str(fault.value).startswith("config.yaml: sweep")
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep: [", "not YAML"),
        ("- 1", "names of sections with their options are needed"),
        ("", "section 'sweep' is missing"),
        ("sweep:", "section 'sweep' is missing or empty"),
        ("sweep: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_faults_of_the_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=str(path)) as fault:
        load_sweep(path)
    assert message in str(fault.value)


def test_values_and_defaults() -> None:
    sweep = load_sweep(SECTION)
    families = {design.family: design for design in sweep.families}
    conv, pool = families["conv"], families["pool"]
    assert conv.numbers["kernel"] == (1, 1, 1, 3, 3, 3, 3, 5, 5, 7, 11)
    assert conv.numbers["groups"].count(DEPTHWISE) == 1
    assert pool.words["method"] == ("max", "max", "ave", "stochastic")
    assert families["relu"].shares == {"oblong_share": 0.1, "flat_share": 0.25}
    assert families["softmax"].near_share == 0.5
    assert (conv.bounds.max_bytes, conv.bounds.min_operations) == (100_000_000, 0)
    assert families["fc"].bounds.min_operations == 1000


def test_the_example_in_the_documentation_is_valid(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/sweeps.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "config.yaml"
    path.write_text(example, encoding="utf-8")
    assert load_sweep(path).families
