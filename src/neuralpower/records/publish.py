"""The files of a platform from the record of its run: tables, manifest, README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST
from neuralpower.core.files import read_text, write_text
from neuralpower.records.codec import Facts
from neuralpower.records.folder import load_network_rows, load_platform, load_rows
from neuralpower.records.journal import RunRecord
from neuralpower.records.manifest import (
    Failure,
    Manifest,
    PowerState,
    VisitCounts,
    read_manifest,
    write_manifest,
)
from neuralpower.records.readme import readme_text
from neuralpower.records.repeatability import Repeatability, repeatability
from neuralpower.records.sealing import accompanying, seal
from neuralpower.records.tables import write_tables
from neuralpower.records.visits import POWER_MISSED, VisitRecord, run_identity, write_visit_records

#: Failed visits that the manifest names; the rest are counted.
_NAMED_FAILURES = 50

#: A person's own remarks on a run; they go into its README and manifest.
NOTES = "NOTES.md"


def publish(folder: Path, run: RunRecord, records: Sequence[VisitRecord], planned: int) -> None:
    """Write everything but the record itself; the same records give the same bytes."""
    names = write_tables(folder, records, _earlier(folder))
    if not names:
        return
    write_visit_records(folder, records)
    describe(folder, manifest_of(run, records, planned), names)


def close_folder(folder: Path) -> None:
    """Take the raw log of a call that has ended into the manifest, where one is written."""
    if (folder / MANIFEST).exists():
        seal(load_platform(folder))


def describe(folder: Path, facts: Manifest, tables: Sequence[str]) -> None:
    """Write README and manifest of a folder whose tables are written."""
    if (folder / NOTES).exists():
        facts = replace(facts, notes=" ".join(read_text(folder / NOTES).split()))
    # The tables are read back: what is said of them is what anyone will read in them.
    write_manifest(folder, facts, tables)
    platform = load_platform(folder)
    rows = load_rows(platform)
    figures = repeatability(rows)
    text = readme_text(facts, figures, rows, load_network_rows(platform))
    write_text(folder / "README.md", text)
    names = [*tables, *accompanying(folder), "README.md"]
    write_manifest(folder, replace(facts, repeatability=rounded(figures)), names)


def _earlier(folder: Path) -> list[str]:
    """Files that an earlier call wrote, as its manifest lists them."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return []
    return sorted(manifest.files or ()) if manifest is not None else []


def manifest_of(run: RunRecord, records: Sequence[VisitRecord], planned: int) -> Manifest:
    """The manifest of a run, but for the files."""
    identity = run.identity
    executor = identity.executor
    failures = [record for record in records if record.timing is None]
    configurations = {record.key for record in records if record.kind == "layer"}
    networks = {(r.network, r.batch) for r in records if r.kind == "network"}
    probe = Manifest.of(run.probe)
    return replace(
        probe,
        run=run_identity(records),
        platform=identity.platform,
        device=_gpu_words(executor) or device_words(run.machine, identity.affinity),
        software=executor["software"],
        description=(
            f"{len(configurations)} layer configurations and {len(networks)} networks at a batch "
            f"size, {len(records)} visits in random order with an anchor layer every "
            f"{identity.protocol['design']['block_size']} visits; "
            f"{executor.get('precision', 'float32')}, random data, "
            f"{executor.get('threads_intra')} thread(s)."
        ),
        measured_on=tuple(sorted({record.time_utc[:10] for record in records})),
        power=_with_gain(identity.meter, run.power),
        protocol=identity.protocol,
        protocol_sha256=identity.protocol_sha256,
        plan_sha256=run.plan_sha256,
        seed=identity.seed,
        anchor=run.anchor,
        executor=executor,
        affinity=identity.affinity,
        meter=identity.meter,
        machine=run.machine,
        neuralpower=run.neuralpower,
        gpu_software=run.gpu_software,
        idle=run.idle,
        boards=tuple(sorted({record.board for record in records if record.board})) or None,
        warm_ups=run.warm_ups,
        calibration=identity.calibration,
        calls=run.calls,
        visits=VisitCounts(planned, len(records), len(failures)),
        complete=len(records) == planned and not any(POWER_MISSED in r.flags for r in records),
        failures=tuple(
            Failure(record.visit, _what(record), record.error or "")
            for record in failures[:_NAMED_FAILURES]
        ),
    )


def _with_gain(meter: str, power: PowerState) -> PowerState:
    """With the relative uncertainty of the sensor's gain, which no number of visits shrinks."""
    from neuralpower.meters.nvml import GAIN_UNCERTAINTY

    return replace(power, u_gain=GAIN_UNCERTAINTY) if power.measured and meter == "nvml" else power


def _gpu_words(executor: Facts) -> str:
    """The GPU in a line; empty where the executor has none."""
    gpu = executor.get("gpu")
    return f"{gpu['name']}, {gpu['multiprocessors']} multiprocessors" if gpu else ""


def device_words(machine: Facts, affinity: Sequence[int] | None) -> str:
    """The device in a line."""
    kind = "virtual machine" if machine.get("virtual_machine") else "machine"
    words = f"{machine.get('cpu') or 'unknown processor'}, {kind} with "
    words += f"{machine.get('cores_online')} cores online"
    if affinity is not None and len(affinity) == 1:
        words += f", pinned to core {affinity[0]}"
    return words


def _what(record: VisitRecord) -> str:
    if record.configuration is None:
        return f"{record.network} x {record.batch}"
    return ",".join(str(value) for value in asdict(record.configuration).values())


def rounded(figures: Repeatability) -> Facts:
    """Repeatability as plain values of six decimals, for a manifest."""
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
        if figures.second_anchors or not name.startswith("second_")
    }
