"""NVML's stand-in, compiled once; its tests are skipped where there is no C compiler."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from standin import COMPILER, StandIn, build


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder that are marked slow run only when they are asked for."""
    if os.environ.get("NEURALPOWER_SLOW"):
        return
    skip = pytest.mark.skip(reason="slow: set NEURALPOWER_SLOW=1")
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("slow"):
            item.add_marker(skip)


def _built(factory: pytest.TempPathFactory, *options: str) -> Path:
    if COMPILER is None:
        pytest.skip("there is no C compiler (cc, gcc, clang)")
    return build(factory.mktemp("nvml"), *options)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _built(tmp_path_factory)


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver that knows no clocks event reasons."""
    return _built(tmp_path_factory, "-DOLD_DRIVER")


@pytest.fixture
def board(library: Path, tmp_path: Path) -> StandIn:
    return StandIn(library, tmp_path / "boards")


@pytest.fixture
def boards(library: Path, tmp_path: Path) -> StandIn:
    return StandIn(library, tmp_path / "boards", boards=2)
