"""``neuralpower import``: the logs of other tools as a folder of measurements."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.arguments import positive
from neuralpower.core.cells import Row
from neuralpower.core.errors import InputError

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network
    from neuralpower.importing.logs.timings import Timing
    from neuralpower.importing.logs.writing import Tables

#: Logs of layer times: format and its line of help.
TIMINGS: dict[str, str] = {
    "caffe-time": "the log of BVLC Caffe's `caffe time`",
    "trtexec": "a profile of TensorRT's `trtexec --exportProfile`",
    "onnxruntime": "a profile of ONNX Runtime (SessionOptions.enable_profiling)",
    "torch-profiler": "a chrome trace of PyTorch's profiler, with record_shapes=True",
    "csv": "a table of layer names and times",
}
#: Power logs, joined to windows of time.
POWERS: dict[str, str] = {
    "nvidia-smi": "power logged by `nvidia-smi --query-gpu=timestamp,power.draw --format=csv`",
    "tegrastats": "power logged by `tegrastats` of a Jetson board",
}
#: Energy of whole runs.
ENERGIES: dict[str, str] = {
    "zeus": "windows logged by a ZeusMonitor (log_file=...)",
    "codecarbon": "runs logged by CodeCarbon (emissions.csv)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A sub-command a format, each with its own options."""
    formats = parser.add_subparsers(dest="log_format", required=True, metavar="FORMAT")
    for name, text in (TIMINGS | POWERS | ENERGIES).items():
        sub = formats.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument(
            "files", nargs="+", type=Path, metavar="FILE", help="logs, all in one call"
        )
        sub.add_argument("--out", required=True, type=Path, metavar="measurements/P")
        sub.add_argument("--device", default="", help="the device in words, for the manifest")
        sub.add_argument("--software", default="", help="tool and version, for the manifest")
        if name in TIMINGS or name in ENERGIES:
            sub.add_argument(
                "--network",
                action="append",
                default=[],
                metavar="NET",
                help="prototxt or ONNX model that was timed: one for all logs, or one for each"
                + ("; without it the network in the log" if name == "caffe-time" else ""),
            )
            sub.add_argument("--batch", type=positive, metavar="N", help="batch size that was run")
        _ADD.get(name, _nothing)(sub)


def _nothing(sub: argparse.ArgumentParser) -> None:
    """A format without further options."""


def _caffe_time(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--partial", action="store_true", help="take a log that is cut short")


def _trtexec(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--layer-info", type=Path, metavar="FILE", help="from trtexec --exportLayerInfo"
    )


def _csv(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--map",
        action="append",
        default=[],
        type=_pair,
        metavar="OURS=COLUMN",
        help="name=, runtime= or runs= and the table's column (default: name, runtime_ms)",
    )
    sub.add_argument("--unit", choices=("ms", "us", "s", "ns"), default="ms", help="of the times")


def _power(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--windows",
        required=True,
        type=Path,
        metavar="CSV",
        help="table of what ran when: start and end, and the columns of a measurement table",
    )
    sub.add_argument(
        "--settle", type=float, default=1.0, metavar="S", help="time to leave out (default: 1 s)"
    )


def _nvidia_smi(sub: argparse.ArgumentParser) -> None:
    _power(sub)
    sub.add_argument("--gpu", default="", metavar="INDEX", help="which GPU, if there are several")


def _tegrastats(sub: argparse.ArgumentParser) -> None:
    _power(sub)
    sub.add_argument("--interval", type=float, metavar="S", help="between lines without a time")


def _energy(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--runs", required=True, type=positive, metavar="N", help="inferences in a row of the log"
    )


def _codecarbon(sub: argparse.ArgumentParser) -> None:
    _energy(sub)
    sub.add_argument(
        "--part", choices=("gpu", "cpu", "ram", "total"), default="total", help="of the machine"
    )


_ADD = {
    "caffe-time": _caffe_time,
    "trtexec": _trtexec,
    "csv": _csv,
    "nvidia-smi": _nvidia_smi,
    "tegrastats": _tegrastats,
    "zeus": _energy,
    "codecarbon": _codecarbon,
}


def _pair(text: str) -> tuple[str, str]:
    ours, equals, column = text.partition("=")
    if not equals or ours not in ("name", "runtime", "runs") or not column:
        raise argparse.ArgumentTypeError(f"{text!r}: write name=, runtime= or runs= and a column")
    return ours, column


def run(arguments: argparse.Namespace) -> int:
    """Import; the account of what matched goes to standard error. Exit status 0."""
    from neuralpower.importing.logs.writing import Tables, write_folder

    tables = Tables()
    kind = arguments.log_format
    if kind in TIMINGS:
        facts = _timings(arguments, tables)
    elif kind in POWERS:
        facts = _powers(arguments, tables)
    else:
        facts = _energies(arguments, tables)
    facts = {
        "device": arguments.device,
        "software": arguments.software or facts.pop("tool"),
        "imported_from": {"format": kind, "files": [path.name for path in arguments.files]},
        **facts,
    }
    write_folder(arguments.out, tables, {k: v for k, v in facts.items() if k != "tool"})
    sys.stderr.write(_said(tables, arguments.out))
    return 0


# ------------------------------------------------------------------------------ layer times


def _timings(arguments: argparse.Namespace, tables: Tables) -> dict[str, object]:
    from neuralpower.importing.logs.alignment import align
    from neuralpower.importing.logs.writing import ImportedLog, add_log

    tool = ""
    for path, given in zip(arguments.files, _networks(arguments), strict=True):
        timing = _read(arguments, path)
        tool = timing.tool
        network = _network(arguments, given, timing, path)
        batch = _batch(network, path)
        matches = align(timing.rows, network.layers)
        if not any(match.layers for match in matches):
            raise InputError(
                f"none of its {len(matches)} names is a layer of {network.name}: is it the network "
                "that was timed?",
                path=path,
            )
        _same_network(tables, network.name, network, path)
        add_log(tables, ImportedLog(path, network.name, batch, network, timing, matches))
    return {
        "tool": tool,
        "description": f"Layer times of whole passes, imported from logs of {tool}.",
        "power": {"measured": False, "reason": f"{tool} measures no power"},
    }


def _networks(arguments: argparse.Namespace) -> list[str]:
    """A network for each log; empty where it is in the log."""
    given: list[str] = arguments.network
    if not given and arguments.log_format != "caffe-time":
        raise InputError("--network NET is needed: the prototxt or ONNX model that was timed")
    if len(given) not in (0, 1, len(arguments.files)):
        raise InputError(
            f"{len(given)} networks for {len(arguments.files)} logs: give one for all or one each"
        )
    return (given or [""]) * len(arguments.files) if len(given) < 2 else given


def _read(arguments: argparse.Namespace, path: Path) -> Timing:
    kind = arguments.log_format
    if kind == "caffe-time":
        from neuralpower.importing.logs.caffe_time import read_caffe_time

        return read_caffe_time(path, arguments.partial)
    if kind == "trtexec":
        from neuralpower.importing.logs.trtexec import read_trtexec

        return read_trtexec(path, arguments.layer_info)
    if kind == "onnxruntime":
        from neuralpower.importing.logs.ort_profile import read_ort_profile

        return read_ort_profile(path)
    if kind == "torch-profiler":
        from neuralpower.importing.logs.torch_trace import read_torch_trace

        return read_torch_trace(path)
    from neuralpower.importing.logs.tables import read_named_times

    return read_named_times(path, dict(arguments.map), arguments.unit)


def _network(arguments: argparse.Namespace, given: str, timing: Timing, path: Path) -> Network:
    """The network that was timed, at the batch size of the log."""
    batch = arguments.batch or timing.batch or None
    if given:
        from neuralpower.onnx_in.loading import load_network

        phase = timing.phase if not given.endswith(".onnx") else "TEST"
        return load_network(given, phase=phase, batch=batch)
    if not timing.network_text.strip():
        raise InputError("the log has no network at its head: give --network NET", path=path)
    from neuralpower.caffe.network import parse_network

    name = re.sub(r"[^A-Za-z0-9._+-]+", "_", timing.network_title)[:100].strip("_.-+").lower()
    try:
        return parse_network(
            timing.network_text,
            path=str(path),
            name=name or path.name.split(".")[0],
            phase=timing.phase,
            batch=batch,
        )
    except InputError as error:
        text = f"the network at its head: {error.message}; or give --network NET"
        raise InputError(text, path=path) from None


def _batch(network: Network, path: Path) -> int:
    for shape in network.inputs.values():
        if shape:
            return int(shape[0])
    for layer in network.layers:
        if layer.configuration is not None:
            return int(layer.configuration.batch)
    raise InputError("the network's batch size is not known: give --network and --batch", path=path)


def _same_network(tables: Tables, name: str, network: Network, path: Path) -> None:
    """Two logs of one name must be of one network."""
    names = sorted(layer.name for layer in network.layers)
    seen = tables.networks_seen.setdefault(name, names)
    if seen != names:
        raise InputError(f"another network of the name {name!r} is in these logs", path=path)


# ------------------------------------------------------------------------- power and energy


def _powers(arguments: argparse.Namespace, tables: Tables) -> dict[str, object]:
    from neuralpower.importing.logs.power_logs import read_nvidia_smi, read_tegrastats
    from neuralpower.importing.logs.power_windows import add_windows

    samples = []
    for path in arguments.files:
        if arguments.log_format == "nvidia-smi":
            samples += read_nvidia_smi(path, arguments.gpu)
        else:
            samples += read_tegrastats(path, arguments.interval)
    samples.sort(key=lambda sample: sample.t_s)
    add_windows(tables, arguments.windows, samples, arguments.settle)
    return {
        "tool": arguments.log_format,
        "description": (
            f"Power logged by {arguments.log_format}, averaged over windows of time after "
            f"{arguments.settle:g} s of settling."
        ),
        "power": {"measured": True, "sensor": arguments.log_format},
    }


def _energies(arguments: argparse.Namespace, tables: Tables) -> dict[str, object]:
    from neuralpower.core.files import safe_name
    from neuralpower.core.network_files import network_name
    from neuralpower.importing.logs.energy_runs import read_codecarbon, read_zeus

    if arguments.batch is None:
        raise InputError("--batch N is needed: the log does not say what an inference was")
    part = "gpu" if arguments.log_format == "zeus" else arguments.part
    names = [network_name(given) for given in _networks_of_runs(arguments)]
    for path, name in zip(arguments.files, names, strict=True):
        read = read_zeus(path) if arguments.log_format == "zeus" else read_codecarbon(path, part)
        for one in read:
            try:
                called = safe_name(name or one.name, "network")
            except InputError as error:
                text = f"{error.message}; or give --network NAME"
                raise InputError(text, path=path, row=one.place) from None
            tables.add_pass(
                called,
                arguments.batch,
                {
                    "runtime_ms": 1000 * one.seconds / arguments.runs,
                    "power_w": one.joules / one.seconds,
                    "energy_j": one.joules / arguments.runs,
                    "runs": arguments.runs,
                    "basis": f"{arguments.log_format}, {part}",
                },
            )
    return {
        "tool": arguments.log_format,
        "description": (
            f"Time and energy ({part}) of whole runs of {arguments.runs} inferences, imported from "
            f"{arguments.log_format}."
        ),
        "power": {"measured": True, "sensor": arguments.log_format, "part": part},
    }


def _networks_of_runs(arguments: argparse.Namespace) -> list[str]:
    given: list[str] = arguments.network
    if len(given) not in (0, 1, len(arguments.files)):
        raise InputError(f"{len(given)} networks for {len(arguments.files)} logs")
    return (given or [""]) * len(arguments.files) if len(given) < 2 else given


# ---------------------------------------------------------------------------------- account


def _said(tables: Tables, out: Path) -> str:
    lines = []
    for log in tables.account:
        lines.append(f"{log['file']}: {log['network']} at batch {log['batch']}, {_shares(log)}")
        lines += [f"  note: {note}" for note in log["notes"]]
        lines += _left_over(log["rows"])
    rows = sum(len(found) for found in tables.families.values())
    lines.append(
        f"{out}: {rows} rows of {len(tables.families)} families, {len(tables.networks)} passes of "
        "whole networks"
    )
    return "".join(f"{line}\n" for line in lines)


def _shares(log: Row) -> str:
    matched = 0.0
    parts = []
    for how, share in log["shares"].items():
        if how in ("moved data", "unmatched"):
            shown = "under 0.1" if 0 < share < 5e-4 else f"{100 * share:.1f}"
            parts.append(f"{shown} % {how}")
        else:
            matched += share
    together = sum(row["share"] for row in log["rows"] if row["side_by_side"])
    if together:
        parts.append(f"{100 * together:.1f} % in kernels of several layers, which are not divided")
    return ", ".join([f"{100 * matched:.1f} % of the time matched", *parts])


def _left_over(rows: Sequence[Row]) -> list[str]:
    """The unmatched rows that cost most."""
    left = [row for row in rows if row["matched"] == "unmatched"]
    left.sort(key=lambda row: -row["share"])
    lines = [
        f"  unmatched: {row['name'][:70]} (row {row['row']}), {100 * row['share']:.2f} %"
        for row in left[:5]
    ]
    return [*lines, f"  and {len(left) - 5} more (import.json)"] if len(left) > 5 else lines
