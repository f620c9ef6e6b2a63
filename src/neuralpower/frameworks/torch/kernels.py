"""Names of the kernels that PyTorch runs, from one pass under its profiler."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile

#: Templated kernels have names of thousands of letters.
_LONGEST = 200


def can_name(cuda: str | None = torch.version.cuda) -> bool:
    """Whether names may be asked for in a run that measures.

    From CUDA 12.6 on PyTorch takes NVIDIA's profiling library off again after a pass. Before, it
    must stay attached where CUDA graphs are used (a note in ``torch/profiler/profiler.py``), and
    what is measured then carries its cost.
    """
    return cuda is not None and tuple(map(int, cuda.split(".")[:2])) >= (12, 6)


def kernel_names(call: Callable[[], object], device: str = "cuda") -> list[str] | None:
    """Different names of what ``call`` runs on the device, in the order of their first start.

    ``None`` where the profiler does not work or sees nothing: names are then not known.
    """
    cuda = device == "cuda"
    activity = ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU
    wanted: object = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    try:
        with profile(activities=[activity], acc_events=True) as passed:
            call()
        events = [event for event in passed.events() if event.device_type == wanted]
    except (RuntimeError, AssertionError, TypeError):
        return None
    events.sort(key=lambda event: event.time_range.start)
    names = dict.fromkeys(str(event.name)[:_LONGEST] for event in events)
    return list(names) or None
