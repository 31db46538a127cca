"""Freed blocks go back to the system, in a process of its own: the setting stays."""

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes
from pathlib import Path

from framecast.core.machine import return_freed_blocks


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def left_behind():
    '''Return the bytes still held when 50 blocks of 4 MB are freed and small ones among them are not.'''
    before, blocks = resident(), []
    for _ in range(50):
        blocks.append(libc.malloc(4_000_000))
        libc.memset(blocks[-1], 1, 4_000_000)
        libc.malloc(100_000)
    for block in blocks:
        libc.free(block)
    return resident() - before


libc.free(libc.malloc(30_000_000))  # from here on glibc takes up to 30 MB from the heap
usual = left_behind()
assert return_freed_blocks()
print(usual, left_behind())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc")
def test_freed_blocks_are_given_back():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    usual, told = map(int, done.stdout.split())
    assert usual > 100e6
    assert told < 10e6
