"""Intel's and AMD's running average power limit counters, as Linux shows them (powercap)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.window import RawTable, WindowStats, window_stats

POWERCAP = Path("/sys/class/powercap")
#: A package that seems to draw more than this has not wrapped: its counter was set back.
_MOST_W = 20_000.0
#: A counter that works moves every millisecond.
_PAUSE_S = 0.01


class RaplMeter:
    """Energy of all processor packages, summed; DRAM and other sub-domains are not in it.

    The counters wrap at ``max_energy_range_uj`` and are added up without the wrap. A counter that
    was set back (by a suspend, say) sets the sum back too, so that the window that it lies in says
    so. A reading is taken at every ``read``: a window needs at least three, one in the middle.
    """

    def __init__(
        self,
        root: Path = POWERCAP,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._root = root
        self._clock = clock
        self._sleep = sleep
        self._packages = _packages(root)
        self._last: dict[Path, int] = {}
        self._last_ns = 0
        self._total_uj = 0
        self._times: list[int] = []
        self._energies: list[float | None] = []
        self.info = MeterInfo(
            name="rapl",
            domain="+".join(_text(path / "name") or path.name for path in self._packages),
            kind="counter",
            period_ms=1.0,
            provenance="powercap energy_uj; a model inside the processor, no external meter",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``."""
        if not self._root.is_dir():
            return Availability(False, f"no RAPL counters: {self._root} does not exist")
        if not self._packages:
            return Availability(False, f"no RAPL counters: no processor package under {self._root}")
        try:
            before = self._counters()
            self._sleep(_PAUSE_S)
            if self._counters() == before:
                return Availability(
                    False, "the RAPL counters do not move: this (virtual) machine fills in none"
                )
        except PermissionError as error:
            return Availability(
                False,
                f"{error.filename} may be read by root only (CVE-2020-8694): run as root, or let "
                "the group of the person who measures read it",
            )
        except (OSError, ValueError) as error:
            return Availability(False, f"the RAPL counters cannot be read: {error}")
        return Availability(True)

    def start(self) -> None:
        """Forget earlier readings and take the first."""
        self._last.clear()
        self._times.clear()
        self._energies.clear()
        self._total_uj = 0
        self.read()

    def stop(self) -> None:
        """Take the last reading."""
        self.read()

    def read(self) -> float | None:
        """Joules since ``start``; ``None`` when a counter cannot be read."""
        now_ns = self._clock()
        try:
            for package, now in self._counters().items():
                self._total_uj += self._used(package, now, now_ns)
                self._last[package] = now
            joules: float | None = self._total_uj / 1e6
            self._last_ns = now_ns
        except (OSError, ValueError):
            joules = None
        self._times.append(now_ns)
        self._energies.append(joules)
        return joules

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``; the readings nearest to its ends bound the energy."""
        return window_stats(RawTable(self._times, energy_j=self._energies), t0_ns, t1_ns)

    def _counters(self) -> dict[Path, int]:
        return {p: int((p / "energy_uj").read_text()) for p in self._packages}

    def _used(self, package: Path, now: int, now_ns: int) -> int:
        """Microjoules since the last reading; below zero when the counter was set back."""
        before = self._last.get(package, now)
        if now >= before:
            return now - before
        wrapped = int((package / "max_energy_range_uj").read_text()) - before + now
        seconds = max((now_ns - self._last_ns) / 1e9, 1e-3)
        return wrapped if 0 <= wrapped <= _MOST_W * seconds * 1e6 else now - before


def _packages(root: Path) -> list[Path]:
    """The top-level domains that are processor packages (not psys, which contains them)."""
    found = sorted(root.glob("intel-rapl:*"))
    top = [path for path in found if path.name.count(":") == 1]
    return [path for path in top if (_text(path / "name") or "").startswith("package")]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
