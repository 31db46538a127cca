"""What holds for every network, whatever it is made of."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from framecast.networks import PaletteVideo, PaletteVideoDeep, VideoUNet, kernels, layout

pytestmark = pytest.mark.thorough

CONFIGS = {
    "palette-video": PaletteVideo(width=8),
    "palette-video, 3d": PaletteVideo(width=8, bottleneck="3d"),
    "palette-video-deep": PaletteVideoDeep(width=8),
    "video-unet": VideoUNet(width=8),
    "video-unet, four resolutions, attention": VideoUNet(
        width=8, multipliers=(1, 1, 2, 3), blocks=1, patch=1, attention_levels=1
    ),
}


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def config(request):
    return request.param


def build(config, *, classes=0):
    torch.manual_seed(0)
    network = config.build(past_channels=2, future_channels=1, classes=classes)
    for parameter in network.parameters():  # no weight stays at a zero it was started from
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network


def inputs(config, batch, *, past=4, future=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    divisor = getattr(config, "divisor", 1)
    height, width = 2 * divisor, 3 * divisor
    x = torch.randn(batch, 1, future, height, width, generator=generator)
    seen = torch.randn(batch, 2, past, height, width, generator=generator)
    return x, torch.rand(batch, generator=generator) * 999, seen


def test_every_parameter_receives_a_gradient(config):
    network = build(config, classes=1)
    network(*inputs(config, 2), torch.tensor([0, 1])).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.norm() > 0, name


def test_every_input_reaches_the_output(config):
    network = build(config, classes=2)
    x, time, past = inputs(config, 1)
    label = torch.tensor([0])
    with torch.no_grad():
        output = network(x, time, past, label)
        for changed in (
            (x + 0.1 * torch.randn(x.shape), time, past, label),
            (x, time + 10, past, label),
            (x, time, past + 0.1 * torch.randn(past.shape), label),
            (x, time, past, label + 1),
        ):
            assert not torch.allclose(network(*changed), output, rtol=1e-3, atol=1e-4)


def test_the_newest_past_frame_reaches_the_first_future_frame(config):
    network = build(config)
    x, time, past = inputs(config, 1)
    past.requires_grad_()
    network(x, time, past)[:, :, 0].square().sum().backward()
    assert (past.grad.abs().amax(dim=(0, 1, 3, 4)) > 0).all()


def test_samples_of_a_batch_know_nothing_of_each_other(config):
    network, order = build(config), torch.tensor([2, 0, 3, 1])
    arguments = inputs(config, 4)
    with torch.no_grad():
        output = network(*arguments)
        permuted = network(*(argument[order] for argument in arguments))
    torch.testing.assert_close(permuted, output[order], rtol=1e-5, atol=1e-5)


def test_bf16_autocast_stays_close_to_float32(config):
    network, arguments = build(config), inputs(config, 2)
    with torch.no_grad():
        exact = network(*arguments)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = network(*arguments)
    assert ((rounded.float() - exact).norm() / exact.norm()).item() < 0.05


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1e3])
def test_no_size_of_the_values_gives_anything_but_numbers(config, scale):
    network = build(config)
    x, time, past = inputs(config, 2)
    output = network(scale * x, time, scale * past)
    output.square().mean().backward()
    assert torch.isfinite(output).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_the_output_is_contiguous_whatever_the_input_was(config):
    network = build(config)
    x, time, past = inputs(config, 2)
    with torch.no_grad():
        output = network(x, time, past)
        other = network(
            x.transpose(3, 4).contiguous().transpose(3, 4), time, past.to(memory_format=torch.channels_last_3d)
        )
    assert output.is_contiguous()
    torch.testing.assert_close(other, output)


@pytest.mark.parametrize("threads", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_sample_is_bitwise_the_same_in_any_batch_at_any_place(config, threads):
    network, arguments = build(config, classes=1), (*inputs(config, 6), torch.tensor([0, 1, 0, 1, 1, 0]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad():
            together = network(*arguments)
            for chunk in (2, 3, 4):  # not 1: see the module docstring of layout
                parts = [network(*(a[k : k + chunk] for a in arguments)) for k in range(0, 6, chunk)]
                assert torch.equal(torch.cat(parts), together), f"in chunks of {chunk}"
            assert torch.equal(network(*(a.flip(0) for a in arguments)), together.flip(0))
    finally:
        torch.set_num_threads(before)


def test_training_and_inference_are_the_same_function(config):
    network, arguments = build(config), inputs(config, 2)
    with torch.no_grad():
        inference = network(*arguments)
    training = network(*arguments).detach()
    assert ((inference - training).norm() / training.norm()).item() < 1e-5


@pytest.mark.slow
def test_nothing_comes_from_the_host_during_an_evaluation(config, monkeypatch):
    """A tensor made of Python's numbers would: a GPU waits for it, and no CUDA graph can hold the copy."""
    for module in (kernels, layout):
        monkeypatch.setattr(module, "exact", lambda x: False)  # as it is off the CPU
    with torch.no_grad():
        graph = make_fx(build(config, classes=1))(*inputs(config, 2), torch.tensor([0, 1])).graph
    held = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    assert len(held) > 10
    assert all(name.startswith("_param_constant") for name in held), held
