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
    assert tool.caught(tmp_path, fault, ["tests/test_m.py::test_value"], 60)
    assert not tool.caught(tmp_path, fault, ["tests/test_m.py::test_nothing"], 60)
    assert (tmp_path / "src/m.py").read_text() == source


def test_lines_outside_functions_are_met_by_what_uses_their_names(tool: ModuleType) -> None:
    text = "LIMIT = 3\n\nclass A:\n    size: int = 4\n\n    def f(self, n=2):\n        return n\n"
    found = [tool.names_outside_functions(text, line) for line in (1, 4, 6, 7)]
    assert found == [{"LIMIT"}, {"A", "size"}, {"A", "f"}, None]


def test_a_recording_finds_the_tests_of_a_line_quickest_first(
    tool: ModuleType, tmp_path: Path
) -> None:
    for folder in ("src/neuralpower", "tests", "recording"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/neuralpower/m.py").write_text(
        "LIMIT = 3\n\ndef f():\n    return LIMIT\n\ndef g():\n    return 1\n"
    )
    recording = tool.Recording(tmp_path / "recording")
    recording.by_line = {
        "src/neuralpower/m.py": {
            1: [""],
            4: ["tests/a.py::slow|run", "tests/a.py::quick|run", "tests/b.py::one|setup"],
            7: ["tests/a.py::other|run"],
        }
    }
    recording.seconds = {
        "tests/a.py::slow": 2.0,
        "tests/a.py::quick": 0.1,
        "tests/a.py::other": 0.0,
        "tests/b.py::one": 0.3,
        "tests/b.py::two": 0.2,
    }
    by_line = ["tests/a.py::quick", "tests/b.py::two", "tests/b.py::one", "tests/a.py::slow"]
    fault = tool.Fault("src/neuralpower/m.py", 4, "", "")
    assert recording.tests_of(tmp_path, fault) == by_line
    # The constant is used in line 4.
    constant = tool.Fault("src/neuralpower/m.py", 1, "", "")
    assert recording.tests_of(tmp_path, constant) == by_line
