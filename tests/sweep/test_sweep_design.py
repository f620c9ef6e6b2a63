"""Designs: the same bytes, prefixes, independence, bounds, coverage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc
from sweep_fixtures import HERE, NETWORKS, SECTION, section, write_layer_tables

from neuralpower import cli
from neuralpower.core import cost
from neuralpower.core.cells import read_configuration
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILIES
from neuralpower.core.files import read_rows
from neuralpower.core.geometry import complete
from neuralpower.sweep.design import (
    SWEEP_COLUMNS,
    RealLayer,
    Row,
    build_design,
    read_real_layers,
)
from neuralpower.sweep.sweep_config import FamilySweep, parse_sweep

GOLDEN = HERE / "golden"


def design_of(family: str, sweep: dict[str, Any] | None = None, **changes: Any) -> list[Row]:
    """The rows of one family of ``sweep.yaml``, with changed keys of that family."""
    sweep = section() if sweep is None else sweep
    sweep["families"][family] |= changes
    config = parse_sweep(sweep)
    design = next(design for design in config.families if design.family == family)
    return build_design(config, design, real_layers(design))


def real_layers(design: FamilySweep) -> list[RealLayer]:
    return [
        RealLayer(network, configuration)
        for network, configurations in NETWORKS.items()
        for configuration in configurations
        if configuration.family == design.family
    ]


def test_the_section_has_every_family() -> None:
    assert set(section()["families"]) == set(FAMILIES)


def test_golden_tables(tmp_path: Path) -> None:
    """The command's output, byte for byte; NEURALPOWER_OVERWRITE_GOLDEN=1 renews the files."""
    tables = write_layer_tables(tmp_path)
    out = tmp_path / "sweeps"
    words = ["sweep", "--config", str(SECTION), "--out", str(out), "--layers", *map(str, tables)]
    assert cli.main(words) == 0
    assert sorted(path.stem for path in out.iterdir()) == sorted(FAMILIES)
    for path in sorted(out.iterdir()):
        golden = GOLDEN / path.name
        if os.environ.get("NEURALPOWER_OVERWRITE_GOLDEN"):
            GOLDEN.mkdir(exist_ok=True)
            golden.write_bytes(path.read_bytes())
        assert path.read_bytes() == golden.read_bytes(), path.name


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_possible_different_and_within_bounds(family: str) -> None:
    config = parse_sweep(section())
    design = next(design for design in config.families if design.family == family)
    rows = build_design(config, design, real_layers(design))
    assert len(rows) == design.count
    assert len({row.configuration for row in rows}) == design.count
    for row in rows:
        assert row.configuration.family == family
        assert complete(row.configuration) == row.configuration
        assert cost.total_bytes(row.configuration) <= design.bounds.max_bytes
        operations = cost.operations(row.configuration)
        assert design.bounds.min_operations <= operations <= design.bounds.max_operations


@pytest.mark.parametrize("family", ["conv", "pool", "softmax"])
@settings(max_examples=10, deadline=None)
@given(few=st.integers(1, 40), more=st.integers(1, 40))
def test_more_points_keep_the_earlier_ones(family: str, few: int, more: int) -> None:
    long = design_of(family, count=few + more)
    assert design_of(family, count=few) == long[:few]


def test_families_do_not_touch_each_other() -> None:
    sweep = section()
    sweep["families"]["conv"] |= {"kernel": 3, "count": 5}
    del sweep["families"]["relu"]
    assert design_of("pool", sweep) == design_of("pool")


def test_seeds_differ_and_so_do_families() -> None:
    other = section() | {"seed": 8}
    assert design_of("conv", other) != design_of("conv")
    sizes = [[row.configuration.in_height for row in design_of(name)] for name in ("tanh", "elu")]
    assert sizes[0] != sizes[1]


def test_near_rows_have_their_share_and_their_layer() -> None:
    rows = design_of("conv", count=80)
    near = [row for row in rows if row.origin.startswith("near:")]
    assert len(near) == 20
    for row in near:
        assert row.origin == "near:toy"
        fits = [layer for layer in NETWORKS["toy"] if _is_near(row.configuration, layer)]
        assert fits, row
    depthwise = [row.configuration for row in near if row.configuration.groups > 2]
    assert depthwise
    assert all(c.groups == c.in_channels == c.out_channels for c in depthwise)
    exact = [row for row in near if row.configuration.in_height in (64, 7)]
    assert exact
    assert all(row.origin == "random" for row in design_of("conv", near_share=0))


def _is_near(configuration: Configuration, layer: Configuration) -> bool:
    same = ("family", "kernel_height", "stride_height", "pad_height", "bias")
    sizes = ("in_channels", "out_channels", "in_height")
    return all(getattr(configuration, name) == getattr(layer, name) for name in same) and all(
        0.7 * getattr(layer, name) - 1 <= getattr(configuration, name)
        and getattr(configuration, name) <= 1.42 * getattr(layer, name) + 1
        for name in sizes
    )


def test_near_a_global_pooling_stays_global() -> None:
    rows = design_of("pool", count=60, near_share=1)
    everywhere = [row.configuration for row in rows if row.configuration.pool_method == "ave"]
    assert everywhere
    assert all((c.out_height, c.kernel_height) == (1, c.in_height) for c in everywhere)


def test_windows_of_all_kinds_occur() -> None:
    rows = [row.configuration for row in design_of("conv", count=200, near_share=0)]
    rectangular = sum(c.kernel_height != c.kernel_width for c in rows)
    assert 10 <= rectangular <= 60
    assert sum(c.in_height != c.in_width for c in rows) >= 8
    assert sum(c.groups == c.in_channels > 1 for c in rows) >= 15
    assert sum(c.dilation_height > 1 for c in rows) >= 15
    assert all(c.dilation_height == 1 for c in rows if c.kernel_height == c.kernel_width == 1)
    pools = [row.configuration for row in design_of("pool", count=100, near_share=0)]
    everywhere = [
        c for c in pools if (c.kernel_height, c.kernel_width) == (c.in_height, c.in_width)
    ]
    assert 10 <= len(everywhere) <= 40
    merges = [row.configuration for row in design_of("concat", count=30, near_share=0)]
    assert all(c.out_channels == c.inputs * c.in_channels for c in merges)


def test_a_design_covers_its_ranges_better_than_chance() -> None:
    """Centred discrepancy of every prefix, below that of 20 random designs of the same size."""
    ranges = {"low": 1, "high": 4000}
    rows = design_of(
        "fc", count=256, batch=ranges, in_channels=ranges, out_channels=ranges,
        near_share=0, min_operations=0, max_operations=10**15, max_memory_mb=10**6,
    )  # fmt: skip
    sizes = [
        (row.configuration.batch, row.configuration.in_channels, row.configuration.out_channels)
        for row in rows
    ]
    generator = np.random.default_rng(0)
    unit = np.log(np.array(sizes) + 0.5) / np.log(4001)
    for count in (32, 100, 256):
        chance = [qmc.discrepancy(generator.random((count, 3))) for _ in range(20)]
        assert qmc.discrepancy(unit[:count]) < min(chance)


def test_ranges_that_hold_too_few_are_refused() -> None:
    few: dict[str, Any] = {
        "batch": [1, 2, 3],
        "in_channels": [8, 9],
        "out_channels": [500],
        "near_share": 0,
    }
    assert len(design_of("fc", **few, count=6)) == 6
    with pytest.raises(InputError, match=r"hold only 6 of the 7 configurations asked for"):
        design_of("fc", **few, count=7)
    with pytest.raises(InputError, match=r"hold only 0 of the"):
        design_of("fc", min_operations=10**12)


def test_rejected_points_are_replaced() -> None:
    rows = design_of("conv", size={"low": 4, "high": 12}, kernel=11, padding="valid", near_share=0)
    assert len(rows) == 40
    assert all(row.configuration.in_height >= 11 for row in rows)


def test_layer_tables_are_read_in_the_order_of_the_networks(tmp_path: Path) -> None:
    tables = write_layer_tables(tmp_path)
    layers = read_real_layers(tables[::-1], ["toy", "other"])
    assert layers == read_real_layers(tables, ["toy", "other"])
    # the second network's relu is the first one's, and is there once
    assert [layer.network for layer in layers["relu"]] == ["toy"]
    assert layers["eltwise"] == [RealLayer("other", NETWORKS["other"][2])]
    assert "conv" not in read_real_layers(tables, ["other"])
    with pytest.raises(InputError, match="no layer table of 'third'"):
        read_real_layers(tables, ["third"])


def test_another_network_does_not_change_the_sweep(tmp_path: Path) -> None:
    tables = write_layer_tables(tmp_path)
    layers = read_real_layers(tables, ["toy"])
    assert layers == read_real_layers(tables[:1], ["toy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("near_share: 0.25", "--layers with the layer tables of toy, other is needed"),
        ("seed: seven", "sweep.seed: a whole number from 0 on is needed, not 'seven'"),
        ("max_operations: 1", "the ranges and bounds hold only 1 of the 40"),
    ],
)
def test_the_command_refuses_in_one_line(
    change: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = change.split(":", maxsplit=1)[0]
    lines = SECTION.read_text(encoding="utf-8").splitlines()
    lines = [f"  {change}" if line.strip().startswith(f"{key}:") else line for line in lines]
    if key != "near_share":
        lines = [line.replace("near_share: 0.25", "near_share: 0") for line in lines]
        lines = [line.replace(", near_share: 0.5", "") for line in lines]
    config = tmp_path / "config.yaml"
    config.write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "sweeps"
    assert cli.main(["sweep", "--config", str(config), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_the_columns_of_the_files() -> None:
    header, rows = read_rows(GOLDEN / "conv.csv", SWEEP_COLUMNS)
    assert tuple(header) == (*CONFIGURATION_COLUMNS, "origin")
    assert [read_configuration(row) for row in rows] == [
        row.configuration for row in design_of("conv")
    ]
