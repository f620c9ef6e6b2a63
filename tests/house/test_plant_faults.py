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
    then, now = "LIMIT = 3\n\ndef f():\n    return LIMIT\n", "# head\n"
    part = tool.Part(tmp_path / "recording/0")
    for root, text in ((part.folder, then), (tmp_path, now + then)):
        (root / "src/neuralpower").mkdir(parents=True)
        (root / "src/neuralpower/m.py").write_text(text)
    part.by_line = {
        "src/neuralpower/m.py": {
            1: [""],
            4: ["tests/a.py::slow|run", "tests/a.py::quick|run", "tests/b.py::one|setup"],
            3: ["tests/a.py::other|run"],
        }
    }
    part.seconds = {
        "tests/a.py::slow": 2.0,
        "tests/a.py::quick": 0.1,
        "tests/a.py::other": 0.0,
        "tests/b.py::one": 0.3,
        "tests/b.py::two": 0.2,
        "tests/b.py::renamed": 0.2,
    }
    recording = tool.Recording(tmp_path / "recording")
    recording.parts = [part]
    recording.present = recording.present - {"tests/b.py::renamed"}
    names = ["tests/a.py::quick", "tests/b.py::two", "tests/b.py::one", "tests/a.py::slow"]
    # The line has moved down since it was recorded; the constant is used in it.
    for line in (5, 2):
        fault = tool.Fault("src/neuralpower/m.py", line, "", "")
        assert list(recording.tests_of(tmp_path, fault)) == names


def test_tests_that_are_gone_are_not_asked_for(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("def test_now() -> None:\n    pass\n")
    names = ["tests/test_a.py::test_now", "tests/test_a.py::test_then", "tests/test_b.py::test_x"]
    assert tool.present(tmp_path, names) & set(names) == {"tests/test_a.py::test_now"}
