"""The small project, made once; tests that spoil it take a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from operate_project import make_project, snakemake


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("operate") / "small")
    snakemake(project, "all")
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
