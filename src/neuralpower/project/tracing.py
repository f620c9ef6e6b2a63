"""The chain of files behind a result, step by step, as the workflow's rules write it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import COMPOSITION, MANIFEST, MODELS_INDEX
from neuralpower.core.files import sha256_file
from neuralpower.core.licence import licence_words
from neuralpower.core.network_files import network_file, network_files

#: The report's list of its pages with what each was made from.
PAGES = "results/report/pages.json"
#: Folders of a project that results come from.
HOMES = ("results", "measurements", "prototxts", "published")


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


class Tracer:
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
        """The file or folder of a path, with what it was made from."""
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
