"""The order of visits: every item, repeats apart, anchors in every block, the same every time."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpower.core.configuration import Configuration
from neuralpower.profiling.design import (
    MEMORY_ANCHOR,
    DesignProtocol,
    Item,
    NetworkItem,
    plan,
    plan_digest,
)


def layers(n: int) -> dict[str, Item]:
    made = [Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n)]
    return {c.key(): c for c in made}


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 150), st.integers(0, 1000))
def test_every_item_is_visited_as_planned(n: int, seed: int) -> None:
    items = layers(n)
    visits = plan({}, items, DesignProtocol(), seed)
    assert [visit.order for visit in visits] == list(range(len(visits)))
    assert len({visit.visit_id for visit in visits}) == len(visits)
    counts = Counter(visit.item.key() for visit in visits if not visit.is_anchor)
    assert set(counts) == set(items)
    assert sum(c >= 2 for c in counts.values()) >= 0.2 * n
    assert sum(c == 3 for c in counts.values()) >= 0.05 * n


def test_anchors_open_every_block_and_close_the_run() -> None:
    visits = plan({}, layers(95), DesignProtocol(block_size=20), 1)
    assert visits[0].is_anchor
    assert visits[-1].is_anchor
    at = [visit.order for visit in visits if visit.is_anchor]
    assert {b - a for a, b in itertools.pairwise(at[:-1])} == {21}
    for visit in visits:
        assert visit.is_anchor == visit.visit_id.startswith("anchor.")


def test_repeats_are_far_apart_and_in_different_blocks() -> None:
    visits = plan({}, layers(200), DesignProtocol(), 5)
    places: dict[str, list[int]] = {}
    for visit in visits:
        if not visit.is_anchor:
            places.setdefault(visit.item.key(), []).append(visit.order)
    gaps = [b - a for orders in places.values() for a, b in itertools.pairwise(orders)]
    assert min(gaps) > 0.05 * len(visits)


def test_the_plan_depends_on_items_and_seed_only() -> None:
    items = layers(40)
    backwards = dict(reversed(items.items()))
    first = plan({}, items, DesignProtocol(), 2)
    assert first == plan({}, backwards, DesignProtocol(), 2)
    assert plan_digest(first) != plan_digest(plan({}, items, DesignProtocol(), 3))
    assert plan_digest(first) == "7ddedaa1bc67b3e03c15a6054a9b429b539464847d5157057b1831af0850dde9"


def test_rows_that_stand_twice_are_visited_twice() -> None:
    items = layers(10)
    key = next(iter(items))
    protocol = DesignProtocol(twice_share=0, thrice_share=0)
    visits = plan({key: 4}, items, protocol, 0)
    assert sum(visit.item.key() == key for visit in visits) == 4


def test_networks_are_repeated_through_the_run() -> None:
    network = NetworkItem("net", 4, Path("net.prototxt"), "0" * 64)
    visits = plan({}, layers(60) | {network.key(): network}, DesignProtocol(), 0)
    orders = [visit.order for visit in visits if visit.item == network]
    thirds = [3 * order // len(visits) for order in orders]
    assert thirds == [0, 1, 2]
    with pytest.raises(AttributeError):
        network.batch = 5  # type: ignore[misc]


def relus(n: int) -> dict[str, Configuration]:
    made = (Configuration("relu", 1, i + 1, 8, 8, i + 1, 8, 8) for i in range(n))
    return {c.key(): c for c in made}


def test_repeats_of_a_run_that_may_be_cut_lie_in_its_first_part() -> None:
    items = relus(200)
    design = DesignProtocol(twice_share=0.4, thrice_share=0.1, repeats_within=0.6)
    visits = [v for v in plan({}, items, design, 3) if not v.is_anchor]
    several = {v.item.key() for v in visits if v.repeat > 1}
    assert len(several) == 80
    last = max(place for place, v in enumerate(visits) if v.item.key() in several)
    # 180 visits of these in 0.6 of the places, with 72 of the 120 others between them.
    assert last / len(visits) == pytest.approx(252 / 300, abs=0.04)
    whole = plan({}, items, DesignProtocol(twice_share=0.4, thrice_share=0.1), 3)
    later = [v.item.key() for v in whole if not v.is_anchor]
    seen = [
        [own.count(key) > 1 for key in several]
        for own in ([v.item.key() for v in visits[:200]], later[:200])
    ]
    assert sum(seen[0]) >= 55 > 50 >= sum(seen[1])
    # Each visit is planned once, as without it.
    usual = plan({}, items, DesignProtocol(twice_share=0.4, thrice_share=0.1), 3)
    assert {v.visit_id for v in usual if not v.is_anchor} == {v.visit_id for v in visits}


def test_a_second_anchor_follows_the_first_now_and_then() -> None:
    items = relus(100)
    design = DesignProtocol(block_size=12, second_anchor_every=4)
    anchors = [v for v in plan({}, items, design, 3) if v.is_anchor]
    second = [v for v in anchors if v.item == MEMORY_ANCHOR]
    assert [v.block % 4 for v in second] == [0] * len(second)
    assert len(second) == len({v.block for v in second}) >= 2
    assert len({v.visit_id for v in anchors}) == len(anchors)
    assert not any(v.item == MEMORY_ANCHOR for v in plan({}, items, DesignProtocol(), 3))
