"""What the gate's last line counts."""

from __future__ import annotations

import pytest

from neuralpower.commands.gate import _short, _summary


@pytest.mark.parametrize(("verdicts", "said"), [
    (["ok"], "1 ok"),
    (["ok", "worse", "ok", "new", "worse", "ok"], "2 worse, 1 new, 3 ok"),
    (["units", "coverage", "fewer", "gone", "better"],
     "1 gone, 1 fewer, 1 coverage, 1 units, 1 better"),
    ([], ""),
])  # fmt: skip
def test_verdicts_are_counted_what_is_worst_first(verdicts: list[str], said: str) -> None:
    assert _summary([{"verdict": verdict} for verdict in verdicts]) == said


def test_figures_have_four_digits_for_people() -> None:
    assert _short({"now": 12.34567, "n": 12345, "name": "conv"}) == {
        "now": "12.35", "n": 12345, "name": "conv"
    }  # fmt: skip
