"""A result with everything behind it as a Workflow Run RO-Crate: one archive that others can read.

https://www.researchobject.org/workflow-run-crate/ (Workflow Run Crate 0.5): the workflow is the
main entity, the run an action on it, and every command of the chain an action with its inputs and
outputs. The facts are those of ``provenance``; needs the package ``rocrate``.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower import __version__
from neuralpower.core.errors import InputError
from neuralpower.core.extras import not_installed
from neuralpower.project.tracing import Node

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILES = {
    "process": "https://w3id.org/ro/wfrun/process/0.5",
    "workflow": "https://w3id.org/ro/wfrun/workflow/0.5",
    "workflow-ro-crate": "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
}
_LICENCE = "https://spdx.org/licenses/MIT"


def write_crate(project: Path, nodes: Mapping[str, Node], targets: list[str], out: Path) -> int:
    """Write the crate of ``targets`` as a zip archive; returns the number of files in it.

    ``nodes`` are those of ``provenance.trace``. Raises ``InputError`` where the package ``rocrate``
    is absent, the project has no Snakefile, or ``out`` does not end in ``.zip``.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise not_installed("rocrate", "crate") from None
    if out.suffix != ".zip":
        raise InputError("a crate is an archive: name it *.zip", path=out)
    snakefile = project / "Snakefile"
    if not snakefile.is_file():
        raise InputError("no Snakefile here: a crate describes a run of the workflow", path=project)
    crate = ROCrate(version="1.1")
    builder = _Builder(crate, project)
    for path, node in sorted(nodes.items()):
        builder.add_node(path, node)
    builder.add_run(nodes, targets)
    partial = out.with_name(f".{out.name}.part.zip")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        crate.write_zip(partial)
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return len(builder.files)


class _Builder:
    """Entities of a crate by their path in the project."""

    def __init__(self, crate: ROCrate, project: Path) -> None:
        self.crate = crate
        self.project = project
        self.files: dict[str, object] = {}
        self.entities: dict[str, object] = {}
        self.date = _date(project)
        crate.name = "A run of NeuralPower"
        crate.description = (
            "Predictions of runtime, power and energy of convolutional networks, with the "
            "measurements, models and commands behind them."
        )
        crate.license = _LICENCE
        crate.datePublished = self.date

    def add_node(self, path: str, node: Node) -> None:
        """A file, or a folder as a data set of its files."""
        parts = [self._file(name, digest) for name, digest in sorted(node.files.items())]
        if not path.endswith("/"):
            self.entities[path] = parts[0]
            return
        from rocrate.model.dataset import Dataset

        facts = {"name": path, "description": "; ".join(node.facts), "hasPart": parts}
        facts = {key: value for key, value in facts.items() if value}
        self.entities[path] = self.crate.add(Dataset(self.crate, None, path, properties=facts))

    def _file(self, name: str, digest: str) -> object:
        if name not in self.files:
            source = self.project / name
            facts = {"name": name, "sha256": digest, "contentSize": str(source.stat().st_size)}
            self.files[name] = self.crate.add_file(source, name, properties=facts)
        return self.files[name]

    def add_run(self, nodes: Mapping[str, Node], targets: list[str]) -> None:
        """The workflow, the run of it, and an action for every command."""
        from rocrate.model.contextentity import ContextEntity

        crate = self.crate
        workflow = crate.add_workflow(
            self.project / "Snakefile", "Snakefile", main=True, lang="snakemake"
        )
        workflow["name"] = "NeuralPower"
        conforms = []
        for name, url in PROFILES.items():
            facts = {"@type": "CreativeWork", "name": f"{name} profile", "version": url[-3:]}
            conforms.append(crate.add(ContextEntity(crate, url, facts)))
        crate.root_dataset["conformsTo"] = conforms
        given = [self.entities[path] for path, node in sorted(nodes.items()) if not node.made_by]
        results = [self.entities[path] for path in targets]
        self._action("#run", "A run of the workflow", workflow, given, results)
        tools: dict[str, object] = {}
        for path, node in sorted(nodes.items()):
            if not node.made_by:
                continue
            command = f"neuralpower {node.made_by}"
            if command not in tools:
                facts = {
                    "@type": "SoftwareApplication",
                    "name": command,
                    "softwareVersion": __version__,
                }
                identity = f"#{command.replace(' ', '-')}"
                tools[command] = crate.add(ContextEntity(crate, identity, facts))
            inputs = [self.entities[name] for name in node.inputs if name in self.entities]
            name = f"{command}: {path}"
            self._action(f"#made-{path}", name, tools[command], inputs, [self.entities[path]])

    def _action(
        self,
        identity: str,
        name: str,
        instrument: object,
        inputs: list[object],
        results: list[object],
    ) -> None:
        self.crate.add_action(
            instrument,
            identifier=identity,
            object=inputs,
            result=results,
            properties={"name": name, "endTime": self.date},
        )


def _date(project: Path) -> str:
    """SOURCE_DATE_EPOCH, else that of the checkout's commit, else the present day."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        return datetime.fromtimestamp(int(epoch), UTC).isoformat()
    try:
        found = subprocess.run(
            ["git", "log", "-1", "--format=%cI"],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    return found or datetime.now(UTC).date().isoformat()
