"""What ran: versions of the software, a checksum of this package's code, the state of git."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from neuralpower import __version__

#: The packages whose numbers or text reach a result.
PACKAGES = (
    "jinja2",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "protobuf",
    "pyyaml",
    "scikit-learn",
    "scipy",
    "snakemake",
    "statsmodels",
    "torch",
)
#: A checkout's own configuration may name programs that git runs: none is to be run.
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-pager")
_CODE_SUFFIXES = (".py", ".proto", ".html", ".css", ".js")
#: What decides about results; a change elsewhere (docs, tests) does not make a checkout differ.
_DECIDING = ("Snakefile", "config", "measurements", "prototxts", "src", "workflow")


def package_versions() -> dict[str, object]:
    """Versions of NeuralPower, Python and the installed packages that results depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"neuralpower": __version__, "python": platform.python_version(), "packages": found}


def code_checksum() -> str:
    """SHA-256 over the names and bytes of this package's code and templates."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in _CODE_SUFFIXES:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def git_state(project: Path) -> dict[str, object] | None:
    """Commit and changed files of the checkout whose root ``project`` is, else ``None``.

    ``changed`` lists tracked and new files that decide about results and differ from the commit;
    None where the checkout configures filters: programs that looking would run.
    """
    root = _git(project, "rev-parse", "--show-toplevel")
    commit = _git(project, "rev-parse", "HEAD")
    if root is None or commit is None or Path(root).resolve() != project.resolve():
        return None
    return {"commit": commit, "changed": _changed(project)}


def _changed(project: Path) -> list[str] | None:
    """Files that differ from the commit; None where looking would run the checkout's programs."""
    configured = _git(project, "config", "--local", "--includes", "--name-only", "--list")
    names = (configured or "").lower().splitlines()
    if configured is None or any(name.startswith("filter.") for name in names):
        return None
    status = _git(project, "status", "--porcelain=v1", "-z", "--no-renames", "--", *_DECIDING)
    return sorted(entry[3:] for entry in (status or "").split("\0") if entry)


def _git(project: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *_HARMLESS, *words],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip("\n")
