"""A starter project: the workflow, one network and one recorded platform, ready to run offline."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.extras import install_line
from neuralpower.core.files import read_text, write_text

#: Where a built package keeps the workflow's files (setup.py copies them there).
_PACKAGED = Path(__file__).parents[1] / "_project"
#: What a project needs of them.
PARTS = (
    "Snakefile",
    "workflow",
    "profiles",
    "envs/environment.yaml",
    "config",
    "prototxts/lenet.prototxt",
    "prototxts/networks.yaml",
    "measurements/caffe-cpu",
)
_README = """# A NeuralPower project

    snakemake --cores 1 all          # results/report/index.html
    snakemake --cores 1 check_accuracy   # after `neuralpower gate ... --accept`

- Drop networks into `prototxts/`, folders of measurements into `measurements/`.
- `prototxts/networks.yaml` holds published errors, by the name of the network's file.
- `measurements/caffe-cpu/` is a recorded platform to begin with; remove it when you have your own.
- To measure this machine: `INSTALL_ONNX`, then
  `snakemake --cores 1 all --config platforms='["local"]'`.
- Every setting is in `config/config.yaml`, explained in `config/README.md`.

Or leave `Snakefile` and `workflow/` away and use the workflow of a checkout as a module:

    module neuralpower:
        snakefile: "path/to/neuralpower/Snakefile"
        config: config

    use rule * from neuralpower
"""


def source() -> Path:
    """The folder that holds the workflow: in a built package, or the checkout around this one.

    Raises ``InputError`` when neither is there.
    """
    for folder in (_PACKAGED, Path(__file__).parents[3]):
        if (folder / "Snakefile").is_file() and (folder / "workflow").is_dir():
            return folder
    raise InputError("this installation has no workflow: install from a wheel or a checkout")


def write_project(folder: str | Path) -> list[str]:
    """Write a starter project; returns the names of its files.

    Raises ``InputError`` when the folder is a file or holds something already.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError("is not empty: name a new folder", path=target)
    root = source()
    names = sorted(name for part in PARTS for name in _files(root, part))
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target / name)
    configuration = target / "config/config.yaml"
    write_text(configuration, _with_lenet(read_text(configuration)))
    write_text(target / "README.md", _README.replace("INSTALL_ONNX", install_line("onnx")))
    return sorted([*names, "README.md"])


def _files(root: Path, part: str) -> Iterator[str]:
    path = root / part
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in found:
        name = file.relative_to(root).as_posix()
        # Baselines are of the platforms of the project that they come from.
        if file.is_file() and "__pycache__" not in name and not name.startswith("config/baseline"):
            yield name


def _with_lenet(text: str) -> str:
    """The configuration for a project whose only network is LeNet."""
    return re.sub(r"^(  (?:near_)?networks:) \[[^\]]*\]", r"\1 [lenet]", text, flags=re.MULTILINE)
