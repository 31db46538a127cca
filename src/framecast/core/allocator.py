"""How freed memory is given back to the system.

glibc learns from what a program frees: blocks up to 32 MB soon come from a heap, which shrinks only at its end. A
training step that computes activations anew leaves gaps in it, and the process holds half as much again as it uses.
With a fixed threshold every larger block is mapped by itself and gone when it is freed (``man 3 mallopt``).
"""

import ctypes
import platform

_M_MMAP_THRESHOLD = -3

THRESHOLD = 1_000_000
"""Bytes from which on a block is mapped by itself: below the activations of a network, above everything small."""


def return_freed_blocks() -> bool:
    """Let blocks above `THRESHOLD` go back to the system as soon as they are freed; for the rest of this process.

    Returns:
        Whether it could be told: only to glibc on Linux. Elsewhere nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, THRESHOLD))
