"""Where a result comes from: the chain of files behind it, by checksum, down to the measurements.

The chain follows the project's layout, which the workflow's rules write (docs/workflow.md): a page
from predictions, a prediction from a prototxt and models, models from measurements, measurements
of this machine from sweeps and whole networks. Nothing here has a time in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from neuralpower.core.documents import read_json, read_yaml
from neuralpower.core.errors import InputError, printable
from neuralpower.core.file_names import COMPOSITION, MANIFEST, MODELS_INDEX
from neuralpower.core.files import sha256_file
from neuralpower.core.licence import licence_words
from neuralpower.core.network_files import network_file, network_files

SCHEMA_VERSION = 1
RECORD = "provenance.json"
#: The report's list of its pages with what each was made from.
PAGES = "results/report/pages.json"
_HOMES = ("results", "measurements", "prototxts", "published")


@dataclass(frozen=True)
class Node:
    """A file, or a folder whose files belong together (its ``path`` ends with ``/``).

    ``files``: path to SHA-256; ``made_by``: the command that wrote it, empty for what people
    gave; ``inputs``: paths of nodes; ``facts``: what the node says of itself, a line each;
    ``faults``: what does not agree, a line each.
    """

    path: str
    files: Mapping[str, str]
    made_by: str = ""
    inputs: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The file's checksum; of a folder, the checksum over the names and checksums in it."""
        if not self.path.endswith("/"):
            return self.files[self.path]
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


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
    homes = [path for path in (*reversed(absolute.parents), absolute) if path.name in _HOMES]
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
    tracer = _Tracer(project, configuration or configuration_of(project))
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


class _Tracer:
    """The edges of the layout, and checksums that are computed once."""

    def __init__(self, project: Path, configuration: Mapping[str, Any]) -> None:
        self.project = project
        self.configuration = configuration
        self._digests: dict[str, str] = {}

    def place(self, path: str) -> str:
        """The node that a file belongs to: models and measurements are taken as folders."""
        parts = PurePosixPath(path).parts
        if parts[:2] == ("published", "prototxts"):
            return path
        depth = {"measurements": 2, "published": 2}.get(parts[0], 3)
        folder = parts[0] in ("measurements", "published") or parts[:2] in (
            ("results", "models"),
            ("results", "measurements"),
        )
        if folder and len(parts) >= depth:
            return "/".join(parts[:depth]) + "/"
        if (self.project / path).is_dir():
            raise InputError("give a file, or the folder of one platform", path=path)
        return path

    def node(self, path: str) -> Node:
        if path.startswith("measurements/"):
            return self._measurements(path, ())
        if path.startswith("prototxts/"):
            return Node(path, self._files([path]))
        if path.startswith("published/"):
            return self._published(path)
        words = path.split("/")[1:]
        stage = words[0]
        if path == "results/inputs.txt":
            return self._made(path, "inputs", ["results/layers.csv"])
        if path == "results/layers.csv":
            return self._made(path, "layers", self._network_files())
        if stage == "predictions" and len(words) == 2:
            models = f"results/models/{_stem(path)}/"
            return self._made(path, "predict", ["results/layers.csv", models])
        if stage in ("layers", "near"):
            return self._made(path, "layers", [self._network(_stem(path))])
        if stage == "sweeps":
            return self._made(path, "sweep", self._near_layers())
        if stage == "measurements":
            return self._measurements(path, tuple(self._swept()))
        if stage == "models":
            return self._models(path, self._of_platform(words[1]))
        if stage == "predictions":
            platform, network = words[1], _stem(path)
            inputs = [self._network(network), f"results/models/{platform}/"]
            return self._made(path, "predict", inputs)
        if stage == "changes":
            # The table of a platform, or what is kept of one of its networks.
            platform = words[1] if len(words) > 2 else _stem(path)
            return self._made(path, "explain", [f"results/models/{platform}/"])
        if stage == "accuracy":
            return self._accuracy(path)
        if stage == "checksums":
            return self._made(path, "provenance", [self._of_platform(_stem(path))])
        if stage == "report":
            return self._made(path, "report", self._page_inputs(path))
        raise InputError("is no result that the workflow makes", path=path)

    def _made(
        self, path: str, command: str, inputs: Iterable[str], facts: Sequence[str] = ()
    ) -> Node:
        missing = [name for name in inputs if not (self.project / name).exists()]
        kept = tuple(name for name in inputs if name not in missing)
        faults = tuple(f"{name} is gone" for name in missing)
        return Node(path, self._files([path]), command, kept, tuple(facts), faults)

    def _files(self, paths: Iterable[str]) -> dict[str, str]:
        for path in paths:
            if path not in self._digests:
                try:
                    self._digests[path] = sha256_file(self.project / path)
                except FileNotFoundError:
                    raise InputError("no such file: run the workflow first", path=path) from None
        return {path: self._digests[path] for path in paths}

    def _within(self, folder: str) -> dict[str, str]:
        paths = sorted(
            path.relative_to(self.project).as_posix()
            for path in (self.project / folder).rglob("*")
            if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(self.project).parts)
        )
        # The log of a run holds times and is no result.
        return self._files([path for path in paths if not path.endswith(".log")])

    def _measurements(self, path: str, inputs: tuple[str, ...]) -> Node:
        from neuralpower.records.folder import load_platform
        from neuralpower.records.sealing import checksum_faults

        platform = load_platform(self.project / path)
        facts = [f"device: {platform.device}"] if platform.device else []
        facts += [f"software: {platform.software}"] if platform.software else []
        faults = tuple(checksum_faults(platform))
        if platform.manifest.files is None:
            facts.append(f"no checksums in {MANIFEST}: the tables are taken as they are")
        elif not faults:
            facts.append(f"the checksums of {MANIFEST} agree")
        made_by = "profile" if inputs else ""
        return Node(path, self._within(path), made_by, inputs, tuple(facts), faults)

    def _published(self, path: str) -> Node:
        """A published platform: recipe and models that were committed."""
        if not path.endswith("/"):
            return Node(path, self._files([path]))
        from neuralpower.importing.recipe import load_recipe

        source = load_recipe(self.project / path).source
        facts = (f"measured by {source.authors}: {source.repository} at {source.commit}",
                 licence_words(source.licence))  # fmt: skip
        return Node(path, self._within(path), "", (), facts)

    def _models(self, path: str, measurements: str) -> Node:
        if measurements.startswith("published/"):
            return Node(path, self._within(path), "published", (measurements,))
        from neuralpower.modeling.platforms import data_checksum
        from neuralpower.records.folder import load_platform

        index = self._json(path + MODELS_INDEX)
        now = data_checksum(load_platform(self.project / measurements))
        agrees = index.get("data_sha256") == now
        fact = f"models.json names the measurements by data_sha256:{now[:16]}"
        fault = "models.json names other measurements: fit again"
        learnt = self.project / path / COMPOSITION
        listed = self._json(path + learnt.name).get("networks") if learnt.is_file() else None
        networks = (
            [name for name in listed if isinstance(name, str)] if type(listed) is list else None
        )
        return Node(
            path,
            self._within(path),
            "fit and calibrate" if networks else "fit",
            (measurements, *self._prototxts(measurements, networks or ())),
            (fact,) if agrees else (),
            () if agrees else (fault,),
        )

    def _prototxts(self, measurements: str, networks: Iterable[str]) -> list[str]:
        """The prototxts of networks; those that the platform brings are among its files."""
        own = network_files(self.project / measurements / "prototxts")
        return [self._network(name) for name in sorted(networks) if name not in own]

    def _network(self, name: str) -> str:
        """The file of a network, seen from the project; torchvision's at a size where it is one."""
        path = Path(network_file(name, self.project / "prototxts"))
        if not path.exists():
            for stem in (name, name.rpartition("_")[0]):
                sized = f"published/prototxts/{stem}.prototxt"
                if stem and (self.project / sized).is_file():
                    return sized
        return f"prototxts/{path.name}"

    def _accuracy(self, path: str) -> Node:
        platform = _stem(path)
        measurements, models = self._of_platform(platform), f"results/models/{platform}/"
        if measurements.startswith("published/"):
            return self._made(path, "published", [measurements])
        prototxts = self._prototxts(measurements, self._json(path).get("networks") or ())
        return self._made(path, "evaluate", [models, measurements, *prototxts])

    def _page_inputs(self, path: str) -> list[str]:
        """What a page was made from, as the report's list says; the list covers all pages."""
        pages = self._json(PAGES).get("pages") or {}
        if path == PAGES:
            return [f"results/report/{name}" for name in pages]
        name = path.removeprefix("results/report/")
        if name not in pages:
            raise InputError(f"is no page that {PAGES} lists: run the workflow", path=path)
        return [self.place(source) for source in pages[name]["inputs"]]

    def _network_files(self) -> list[str]:
        files = network_files(self.project / "prototxts").values()
        return [path.relative_to(self.project).as_posix() for path in files]

    def _globbed(self, pattern: str) -> list[str]:
        return sorted(p.relative_to(self.project).as_posix() for p in self.project.glob(pattern))

    def _near_layers(self) -> list[str]:
        names = (self.configuration.get("sweep") or {}).get("near_networks") or []
        return [f"results/near/{name}.csv" for name in sorted(names)]

    def _swept(self) -> list[str]:
        names = (self.configuration.get("profile") or {}).get("networks") or []
        prototxts = [self._network(name) for name in sorted(names)]
        return [*self._globbed("results/sweeps/*.csv"), *prototxts]

    def _of_platform(self, platform: str) -> str:
        if (self.project / f"published/{platform}/recipe.yaml").is_file():
            return f"published/{platform}/"
        local = f"results/measurements/{platform}/"
        return local if (self.project / local).is_dir() else f"measurements/{platform}/"

    def _json(self, path: str) -> dict[str, Any]:
        return read_json(self.project / path)


def _stem(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0]
