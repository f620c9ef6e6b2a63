"""``neuralpower profile``: measure configurations or whole networks; a later call goes on."""

from __future__ import annotations

import argparse
import hashlib
import re
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.commands.arguments import positive, seconds, seconds_or_none, share
from neuralpower.commands.progress import VisitProgress
from neuralpower.commands.reading import add_reading_arguments, readings
from neuralpower.core.cells import read_configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows, safe_name, sha256_file
from neuralpower.core.network_files import ENDINGS, network_name
from neuralpower.core.validity import check_configuration
from neuralpower.frameworks.device_options import add_device_arguments, executor_options

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network
    from neuralpower.networks.reading import Readings
    from neuralpower.profiling.design import Item, NetworkItem
    from neuralpower.profiling.run import Settings

#: Visits between two of the reference layer on a GPU (measurement protocol).
_GPU_BLOCK = 12

_EXAMPLE = """example:
  neuralpower sweep --config config/config.yaml --out sweeps
  neuralpower profile sweeps/*.csv prototxts/lenet.prototxt@1,16 --platform my-cpu \\
      --out measurements/my-cpu --budget 10m

A run that was stopped continues with the same command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; the help names what is installed and every default."""
    from neuralpower.frameworks.registry import executors
    from neuralpower.meters.registry import CHOICES, meter_names
    from neuralpower.profiling.design import DesignProtocol
    from neuralpower.profiling.device_timing import ReplayProtocol
    from neuralpower.profiling.host_timing import TimingProtocol

    design, timing, replays = DesignProtocol(), TimingProtocol(), ReplayProtocol()
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLE
    parser.add_argument(
        "tables",
        nargs="+",
        metavar="TABLE",
        help="tables of configurations (.csv, .csv.gz) or whole networks (NET.prototxt, or "
        "NET.prototxt@1,16 with its batch sizes)",
    )
    parser.add_argument("--platform", required=True, help="name of what is measured")
    parser.add_argument("--out", required=True, type=Path, help="folder of the measurements")
    parser.add_argument(
        "--batch",
        type=positive,
        nargs="+",
        action="extend",
        help="batch sizes of the networks (default: what the prototxt says)",
    )
    parser.add_argument(
        "--executor",
        default="onnxruntime",
        help=f"what runs the layers: {', '.join(executors())} (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=positive, default=1, help="threads of a layer (default: 1)"
    )
    parser.add_argument(
        "--pin", type=int, metavar="CORE", help="bind the process to one core (threads 1)"
    )
    add_device_arguments(parser)
    parser.add_argument(
        "--meter",
        default="auto",
        help=f"power meter: {', '.join((*CHOICES, *meter_names()))} (default: %(default)s, the "
        "first that works)",
    )
    parser.add_argument(
        "--power-share",
        type=share,
        default=1.0,
        metavar="SHARE",
        help="share of the configurations whose power is measured (GPU), spread over their space "
        "(default: 1)",
    )
    parser.add_argument(
        "--characterise",
        type=Path,
        metavar="FILE.json",
        help="what neuralpower characterise found of this board: its time constant, and the "
        "sensor's period and averaging window",
    )
    parser.add_argument(
        "--warm-up",
        type=seconds_or_none,
        default=60.0,
        metavar="TIME",
        help="longest warming up of a GPU before the first visit, 0 for none (default: 60s, and "
        "at most a tenth of the budget)",
    )
    parser.add_argument(
        "--no-kernels",
        dest="kernels",
        action="store_false",
        help="do not ask the framework's profiler for the names of the kernels (GPU)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of data and order (default: 0)")
    parser.add_argument(
        "--budget", type=seconds, metavar="TIME", help="stop cleanly after 540s, 10m or 1h"
    )
    parser.add_argument(
        "--min-time",
        type=seconds,
        metavar="TIME",
        help=f"shortest sampling of a visit (default: {timing.min_time_s:g}s, on a GPU "
        f"{replays.min_time_s:g}s)",
    )
    parser.add_argument(
        "--max-time",
        type=seconds,
        metavar="TIME",
        help=f"longest sampling of a visit (default: {timing.max_time_s:g}s, on a GPU "
        f"{replays.max_time_s:g}s)",
    )
    parser.add_argument(
        "--twice",
        type=share,
        metavar="SHARE",
        help=f"share of configurations visited twice (default: {design.twice_share:g})",
    )
    parser.add_argument(
        "--thrice",
        type=share,
        metavar="SHARE",
        help=f"share visited three times (default: {design.thrice_share:g})",
    )
    parser.add_argument(
        "--repeats-within",
        type=share,
        metavar="SHARE",
        help="part of the run in which all repeats and networks lie: 0.6 for a run that may be "
        f"cut (default: {design.repeats_within:g})",
    )
    parser.add_argument(
        "--anchor-every",
        type=positive,
        metavar="N",
        help="visits between two of the reference layer (default: "
        f"{design.block_size}, on a GPU {_GPU_BLOCK})",
    )
    parser.add_argument(
        "--network-repeats",
        type=positive,
        metavar="N",
        help=f"visits of a network and batch (default: {design.network_repeats})",
    )
    parser.add_argument(
        "--layers-of-networks",
        action="store_true",
        help="also time the layers inside each network, once, with the framework's profiler",
    )
    parser.add_argument(
        "--progress",
        action="store_true",
        help="where there is no terminal, a line with the time left every ten seconds",
    )
    parser.add_argument(
        "--extend",
        action="store_true",
        help="the tables have changed: keep the visits that are still wanted",
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure; returns 0 when done or when the budget ended the call cleanly."""
    from neuralpower.core.machine import pin
    from neuralpower.frameworks.registry import make_executor
    from neuralpower.profiling.bench import measuring
    from neuralpower.profiling.design import NetworkItem
    from neuralpower.profiling.run import run as run_visits
    from neuralpower.records.publish import close_folder

    if arguments.pin is not None and arguments.threads > 1:
        raise InputError("--pin binds to one core: it goes with --threads 1")
    settings = _settings(arguments)
    loader = NetworkLoader(readings(arguments))
    counts, items = _items(arguments.tables, arguments.batch or (), loader)
    networks = {
        item.path: loader.facts(item.path)
        for item in items.values()
        if isinstance(item, NetworkItem)
    }
    settings = replace(settings, networks=networks)
    try:
        settings = replace(settings, affinity=pin(arguments.pin))
    except OSError as error:
        raise InputError(f"--pin {arguments.pin}: {error.strerror}") from None
    options = executor_options(arguments)
    make = lambda: make_executor(arguments.executor, arguments.threads, options)  # noqa: E731
    # A machine that is taken back asks so first: what was measured is then still published.
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    logs = settings.out / "power"
    with measuring(arguments.meter, options.device, logs, make, "", arguments.gpu) as bench:
        settings = replace(
            settings,
            idle_no_context=bench.idle_no_context,
            clock=bench.clock,
            sleep=bench.sleep,
        )
        with VisitProgress(settings.out, arguments.progress) as report:
            outcome = run_visits(
                settings, counts, items, bench.executor, bench.meter, loader.load, report
            )
    close_folder(settings.out)
    sys.stderr.write(
        f"{settings.platform}: {outcome.done} of {outcome.planned} visits made, "
        f"{outcome.made} now, {outcome.failed} could not be made; in {settings.out}\n"
    )
    if not outcome.complete:
        sys.stderr.write("the budget is spent: the same command goes on where it stopped\n")
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    from neuralpower.profiling.design import DesignProtocol
    from neuralpower.profiling.device_power import AdaptiveProtocol
    from neuralpower.profiling.device_timing import ReplayProtocol
    from neuralpower.profiling.host_timing import TimingProtocol
    from neuralpower.profiling.run import Settings
    from neuralpower.profiling.sensor_facts import read_calibration
    from neuralpower.profiling.warm_up import WarmUpProtocol

    timing: dict[str, Any] = {
        "min_time_s": arguments.min_time,
        "max_time_s": arguments.max_time,
    }
    design: dict[str, Any] = {
        "twice_share": arguments.twice,
        "thrice_share": arguments.thrice,
        "network_repeats": arguments.network_repeats,
        "repeats_within": arguments.repeats_within,
        "block_size": arguments.anchor_every,
    }
    replays = {
        "min_time_s": arguments.min_time,
        "max_time_s": arguments.max_time,
    }
    if arguments.device == "cuda":
        # A memory-bound reference layer after every fourth of the first.
        design = {"block_size": _GPU_BLOCK, "second_anchor_every": 4} | {
            name: value for name, value in design.items() if value is not None
        }
    calibration = None
    adaptive = AdaptiveProtocol(share=arguments.power_share)
    if arguments.characterise is not None:
        calibration = read_calibration(arguments.characterise)
        if calibration is None:
            sys.stderr.write(
                f"neuralpower: {arguments.characterise} holds no facts of a power sensor: the "
                "run takes the usual ones\n"
            )
        else:
            adaptive = calibration.applied(adaptive)
    return Settings(
        replays=replace(ReplayProtocol(), **{k: v for k, v in replays.items() if v is not None}),
        adaptive=adaptive,
        calibration=calibration,
        warm_up=WarmUpProtocol(cap_s=arguments.warm_up),
        kernels=arguments.kernels,
        platform=safe_name(arguments.platform, "platform"),
        out=arguments.out,
        seed=arguments.seed,
        timing=replace(TimingProtocol(), **{k: v for k, v in timing.items() if v is not None}),
        design=replace(DesignProtocol(), **{k: v for k, v in design.items() if v is not None}),
        budget_s=arguments.budget,
        extend=arguments.extend,
        layers_of_networks=arguments.layers_of_networks,
    )


def _items(
    tables: list[str], batches: tuple[int, ...], loader: NetworkLoader
) -> tuple[dict[str, int], dict[str, Item]]:
    """Every item of the tables by key, and how often the tables name it."""
    from neuralpower.profiling.design import NetworkItem

    counts: dict[str, int] = {}
    items: dict[str, Item] = {}
    for table in tables:
        path, own = _own_batches(table)
        if path.suffix in ENDINGS:
            digest = loader.digest(path)
            for batch in own or batches or (loader.own_batch(path),):
                network = NetworkItem(safe_name(network_name(path), "network"), batch, path, digest)
                loader.load(network)
                items[network.key()] = network
            continue
        _, rows = read_rows(path, required=("family",))
        for number, row in enumerate(rows, 1):
            try:
                item = read_configuration(row)
                check_configuration(item)
            except ValueError as error:
                raise InputError(str(error), path=path, row=number) from None
            except InputError as error:
                raise InputError(error.message, path=path, row=number) from None
            counts[item.key()] = counts.get(item.key(), 0) + 1
            items[item.key()] = item
    return counts, items


def _own_batches(table: str) -> tuple[Path, tuple[int, ...]]:
    """``NET.prototxt@1,16`` as its path and batch sizes; any other name as it is."""
    match = re.fullmatch(r"(.*\.(?:prototxt|onnx))@(\d+(?:,\d+)*)", table)
    if not match:
        return Path(table), ()
    batches = tuple(int(text) for text in match[2].split(","))
    if 0 in batches:
        raise InputError("a batch size of 0: it must be at least 1", path=table)
    return Path(match[1]), batches


class NetworkLoader:
    """Networks at their batch sizes, the last few kept; read as the options say."""

    def __init__(self, read: Readings) -> None:
        self._readings = read
        self.load = lru_cache(maxsize=4)(self._load)

    def _load(self, item: NetworkItem) -> Network:
        return self._network(item.path, item.batch)

    def _network(self, path: Path, batch: int | None = None) -> Network:
        from neuralpower.onnx_in.loading import load_network

        return load_network(path, batch=batch, **self._readings.of(path).options())

    def digest(self, path: Path) -> str:
        """The SHA-256 of the file, and of how it is read where that is said."""
        try:
            digest = sha256_file(path)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=path) from None
        facts = self.facts(path)
        if not facts:
            return digest
        return hashlib.sha256(f"{digest} {sorted(facts.items())}".encode()).hexdigest()

    def facts(self, path: Path) -> dict[str, object]:
        """How the file is read, where that is said."""
        return self._readings.of(path).as_facts()

    def own_batch(self, path: Path) -> int:
        """The first size of the file's first input."""
        shapes = [shape for shape in self._network(path).inputs.values() if shape]
        if not shapes:
            raise InputError("the network has no input shape: give --batch", path=path)
        return int(shapes[0][0])
