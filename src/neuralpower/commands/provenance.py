"""``neuralpower provenance``: the chain of files behind a result, by checksum."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError, printable, say, show

if TYPE_CHECKING:
    from neuralpower.project.tracing import Node


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a prediction, accuracy file, page or any result; or a folder of measurements",
    )
    parser.add_argument(
        "--config", type=Path, help="configuration of the run (YAML); default: config/config.yaml"
    )
    parser.add_argument("--out", type=Path, help="write the record of all FILEs as JSON")
    parser.add_argument(
        "--checksums", type=Path, metavar="OUT", help="write the files as `sha256sum -c` reads them"
    )
    parser.add_argument(
        "--crate",
        type=Path,
        metavar="OUT.zip",
        help="write the files with the chain as a Workflow Run RO-Crate (needs rocrate)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit 2 and write nothing when a file is not what its manifest or model says",
    )
    parser.add_argument(
        "--verify",
        type=Path,
        metavar="RECORD",
        help="compare an earlier record with the files; exit 1 when they differ",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the chain, write the record, or verify one; exit status 0, 1 (differs) or 2."""
    if arguments.verify is not None:
        return _verify(arguments.verify)
    from neuralpower.core.files import write_json, write_text
    from neuralpower.project import provenance

    if not arguments.files:
        raise InputError("name a result, as results/report/index.html")
    found = [provenance.project_of(path) for path in arguments.files]
    project = found[0][0]
    if any(other != project for other, _ in found):
        raise InputError("the files belong to several projects: ask for each alone")
    targets = [path for _, path in found]
    configuration = _configuration(arguments.config) or provenance.configuration_of(project)
    nodes = provenance.trace(project, targets, configuration)
    if arguments.strict:
        _refuse_faults(nodes)
    if arguments.checksums is not None:
        files = {name: digest for node in nodes.values() for name, digest in node.files.items()}
        text = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
        write_text(arguments.checksums, text)
    if arguments.out is not None:
        write_json(arguments.out, provenance.record(project, nodes, configuration))
    first = list(nodes)[: len(set(targets))]
    if arguments.crate is not None:
        from neuralpower.project.crate import write_crate

        count = write_crate(project, nodes, first, arguments.crate)
        say(f"{arguments.crate}: {count} files, {len(nodes)} nodes of the chain")
    if any(out is not None for out in (arguments.out, arguments.checksums, arguments.crate)):
        return 0
    for target in first:
        show("".join(f"{line}\n" for line in provenance.lines(nodes, target)))
    return 0


def _refuse_faults(nodes: Mapping[str, Node]) -> None:
    for path, node in nodes.items():
        if node.faults:
            more = f" (and {len(node.faults) - 1} more)" if len(node.faults) > 1 else ""
            raise InputError(
                f"{node.faults[0]}{more}: bring the file back, or if the change is meant, put its "
                "new sha256 into the manifest",
                path=path,
            )


def _configuration(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    from neuralpower.core.documents import read_yaml

    value = read_yaml(path)
    return value if isinstance(value, dict) else {}


def _verify(path: Path) -> int:
    from neuralpower.project.provenance import differences, load_record, project_of

    stored = load_record(path)
    project, _ = project_of(path)
    found = differences(project, stored)
    for line in found:
        show(f"{printable(line)}\n")
    total = len(stored["nodes"])
    say(f"{path}: {total} nodes, {len(found)} files differ")
    return 1 if found else 0
