"""The small project, made once; tests that spoil it take a copy."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from operate_project import make_project, snakemake


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder that are marked slow run only when they are asked for."""
    if os.environ.get("NEURALPOWER_SLOW"):
        return
    skip = pytest.mark.skip(reason="slow: set NEURALPOWER_SLOW=1")
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("slow"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("operate") / "small")
    snakemake(project, "all")
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
