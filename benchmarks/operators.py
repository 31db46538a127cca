"""Time of a call by operator."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.profiler import ProfilerActivity, profile


@contextmanager
def silent() -> Iterator[None]:
    """Keep the profiler's native code from writing to the standard output and error."""
    saved, nowhere = [os.dup(number) for number in (1, 2)], os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    try:
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


def share_of_operators(call: Callable[[], object], most: int = 8) -> list[tuple[str, float]]:
    """Return the operators that take the most time of their own, on the GPU if there is one, and their shares."""
    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with silent(), profile(activities=activities) as profiler:
        call()
        if on_gpu:
            torch.cuda.synchronize()
    spent = {
        event.key.removeprefix("aten::"): event.self_device_time_total if on_gpu else event.self_cpu_time_total
        for event in profiler.key_averages()
    }
    total = sum(spent.values())
    return [(name, time / total) for name, time in sorted(spent.items(), key=lambda item: -item[1])[:most]]
