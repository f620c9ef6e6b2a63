"""The INA3221 power monitor of NVIDIA's Jetson boards, as Linux shows it (hwmon)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.window import RawTable, WindowStats, window_stats

HWMON = Path("/sys/class/hwmon")
#: Channels that together carry the whole module, in the order in which they are looked for. Orin
#: NX and Nano, Xavier NX and the first Nano have one for all. AGX Orin has none: its GPU, its CPU
#: and the 5-volt rail that feeds the rest (memory included) stand side by side.
_TOTALS = (("VDD_IN",), ("POM_5V_IN",), ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"))


class Ina3221Meter:
    """Power of the channels that carry the whole module: millivolts times milliamperes, summed."""

    def __init__(self, root: Path = HWMON, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._root = root
        self._clock = clock
        self._channels = _channels(root)
        self._times: list[int] = []
        self._power: list[float | None] = []
        self.info = MeterInfo(
            name="ina3221",
            domain="+".join(self._channels),
            kind="sampled",
            provenance="INA3221 shunt monitors of the module's input, hwmon",
        )

    def available(self) -> Availability:
        """As ``PowerMeter.available``."""
        if not self._channels:
            return Availability(False, f"no INA3221 with a board input under {self._root}")
        try:
            if self._watts() <= 0:
                return Availability(False, "the INA3221 reports no power: its channels are off")
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
        if not self._channels:
            raise OSError("no channel")
        total = 0.0
        for folder, number in self._channels.values():
            millivolts = int((folder / f"in{number}_input").read_text())
            milliamperes = int((folder / f"curr{number}_input").read_text())
            total += millivolts * milliamperes / 1e6
        return total


def _channels(root: Path) -> dict[str, tuple[Path, str]]:
    """Folder and number, by name, of the channels that together carry the whole module."""
    found: dict[str, tuple[Path, str]] = {}
    for folder in sorted(root.glob("hwmon*")):
        if _text(folder / "name") != "ina3221":
            continue
        for label in sorted(folder.glob("in*_label")):
            number = label.name.removeprefix("in").removesuffix("_label")
            found.setdefault(_text(label), (folder, number))
    for names in _TOTALS:
        if all(name in found for name in names):
            return {name: found[name] for name in names}
    return {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
