"""Plants small faults in the code, one at a time, and prints which ones no test notices.

    python tools/plant_faults.py --seed 1 --count 40

A fault changes one token: a comparison, an arithmetic or logical operator, a number, a truth
value. Which tests run a line is measured once, with coverage's contexts; of these at most
``--tests`` run against a fault, in a copy of the checkout. A fault that they do not notice meets
all tests of the test modules that run anything of its module: a line may have run in what a test
module makes once for all of its tests, which has no test's name. A fault that these do not notice
either survives. Faults that change nothing (equivalent ones) are for a person to strike out.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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


def contexts(copy: Path, data: Path, tests: Sequence[str]) -> None:
    """Run the tests once with coverage, each line with the tests that ran it."""
    settings = copy / ".plant_faults.coveragerc"
    settings.write_text(
        f"[run]\nsource = {SOURCES}\ndynamic_context = test_function\ndata_file = {data}\n"
        # Another call that uses the data has another copy.
        "relative_files = True\n"
    )
    words = ["-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", *tests]
    subprocess.run([sys.executable, *words, "-p", "no:cacheprovider"], cwd=copy, check=False)


def tests_of(data: Path, fault: Fault) -> list[str]:
    """The test functions (``module.function``) that ran the line of a fault."""
    from coverage import CoverageData

    found = CoverageData(str(data))
    found.read()
    by_line = found.contexts_by_lineno(fault.path)
    names = {name for name in by_line.get(fault.line, []) if name}
    if not names and "" in by_line.get(fault.line, []):
        # Run when the module is imported: any test of the module may notice.
        names = {name for line in by_line.values() for name in line if name}
    return sorted(names)


def modules_of(data: Path, fault: Fault) -> list[str]:
    """Test modules (as names of tests in them) that run anything of the fault's module."""
    from coverage import CoverageData

    found = CoverageData(str(data))
    found.read()
    by_line = found.contexts_by_lineno(fault.path)
    return sorted({name for line in by_line.values() for name in line if name})


def caught(
    copy: Path, fault: Fault, names: Sequence[str], timeout_s: float, *, whole: bool = False
) -> bool:
    """Whether any of the tests fails with the fault planted.

    ``whole``: all tests of their modules. A hang of the named tests counts as noticed; whole
    modules may take long without any fault, and one that runs out of time has noticed nothing.
    """
    path = copy / fault.path
    original = path.read_text(encoding="utf-8")
    lines = original.splitlines(keepends=True)
    lines[fault.line - 1] = fault.after + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    wanted = " or ".join(sorted({name.rpartition(".")[2] for name in names}))
    modules = sorted(
        str(file.relative_to(copy)) for file in (copy / "tests").rglob("test_*.py")
        if any(name.split(".")[0] == file.stem or f".{file.stem}." in f".{name}" for name in names)
    )  # fmt: skip
    words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *modules]
    words += [] if whole else ["-k", wanted]
    try:
        done = subprocess.run(
            [sys.executable, *words], cwd=copy, capture_output=True, timeout=timeout_s, check=False,
            env=os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        return done.returncode not in (0, 5)
    except subprocess.TimeoutExpired:
        return not whole
    finally:
        path.write_text(original, encoding="utf-8")


def main() -> int:
    """Draw, plant, test; exit 1 when fewer than ``--least`` per cent were noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--tests", type=int, default=25, help="at most so many tests per fault")
    parser.add_argument("--timeout", type=float, default=180, help="seconds per fault")
    parser.add_argument("--least", type=float, default=75, help="per cent to be noticed")
    parser.add_argument("--only", type=int, nargs="*", help="only these of the faults, by number")
    parser.add_argument("--data", type=Path, help="coverage data of an earlier run, or where to")
    parser.add_argument("paths", nargs="*", default=["tests"], help="tests that are run for it")
    arguments = parser.parse_args()
    faults = draw(arguments.count, arguments.seed)
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "neuralpower"
        kept = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", ".mypy_cache")
        shutil.copytree(ROOT, copy, ignore=kept)
        os.environ["PYTHONPATH"] = str(copy / "src")
        if (ROOT.parent / "shared").is_dir():
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        data = (arguments.data or Path(folder) / "coverage").resolve()
        if not data.exists():
            contexts(copy, data, arguments.paths)
        noticed = tried = 0
        for number, fault in enumerate(faults, 1):
            if arguments.only and number not in arguments.only:
                continue
            tried += 1
            names = tests_of(data, fault)
            names = generator.sample(names, min(len(names), arguments.tests))
            found = bool(names) and caught(copy, fault, names, arguments.timeout)
            if not found and (names := modules_of(data, fault)):
                found = caught(copy, fault, names, 3 * arguments.timeout, whole=True)
            noticed += found
            verdict = "noticed " if found else "SURVIVES"
            place = f"{fault.path}:{fault.line}"
            print(f"{number:3} {verdict} {place}: {fault.before.strip()} -> {fault.after.strip()}")
            sys.stdout.flush()
    share = 100 * noticed / max(tried, 1)
    print(f"{noticed} of {tried} faults were noticed ({share:.0f} %)")
    return int(share < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
