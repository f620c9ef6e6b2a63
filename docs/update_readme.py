"""Write the accuracy tables of the README from the committed accuracy files.

``python docs/update_readme.py`` rewrites what stands between the accuracy marks of README.md from
``config/baseline/*.json``; ``--check`` only says whether that would change it (exit status 1).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
TARGETS = {"runtime_ms": "runtime", "power_w": "power", "energy_mj": "energy", "energy_j": "energy"}
#: The baselines that a reader knows; the pages list all of them.
BASELINES = {"constant": "constant", "roofline": "roofline", "paper": "paper's recipe"}


def percent(value: float | None) -> str:
    """A percentage with three digits that matter; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.0f} %" if value >= 100 else f"{value:.1f} %"


def layer_rows(accuracy: dict[str, Any]) -> Iterator[str]:
    """A row a family and target: size, out-of-fold errors, baselines, interval coverage."""
    for family, targets in sorted(accuracy["layers"].items()):
        for target, score in sorted(targets.items(), reverse=True):
            baselines = [percent(score["baselines"].get(name)) for name in BASELINES]
            fields = [
                f"{family} {TARGETS.get(target, target)}",
                f"{score['n']:,}",
                str(score["n_terms"]),
                f"**{percent(score['rmspe'])}**",
                percent(score["mape"]),
                *baselines,
                percent(score["interval_coverage"]),
            ]
            yield f"| {' | '.join(fields)} |"


def platform_section(accuracy: dict[str, Any]) -> str:
    """One platform: what it is, its layer table, its networks in a sentence."""
    head = ["layer", "configurations", "terms", "RMSPE", "MAPE"]
    head += [f"RMSPE, {name}" for name in BASELINES.values()] + ["90 % interval covers"]
    lines = [
        f"**{accuracy['platform']}** ({accuracy['software']})",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *layer_rows(accuracy),
        "",
    ]
    for target, score in sorted(accuracy.get("network_summary", {}).items(), reverse=True):
        lines += [
            f"Whole networks, {TARGETS.get(target, target)}: MAPE {percent(score['mape'])}, "
            f"RMSPE {percent(score['rmspe'])} over {score['n']} pairs of network and batch size; "
            "no measured network was used for fitting.",
            "",
        ]
    return "\n".join(lines)


def tables() -> str:
    """The text between the marks."""
    paths = sorted((ROOT / "config/baseline").glob("*.json"))
    sections = [platform_section(json.loads(path.read_text("utf-8"))) for path in paths]
    intro = (
        "## How accurate it is\n\n"
        "Every figure is out of fold: a configuration was predicted by models that had not seen\n"
        "it. RMSPE is the root mean square of the relative error. Generated from\n"
        "`config/baseline/` by `python docs/update_readme.py`; scores on public measurement sets\n"
        "are in [docs/accuracy.md](docs/accuracy.md).\n\n"
    )
    return intro + "\n".join(sections)


def main() -> int:
    """Rewrite the README or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    check = parser.parse_args().check
    text = README.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n{tables()}{END}{after}"
    if check:
        return int(new != text)
    README.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
