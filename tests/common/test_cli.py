"""The command line: light imports, one-line faults, exit statuses."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from neuralpower import cli
from neuralpower.core.errors import InputError

HEAVY = (
    "pandas",
    "sklearn",
    "statsmodels",
    "scipy",
    "matplotlib",
    "torch",
    "onnx",
    "onnxruntime",
    "snakemake",
    "jinja2",
    "rich",
)
LENET = Path(__file__).parents[2] / "prototxts" / "lenet.prototxt"


def imported_by(*words: str) -> set[str]:
    """The top-level modules in a fresh interpreter after a command ran."""
    program = (
        "import sys\nfrom neuralpower.cli import main\n"
        "try:\n    status = main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    status = stop.code\n"
        "sys.stderr.write('MODULES ' + ' '.join({m.partition('.')[0] for m in sys.modules}))\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["layers", str(LENET)], ["layers", "--help"]])
def test_light_commands_import_nothing_heavy(words: list[str]) -> None:
    modules = imported_by(*words)
    assert not modules & {*HEAVY, "numpy"}


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ("sweep",)])
def test_help_of_every_command_is_light(name: str) -> None:
    assert not imported_by(name, "--help") & set(HEAVY)


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_its_module(name: str) -> None:
    module = importlib.import_module(f"neuralpower.commands.{cli.module_name(name)}")
    assert callable(module.add_arguments)
    assert callable(module.run)


@pytest.mark.parametrize(
    ("fault", "status", "line"),
    [
        (InputError("no such layer", path="net.prototxt", line=3, column=7), 2, "net.prototxt:3:7"),
        (InputError("two\nlines", path="t.csv", row=5), 2, "t.csv, row 5: two lines"),
        (OSError(28, "No space left on device", "out.csv"), 2, "out.csv: No space left"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("odd"), 70, "internal fault: RuntimeError: odd"),
    ],
)
def test_faults_are_one_line(
    fault: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = importlib.import_module("neuralpower.commands.gate")

    def run(_: object) -> int:
        raise fault

    monkeypatch.setattr(module, "run", run)
    monkeypatch.delenv("NEURALPOWER_DEBUG", raising=False)
    assert cli.main(["gate", "accuracy.json", "--baseline", "x.json"]) == status
    error = capsys.readouterr().err
    assert line in error
    assert error.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_fault() -> None:
    done = subprocess.run(
        shlex.join([sys.executable, "-m", "neuralpower", "layers", str(LENET)]) + " | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
    assert done.stdout.count("\n") == 1


def test_the_help_of_profile_names_choices_defaults_and_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["profile", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "what runs the layers: onnxruntime, torch" in said
    assert "power meter: auto, none, nvml, rapl" in said
    assert "shortest sampling of a visit (default: 0.15s, on a GPU 0.1s)" in said
    assert "share of configurations visited twice (default: 0.2)" in said
    assert "example: neuralpower sweep --config" in said
