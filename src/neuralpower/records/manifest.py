"""``manifest.json``: what a folder of measurements is, and the checksum of each of its files.

History of the format (``schema_version``):

1. The first. All of it is optional: a person may write one by hand, with the words that are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST
from neuralpower.core.files import read_pieces, read_text, sha256_file, write_json
from neuralpower.records.codec import Facts, decode, encode, take

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class PowerState:
    """Whether power was measured; if not, why; ``u_gain``: uncertainty of the sensor's gain."""

    measured: bool = True
    reason: str | None = None
    u_gain: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values, without what is not known."""
        return {name: value for name, value in encode(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class VisitCounts:
    """Visits of the plan, made, and those of them that failed."""

    planned: int
    made: int
    failed: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A visit that could not be made: its name, what it is of, why."""

    visit: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of a folder; ``None`` or empty where nothing is recorded.

    ``device``, ``software``, ``description``, ``notes``: words. ``peak_gflops`` and
    ``bandwidth_gb_s``: for roofline baselines, from ``peak_source``. ``protocol``, ``executor``,
    ``machine``, ``gpu_software``, ``idle``, ``warm_ups``, ``calibration``, ``calls``: as
    ``profile`` found them. ``run``: identity of a single run; ``runs``: the manifests of those
    that were merged, with ``run`` and ``rows``; ``gain`` and ``runtime_levels``: levels of
    boards and runs. ``files``: facts of each file by name. ``other``: what this version does not
    know, kept.
    """

    schema_version: int | None = None
    platform: str | None = None
    device: str = ""
    software: str = ""
    description: str = ""
    notes: str = ""
    measured_on: tuple[str, ...] = ()
    power: PowerState | None = None
    peak_gflops: float | None = None
    bandwidth_gb_s: float | None = None
    peak_source: str | None = None
    protocol: Facts | None = None
    protocol_sha256: str | None = None
    plan_sha256: str | None = None
    seed: int | None = None
    anchor: Facts | None = None
    executor: Facts | None = None
    affinity: tuple[int, ...] | None = None
    meter: str | None = None
    machine: Facts | None = None
    neuralpower: str | None = None
    gpu_software: Facts | None = None
    idle: Facts | None = None
    boards: tuple[str, ...] | None = None
    warm_ups: tuple[Facts, ...] = ()
    calibration: Facts | None = None
    calls: tuple[Facts, ...] = ()
    visits: VisitCounts | None = None
    complete: bool = True
    failures: tuple[Failure, ...] | None = None
    run: str | None = None
    runs: tuple[Facts, ...] | None = None
    gain: Facts | None = None
    gain_levelled: tuple[str, ...] | None = None
    runtime_levels: Facts | None = None
    allowed_differences: Facts | None = None
    repeatability: Facts | None = None
    files: Facts | None = None
    other: Facts = field(default_factory=dict)

    @classmethod
    def of(cls, values: Facts) -> Manifest:
        """The manifest in a JSON object; what has another form than ours is kept in ``other``."""
        entries = dict(values)
        for name in ("device", "software", "description", "notes"):
            entries[name] = words(entries.get(name))
        if isinstance(entries.get("measured_on"), str):
            entries["measured_on"] = [entries["measured_on"]]
        known, other = take(cls, entries)
        return cls(**known | {"other": other})

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON, without what is not known."""
        entries = {f.name: encode(getattr(self, f.name)) for f in fields(self) if f.name != "other"}
        known = {
            k: v for k, v in entries.items() if v is not None and v not in _LEFT_OUT.get(k, ())
        }
        if self.power is not None:
            known["power"] = self.power.as_dict()
        return {**self.other, **known}


#: Values that are as good as none.
_LEFT_OUT: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("device", "software", "description", "notes"), ("",)),
    **{name: ([],) for name in ("measured_on", "warm_ups", "calls")},
}


def words(value: object) -> str:
    """A value of a manifest for people: text as it is, an object as its names and values."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {v}" for k, v in value.items() if isinstance(v, str | int | float))
    return value if isinstance(value, str) else ""


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, ``None`` where it has none; ``InputError`` for what is none."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    value = read_json(path, "a manifest")
    if not isinstance(value.get("files"), dict | None):
        raise InputError("files: an object of file names is needed", path=path)
    manifest = Manifest.of(value)
    try:
        _check_parts(manifest)
    except ValueError as error:
        raise InputError(f"not a manifest: {error}", path=path) from None
    return manifest


@dataclass(frozen=True, slots=True)
class _Level:
    """What is read of a level of ``gain`` or ``runtime_levels``."""

    factor: float | None = None
    lo: float | None = None
    hi: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _MergedRun:
    """What is read of an entry of ``runs``."""

    run: str
    rows: int | None = None
    measured_on: tuple[str, ...] | None = None
    boards: tuple[str, ...] | None = None


def _check_parts(manifest: Manifest) -> None:
    """``ValueError`` for parts of objects that are read and have another form than ours."""
    for name, levels in (("gain", manifest.gain), ("runtime_levels", manifest.runtime_levels)):
        for unit, level in (levels or {}).items():
            try:
                found = decode(_Level, level)
            except ValueError as error:
                raise ValueError(f"{name}: {unit}: {error}") from None
            if found.lo is not None and (found.factor is None or found.hi is None):
                raise ValueError(f"{name}: {unit}: an interval needs factor, lo and hi")
    for run in manifest.runs or ():
        try:
            decode(_MergedRun, run)
        except ValueError as error:
            raise ValueError(f"runs: {error}") from None


def write_manifest(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Write the manifest of ``folder`` with the SHA-256 and row count of each file of ``names``."""
    files = {name: _file_facts(folder / name) for name in sorted(set(names))}
    entries = manifest.as_dict() | {"schema_version": SCHEMA_VERSION, "files": files}
    write_json(folder / MANIFEST, entries)


def _file_facts(path: Path) -> Facts:
    facts: dict[str, object] = {"sha256": sha256_file(path)}
    if path.name.endswith((".csv", ".csv.gz")):
        facts["rows"] = sum(len(piece.records) for piece in read_pieces(path))
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        facts["rows"] = read_text(path).count("\n")
    return facts
