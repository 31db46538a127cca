"""What is known of a machine, and what is answered where it does not tell."""

import os
import subprocess
import sys

import psutil
import pytest
import torch

from framecast.core import machine
from framecast.core.machine import cache_folder, cores, lacks_bf16, peak_memory, processor, total_memory

CPU = torch.device("cpu")


@pytest.fixture
def with_bf16(monkeypatch):
    """An x86 processor with bf16 instructions, as PyTorch tells of it."""
    monkeypatch.setattr(machine.platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for variable in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(variable, raising=False)


def test_a_processor_with_bf16_instructions_computes_in_it(with_bf16):
    assert lacks_bf16(CPU) is None


@pytest.mark.parametrize("allowed", ["SSE41", "AVX2", "avx512_core", "AVX512_CORE_VNNI"])
@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_it_does_not_where_onednn_is_kept_from_them(with_bf16, monkeypatch, variable, allowed):
    monkeypatch.setenv(variable, allowed)
    assert variable in lacks_bf16(CPU)


@pytest.mark.parametrize("allowed", ["AVX512_CORE_BF16", "AVX512_CORE_AMX", "avx10_1_512", "ALL", "DEFAULT"])
def test_it_does_where_onednn_may_use_them(with_bf16, monkeypatch, allowed):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", allowed)
    assert lacks_bf16(CPU) is None


def test_it_does_not_where_pytorch_is_kept_from_them(with_bf16, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert "ATEN_CPU_CAPABILITY" in lacks_bf16(CPU)


def test_a_pytorch_that_does_not_tell_is_taken_to_lack_it(with_bf16, monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert "no bf16 instructions" in lacks_bf16(CPU)


def test_a_processor_without_onednn_lacks_it(with_bf16, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert "oneDNN" in lacks_bf16(CPU)


@pytest.mark.parametrize("kind", ["mps", "xpu"])
def test_a_device_of_a_kind_that_was_never_tried_is_taken_to_lack_it(kind):
    assert kind in lacks_bf16(torch.device(kind))


@pytest.mark.thorough
def test_a_processor_told_to_behave_like_an_older_one_lacks_it():
    code = "import torch; from framecast.core.machine import lacks_bf16; print(lacks_bf16(torch.device('cpu')))"
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() != "None"


def test_the_cache_is_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FRAMECAST_CACHE")
    assert cache_folder().is_absolute()
    assert "framecast" in cache_folder().parts


def test_what_this_machine_tells_is_plausible():
    assert processor()
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert total_memory() > 2**28
    assert peak_memory() is None or 2**20 < peak_memory() < 2**45


def test_what_a_system_does_not_tell_is_unknown(monkeypatch):
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() is None
    assert cores() >= 1
