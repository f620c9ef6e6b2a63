"""The INA3221 power monitor of NVIDIA's Jetson boards, as Linux shows it (hwmon)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from neuralpower.meters.meter import Availability, MeterInfo
from neuralpower.meters.polling import PollingMeter

HWMON = Path("/sys/class/hwmon")
#: Channels that together carry the whole module, in the order in which they are looked for. Orin
#: NX and Nano, Xavier NX and the first Nano have one for all. AGX Orin has none: its GPU, its CPU
#: and the 5-volt rail that feeds the rest (memory included) are side by side.
_TOTALS = (("VDD_IN",), ("POM_5V_IN",), ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"))


class Ina3221Meter(PollingMeter):
    """Power of the channels that carry the whole module: millivolts times milliamperes, summed."""

    def __init__(self, root: Path = HWMON, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._root = root
        self._channels = _channels(root)
        info = MeterInfo(
            name="ina3221",
            domain="+".join(self._channels),
            kind="sampled",
            provenance="INA3221 shunt monitors of the module's input, hwmon",
        )
        super().__init__(info, clock)

    def available(self) -> Availability:
        """As ``PowerMeter.available``."""
        if not self._channels:
            return Availability(False, f"no INA3221 with a board input under {self._root}")
        return super().available()

    def watts(self) -> float:
        """The sum of the channels; ``OSError`` where one cannot be read."""
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
