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


def _of(cause: BaseException, error: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _during(context: BaseException, error: Exception) -> Exception:
    error.__context__ = context
    return error


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
        # A library that is interrupted while it is imported makes another fault of it.
        (_of(KeyboardInterrupt(), ImportError("initialization failed")), 130, "interrupted"),
        (
            _during(_of(KeyboardInterrupt(), ImportError("x")), InputError("x is not installed")),
            130,
            "interrupted",
        ),
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "the following arguments are required: COMMAND (see neuralpower --help)"),
        ("frob", "argument COMMAND: invalid choice: 'frob' (choose from"),
        ("layers", "layers: the following arguments are required: NET (see neuralpower layers -"),
        ("layers a.prototxt --bach 4", "layers: unrecognized arguments: --bach 4: did you mean --"),
        ("layers a.prototxt --batch=x", "layers: argument --batch: 'x' is not one batch size from"),
        ("predict a.prototxt --models m --phase X", "predict: argument --phase: invalid choice"),
        ("profile t.csv --platform p --out o --budget x", "'x' is no time: write 540s, 10m or 1h"),
        ("measurements", "measurements: the following arguments are required: ACTION"),
        ("measurements check", "(see neuralpower measurements check --help)"),
        ("import log --odd", "import: argument FORMAT: invalid choice: 'log'"),
        *(
            (f"{name} --no-such-option", f"(see neuralpower {name} --help)")
            for name in cli.COMMANDS
        ),
    ],
)
def test_a_faulty_command_line_is_answered_in_one_line(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words.split()) == 2
    out, error = capsys.readouterr()
    assert not out
    assert error.startswith("neuralpower: ")
    assert error.count("\n") == 1
    assert said in error


def test_every_action_of_a_command_answers_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    actions = {
        "measurements": ("check", "merge", "export", "template", "keep", "seal"),
        "published": ("list", "fetch", "refit", "use"),
        "shards": ("split", "merge"),
    }
    for command, names in actions.items():
        for name in names:
            assert cli.main([command, name, "--no-such-option"]) == 2
            assert f"(see neuralpower {command} " in (error := capsys.readouterr().err)
            assert error.count("\n") == 1


def test_listing_layers_reads_no_yaml_where_none_concerns_it() -> None:
    assert "yaml" not in imported_by("layers", str(LENET))
