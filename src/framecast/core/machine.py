"""What this machine is, as far as it tells: its processor, memory, cores, and whether it computes in bf16.

Every function has an answer everywhere. What a system does not tell is ``None`` or the safe choice, never a guess:
a device is taken to compute in bf16 only where it is known to have instructions for it.
"""

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_X86 = ("x86_64", "amd64")

_ISA_WITH_BF16 = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10", "ALL", "DEFAULT")
"""Beginnings of the values of ``ONEDNN_MAX_CPU_ISA`` up to which oneDNN may use instructions for bf16."""


def cache_folder() -> Path:
    """Return where framecast keeps what it can make again: ``FRAMECAST_CACHE``, or the place the system has for it."""
    if own := os.environ.get("FRAMECAST_CACHE"):
        return Path(own)
    from platformdirs import user_cache_path

    return user_cache_path("framecast", appauthor=False)


def processor() -> str:
    """Return the name of the processor, or of its architecture where the system does not tell more."""
    from torch import cpu

    told = cpu.get_capabilities().get("cpu_name") if hasattr(cpu, "get_capabilities") else None
    return str(told or platform.processor() or platform.machine() or "unknown processor")


def cores() -> int:
    """Return the number of logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_cores() -> int:
    """Return the cores that other work leaves free, at least one; all of them where the system tells no load.

    More threads than that wait for each other: every operation ends when the last of them has had its turn.
    """
    if not hasattr(os, "getloadavg"):  # Windows
        return cores()
    return max(1, cores() - round(os.getloadavg()[0]))


def total_memory() -> int | None:
    """Return the bytes of main memory, or ``None`` where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _total_memory_of_windows() if sys.platform == "win32" else None


def peak_memory() -> int | None:
    """Return the most bytes that this process has held at a time, or ``None`` where the system does not tell."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def lacks_bf16(device: "torch.device") -> str | None:
    """Return why ``device`` does not compute in bf16 with instructions of its own; ``None`` where it does.

    Emulated bf16 is correct and slow: without such instructions PyTorch converts every operand to float32 and back.
    """
    if device.type == "cpu":
        return _processor_lacks_bf16()
    if device.type == "cuda":
        return _gpu_lacks_bf16(device)
    return f"bf16 has not been tried on devices of type {device.type}"


def _processor_lacks_bf16() -> str | None:
    import torch

    if not torch.backends.mkldnn.is_available():
        return "this PyTorch computes on the processor without oneDNN"
    if platform.machine().lower() in _X86:
        instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if not any(_answers(torch.cpu, name) for name in instructions):
            return f"{processor()} has no bf16 instructions"
        if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
            return "ATEN_CPU_CAPABILITY keeps PyTorch from the processor's bf16 instructions"
    elif not _answers(torch.ops.mkldnn, "_is_mkldnn_bf16_supported"):
        return f"{processor()} has no bf16 instructions that PyTorch uses"
    for variable in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        allowed = os.environ.get(variable, "DEFAULT").upper()
        if not allowed.startswith(_ISA_WITH_BF16):
            return f"{variable}={allowed} keeps oneDNN from the processor's bf16 instructions"
    return None


def _gpu_lacks_bf16(device: "torch.device") -> str | None:
    import torch

    with torch.cuda.device(device):
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return None
    return f"{torch.cuda.get_device_name(device)} has no bf16 instructions"


def _answers(place: object, name: str) -> bool:
    """Return what the function ``name`` of ``place`` says; false where this PyTorch has no such function."""
    try:
        return bool(getattr(place, name)())
    except (AttributeError, RuntimeError):
        return False


def _total_memory_of_windows() -> int | None:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "total_page", "free_page")),
            *((name, ctypes.c_ulonglong) for name in ("total_virtual", "free_virtual", "free_extended")),
        ]

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total) if known else None
