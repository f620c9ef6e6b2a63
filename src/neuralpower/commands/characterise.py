"""``neuralpower characterise``: clock, sensors, steadiness and peak of a platform, as JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.arguments import seconds
from neuralpower.core.errors import InputError, say
from neuralpower.core.files import safe_name, write_json
from neuralpower.frameworks.device_options import add_device_arguments, executor_options

if TYPE_CHECKING:
    from neuralpower.frameworks.protocol import ExecutorOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--platform", required=True, help="name of what is characterised")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json", help="the facts")
    parser.add_argument("--executor", default="onnxruntime", help="what runs the layers")
    add_device_arguments(parser)
    parser.add_argument(
        "--meter", default="auto", help="of a GPU: auto, none, nvml, or an installed one"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of a layer")
    parser.add_argument("--pin", type=int, metavar="CORE", help="bind the process to one core")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data")
    parser.add_argument(
        "--budget",
        type=seconds,
        metavar="TIME",
        help="of a GPU: leave out what does not fit into 4m or 240s; the rest is written",
    )
    parser.add_argument("--anchors", type=int, default=20, help="visits of the reference layer")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write the facts and print the ones that matter most."""
    from neuralpower.core.machine import pin
    from neuralpower.frameworks.registry import make_executor
    from neuralpower.profiling.characterise import characterise

    platform = safe_name(arguments.platform, "platform")
    if arguments.threads < 1 or arguments.anchors < 2:
        raise InputError("--threads must be at least 1, --anchors at least 2")
    try:
        affinity = pin(arguments.pin)
    except OSError as error:
        raise InputError(f"--pin {arguments.pin}: {error.strerror}") from None
    options = executor_options(arguments)

    def tell(step: str) -> None:
        if sys.stderr.isatty():
            say(f"{step} ...")

    if options.device == "cuda":
        return _gpu(arguments, platform, options, tell)
    executor = make_executor(arguments.executor, arguments.threads, options)
    facts = characterise(executor, platform, arguments.seed, arguments.anchors, tell)
    facts["affinity"] = affinity
    write_json(arguments.out, facts)
    anchor, interference = facts["anchor"], facts["interference"]
    slower = interference.get("slower_by")
    lines = [
        f"anchor {anchor['median_ms']:.4g} ms, coefficient of variation {anchor['cv']:.1%}",
        f"a call costs {facts['call_overhead_ms'] * 1000:.3g} us by itself",
        "beside a busy process " + ("not known" if slower is None else f"{slower:+.1%}"),
    ]
    lines += [
        f"{sensor['meter']}: {'works' if sensor['available'] else sensor['reason']}"
        for sensor in facts["sensors"]
    ]
    for line in lines:
        say(line)
    return 0


def _gpu(
    arguments: argparse.Namespace,
    platform: str,
    options: ExecutorOptions,
    tell: Callable[[str], None],
) -> int:
    from neuralpower.frameworks.registry import make_executor
    from neuralpower.profiling import bench
    from neuralpower.profiling.characterise_gpu import characterise_gpu

    logs = arguments.out.parent / f"{arguments.out.stem}-power"
    facts = characterise_gpu(
        platform,
        lambda: bench.measuring(
            arguments.meter,
            options.device,
            logs,
            lambda: make_executor(arguments.executor, arguments.threads, options),
            "",
            arguments.gpu,
        ),
        arguments.seed,
        arguments.anchors,
        report=tell,
        keep=lambda found: write_json(arguments.out, found),
        budget_s=arguments.budget,
    )
    write_json(arguments.out, facts)
    for name, reason in facts["failed"].items():
        say(f"{name}: failed: {reason}")
    if facts["skipped"]:
        say(f"no time in the budget for: {', '.join(facts['skipped'])}")
    board, power = facts["board"] or {}, facts["power"]
    if not power["measured"]:
        say(f"power: {power['reason']}")
    if not board.get("steps"):
        return 0
    step = board["steps"][-1]
    say(
        f"idle {step['idle_w']} W, anchor {step['heavy_w']} W, period {step['period_ms']} ms, "
        f"averages over {board.get('averaging_window_ms')} ms, noise {step['noise_relative_sd']}, "
        f"counter integrates all time: {board.get('counter_integrates_all_time')}"
    )
    return 0
