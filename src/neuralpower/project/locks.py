"""Locks that a killed Snakemake left behind: ``python -m neuralpower.project.locks [FOLDER]``.

Snakemake cannot know whether a lock is of a run that was killed or of one that goes on, and asks
for ``--unlock``. Linux knows: where no Snakemake of this user works in the folder, its locks are
stale.
Elsewhere, and where a process cannot be looked at, nothing is removed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

LOCKS = ".snakemake/locks"


def remove_stale_locks(folder: Path, processes: Path = Path("/proc")) -> int:
    """Remove the locks of a folder that no running Snakemake holds; returns how many."""
    locks = sorted((folder / LOCKS).glob("*"))
    if not locks or not (processes / "self").exists():
        return 0
    if any(_runs_here(path, folder) for path in processes.glob("[0-9]*")):
        return 0
    for path in locks:
        path.unlink(missing_ok=True)
    return len(locks)


def _runs_here(process: Path, folder: Path) -> bool:
    """Whether a process is a Snakemake with this working directory; True where that is hidden."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        if process.name == str(os.getpid()) or not any(b"snakemake" in word for word in words):
            return False
        return (process / "cwd").resolve(strict=True) == folder.resolve()
    except FileNotFoundError:
        return False  # it has ended meanwhile
    except OSError:
        return True


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    if count := remove_stale_locks(place):
        sys.stderr.write(f"{place}: {count} locks of a run that was killed: removed\n")
