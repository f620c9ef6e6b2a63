"""The real meter and sampler on the stand-in's boards: ``python meter_worker.py SCENARIO.json``.

The scenario: ``uuid``, ``look`` (only whether the meter works), ``levels`` (watts and seconds, one
after the other on the first board), ``folder``, ``start_after_available`` (faults count from when
the sampler begins). Prints what came out as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from standin import Load

from neuralpower.core.errors import InputError, RunError
from neuralpower.meters.look import Previous, look_at, power_facts
from neuralpower.meters.sampler import SampledMeter
from neuralpower.profiling.nvml_facts import board_software

#: At least, as the engine settles; a sensor that averages for longer is waited for.
SETTLE_S = 0.5
#: The longest that the played sensors publish at.
PERIOD_S = 0.1


def main(scenario: dict[str, Any]) -> dict[str, Any]:
    uuid = scenario.get("uuid", "")
    folder = Path(scenario["folder"])
    meter = SampledMeter(
        "neuralpower.meters.nvml:NvmlMeter",
        folder / "raw.csv",
        arguments=(uuid,) if uuid else (),
    )
    begin = time.monotonic()
    state = meter.available()
    found: dict[str, Any] = {
        "ok": state.ok,
        "reason": state.reason,
        "uuid": meter.uuid,
        "provenance": meter.info.provenance,
        "seconds": time.monotonic() - begin,
        "software": board_software(uuid),
    }
    if not state.ok or scenario.get("look"):
        return found
    meter.start()
    load = Load(Path(scenario["load"]))
    boards = Path(scenario["boards"])
    # Faults count from here.
    beside = boards.with_suffix(".worker")
    beside.write_text(boards.read_text() + f"set start_s {time.monotonic()!r}\n")
    beside.replace(boards)
    averaging_s = (meter.info.averaging_ms or 0.0) / 1e3
    settle_s = max(SETTLE_S, averaging_s + PERIOD_S) if averaging_s else SETTLE_S
    windows, previous = [], Previous()
    try:
        for watts, seconds in scenario["levels"]:
            start = load.now(watts)
            end = start + round(seconds * 1e9)
            while time.monotonic_ns() < end:
                time.sleep(0.05)
                meter.check()
            look = look_at(meter, start + round(settle_s * 1e9), time.monotonic_ns())
            facts, flags = power_facts(look, meter, start, (0.005, 1.0, None), previous)
            previous = Previous(str(watts), look.stats.mean_w, look.values)
            states = [asdict(s) for s in look.samples.states if s.t_ns >= start]
            windows.append({"watts": watts, "facts": facts, "flags": flags, "states": states})
        meter.stop()
    except (InputError, RunError) as error:
        found["raised"] = f"{type(error).__name__}: {error}"
        meter.end()
    return found | {"windows": windows}


if __name__ == "__main__":
    json.dump(main(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
