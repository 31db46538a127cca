"""A compiled network is the same function, forwards and backwards, and compiles nothing again for another batch."""

import subprocess
import sys

import pytest

SCRIPT = """
import copy, torch
from torch._dynamo.utils import counters
from framecast.networks import VideoUNet
from framecast.networks.compiled import compile_network

torch.manual_seed(0)
config = VideoUNet(width=4, multipliers=(1, 2), blocks=1, patch=1)
plain = config.build(past_channels=2, future_channels=1)
for parameter in plain.parameters():
    torch.nn.init.normal_(parameter, std=0.2)
compiled = copy.deepcopy(plain)
compile_network(compiled)
for batch in (2, 5):
    given = torch.randn(batch, 1, 3, 8, 16), torch.full((batch,), 500.0), torch.randn(batch, 2, 2, 8, 16)
    outputs = [network(*given) for network in (plain, compiled)]
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
    for network, output in zip((plain, compiled), outputs, strict=True):
        network.zero_grad()
        output.square().mean().backward()
    for ours, theirs in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-4)
assert counters["stats"]["unique_graphs"] == 1, counters["stats"]
"""


@pytest.mark.slow
def test_a_compiled_network_is_the_same_function_for_every_batch() -> None:
    """In a process of its own, where no hook checks shapes."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
