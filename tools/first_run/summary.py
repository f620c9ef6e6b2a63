"""A few lines on a run that goes on: what came of its visits so far (standard library only)."""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def summary(folder: Path) -> str:
    """Counts, flags, the anchors' scatter, time in the power window over the timing, faults."""
    lines = (folder / "visits.jsonl").read_text(encoding="utf-8").splitlines()
    visits = list({v["visit"]: v for v in map(json.loads, lines)}.values())
    powered = [v for v in visits if v["power"] and v["power"].get("mean_w")]
    first = next((v["key"] for v in visits if v["kind"] == "anchor"), "")
    anchors = [v for v in visits if v["key"] == first]
    text = [
        f"{len(visits)} visits, {len(powered)} with power, "
        f"{sum(v['timing'] is None for v in visits)} failed",
        f"flags: {dict(Counter(flag for v in visits for flag in v['flags']))}",
        f"anchor: time scatters by {_cv([_ms(v) for v in anchors])} %, power by "
        f"{_cv([v['power']['mean_w'] for v in anchors if v in powered])} %",
    ]
    moved = [
        100 * (v["power"]["call_ms"] / _ms(v) - 1) for v in powered if v["power"].get("call_ms")
    ]
    if moved:
        text.append(
            f"a call in the power window over the timing: median {statistics.median(moved):+.2f} %,"
            f" from {min(moved):+.2f} to {max(moved):+.2f} %"
        )
    text += [f"  {v['visit']}: {v['error'][:110]}" for v in visits if v["error"]]
    return "\n".join(text)


def _ms(visit: dict[str, Any]) -> float:
    return float((visit["timing"] or {}).get("median_ms") or float("nan"))


def _cv(values: list[float]) -> str:
    known = [value for value in values if value == value]
    if len(known) < 3:
        return "?"
    return f"{100 * statistics.stdev(known) / statistics.fmean(known):.3f}"


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
