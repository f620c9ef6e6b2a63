"""The plan of the house: who may import whom, no circles, and fingerprints that follow imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from neuralpower.project import fingerprint

ROOT = Path(fingerprint.__file__).resolve().parents[1]

#: Package: what it may import beside itself (docs/guides/extending.md has the same table).
MAY_IMPORT: dict[str, str] = {
    "core": "",
    "caffe": "core",
    "onnx_in": "core caffe",
    "sweep": "core",
    "meters": "core",
    "records": "core meters",
    "frameworks": "core caffe",
    "profiling": "core caffe records frameworks meters",
    "modeling": "core records",
    "networks": "core caffe onnx_in modeling records",
    "scoring": "core caffe onnx_in sweep meters records frameworks profiling modeling networks",
    "importing": "core caffe onnx_in records meters",
    "reporting": "core records networks scoring",
    "api": "core caffe onnx_in records modeling networks",
    "project": (
        "core caffe onnx_in sweep meters records frameworks profiling modeling networks scoring "
        "importing"
    ),
}
MODULES = {
    ".".join(["neuralpower", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
    if not path.name.endswith("_pb2.py")
}


@cache
def imported(module: str) -> frozenset[str]:
    """What a module imports of this package, at whatever place, by its syntax tree."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("neuralpower")}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            base = node.module or ""
            if base == "neuralpower" or base.startswith("neuralpower."):
                inner = {f"{base}.{alias.name}" for alias in node.names}
                found |= {base} | {name for name in inner if name in MODULES}
    return frozenset(found)


def package(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(name: str) -> None:
    allowed = {name, "", *MAY_IMPORT[name].split()}
    wrong = [
        f"{module} imports {other}"
        for module in MODULES
        if package(module) == name
        for other in imported(module)
        if package(other) not in allowed
    ]
    assert not wrong


def test_the_guide_has_the_same_table() -> None:
    guide = (ROOT.parents[1] / "docs/guides/extending.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([`\w -]+) \|$", guide, re.MULTILINE)
    assert {name: " ".join(re.findall(r"\w+", cells)) for name, cells in rows} == MAY_IMPORT


def test_frameworks_read_operations_and_never_a_layers_message() -> None:
    folders = [ROOT / "frameworks", ROOT.parents[1] / "plugins"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                assert not node.attr.endswith("param"), (path, node.lineno)


def test_plugins_use_what_a_package_of_others_may_use() -> None:
    allowed = {"core", "caffe", "frameworks", "meters"}
    files = sorted((ROOT.parents[1] / "plugins").rglob("*.py"))
    assert len(files) > 5
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if name.startswith("neuralpower."):
                assert name.split(".")[1] in allowed, (path, name)


def test_every_package_has_its_place_in_the_table() -> None:
    found = {package(name) for name in MODULES} - {"", "cli", "__main__", "commands"}
    assert found <= set(MAY_IMPORT)


def test_no_modules_import_each_other_in_a_circle() -> None:
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for other in sorted(imported(module) - {"neuralpower"}):
            # A package's own __init__ is imported with each of its modules: no circle by itself.
            if other in MODULES and not module.startswith(other + "."):
                walk(other, (*path, module))
        done.add(module)

    for module in sorted(MODULES):
        walk(module, ())


def test_the_closure_of_imports_is_that_of_the_syntax_trees() -> None:
    for module in MODULES:
        if module == "neuralpower":
            continue
        seen = set(fingerprint.imports_of(module))
        assert imported(module) <= seen, module


def test_modules_imported_by_name_belong_to_packages_that_count_as_a_whole() -> None:
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
                argument = ast.unparse(node.args[0])
                ours = isinstance(node.args[0], ast.JoinedStr) and package(module) != ""
                if ours and module not in ("neuralpower.cli",):
                    assert module.startswith(fingerprint.BY_NAME), (module, argument)


def test_a_command_is_made_again_when_any_module_behind_it_changes() -> None:
    def names(command: str) -> set[str]:
        return {
            path.relative_to(ROOT).as_posix()
            for path in fingerprint.code_files(command)
        }  # fmt: skip

    assert {"caffe/caffe.proto", "caffe/layers/forks.py", "core/files.py"} <= names("layers")
    assert "modeling/selection.py" not in names("layers")
    assert {"records/checks.py", "reporting/site.py"} <= names("report")
    assert any(name.endswith(".css") for name in names("report"))
    assert {"records/blocks.py", "modeling/gram.py"} <= names("fit")
    assert {"frameworks/torch/cuda.py", "meters/nvml.py"} <= names("profile")
    assert fingerprint.code_hash("layers") != fingerprint.code_hash("sweep")


def test_the_workflow_asks_its_questions_without_numpy() -> None:
    """The Snakefile is read before every run: what only answers questions loads nothing heavy."""
    modules = ("project.questions", "project.measuring", "project.shards", "reporting.site")
    lines = [f"import neuralpower.{name}" for name in modules]
    program = "\n".join(
        [*lines, "import sys", "print(sorted({'numpy', 'scipy'} & {*sys.modules}))"]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


#: Who reads documents and tables: every other module asks these, so that bounds hold everywhere.
READERS = {
    "json": {"core.documents", "frameworks.onnx.times", "project.provenance"},
    "yaml": {"core.documents"},
    "csv": {"core.files", "importing.logs.power_logs"},
}
_READS = {"json": {"load", "loads"}, "yaml": {"load", "safe_load", "parse"}, "csv": {"reader"}}


def test_documents_and_tables_are_read_in_one_place() -> None:
    """ONNX Runtime's own profile, and a copy of a configuration, come from no stranger."""
    found: dict[str, set[str]] = {name: set() for name in READERS}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                package_, name = node.value.id, node.attr
                if name in _READS.get(package_, ()):
                    found[package_].add(module.removeprefix("neuralpower."))
                assert (package_, name) != ("csv", "DictReader"), module
    assert found == READERS


def test_no_page_depends_on_matplotlib() -> None:
    """Its configuration is read from the working folder: figures are drawn without it."""
    assert not [m for m, path in MODULES.items() if "matplotlib" in path.read_text("utf-8")]


@pytest.mark.parametrize("package", sorted([*MAY_IMPORT, "commands"]))
def test_the_head_of_a_package_says_what_is_in_it_and_how_to_add(package: str) -> None:
    head = ast.get_docstring(ast.parse(MODULES[f"neuralpower.{package}"].read_text("utf-8"))) or ""
    assert 8 <= len(head.splitlines()) <= 18, "what lives here, who may import it, how to add"
    assert re.search(r"\b(May i|I)mports? ", head)
    assert "To add " in head
    # What the head names is a module, a package, or a name in its code.
    folder = ROOT / package
    code = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    modules = {path.stem for path in folder.rglob("*")} | {path.stem for path in ROOT.iterdir()}
    for name in re.findall(r"``([a-z_]+)``", head):
        assert name in modules or code.count(name) > head.count(name), name
