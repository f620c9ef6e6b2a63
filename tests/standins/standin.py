"""NVML's stand-in from Python: build it, say what its boards are and what befalls them.

``nvml.c`` has the settings and faults. A program under test is started with ``environment``: the
real binding, meter, sampler and commands then run on boards whose power is known.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
UUIDS = (
    "GPU-11111111-2222-3333-4444-555555555555",
    "GPU-99999999-2222-3333-4444-555555555555",
)
#: Numbers that stand for functions among the fields of faults (``nvml.c``).
POWER_USAGE, FIELD_VALUES, CLOCKS, REASONS, MIG_MODE = range(1001, 1006)


#: ``after`` of a fault that is there from the first look on.
ALWAYS = -1e15


class Load:
    """The power of a board against time, appended to by whatever plays the GPU."""

    def __init__(self, path: Path, entries: int = 500_000) -> None:
        """Open the file; the first to do so makes it. Several processes may append."""
        self._stream = open(path, "a+b")  # noqa: SIM115
        with _Locked(self._stream.fileno()):
            if self._stream.seek(0, os.SEEK_END) == 0:
                self._stream.truncate(16 + 16 * entries)
                self._map = mmap.mmap(self._stream.fileno(), 16 + 16 * entries)
                self._map[:16] = struct.pack("<qq", 0, time.monotonic_ns())
            else:
                self._map = mmap.mmap(self._stream.fileno(), 0)

    def add(self, t_ns: int, watts: float) -> None:
        """From ``t_ns`` on the board draws ``watts``. Times never fall."""
        with _Locked(self._stream.fileno()):
            (count,) = struct.unpack("<q", self._map[:8])
            at = 16 + 16 * count
            if count:
                (last,) = struct.unpack("<q", self._map[at - 16 : at - 8])
                t_ns = max(t_ns, last)
            self._map[at : at + 16] = struct.pack("<qd", t_ns, watts)
            self._map[:8] = struct.pack("<q", count + 1)

    def now(self, watts: float) -> int:
        """The board draws ``watts`` from now on; when that is (monotonic ns)."""
        t_ns = time.monotonic_ns()
        self.add(t_ns, watts)
        return t_ns


class _Locked:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __enter__(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_UN)


def build(folder: Path, *options: str) -> Path:
    """Compile the library into ``folder``; returns it. ``COMPILER`` must be there."""
    assert COMPILER is not None
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "libnvidia-ml.so.1"
    command = [COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *options]
    subprocess.run([*command, "-o", out, HERE / "nvml.c", "-lm"], check=True)
    return out


class StandIn:
    """Boards in ``folder``, behind the library in ``library``'s folder."""

    def __init__(self, library: Path, folder: Path, boards: int = 1) -> None:
        self.built, self.folder = library, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "boards.txt"
        self.loads = [Load(folder / f"board{number}.load") for number in range(boards)]
        self.states = ["ok"] * boards
        # Faults count from a far day, until ``start``.
        self.settings: dict[str, float] = {"start_s": 1e12}
        self.faults: list[tuple[str, int, float, float, float]] = []
        self.write()

    def set(self, **settings: float) -> StandIn:
        """Change settings of the sensor."""
        self.settings |= settings
        self.write()
        return self

    def fault(
        self, kind: str, what: int = 0, value: float = 0, after: float = 0, lasts: float = 1e18
    ) -> StandIn:
        """Something befalls it ``after`` seconds from ``start``."""
        self.faults.append((kind, what, value, after, lasts))
        self.write()
        return self

    def start(self) -> None:
        """Faults count from now."""
        self.set(start_s=time.monotonic())

    def write(self) -> None:
        """Write the file that the library reads whenever it changes."""
        lines = [
            f"device {UUIDS[number]} {self.folder / f'board{number}.load'} {state}"
            for number, state in enumerate(self.states)
        ]
        lines += [f"set {name} {value!r}" for name, value in self.settings.items()]
        lines += [" ".join(map(str, fault)) for fault in self.faults]
        beside = self.path.with_suffix(".new")
        beside.write_text("\n".join(lines) + "\n")
        beside.replace(self.path)

    def environment(self, *, torch: bool = False) -> dict[str, str]:
        """Of a program that sees these boards; ``torch``: also in PyTorch (``fake_cuda``)."""
        paths = [str(HERE.parents[1] / "src"), str(HERE), os.environ.get("PYTHONPATH", "")]
        if torch:
            paths.insert(0, str(HERE / "site"))
        return {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.built.parent),
            "NVML_STANDIN": str(self.path),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
