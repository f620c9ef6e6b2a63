"""Plants small faults in the code, one at a time, and prints which ones no test notices.

    python tools/plant_faults.py --seed 1 --count 40 --data FOLDER

A fault changes one token: a comparison, an arithmetic or logical operator, a number, a truth
value. Which tests run a line, and how long each takes, is measured once (``Recording``). Tests that
run the line itself meet the fault, the quickest first, up to ``--seconds`` of them; where a line
ran in what a test file makes once for all of its tests, that file's tests do; for what runs when a
module is imported, those of the lines that use the name. A fault that they do not notice survives.
Faults that change nothing (equivalent ones) are for a person to strike out.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
SOURCES = "src/neuralpower"

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
}  # fmt: skip
_LOGIC: dict[type[ast.boolop], type[ast.boolop]] = {ast.And: ast.Or, ast.Or: ast.And}


@dataclass(frozen=True)
class Fault:
    """One changed token: ``path`` relative to the checkout, the line, and the line's new text."""

    path: str
    line: int
    before: str
    after: str


def faults_of(path: str, text: str) -> Iterator[Fault]:
    """Every fault that can be planted in a module; the changed node stays on one line."""
    lines = text.splitlines()
    tree = ast.parse(text)
    # Options of dataclasses and of zip guard against faults of ours: without them nothing changes.
    guards = {
        keyword.value
        for call in ast.walk(tree) if isinstance(call, ast.Call)
        for keyword in call.keywords if keyword.arg in ("strict", "slots", "frozen")
    }  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or node.lineno != node.end_lineno or node in guards:
            continue
        changed = _changed(node)
        if changed is None:
            continue
        line = lines[node.lineno - 1]
        # Columns of the syntax tree count bytes.
        raw = line.encode()
        after = (raw[: node.col_offset] + changed.encode() + raw[node.end_col_offset :]).decode()
        if after != line:
            yield Fault(path, node.lineno, line, after)


def _changed(node: ast.expr) -> str | None:
    match node:
        case ast.Compare(left, [operator], [right]) if type(operator) in _COMPARE:
            swapped = ast.Compare(left, [_COMPARE[type(operator)]()], [right])
            return f"({ast.unparse(swapped)})"
        case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
            if isinstance(left, ast.Constant | ast.JoinedStr) and not _is_number(left):
                return None
            return f"({ast.unparse(ast.BinOp(left, _ARITHMETIC[type(operator)](), right))})"
        case ast.BoolOp(operator, values) if type(operator) in _LOGIC:
            return f"({ast.unparse(ast.BoolOp(_LOGIC[type(operator)](), values))})"
        case ast.UnaryOp(ast.Not(), operand):
            return f"({ast.unparse(operand)})"
        case ast.Constant(value) if isinstance(value, bool):
            return str(not value)
        case ast.Constant(int() | float() as value):
            return repr(value + 1)
    return None


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def draw(count: int, seed: int) -> list[Fault]:
    """``count`` faults, every one that exists equally likely; annotations are no code."""
    every: list[Fault] = []
    for path in sorted((ROOT / SOURCES).rglob("*.py")):
        if path.name.endswith("_pb2.py"):
            continue
        every += faults_of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    return random.Random(seed).sample(every, min(count, len(every)))


@dataclass
class Part:
    """One call of pytest in a recording: coverage's data, the tests' times, and the sources then.

    The sources may have changed since; lines that are the same in both keep their tests.
    """

    folder: Path

    @classmethod
    def record(cls, folder: Path, copy: Path, tests: Sequence[str]) -> None:
        """Run tests once, two at a time, each line with the tests that ran it."""
        folder.mkdir(parents=True)
        settings = folder / "settings"
        # Another call that uses the data has another copy.
        settings.write_text(f"[run]\nrelative_files = True\ndata_file = {folder / 'lines'}\n")
        words = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]
        words += [f"--cov={SOURCES}", f"--cov-config={settings}", "--cov-context=test"]
        words += ["--cov-report=", f"--junitxml={folder / 'times.xml'}"]
        words += ["-o", "junit_family=xunit1", *tests]
        subprocess.run([sys.executable, *words], cwd=copy, check=False)
        shutil.copytree(copy / SOURCES, folder / SOURCES)

    @cached_property
    def by_line(self) -> dict[str, dict[int, list[str]]]:
        """File -> line -> the contexts (test and phase: set-up, run) that ran it."""
        from coverage import CoverageData

        found = CoverageData(str(self.folder / "lines"))
        found.read()
        return {path: found.contexts_by_lineno(path) for path in found.measured_files()}

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Test -> its time in seconds."""
        return {
            f"{case.get('file')}::{case.get('name')}": float(case.get("time", 0))
            for case in ElementTree.parse(self.folder / "times.xml").iter("testcase")
        }

    def contexts(self, root: Path, fault: Fault) -> set[str]:
        """The contexts that ran a fault's line, or lines that use the names it gives a value to."""
        names = names_outside_functions((root / fault.path).read_text("utf-8"), fault.line)
        if names is None:
            line = self._line_then(root, fault)
            return set(self.by_line.get(fault.path, {}).get(line, []))
        found: set[str] = set()
        pattern = re.compile(rf"\b({'|'.join(names)})\b") if names else None
        for path, lines in self.by_line.items():
            if (pattern is None and path != fault.path) or not (self.folder / path).is_file():
                continue
            source = (self.folder / path).read_text(encoding="utf-8").splitlines()
            for number, text in enumerate(source, 1):
                if number in lines and (pattern is None or pattern.search(text)):
                    found.update(lines[number])
        return found

    def _line_then(self, root: Path, fault: Fault) -> int:
        """The line that the fault's line was; 0 where it is new."""
        then = self.folder / fault.path
        if not then.is_file():
            return 0
        before = then.read_text(encoding="utf-8").splitlines()
        now = (root / fault.path).read_text(encoding="utf-8").splitlines()
        for block in SequenceMatcher(None, before, now, autojunk=False).get_matching_blocks():
            if block.b < fault.line <= block.b + block.size:
                return block.a + fault.line - block.b
        return 0


@dataclass
class Recording:
    """What each test runs: a folder with a part per call that recorded tests."""

    folder: Path

    @cached_property
    def parts(self) -> list[Part]:
        """The parts in the order in which they were recorded."""
        return [Part(times.parent) for times in sorted(self.folder.glob("*/times.xml"))]

    @cached_property
    def present(self) -> set[str]:
        """The recorded tests that are still there, as ``present`` has found them."""
        return {name for part in self.parts for name in part.seconds}

    def tests_of(self, root: Path, fault: Fault) -> dict[str, float]:
        """The tests that may notice a fault, with their seconds: those of its package first, then
        the quickest."""
        found: dict[str, float] = {}
        for part in self.parts:
            contexts = part.contexts(root, fault)
            run = {name.removesuffix("|run") for name in contexts if name.endswith("|run")}
            made = {n.split("::")[0] for n in contexts if n.endswith(("|setup", "|teardown"))}
            found |= {
                name: spent
                for name, spent in part.seconds.items()
                if name in run or name.split("::")[0] in made
            }
        package = f"tests/{Path(fault.path).relative_to(SOURCES).parts[0]}/"
        order = sorted(found, key=lambda name: (not name.startswith(package), found[name], name))
        return {name: found[name] for name in order if name in self.present}


def present(copy: Path, tests: Iterable[str]) -> set[str]:
    """Those of the recorded tests that are there now."""
    files = sorted({name.partition("::")[0] for name in tests})
    words = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    words += [file for file in files if (copy / file).is_file()]
    done = subprocess.run([sys.executable, *words], cwd=copy, capture_output=True, check=False)
    return set(done.stdout.decode().splitlines())


def names_outside_functions(text: str, line: int) -> set[str] | None:
    """The names that a line outside functions gives a value to; ``None`` inside of a function."""
    names: set[str] = set()
    nodes: list[ast.stmt] = list(ast.parse(text).body)
    while nodes:
        node = nodes.pop()
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if not first <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if line >= node.body[0].lineno:
                return None
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.add(node.name)
            nodes += node.body
        else:
            names |= {
                inner.id for inner in ast.walk(node)
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
            }  # fmt: skip
    return names


def caught(copy: Path, fault: Fault, tests: Sequence[str], timeout_s: float) -> bool:
    """Whether any of the tests fails with the fault planted; a hang counts as noticed."""
    path = copy / fault.path
    original = path.read_text(encoding="utf-8")
    lines = original.splitlines(keepends=True)
    lines[fault.line - 1] = fault.after + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    chosen = copy / ".chosen_tests"
    chosen.write_text("\n".join(tests), encoding="utf-8")
    words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"@{chosen}"]
    try:
        done = subprocess.run(
            [sys.executable, *words], cwd=copy, capture_output=True, timeout=timeout_s, check=False,
            env=os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        # All tests were there before: one that cannot be found or read (2, 4) has failed too.
        return done.returncode not in (0, 5)
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(original, encoding="utf-8")


def noticed(copy: Path, fault: Fault, recording: Recording, seconds: float) -> bool:
    """Whether a test notices a fault: first the quickest tests, then the others.

    Many lines are run by hundreds of tests and most faults are noticed by a quick one, so a first
    call of pytest has a tenth of the time.
    """
    tests = recording.tests_of(copy, fault)
    for share in (0.1, 0.9):
        chosen: list[str] = []
        spent = 0.0
        for name, takes in tests.items():
            spent += takes
            if chosen and spent > share * seconds:
                break
            chosen.append(name)
        # Many times as long as they took is a hang.
        if chosen and caught(copy, fault, chosen, 90 + 5 * spent):
            return True
        tests = {name: takes for name, takes in tests.items() if name not in chosen}
    return False


def main() -> int:
    """Draw, plant, test; exit 1 when fewer than ``--least`` per cent were noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=180, help="of tests per fault, at most")
    parser.add_argument("--least", type=float, default=75, help="per cent to be noticed")
    parser.add_argument("--only", type=int, nargs="*", help="only these of the faults, by number")
    parser.add_argument("--data", type=Path, help="folder of an earlier recording, or where to")
    parser.add_argument("paths", nargs="*", help="tests to record, or to add to a recording")
    arguments = parser.parse_args()
    faults = draw(arguments.count, arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "neuralpower"
        kept = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", ".mypy_cache")
        shutil.copytree(ROOT, copy, ignore=kept)
        os.environ["PYTHONPATH"] = str(copy / "src")
        if (ROOT.parent / "shared").is_dir():
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        recording = Recording((arguments.data or Path(folder) / "recording").resolve())
        if arguments.paths or not recording.folder.is_dir():
            number = len(list(recording.folder.glob("*/times.xml")))
            Part.record(recording.folder / str(number), copy, arguments.paths or ["tests"])
        recording.present = present(copy, recording.present)
        found = tried = 0
        for number, fault in enumerate(faults, 1):
            if arguments.only and number not in arguments.only:
                continue
            tried += 1
            caught_it = noticed(copy, fault, recording, arguments.seconds)
            found += caught_it
            verdict = "noticed " if caught_it else "SURVIVES"
            place = f"{fault.path}:{fault.line}"
            print(f"{number:3} {verdict} {place}: {fault.before.strip()} -> {fault.after.strip()}")
            sys.stdout.flush()
    share = 100 * found / max(tried, 1)
    print(f"{found} of {tried} faults were noticed ({share:.0f} %)")
    return int(share < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
