"""Inputs that once failed, every wrong value at every key, and a short run of new ones."""

from __future__ import annotations

import importlib.util
import itertools
import json
import random

import fuzz
import mutations
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import TARGETS, Target

#: Readers of formats that are extras.
NEEDS = {"onnx": "onnx", "parquet": "pyarrow"}
#: New inputs of each reader in a run of the tests; ``make fuzz`` tries more.
FEW = 12


def present(target: Target) -> Target:
    """The target, or a skip where its package is not installed."""
    package = NEEDS.get(target.name)
    if package is not None and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return target


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_inputs_that_once_failed_and_some_new_ones(target: Target) -> None:
    tally = fuzz.Tally(None)
    once = [path.read_bytes() for path in fuzz.corpus(present(target))]
    new = itertools.islice(fuzz.inputs(target, seed=18), FEW)
    fuzz.run(target, itertools.chain(once, new), tally, until=float("inf"), most=10_000)
    assert not tally.faults
    assert sum(tally.counts[target.name].values()) == len(once) + FEW


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_they_begin_from_is_read(target: Target) -> None:
    """A reader that refuses every input would pass all other tests."""
    with fuzz.folder_of(present(target)) as folder:
        for seed in target.seeds():
            kind, why = fuzz.attempt(target, folder, seed)
            assert kind == "read" or target.name == "prototxt", why


@pytest.mark.parametrize(
    "target", [target for target in TARGETS if target.document], ids=lambda target: target.name
)
def test_wrong_values_at_every_key(target: Target) -> None:
    """Some of them, drawn evenly; ``make fuzz`` tries all."""
    every = list(fuzz.documents(target))
    some = every[:: max(1, len(every) // 60)]
    tally = fuzz.Tally(None)
    fuzz.run(target, iter(some), tally, until=float("inf"), most=len(some))
    assert not tally.faults


def test_the_record_says_how_many_readers_there_are() -> None:
    record = (fuzz.CORPUS.parents[2] / "docs/audit/reliability.md").read_text()
    assert f"{len(TARGETS)} readers (" in record
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_the_corpus_belongs_to_readers() -> None:
    known = {path for target in TARGETS for path in fuzz.corpus(target)}
    assert known == set(fuzz.CORPUS.iterdir())


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_seed_gives_the_same_inputs(seed: int) -> None:
    document = {"a": [1, {"b": "x"}], "c": 0.5}
    texts = [json.dumps(mutations.change_document(random.Random(seed), document)) for _ in range(2)]
    assert texts[0] == texts[1]
    assert document == {"a": [1, {"b": "x"}], "c": 0.5}


def test_every_wrong_value_is_tried_at_every_key() -> None:
    made = list(mutations.every_wrong_value({"a": [1, 2, 3], "b": {"c": "x"}}))
    # Itself, a, its first and last entry, b, c; each but itself is taken away once.
    assert len(made) == 6 * len(mutations.WRONG) + 5
    assert {"a": [1, 2, None], "b": {"c": "x"}} in made
    assert {"a": [1, 2, 3], "b": {}} in made
