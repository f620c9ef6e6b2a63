"""Where a result comes from: the chain of files behind it, by checksum, down to the measurements.

The chain follows the project's layout, which the workflow's rules write (docs/workflow.md): a page
from predictions, a prediction from a prototxt and models, models from measurements, measurements
of this machine from sweeps and whole networks. Nothing here has a time in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from neuralpower.core.documents import read_json, read_yaml
from neuralpower.core.errors import InputError, printable
from neuralpower.core.files import sha256_file
from neuralpower.project.tracing import HOMES, Node, Tracer

SCHEMA_VERSION = 1
RECORD = "provenance.json"


def project_of(path: str | Path) -> tuple[Path, str]:
    """The project's folder and the path in it of a result, a prototxt or measurements.

    Raises ``InputError`` for a path outside ``results/``, ``measurements/``, ``published/`` and
    ``prototxts/``.
    """
    absolute = Path(path).resolve()
    if not absolute.exists():
        raise InputError("no such file: check the path", path=path)
    # The outermost such folder, as results/measurements/local is a result; but a whole project may
    # lie in a folder of that name: its own has a Snakefile beside it.
    homes = [path for path in (*reversed(absolute.parents), absolute) if path.name in HOMES]
    homes.sort(key=lambda home: not (home.parent / "Snakefile").is_file())
    if homes:
        return homes[0].parent, absolute.relative_to(homes[0].parent).as_posix()
    raise InputError(
        "is in no results/, measurements/, published/ or prototxts/ folder of a project",
        path=path,
    )


def trace(
    project: Path, targets: Iterable[str], configuration: Mapping[str, object] | None = None
) -> dict[str, Node]:
    """Every node behind ``targets`` (paths in the project), the targets first, inputs after.

    Raises ``InputError`` for a target that the workflow does not know.
    """
    tracer = Tracer(project, configuration or configuration_of(project))
    found: dict[str, Node] = {}
    waiting = [tracer.place(target) for target in targets]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        node = tracer.node(path)
        found[path] = node
        waiting += [name for name in node.inputs if name not in found]
    return found


def configuration_of(project: Path) -> Mapping[str, object]:
    """The configuration that the project's record names, else that of ``config/config.yaml``."""
    record = project / "results" / RECORD
    if record.exists():
        stored = load_record(record).get("configuration")
        if isinstance(stored, dict):
            return stored
    path = project / "config" / "config.yaml"
    if not path.exists():
        return {}
    value = read_yaml(path)
    return value if isinstance(value, dict) else {}


def record(
    project: Path, nodes: Mapping[str, Node], configuration: Mapping[str, object]
) -> dict[str, object]:
    """All nodes with software, git state and configuration: plain JSON to archive with results."""
    from neuralpower.core.versions import code_checksum, git_state, package_versions

    # JSON first: keys that are numbers in YAML become text and can be sorted.
    plain = json.loads(json.dumps(configuration, default=str))
    text = json.dumps(plain, sort_keys=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "software": {**package_versions(), "code_sha256": code_checksum()},
        "git": git_state(project),
        "configuration": plain,
        "configuration_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "nodes": {
            path: {
                "sha256": node.sha256,
                "made_by": node.made_by,
                "inputs": {name: nodes[name].sha256 for name in node.inputs},
                "facts": list(node.facts),
                **({"files": dict(sorted(node.files.items()))} if path.endswith("/") else {}),
            }
            for path, node in sorted(nodes.items())
        },
    }


def load_record(path: str | Path) -> dict[str, Any]:
    """Read a record; ``InputError`` if it is none."""
    value = read_json(path, "a record of a run")
    nodes = value.get("nodes")
    if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
        raise InputError("not a record of a run: write one with `--out`", path=path)
    named = 0
    for name, node in nodes.items():
        files = _files_of(name, node)
        if not isinstance(files, dict) or not all(isinstance(d, str) for d in files.values()):
            text = f"not a record of a run: {name!r} has no checksums"
            raise InputError(text, path=path)
        for file in files:
            if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
                text = f"the record names {file!r}, which is outside the project"
                raise InputError(text, path=path)
        named += len(files)
    if not named:
        raise InputError("names no files, so that nothing can be compared", path=path)
    return value


def _files_of(path: str, node: Mapping[str, Any]) -> Any:
    """The checksums of a node's files by their names."""
    return node.get("files", {path: node.get("sha256")})


def differences(project: Path, stored: Mapping[str, Any]) -> list[str]:
    """Files that are no longer what the record says, a line each."""
    found = []
    for path, entry in sorted(stored["nodes"].items()):
        for name, digest in sorted(_files_of(path, entry).items()):
            file = project / name
            if not file.is_file():
                found.append(f"{name}: gone")
            elif sha256_file(file) != digest:
                found.append(f"{name}: changed")
    return found


def lines(nodes: Mapping[str, Node], target: str, depth: int = 0) -> Iterator[str]:
    """The tree below a target as text: a node a line, its facts and faults under it."""
    yield from _lines(nodes, target, depth, set())


def _lines(nodes: Mapping[str, Node], path: str, depth: int, seen: set[str]) -> Iterator[str]:
    node, pad = nodes[path], "  " * depth
    count = f"  {len(node.files)} files" if path.endswith("/") else ""
    origin = f"  neuralpower {node.made_by}" if node.made_by else "  given"
    again = "  (as above)" if path in seen and node.inputs else ""
    yield f"{pad}{printable(path)}  sha256:{node.sha256[:16]}{count}{origin}{again}"
    if path in seen:
        return
    seen.add(path)
    if path.endswith("/") and not node.made_by:
        yield from (
            f"{pad}  - {printable(name)}  sha256:{d[:16]}" for name, d in sorted(node.files.items())
        )
    yield from (f"{pad}  . {printable(fact)}" for fact in node.facts)
    yield from (f"{pad}  ! {printable(fault)}" for fault in node.faults)
    for name in node.inputs:
        yield from _lines(nodes, name, depth + 1, seen)
