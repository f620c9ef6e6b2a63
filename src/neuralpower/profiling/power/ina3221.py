"""The INA3221 power monitor of NVIDIA's Jetson boards, as Linux shows it (hwmon)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from neuralpower.profiling.power.meter import Availability, MeterInfo
from neuralpower.profiling.power.window import RawTable, WindowStats, window_stats

HWMON = Path("/sys/class/hwmon")
#: Names of the channel that carries the whole board, newest boards first.
_TOTAL = ("VDD_IN", "VIN_SYS_5V0", "POM_5V_IN")


class Ina3221Meter:
    """Power of the board's input channel: millivolts times milliamperes."""

    def __init__(self, root: Path = HWMON, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._root = root
        self._clock = clock
        self._channel = _channel(root)
        self._times: list[int] = []
        self._power: list[float | None] = []
        self.info = MeterInfo(
            name="ina3221",
            domain=self._channel[1] if self._channel else "",
            kind="sampled",
            provenance="INA3221 shunt monitor of the board's input, hwmon",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``."""
        if self._channel is None:
            return Availability(False, f"no INA3221 with a board input under {self._root}")
        try:
            self._watts()
        except PermissionError as error:
            return Availability(False, f"{error.filename} may not be read: run as root")
        except (OSError, ValueError) as error:
            return Availability(False, f"the INA3221 cannot be read: {error}")
        return Availability(True)

    def start(self) -> None:
        """Forget earlier samples."""
        self._times.clear()
        self._power.clear()

    def stop(self) -> None:
        """Nothing to end."""

    def read(self) -> float | None:
        """Watts now; ``None`` when the channel cannot be read."""
        try:
            watts: float | None = self._watts()
        except (OSError, ValueError):
            watts = None
        self._times.append(self._clock())
        self._power.append(watts)
        return watts

    def last(self) -> tuple[int, float | None, float | None, float | None]:
        """The last sample, as a sampler asks for it."""
        return self._times[-1], self._power[-1], None, None

    def window(self, t0_ns: int, t1_ns: int) -> WindowStats:
        """As ``PowerMeter.window``."""
        return window_stats(RawTable(self._times, self._power), t0_ns, t1_ns)

    def _watts(self) -> float:
        if self._channel is None:
            raise OSError("no channel")
        folder, _, number = self._channel
        millivolts = int((folder / f"in{number}_input").read_text())
        milliamperes = int((folder / f"curr{number}_input").read_text())
        return millivolts * milliamperes / 1e6


def _channel(root: Path) -> tuple[Path, str, str] | None:
    """Folder, name and number of the channel that carries the whole board."""
    found: dict[str, tuple[Path, str, str]] = {}
    for folder in sorted(root.glob("hwmon*")):
        if _text(folder / "name") != "ina3221":
            continue
        for label in sorted(folder.glob("in*_label")):
            name = _text(label)
            if name in _TOTAL:
                number = label.name.removeprefix("in").removesuffix("_label")
                found.setdefault(name, (folder, name, number))
    return next((found[name] for name in _TOTAL if name in found), None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
