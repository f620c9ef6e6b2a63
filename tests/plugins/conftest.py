"""The packages under plugins/ as if they were installed: their modules and their entry points."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


@pytest.fixture(scope="session", autouse=True)
def installed_plugins(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folders of metadata as an installer leaves them, on the search path of this process.

    It stays there until the end, which every process that is spawned takes over.
    """
    site = tmp_path_factory.mktemp("site")
    for project in sorted(PLUGINS.glob("*/pyproject.toml")):
        facts = tomllib.loads(project.read_text())["project"]
        folder = site / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
        folder.mkdir()
        head = f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n"
        (folder / "METADATA").write_text(head)
        points = "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in own.items())
            for group, own in facts["entry-points"].items()
        )
        (folder / "entry_points.txt").write_text(points)
    sys.path.append(str(site))
