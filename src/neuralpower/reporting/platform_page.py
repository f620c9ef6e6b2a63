"""The page of a platform: how accurate its models are, how they were chosen and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.file_names import (
    CROSS_VALIDATION,
    DATA_QUALITY,
    LEARNING_CURVE,
    MANIFEST,
    OUT_OF_FOLD,
)
from neuralpower.core.targets import LABELS, TARGETS, UNITS
from neuralpower.reporting import figures_platform as figures
from neuralpower.reporting.beyond import column_words
from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import PlatformResults, Results, Row
from neuralpower.reporting.scores import (
    BASELINE_HELP,
    BASELINES,
    worse_models,
    worse_than_simple,
)
from neuralpower.reporting.tables import (
    Cell,
    Column,
    Table,
    figure,
    inline_download,
    linked_download,
    per_cent,
    slim,
    whole,
    word,
)
from neuralpower.reporting.validation_section import validation_section
from neuralpower.scoring.accuracy import LayerScores
from neuralpower.scoring.outlook import outlooks

_OUT_OF_FOLD_NUMBERS = frozenset({"measured", "predicted", "lo", "hi"})
_LEARNING_NUMBERS = frozenset({"configurations", "rmspe", "mape"})
#: Rows of the selection table on the page; the file holds all.
_SHOWN_CANDIDATES = 5


def platform_context(results: Results, page: Path, platform: str) -> dict[str, object]:
    """What the template ``platform.html`` shows."""
    return _context(results.platform(platform), page)


def _unnamed(platform: PlatformResults) -> str:
    """Where to name the device of a recorded folder that does not."""
    where = f"measurements/{platform.name}/{MANIFEST}"
    return f'not named: {where} may hold {{"device": "..."}}' if platform.is_recorded else ""


def _context(platform: PlatformResults, page: Path) -> dict[str, object]:
    name = platform.name
    candidates = platform.candidates
    curve = platform.table(LEARNING_CURVE, _LEARNING_NUMBERS)
    context: dict[str, object] = {
        "title": f"Platform {name}",
        "name": name,
        "facts": [
            ("Device", platform.fact("device") or _unnamed(platform)),
            ("Software", platform.fact("software")),
            ("Measured", platform.fact("measured_on") or platform.fact("created")),
            ("What", platform.fact("description")),
            ("Power sensor", platform.fact("sensor")),
            ("Precision", platform.fact("precision")),
            ("Batch sizes measured", _batches(platform)),
            ("Convolutions measured", "" if platform.unmeasured else _sizes(platform)),
            ("To know before use", " ".join(map(str, platform.models.get("traps") or ()))),
            ("Notes", platform.fact("notes")),
        ],
        "why_no_power": platform.why_no_power,
        "data_sheet": _of_data_sheet(platform),
        "worse": worse_models(platform.accuracy.get("layers", {})),
        "figures_of_quality": platform.checked.quality.facts if platform.checked else [],
        "credit": platform.credit,
        "accuracy": _accuracy_sections(platform, page),
        "validation": validation_section(platform),
        "selection": _selection(platform, candidates, page) if candidates else None,
        "learning": figures.learning(curve),
        "outlooks": [outlook.text() for outlook in outlooks(curve)],
        "models": [
            (family, f"../models/{name}.{family}.html")
            for family in sorted(platform.accuracy.get("layers", {}))
        ],
        "measurement": _measurement(platform),
        "measured": f"../measurements/{name}.html" if platform.is_recorded else "",
        "quality": _quality(platform, page),
        "provenance": _provenance(platform),
    }
    context["contents"] = _contents(context)
    return context


#: Sizes of convolutions that the page gives the measured range of.
_SIZES = ("in_channels", "out_channels", "in_height", "kernel_height", "stride_height")


def _batches(platform: PlatformResults) -> str:
    """The few batch sizes that were measured, or from which to which of the many."""
    if platform.unmeasured:
        return ""
    families = ("conv", *sorted(platform.models.get("rows", {})))
    ends = next((found for f in families if (found := platform.ranges(f).get("batch"))), None)
    if platform.fact("batch_sizes") or ends is None:
        return platform.fact("batch_sizes")
    return f"{ends[0]:g} to {ends[1]:g}"


def _sizes(platform: PlatformResults) -> str:
    ranges = platform.ranges("conv")
    return ", ".join(
        f"{column_words(name)} {low:g} to {high:g}"
        for name in _SIZES
        for low, high in [ranges.get(name, (0, 0))]
        if low < high
    )


def _of_data_sheet(platform: PlatformResults) -> str:
    """That models come from a data sheet, and what that is worth; empty where none does."""
    if not platform.of_data_sheet:
        return ""
    facts = [
        f"{value:g} {unit}"
        for name, unit in (("peak_gflops", "GFLOP/s"), ("bandwidth_gb_s", "GB/s"),
                           ("power_cap_w", "W at most"))
        if isinstance(value := platform.models.get(name), int | float)
    ]  # fmt: skip
    families: dict[str, list[str]] = {}
    for family, target in (name.split(".")[:2] for name in platform.of_data_sheet):
        families.setdefault(LABELS[target], []).append(family)
    models = " and ".join(f"{label} of {', '.join(names)}" for label, names in families.items())
    lead = "Nothing was measured on this device" if platform.unmeasured else "Not measured here"
    return (
        f"{lead}: {models} come from its data sheet ({', '.join(facts)}) and other devices' "
        "models. Their errors are not known; their 90 % intervals are a factor of 4 either way for "
        "runtime and of 1.6 for power"
    )


def _contents(context: Mapping[str, Any]) -> list[tuple[str, str]]:
    whole_networks = [("networks", "Whole networks")] if context["validation"] else []
    layers = [(section["id"], section["title"]) for section in context["accuracy"]]
    later = (
        ("selection", "How the models were chosen"),
        ("learning", "How many measurements"),
        ("models", "What drives the cost"),
        ("measurement", "How it was measured"),
        ("quality", "Data quality"),
    )
    return [*whole_networks, *layers, *((key, text) for key, text in later if context[key])]


def out_of_fold(platform: PlatformResults) -> dict[str, dict[str, list[Row]]]:
    """Out-of-fold predictions: target -> family -> rows; larger families first."""
    found: dict[str, dict[str, list[Row]]] = {}
    for row in platform.table(OUT_OF_FOLD, _OUT_OF_FOLD_NUMBERS, ("family", "target")):
        # Small families are dealt several times; a picture has each layer once.
        if row.get("deal", "0") != "0":
            continue
        if row["measured"] and row["predicted"] and row["predicted"] > 0:
            found.setdefault(row["target"], {}).setdefault(row["family"], []).append(row)
    return {
        target: dict(sorted(families.items(), key=lambda item: (-len(item[1]), item[0])))
        for target, families in found.items()
    }


def _accuracy_sections(platform: PlatformResults, page: Path) -> list[dict[str, object]]:
    layers = platform.accuracy.get("layers", {})
    folds = out_of_fold(platform)
    sections = []
    for target in TARGETS:
        table = accuracy_table(platform, layers, target)
        if table is None:
            continue
        name = LABELS[target]
        drawn = folds.get(target, {})
        sections.append(
            {
                "id": f"accuracy-{name}",
                "title": f"How accurate: {name} of layers",
                "table": table,
                "scatter": figures.scatter(drawn, target),
                "residuals": figures.residuals(drawn, target),
            }
        )
    return sections


def accuracy_table(
    platform: PlatformResults, layers: Mapping[str, LayerScores], target: str
) -> Table | None:
    """Scores of a target by family beside the baselines."""
    scored = {family: t[target] for family, t in sorted(layers.items()) if t.get(target)}
    if not scored:
        return None
    names = list(dict.fromkeys(n for score in scored.values() for n in score.get("baselines", {})))
    unit = UNITS[target]
    columns = [
        Column("Family", False), Column("Layers"), Column("Terms"), Column("RMSPE %"),
        Column("MAPE %"), Column("Median error %"), Column("Within 10 %, %"),
        Column(f"RMSE {unit}"), Column("R²"), Column("In the 90 % interval, %"),
        Column("Mark", False, look="note"),
        *(
            Column(f"{BASELINES.get(n, n)} RMSPE %", True, BASELINE_HELP.get(n, ""), "quiet")
            for n in names
        ),
    ]  # fmt: skip
    rows, records = [], []
    for family, score in scored.items():
        baselines = score.get("baselines", {})
        rows.append(
            [
                word(family),
                whole(score.get("n")),
                whole(score.get("n_terms")),
                per_cent(score.get("rmspe")),
                per_cent(score.get("mape")),
                per_cent(score.get("median_ape")),
                per_cent(score.get("within_10")),
                figure(score.get("rmse")),
                figure(score.get("r2")),
                per_cent(score.get("interval_coverage")),
                word(worse_than_simple(score)),
                *(per_cent(baselines.get(n)) for n in names),
            ]
        )
        flat = {k: v for k, v in score.items() if isinstance(v, int | float | str)}
        records.append({"family": family, "target": target, **flat, **{
            f"{n}_rmspe": baselines.get(n) for n in names}})  # fmt: skip
    header = list(dict.fromkeys(key for record in records for key in record))
    caption = (
        "Predictions of layers that the model did not see, against their measurements (out of "
        "fold); grey: what simpler predictors reach on the same layers."
    )
    return slim(
        Table(f"accuracy-table-{target}", f"Accuracy of {LABELS[target]} by layer family",
              caption, columns, rows,
              download=inline_download(f"{platform.name}.{target}.csv", header, records))
    )  # fmt: skip


def _selection(platform: PlatformResults, candidates: Sequence[Row], page: Path) -> Table:
    shown: list[Row] = []
    for target in TARGETS:
        for family in sorted({row["family"] for row in candidates}):
            own = [r for r in candidates if r["family"] == family and r["target"] == target]
            best = sorted(own, key=lambda r: (-(r["chosen"] or 0), r["rmspe"]))
            shown += best[:_SHOWN_CANDIDATES]
    rows = [
        [
            word(row["family"]),
            word(LABELS.get(row["target"], row["target"])),
            word(row["candidate"]),
            whole(row["n_terms"]),
            per_cent(row["rmspe"]),
            per_cent(row["standard_error"]),
            word("chosen" if row["chosen"] else ""),
        ]
        for row in shown
    ]
    columns = [Column("Family", False), Column("Quantity", False), Column("Candidate", False),
               Column("Terms"), Column("RMSPE %"), Column("Standard error"),
               Column("Choice", False)]  # fmt: skip
    caption = (
        f"The choice and the {_SHOWN_CANDIDATES - 1} best others of each family and quantity; the "
        "file holds all, and the page of a model draws them. A smaller model within a standard "
        "error of the best is preferred."
    )
    path = platform.models_folder / CROSS_VALIDATION
    return Table("selection-table", "Candidates", caption, columns, rows,
                  download=linked_download(path, page, "All candidates (CSV)"),
                  filterable=True)  # fmt: skip


def _measurement(platform: PlatformResults) -> dict[str, object]:
    manifest = platform.manifest
    protocol = manifest.get("protocol")
    facts = []
    if isinstance(protocol, Mapping):
        facts = [(str(k).replace("_", " "), _in_words(v)) for k, v in sorted(protocol.items())]
    power = manifest.get("power")
    if isinstance(power, Mapping):
        facts += [(f"power: {k}", _in_words(v)) for k, v in sorted(power.items())]
    files = manifest.get("files")
    table = None
    if isinstance(files, Mapping) and files:
        rows = []
        for name, entry in sorted(files.items()):
            known: Mapping[str, object] = entry if isinstance(entry, Mapping) else {"sha256": entry}
            count = known.get("rows")
            rows.append([word(name), whole(count) if isinstance(count, int | float) else Cell(),
                         word(str(known.get("sha256", ""))[:16])])  # fmt: skip
        table = slim(
            Table("files", "Measurement files", "Tables of the measurement folder and the first "
                  "digits of their SHA-256, from its manifest.",
                  [Column("File", False), Column("Rows"), Column("SHA-256", False)], rows)
        )  # fmt: skip
    if not facts and table is None:
        if platform.unmeasured:
            return {}
        facts = [("Protocol", "not recorded: only tables of measurements are known")]
    return {"facts": facts, "files": table, "power": None}


def _in_words(value: object) -> str:
    """A value of a manifest for people; what is not known is empty, so that it is not shown."""
    if isinstance(value, Mapping):
        pairs = [(str(k).replace("_", " "), _in_words(v)) for k, v in sorted(value.items())]
        return ", ".join(f"{name} {text}" for name, text in pairs if text)
    if isinstance(value, list):
        return ", ".join(_in_words(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _quality(platform: PlatformResults, page: Path) -> Table | None:
    rows = platform.table(DATA_QUALITY, frozenset({"row"}), ("file", "column", "reason", "action"))
    if not rows:
        return None
    columns = [Column("File", False), Column("Row"), Column("Column", False),
               Column("Reason", False), Column("What was done", False)]  # fmt: skip
    cells = [
        [
            word(row["file"]),
            whole(row["row"]) if row["row"] else Cell(),
            word(row["column"]),
            word(row["reason"]),
            word(row["action"]),
        ]
        for row in rows[:200]
    ]
    caption = f"Measurements that were set aside, with the reason: {len(rows)}" + (
        f", the first {len(cells)} shown." if len(rows) > len(cells) else "."
    )
    path = platform.models_folder / DATA_QUALITY
    return Table("quality-table", "Measurements set aside", caption, columns, cells,
                 download=linked_download(path, page), filterable=True)  # fmt: skip


def _provenance(platform: PlatformResults) -> list[tuple[str, str]]:
    accuracy, models = platform.accuracy, platform.models
    options = models.get("options")
    facts = [
        (
            "Data, SHA-256",
            ""
            if platform.unmeasured
            else str(accuracy.get("data_sha256") or models.get("data_sha256") or ""),
        ),
        ("Fitted by", f"neuralpower {models['version']}" if models.get("version") else ""),
        ("Created", str(models.get("created") or accuracy.get("created") or "")),
    ]
    if isinstance(options, Mapping) and not platform.unmeasured:
        facts += [
            (f"fit: {k}", ", ".join(map(str, v)) if isinstance(v, list) else str(v))
            for k, v in sorted(options.items())
        ]
    return facts


PAGE = Page(
    template="platform.html",
    path="platforms/{platform}.html",
    inputs=(
        "results/accuracy/{platform}.json",
        "results/models/{platform}/models.json",
        "results/models/{platform}/out_of_fold.csv",
        "results/models/{platform}/cross_validation.csv",
        "results/models/{platform}/data_quality.csv",
    ),
    optional=(f"results/models/{{platform}}/{LEARNING_CURVE}",),
    context=platform_context,
    each=lambda results: [{"platform": name} for name in results.platforms],
)
