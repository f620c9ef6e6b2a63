"""The files of a platform from the record of its run: tables, manifest, README."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuralpower.core.files import read_text, write_text
from neuralpower.records.folder import MANIFEST, load_network_rows, load_platform, load_rows
from neuralpower.records.manifest import accompanying, seal, write_manifest
from neuralpower.records.readme import readme_text
from neuralpower.records.repeatability import Repeatability, repeatability
from neuralpower.records.tables import write_tables
from neuralpower.records.visits import run_identity, write_visit_records

#: Failed visits that the manifest names; the rest are counted.
_NAMED_FAILURES = 50

#: A person's own remarks on a run; they go into its README and manifest.
NOTES = "NOTES.md"


def publish(
    folder: Path, run: Mapping[str, Any], records: Sequence[Mapping[str, Any]], planned: int
) -> None:
    """Write everything but the record itself; the same records give the same bytes."""
    names = write_tables(folder, records, _earlier(folder))
    if not names:
        return
    write_visit_records(folder, records)
    describe(folder, manifest_facts(run, records, planned), names)


def close_folder(folder: Path) -> None:
    """Take the raw log of a call that has ended into the manifest, where one is written."""
    if (folder / MANIFEST).exists():
        seal(load_platform(folder))


def describe(folder: Path, facts: dict[str, Any], tables: Sequence[str]) -> None:
    """Write README and manifest of a folder whose tables are written."""
    if (folder / NOTES).exists():
        facts["notes"] = " ".join(read_text(folder / NOTES).split())
    # The tables are read back: what is told of them is what anyone will read in them.
    write_manifest(folder, facts, tables)
    platform = load_platform(folder)
    rows = load_rows(platform)
    figures = repeatability(rows)
    text = readme_text(facts, figures, rows, load_network_rows(platform))
    write_text(folder / "README.md", text)
    names = [*tables, *accompanying(folder), "README.md"]
    write_manifest(folder, facts | {"repeatability": rounded(figures)}, names)


def _earlier(folder: Path) -> list[str]:
    """Files that an earlier call wrote, as its manifest lists them."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return [str(name) for name in files]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def manifest_facts(
    run: Mapping[str, Any], records: Sequence[Mapping[str, Any]], planned: int
) -> dict[str, Any]:
    """What the manifest tells beside the files."""
    identity, machine = run["identity"], run["machine"]
    failures = [record for record in records if record["timing"] is None]
    days = sorted({record["time_utc"][:10] for record in records})
    configurations = {r["key"] for r in records if r["kind"] == "layer"}
    networks = {(r["network"], r["batch"]) for r in records if r["kind"] == "network"}
    boards = sorted({record["board"] for record in records if record.get("board")})
    return {
        "run": run_identity(records),
        "platform": identity["platform"],
        "device": _gpu_words(identity["executor"])
        or device_words(machine, identity.get("affinity")),
        "software": identity["executor"]["software"],
        "description": (
            f"{len(configurations)} layer configurations and {len(networks)} networks at a batch "
            f"size, {len(records)} visits in random order with an anchor layer every "
            f"{identity['protocol']['design']['block_size']} visits; "
            f"{identity['executor'].get('precision', 'float32')}, random data, "
            f"{identity['executor'].get('threads_intra')} thread(s)."
        ),
        "measured_on": days,
        "power": run["power"] | _gain(identity["meter"], run["power"]),
        "protocol": identity["protocol"],
        "protocol_sha256": identity["protocol_sha256"],
        "plan_sha256": run["plan_sha256"],
        "seed": identity["seed"],
        "anchor": run["anchor"],
        "executor": identity["executor"],
        "affinity": identity["affinity"],
        "meter": identity["meter"],
        "machine": machine,
        "neuralpower": run["neuralpower"],
        **{name: run[name] for name in ("gpu_software", "idle") if run.get(name)},
        **({"boards": boards} if boards else {}),
        **({"warm_ups": run["warm_ups"]} if run.get("warm_ups") else {}),
        **({"calibration": c} if (c := identity.get("calibration")) else {}),
        **run["probe"],
        "visits": {"planned": planned, "made": len(records), "failed": len(failures)},
        "complete": len(records) == planned,
        "failures": [
            {"visit": r["visit"], "what": _what(r), "reason": r["error"]}
            for r in failures[:_NAMED_FAILURES]
        ],
    }


def _gain(meter: str, power: Mapping[str, Any]) -> dict[str, float]:
    """The relative uncertainty of the sensor's gain, which no number of visits shrinks."""
    from neuralpower.meters.nvml import GAIN_UNCERTAINTY

    return {"u_gain": GAIN_UNCERTAINTY} if power["measured"] and meter == "nvml" else {}


def _gpu_words(executor: Mapping[str, Any]) -> str:
    """The GPU in a line; empty where the executor has none."""
    gpu = executor.get("gpu")
    return f"{gpu['name']}, {gpu['multiprocessors']} multiprocessors" if gpu else ""


def device_words(machine: Mapping[str, Any], affinity: Sequence[int] | None) -> str:
    """The device in a line."""
    kind = "virtual machine" if machine.get("virtual_machine") else "machine"
    words = f"{machine.get('cpu') or 'unknown processor'}, {kind} with "
    words += f"{machine.get('cores_online')} cores online"
    if affinity is not None and len(affinity) == 1:
        words += f", pinned to core {affinity[0]}"
    return words


def _what(record: Mapping[str, Any]) -> str:
    if record["kind"] == "network":
        return f"{record['network']} x {record['batch']}"
    return ",".join(str(value) for value in record["configuration"].values())


def rounded(figures: Repeatability) -> dict[str, Any]:
    """Repeatability as plain values of six decimals, for a manifest."""
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name in Repeatability.__dataclass_fields__
        for value in (getattr(figures, name),)
    }
