"""What the section ``profile`` of the configuration asks of a measurement, as words of commands.

The workflow's rules hand these words to ``characterise`` and ``profile``; the schema has checked
their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Keys of the section and the option of the command that each is.
_EXECUTOR = {
    "framework": "--executor",
    "device": "--device",
    "precision": "--precision",
    "memory_format": "--memory-format",
    "threads": "--threads",
    "meter": "--meter",
}
_PROFILE = {
    "power_share": "--power-share",
    "warm_up": "--warm-up",
    "min_time": "--min-time",
    "max_time": "--max-time",
}


def shards(profile: Mapping[str, Any]) -> int:
    """Jobs of a measurement: as many as asked for, and at least one per GPU."""
    return max(int(profile["shards"]), len(profile["gpus"]), 1)


def on_gpu(profile: Mapping[str, object]) -> bool:
    """Whether a GPU is measured: its sensor is characterised first."""
    return bool(profile["device"] == "cuda")


def executor_words(profile: Mapping[str, Any], shard: str | int) -> list[str]:
    """Framework, device, precision, meter and the GPU of a shard, for both commands."""
    words = _words(profile, _EXECUTOR)
    gpus = profile["gpus"]
    return [*words, "--gpu", gpus[int(shard) % len(gpus)]] if gpus else words


def split_words(profile: Mapping[str, Any]) -> list[str]:
    """How often configurations are visited: chosen before the sweep is dealt to shards."""
    repeats = profile["repeats"]
    return ["--twice", str(repeats["twice"]), "--thrice", str(repeats["thrice"])]


def profile_words(profile: Mapping[str, Any]) -> list[str]:
    """What else ``profile`` is asked for."""
    words = _words(profile, _PROFILE)
    if profile["budget"]:
        words += ["--budget", str(profile["budget"])]
    repeats = profile["repeats"]
    words += ["--network-repeats", str(repeats["networks"])]
    words += ["--repeats-within", str(repeats["within"])]
    # Repeats are rows of the shard's table; the progress is for the terminal of the workflow.
    return [*words, "--twice", "0", "--thrice", "0", "--progress"]


def _words(profile: Mapping[str, object], options: Mapping[str, str]) -> list[str]:
    return [
        word
        for key, option in options.items()
        if profile.get(key) not in (None, "")
        for word in (option, str(profile[key]))
    ]
