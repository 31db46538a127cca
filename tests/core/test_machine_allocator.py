"""Freed blocks go back to the system, in a process of its own: the setting stays."""

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes
from pathlib import Path

from framecast.core.machine import keep_freed_blocks, return_freed_blocks


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
assert not keep_freed_blocks()
print(usual, left_behind())
"""


KEEPING = """
import resource

import numpy as np

from framecast.core.machine import keep_freed_blocks


def faults():
    '''Return how often memory came from the system while 20 blocks of 16 MB were filled, one after another.'''
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.full(2_000_000, 1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


assert keep_freed_blocks()
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc")
def test_freed_blocks_are_kept():
    done = subprocess.run([sys.executable, "-c", KEEPING], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000  # of 78,000 pages


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc")
def test_freed_blocks_are_given_back():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    usual, told = map(int, done.stdout.split())
    assert usual > 100e6
    assert told < 10e6
