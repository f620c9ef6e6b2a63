"""The command line: finds the command's module, imports only that, and turns faults into lines."""

from __future__ import annotations

import gc
import importlib
import keyword
import os
import sys
from collections.abc import Sequence

from neuralpower import __version__
from neuralpower.commands.batches import joined
from neuralpower.commands.overwriting import refuse_overwriting_by
from neuralpower.commands.parser import Parser
from neuralpower.core.errors import InputError, printable

#: Command and its line of help. Each is a module of ``neuralpower.commands`` with
#: ``add_arguments(parser)`` and ``run(arguments) -> int``.
COMMANDS: dict[str, str] = {
    "layers": "layer tables of prototxt files",
    "sweep": "randomised layer configurations, one table per family",
    "characterise": "sensor and board facts of a platform",
    "profile": "measure configurations or whole networks (resumable)",
    "onnx": "a network as an ONNX model with seeded or given parameters",
    "measurements": "check, merge, export and begin folders of measurements",
    "import": "logs of other tools (caffe time, trtexec, ...) as measurements",
    "published": "platforms fitted to public measurements: list, fetch, refit",
    "fit": "fit and cross-validate models of a platform",
    "calibrate": "how layers add up to networks, fitted to measured whole passes",
    "transfer": "models of a new device from others' and a few measurements",
    "adapt": "models of this device within minutes: choose, measure, transfer",
    "predict": "runtime, power and energy of networks or of a table of configurations",
    "compare": "networks side by side: cost per image, rank, energy-precision ratio",
    "explain": "the layers that cost most, why, and what changing them would save",
    "equations": "fitted models as text, LaTeX or Python source",
    "evaluate": "score models on measurements beside the baselines",
    "report": "HTML pages and figures from result tables",
    "gate": "compare an accuracy file with a baseline",
    "inputs": "which files of a project cannot be used, and why",
    "provenance": "the chain of files behind a result, by checksum",
    "shards": "split a sweep for several machines, and merge what they measured",
    "init": "a starter project folder",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (a gate said no) or 2 (bad input)."""
    if argv is not None:
        return _run(list(argv))
    status = _run(sys.argv[1:])
    # The process ends and its memory goes back: Python would first look for garbage in all modules,
    # which was an eighth of a short command's time.
    gc.freeze()
    return status


def _run(words: list[str]) -> int:
    # A stream that the caller closed is None here: what is written to it goes nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        arguments = _parser(words).parse_args(joined(words))
        refuse_overwriting_by(arguments)
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except InputError as error:
        return _interrupted() if _of_interrupt(error) else _fail(str(error))
    except BrokenPipeError:
        # The reader (head, less) has gone: not a fault, and nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except MemoryError as error:
        # Lets go of what the command had read: else there is no memory to say so.
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return _fail("memory is used up: give a smaller table, or a machine with more")
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if _of_interrupt(error):
            return _interrupted()
        if os.environ.get("NEURALPOWER_DEBUG"):
            raise
        return _fail(
            f"internal fault: {type(error).__name__}: {error} "
            "(set NEURALPOWER_DEBUG=1 for the traceback, and please report it)",
            status=70,
        )


def module_name(command: str) -> str:
    """The module of a command; a word of the language has an underscore behind it."""
    return f"{command}_" if keyword.iskeyword(command) else command


def _interrupted() -> int:
    return _fail("interrupted", status=130)


def _of_interrupt(error: BaseException | None) -> bool:
    """Whether an interrupt is behind a fault: libraries turn one into an ``ImportError``."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _fail(message: str, status: int = 2) -> int:
    sys.stderr.write(f"neuralpower: {printable(message)}\n")
    return status


def _parser(words: Sequence[str]) -> Parser:
    parser = Parser(
        prog="neuralpower",
        description="Runtime, power and energy of convolutional networks, before they are trained.",
    )
    parser.add_argument("--version", action="version", version=f"neuralpower {__version__}")
    commands = parser.add_subparsers(
        prog="neuralpower", dest="command", metavar="COMMAND", required=True
    )
    chosen = next((word for word in words if not word.startswith("-")), None)
    # The other commands are made for the list of help and for faults only.
    needed = {chosen} if chosen in COMMANDS and words[0] == chosen else COMMANDS
    for name in needed:
        text = COMMANDS[name]
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == chosen:
            module = importlib.import_module(f"neuralpower.commands.{module_name(name)}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser
