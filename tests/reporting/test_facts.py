"""A fact is written once: the README, the terminal and the page say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.core.facts import Fact, as_markdown, as_pairs, as_text, percent_fact
from neuralpower.records.checks import check
from neuralpower.records.folder import load_platform
from neuralpower.records.readme import _repeats
from neuralpower.records.repeat_facts import runtime_facts

RECORDED = Path(__file__).parents[2] / "measurements" / "ort-cpu"


def test_a_fact_is_rendered_in_three_ways() -> None:
    facts = [Fact("anchor visits", "12"), *percent_fact("drift", -0.0312, sign="+")]
    assert as_markdown(facts) == "| anchor visits | 12 |\n| drift | -3.1 % |\n"
    assert as_text(facts) == ["anchor visits: 12", "drift: -3.1 %"]
    assert as_pairs(facts) == [("anchor visits", "12"), ("drift", "-3.1 %")]
    assert percent_fact("drift", None) == []


def test_readme_and_terminal_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    facts = runtime_facts(check(load_platform(RECORDED)).repeatability)
    assert len(facts) >= 6
    assert main(["measurements", "check", str(RECORDED)]) == 0
    printed = capsys.readouterr().out
    readme = _repeats(check(load_platform(RECORDED)).repeatability)
    for fact in facts:
        assert f"{fact.label}: {fact.text}\n" in printed
        assert f"| {fact.label} | {fact.text} |\n" in readme
