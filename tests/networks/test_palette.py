"""The paper's networks: parameters counted by hand, and every number equal to the plain reference's."""

import dataclasses

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.networks import PaletteModelVideo, PaletteModelVideoDeep, PaletteVideo, PaletteVideoDeep


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def inputs(*, batch=2, channels=(3, 1), past=6, future=6, size=(16, 24), classes=0, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels[1], future, *size, generator=generator, dtype=dtype)
    seen = torch.randn(batch, channels[0], past, *size, generator=generator, dtype=dtype)
    time = torch.randint(0, 1000, (batch,), generator=generator).to(dtype)
    label = torch.randint(0, classes + 1, (batch,), generator=generator) if classes else None
    return x, time, seen, label


# --- parameters, from the description alone: c for channels, k for the taps of a convolution ---


def block_count(i, m, o, *, spatial=9, temporal=3):
    first, second = spatial * i * m + temporal * m * m + 2 * m, spatial * m * o + temporal * o * o + 2 * o
    return first + second


def attention_count(c):
    projections, norms, feed_forward = 4 * c * (c + 1), 2 * 2 * c, 2 * c * (c + 1)
    return projections + norms + feed_forward


def stage_count(i, m, o):
    return block_count(i, i, i) + block_count(i, m, o) + 257 * o


def palette_count(w, channels, out, *, encoder_attention=1, full=False, classes=0):
    taps = {"spatial": 27, "temporal": 0} if full else {}
    return (
        block_count(channels, w, w, temporal=0)
        + (stage_count(w, 2 * w, 2 * w) + stage_count(2 * w, 2 * w, 2 * w) + stage_count(2 * w, 4 * w, 4 * w))
        + sum([attention_count(4 * w), attention_count(2 * w), attention_count(2 * w)][:encoder_attention])
        + (block_count(4 * w, 8 * w, 8 * w, **taps) + attention_count(8 * w))
        + (block_count(8 * w, 8 * w, 8 * w, **taps) + attention_count(8 * w))
        + (block_count(8 * w, 2 * w, 2 * w, **taps) + attention_count(2 * w))
        + stage_count(4 * w, 2 * w, 2 * w)  # 2w from below beside 2w of the skip
        + stage_count(4 * w, 2 * w, w)
        + stage_count(2 * w, w, w)
        + (w + 1) * out
        + (256 * (classes + 1) if classes else 0)
    )


def deep_count(w, channels, out, *, encoder_attention=1, full=False, classes=0):
    taps = {"spatial": 27, "temporal": 0} if full else {}
    return (
        block_count(channels, w, w, temporal=0)
        + (stage_count(w, 2 * w, 2 * w) + stage_count(2 * w, 2 * w, 2 * w))
        + (stage_count(2 * w, 4 * w, 4 * w) + stage_count(4 * w, 4 * w, 4 * w))
        + sum([attention_count(4 * w), attention_count(4 * w), attention_count(2 * w)][:encoder_attention])
        + (block_count(4 * w, 8 * w, 8 * w, **taps) + attention_count(8 * w))
        + (block_count(8 * w, 8 * w, 8 * w, **taps) + attention_count(8 * w))
        + (block_count(8 * w, 4 * w, 4 * w, **taps) + attention_count(4 * w))
        + stage_count(8 * w, 4 * w, 2 * w)  # 4w from below beside 4w of the skip
        + stage_count(4 * w, 2 * w, 2 * w)
        + stage_count(4 * w, 2 * w, w)
        + stage_count(2 * w, w, w)
        + (w + 1) * out
        + (256 * (classes + 1) if classes else 0)
    )


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "published"), [(64, 23_658_945), (32, 5_971_169)])
def test_the_published_network_has_its_published_number_of_parameters(width, published):
    assert count(PaletteVideo(width=width).build(past_channels=3, future_channels=1)) == published
    assert palette_count(width, 4, 1) == published


@pytest.mark.thorough
@pytest.mark.parametrize("encoder_attention", [0, 1, 2, 3])
@pytest.mark.parametrize("bottleneck", ["2.5d", "3d"])
@pytest.mark.parametrize(("config", "formula"), [(PaletteVideo, palette_count), (PaletteVideoDeep, deep_count)])
def test_parameters_are_those_counted_by_hand(config, formula, bottleneck, encoder_attention):
    network = config(width=8, bottleneck=bottleneck, encoder_attention=encoder_attention).build(
        past_channels=2, future_channels=3, classes=4
    )
    full = bottleneck == "3d"
    assert count(network) == formula(8, 5, 3, encoder_attention=encoder_attention, full=full, classes=4)


@pytest.mark.thorough
def test_the_deep_network_has_the_counted_number_of_parameters_at_its_published_width():
    assert deep_count(64, 4, 1) == count(PaletteVideoDeep(width=64).build(past_channels=3, future_channels=1))


# --- the same function as the plain reference ---

CASES = {
    "paper": {},
    "odd frames, P > F": {"past": 5, "future": 3},
    "P < F": {"past": 2, "future": 7},
    "one frame each": {"past": 1, "future": 1},
    "more channels, labels": {"channels": (2, 3), "classes": 4},
    "no encoder attention": {"encoder_attention": 0},
    "attention on two levels, two heads": {"encoder_attention": 2, "heads": 2},
    "3×3×3 bottleneck, odd frames": {"bottleneck": "3d", "past": 3, "future": 5},
    "batch of one": {"batch": 1},
}


def pair(reference, deep, case, *, dtype=torch.float32, **extra):
    """A fast and a plain network with the same weights, and inputs for both."""
    case = {**case, **extra}
    options = {name: case.pop(name) for name in ("encoder_attention", "bottleneck", "heads") if name in case}
    channels, classes = case.get("channels", (3, 1)), case.get("classes", 0)
    torch.manual_seed(1)
    fast = (PaletteVideoDeep if deep else PaletteVideo)(width=8, **options).build(
        past_channels=channels[0], future_channels=channels[1], classes=classes
    )
    for module in fast.modules():  # norms that do something
        if isinstance(module, torch.nn.GroupNorm | torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight, 1.0, 0.3)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    plain = reference.Reference(
        width=8,
        past_channels=channels[0],
        future_channels=channels[1],
        deep=deep,
        classes=classes,
        encoder_attention=options.get("encoder_attention", 1),
        full=options.get("bottleneck") == "3d",
        heads=options.get("heads", 4),
    )
    plain.load_state_dict(reference.carry_over(fast.state_dict(), plain.state_dict()))
    size = (32, 48) if deep else (16, 24)
    return fast.to(dtype), plain.to(dtype), inputs(**{"size": size, **case}, dtype=dtype)


def relative(value, expected):
    return ((value - expected).norm() / expected.norm()).item()


def run_both(reference, fast, plain, arguments):
    """Outputs of both, and their gradients by the plain network's names."""
    outputs = []
    for network in (fast, plain):
        network.zero_grad()
        output = network(*arguments)
        output.backward(torch.randn(output.shape, generator=torch.Generator().manual_seed(2), dtype=output.dtype))
        outputs.append(output.detach())
    plain_gradients = {name: parameter.grad for name, parameter in plain.named_parameters()}
    fast_gradients = {name: parameter.grad for name, parameter in fast.named_parameters()}
    return *outputs, reference.carry_over(fast_gradients, plain_gradients), plain_gradients


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("deep", "case"),
    [  # for daily work every case by one of the two networks
        pytest.param(deep, case, marks=() if (k + deep) % 2 == 0 else pytest.mark.slow, id=f"{network}-{name}")
        for k, (name, case) in enumerate(CASES.items())
        for deep, network in enumerate(["PaletteModelVideo", "PaletteModelVideoDeep"])
    ],
)
def test_outputs_and_gradients_equal_the_plain_reference_in_float32(reference, deep, case):
    fast, plain, arguments = pair(reference, deep, case)
    output, expected, gradients, expected_gradients = run_both(reference, fast, plain, arguments)
    assert relative(output, expected) < 1e-5
    with torch.no_grad():
        assert relative(fast(*arguments), expected) < 1e-5
    flat = [torch.cat([g[name].flatten() for name in gradients]) for g in (gradients, expected_gradients)]
    assert relative(*flat) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("deep", [False, True], ids=["PaletteModelVideo", "PaletteModelVideoDeep"])
@pytest.mark.parametrize("bottleneck", ["2.5d", "3d"])
def test_every_single_gradient_equals_the_plain_reference_in_float64(reference, deep, bottleneck):
    # In float64 nothing but a different function can differ by more than 1e-9.
    case = {"bottleneck": bottleneck, "past": 3, "future": 5, "classes": 2, "channels": (2, 2)}
    fast, plain, arguments = pair(reference, deep, case, dtype=torch.float64)
    output, expected, gradients, expected_gradients = run_both(reference, fast, plain, arguments)
    assert relative(output, expected) < 1e-9
    for name, gradient in gradients.items():
        assert relative(gradient, expected_gradients[name]) < 1e-9, name


def test_without_a_label_the_null_class_is_taken():
    network = PaletteVideo(width=8).build(past_channels=1, future_channels=1, classes=4)
    x, time, past, _ = inputs(channels=(1, 1))
    null, first = torch.full((2,), 4), torch.zeros(2, dtype=torch.int64)
    with torch.no_grad():
        assert torch.equal(network(x, time, past), network(x, time, past, null))
        assert not torch.allclose(network(x, time, past), network(x, time, past, first))


# --- P ≠ F ---


def test_a_shorter_past_is_padded_with_its_oldest_frame():
    network = PaletteVideo(width=8).build(past_channels=2, future_channels=1)
    x, time, past, _ = inputs(channels=(2, 1), past=2, future=5)
    padded = torch.cat([past[:, :, :1]] * 3 + [past[:, :, 0:1], past[:, :, 1:2]], dim=2)
    with torch.no_grad():
        assert torch.equal(network(x, time, past), network(x, time, padded))


def test_a_shorter_future_is_padded_with_zeros_and_cropped():
    network = PaletteVideo(width=8).build(past_channels=2, future_channels=1)
    x, time, past, _ = inputs(channels=(2, 1), past=5, future=2)
    padded = torch.cat([x, torch.zeros(2, 1, 3, 16, 24)], dim=2)
    with torch.no_grad():
        assert network(x, time, past).shape == x.shape
        assert torch.equal(network(x, time, past), network(padded, time, past)[:, :, :2])


# --- options ---


@pytest.mark.thorough
def test_checkpointing_gives_the_same_output_and_gradients():
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = PaletteVideo(width=8, checkpointing=checkpointing).build(past_channels=3, future_channels=1)
        x, time, past, _ = inputs()
        output = network(x, time, past)
        output.square().mean().backward()
        results.append((output, [parameter.grad for parameter in network.parameters()]))
    (output, gradients), (again, gradients_again) = results
    assert torch.equal(output, again)
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_again, strict=True))


@pytest.mark.thorough
def test_checkpointing_keeps_far_less_for_the_backward_pass():
    kept = []
    for checkpointing in (False, True):
        network = PaletteVideo(width=8, checkpointing=checkpointing).build(past_channels=3, future_channels=1)
        x, time, past, _ = inputs(size=(32, 32))
        sizes = {}

        def keep(tensor, sizes=sizes):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            output = network(x, time, past)
        kept.append(sum(sizes.values()))
        del output
    assert kept[1] < 0.5 * kept[0]


def test_a_zero_output_starts_from_the_prediction_zero_and_learns_from_there():
    network = PaletteVideo(width=8, output="zero").build(past_channels=1, future_channels=1)
    x, time, past, _ = inputs(channels=(1, 1))
    output = network(x, time, past)
    assert torch.equal(output, torch.zeros_like(output))
    (output - x).square().mean().backward()
    assert network.last.weight.grad.norm() > 0


@pytest.mark.thorough
def test_the_last_convolution_starts_as_pytorch_starts_it_by_default():
    torch.manual_seed(0)
    network = PaletteVideo(width=32).build(past_channels=3, future_channels=1)
    with torch.no_grad():
        assert network(*inputs(size=(32, 32))).var().item() == pytest.approx(1 / 3, rel=0.7)


# --- what any user may do ---


@pytest.mark.parametrize("config", [PaletteVideo, PaletteVideoDeep])
def test_the_divisor_and_the_error_of_a_size_that_does_not_fit(config):
    divisor = config().divisor
    assert divisor == {PaletteVideo: 8, PaletteVideoDeep: 16}[config]
    config().check_size(divisor, 5 * divisor)
    with pytest.raises(ConfigError, match=f"width {divisor + 1} .* {divisor}"):
        config().check_size(divisor, divisor + 1)


def test_the_error_names_the_nearest_sizes():
    with pytest.raises(ConfigError, match=r"height 100 .* 8 .* 96 or 104"):
        PaletteVideo().check_size(100, 64)
    network = PaletteVideo(width=8).build(past_channels=1, future_channels=1)
    with pytest.raises(ConfigError, match="width 20 is not divisible by 8"):
        network(*inputs(channels=(1, 1), size=(16, 20)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"encoder_attention": 4}, "0 to 3 levels"),
        ({"encoder_attention": -1}, "0 to 3 levels"),
        ({"width": 9}, "heads is 4; it must divide the width 18"),
        ({"heads": 0}, "heads is 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PaletteVideo(**options)


def test_a_label_for_a_network_without_classes_is_refused():
    network = PaletteVideo(width=8).build(past_channels=1, future_channels=1)
    with pytest.raises(ConfigError, match="without classes"):
        network(*inputs(channels=(1, 1), classes=2))


def test_configurations_are_plain_values():
    config = PaletteVideoDeep(width=16)
    values = dataclasses.asdict(config)
    assert values["kind"] == "palette-video-deep" and "encoder" not in values
    assert PaletteVideoDeep(**values) == config
    network = config.build(past_channels=1, future_channels=1)
    assert type(network) is PaletteModelVideoDeep and isinstance(network, PaletteModelVideo)
