"""Properties of this machine: processor, memory, cores, and whether it computes in bf16.

Every function works on every system. What a system does not report is ``None`` or the safe choice, never a guess:
a device is taken to compute in bf16 only where it is known to have instructions for it.
"""

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framecast.core.errors import ConfigError

if TYPE_CHECKING:
    import torch

_X86 = ("x86_64", "amd64")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

_returning = False

THRESHOLD = 1_000_000
"""Size in bytes from which a block is mapped separately: below network activations, above small objects."""

_ISA_WITH_BF16 = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10", "ALL", "DEFAULT")
"""Beginnings of the values of ``ONEDNN_MAX_CPU_ISA`` up to which oneDNN may use instructions for bf16."""


def cache_folder() -> Path:
    """Return the cache folder: ``FRAMECAST_CACHE``, or the system's usual place."""
    if own := os.environ.get("FRAMECAST_CACHE"):
        return Path(own)
    from platformdirs import user_cache_path

    return user_cache_path("framecast", appauthor=False)


def processor() -> str:
    """Return the name of the processor, or of its architecture where the system does not report more."""
    from torch import cpu

    told = cpu.get_capabilities().get("cpu_name") if hasattr(cpu, "get_capabilities") else None
    return str(told or platform.processor() or platform.machine() or "unknown processor")


def cores() -> int:
    """Return the number of logical cores that this process may use."""
    import psutil

    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1


def total_memory() -> int:
    """Return the bytes of main memory."""
    import psutil

    return int(psutil.virtual_memory().total)


def keep_freed_blocks() -> bool:
    """Keep freed memory for the next allocation, unless it is to be returned; return whether that is supported.

    A network frees and allocates the same large blocks in every evaluation: fetched from the system they come page by
    page, each emptied first, which takes as long as computing what is written into them. Only glibc on Linux supports
    this, for the rest of the process.
    """
    return not _returning and _tell_glibc(_M_MMAP_THRESHOLD, 2**25) and _tell_glibc(_M_TRIM_THRESHOLD, 2**31 - 1)


def return_freed_blocks() -> bool:
    """Let blocks above `THRESHOLD` go back to the system as soon as they are freed; return whether that is supported.

    By default glibc takes blocks up to 32 MB from a heap, in which a step that computes activations anew leaves
    gaps: the process holds half as much again as it uses. With a fixed threshold larger blocks are mapped separately
    (``man 3 mallopt``): less memory, and a step takes up to twice as long. Only glibc on Linux supports this.
    """
    global _returning
    _returning = _tell_glibc(_M_MMAP_THRESHOLD, THRESHOLD)
    return _returning


def _tell_glibc(parameter: int, value: int) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(parameter, value))


def peak_memory() -> int | None:
    """Return the peak memory of this process in bytes, or ``None`` where the system does not report it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def choose_device(name: "str | torch.device | None") -> "torch.device":
    """Return the device called ``name``; without a name the GPU if there is one.

    Raises:
        ConfigError: there is no such device here.
    """
    import torch

    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:  # a list of all backends of PyTorch
        raise ConfigError(f"device {str(name)!r} is unknown: give cpu, cuda or cuda:1") from None
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {str(name)!r} cannot be used here ({str(error).splitlines()[0]})") from None
    return device


def lacks_bf16(device: "torch.device") -> str | None:
    """Return why ``device`` does not compute in bf16 with instructions of its own; ``None`` where it does.

    Emulated bf16 is correct and slow: without such instructions PyTorch converts every operand to float32 and back.
    """
    if device.type == "cpu":
        return _processor_lacks_bf16()
    if device.type != "cuda":
        return f"bf16 is untested on devices of type {device.type}"
    import torch

    with torch.cuda.device(device):
        capable = torch.cuda.is_bf16_supported(including_emulation=False)
    return None if capable else f"{torch.cuda.get_device_name(device)} has no bf16 instructions"


def _processor_lacks_bf16() -> str | None:
    import torch

    if not torch.backends.mkldnn.is_available():
        return "this PyTorch does not use oneDNN on the processor"
    if platform.machine().lower() in _X86:
        instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if not any(_answers(torch.cpu, name) for name in instructions):
            return f"{processor()} has no bf16 instructions"
        if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
            return "ATEN_CPU_CAPABILITY disables the processor's bf16 instructions in PyTorch"
    elif not _answers(torch.ops.mkldnn, "_is_mkldnn_bf16_supported"):
        return f"{processor()} has no bf16 instructions that PyTorch uses"
    for variable in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        allowed = os.environ.get(variable, "DEFAULT").upper()
        if not allowed.startswith(_ISA_WITH_BF16):
            return f"{variable}={allowed} disables the processor's bf16 instructions in oneDNN"
    return None


def _answers(place: object, name: str) -> bool:
    """Return the result of ``place.name()``; false where this PyTorch has no such function."""
    try:
        return bool(getattr(place, name)())
    except (AttributeError, RuntimeError):
        return False
