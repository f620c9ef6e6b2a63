"""A machine with Python, numpy, protobuf and a framework only: nothing else is asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from neuralpower.commands import progress

HERE = Path(__file__).parent
#: What the rest of the project uses; yaml and jinja2 come with some frameworks, but need not.
ABSENT = (
    "rich snakemake onnx onnxruntime pandas scipy sklearn statsmodels matplotlib jinja2 yaml "
    "threadpoolctl hypothesis pyarrow jax amdsmi"
)
BLOCKED = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in set({ABSENT!r}.split()):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {str(HERE)!r})
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code], check=False, capture_output=True, text=True
    )


def test_a_gpu_run_needs_none_of_the_rest(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom gpu_worker import work\n"
        f"print(work(Path({str(tmp_path / 'out')!r}), 0.0).complete)\n"
    )
    done = run(code)
    assert done.stdout == "True\n", done.stderr
    assert (tmp_path / "out" / "manifest.json").exists()


def test_the_commands_say_what_is_missing_in_a_line(tmp_path: Path) -> None:
    code = (
        "from neuralpower.cli import main\n"
        f"sys.exit(main(['characterise', '--platform', 'x', '--out', {str(tmp_path / 'c')!r}]))\n"
    )
    done = run(code)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install" in done.stderr


def test_without_the_module_of_nvml_times_are_measured_and_power_says_why(tmp_path: Path) -> None:
    code = """
sys.modules["pynvml"] = None
from pathlib import Path
from neuralpower.profiling.nvml_facts import board_software
from neuralpower.profiling.bench import measuring
with measuring("auto", "cuda", Path("logs"), lambda: "executor") as bench:
    print(bench.meter.available().reason)
print(board_software()["reason"])
"""
    done = run(code)
    assert done.stdout.count("pip install nvidia-ml-py") == 2, done.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_reported_without_rich(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    with progress.VisitProgress(tmp_path) as report:
        report("conv", 1, 3, 60.0)
        report("", 3, 3, None)
    assert "1/3 conv 1.0 min left" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")
    assert len((tmp_path / "profile.log").read_text().splitlines()) == 2
