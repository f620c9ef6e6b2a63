"""The tool that plants faults: what it changes, and that it sees a test fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "tools/plant_faults.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plant_faults", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plant_faults"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a < b", "x = (a <= b)"),
        ("x = a + b", "x = (a - b)"),
        ("x = a and b", "x = (a or b)"),
        ("x = not a", "x = (a)"),
        ("x = 3", "x = 4"),
        ("x = True", "x = False"),
    ],
)
def test_one_token_changes(tool: ModuleType, before: str, after: str) -> None:
    assert [fault.after for fault in tool.faults_of("m.py", before + "\n")] == [after]


def test_text_and_guards_are_left_alone(tool: ModuleType) -> None:
    text = "x = zip(a, b, strict=True)\ny = 'a' + b\nz = '3'\n"
    assert list(tool.faults_of("m.py", text)) == []


def test_a_fault_is_noticed_where_a_test_asserts_the_value(
    tool: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "tests").mkdir()
    source = "def double(x: int) -> int:\n    return x + x\n"
    (tmp_path / "src/m.py").write_text(source)
    (tmp_path / "tests/test_m.py").write_text(
        "from m import double\n\ndef test_value() -> None:\n    assert double(3) == 6\n"
        "\ndef test_nothing() -> None:\n    double(3)\n"
    )
    (fault,) = tool.faults_of("src/m.py", source)
    assert tool.caught(tmp_path, fault, ["test_m.test_value"], 60)
    assert not tool.caught(tmp_path, fault, ["test_m.test_nothing"], 60)
    assert (tmp_path / "src/m.py").read_text() == source
