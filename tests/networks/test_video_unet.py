"""The network of depthwise blocks over patches: its size, its patches, its positions and its options."""

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.networks import VideoUNet
from framecast.networks.video_unet import rotary_angles, rotate


def inputs(*, batch=2, past=6, future=6, size=(16, 24)):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 1, future, *size, generator=generator)
    return x, torch.rand(batch, generator=generator) * 999, torch.randn(batch, 2, past, *size, generator=generator)


def linear_count(i, o):
    return i * o + o


def level_count(c, *, blocks, expansion, attention):
    modulation = 2 * c + linear_count(256, 2 * c)
    block = modulation + (9 * c + c) + (5 * c + c) + linear_count(c, expansion * c) + linear_count(expansion * c, c)
    attended = modulation + linear_count(c, 3 * c) + linear_count(c, c)
    return blocks * block + attention * attended


def test_parameters_are_those_counted_by_hand():
    network = VideoUNet(width=8, multipliers=(1, 2, 3), blocks=2, expansion=3, patch=2, attention_levels=1).build(
        past_channels=2, future_channels=1, classes=4
    )
    levels = [level_count(c, blocks=2, expansion=3, attention=c == 24) for c in (8, 16, 24)]
    expected = (
        5 * 256  # classes and the null class
        + 2 * linear_count(256, 256)
        + linear_count((2 * 2 + 1) * 4, 8)  # past, its newest frame, the noisy future; 4 pixels each
        + linear_count(256, 8)
        + 2 * sum(levels)
        + linear_count(4 * 8, 16)
        + linear_count(4 * 16, 24)
        + linear_count(24, 16)
        + linear_count(16, 8)
        + 2 * 8
        + linear_count(8, 4)
    )
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_it_starts_from_the_prediction_zero():
    network = VideoUNet(width=8).build(past_channels=2, future_channels=1)
    assert not network(*inputs()).any()


def test_dropout_leaves_each_channel_of_each_block_out_with_its_probability():
    network = VideoUNet(width=8, multipliers=(1, 2), blocks=1, noise_vector=3, dropout=0.25).build(
        past_channels=2, future_channels=1
    )
    assert network.noise_vector == 3 + 2 * (8 + 16)
    factors = [module.kept for module in network.modules() if getattr(module, "kept", None)]
    taken = sorted(column for kept in factors for column in range(kept.start, kept.stop))
    assert taken == list(range(256, 256 + 48))
    vector = torch.randn(4000, network.noise_vector, generator=torch.Generator().manual_seed(0))
    behind = network._with_noise(torch.zeros(4000, 256), vector)[:, 256:]
    assert behind.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (behind == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_patches_leave_where_they_entered(patch):
    network = VideoUNet(width=8, multipliers=(1,), patch=patch).build(past_channels=2, future_channels=1)
    image = torch.arange(2 * 3 * 8 * 12.0).reshape(2, 3, 8, 12)
    # [B, T, H, W, 1] cut into patches row by row, as a convolution with stride sees them
    squares = image.unflatten(3, (-1, patch)).unflatten(2, (-1, patch)).permute(0, 1, 2, 4, 3, 5).flatten(4)
    assert torch.equal(network._unpatch(squares)[..., 0], image)


def test_a_pixel_of_the_output_follows_its_pixel_of_the_input_first():
    torch.manual_seed(0)
    network = VideoUNet(width=16, multipliers=(1,), blocks=1).build(past_channels=2, future_channels=1)
    torch.nn.init.normal_(network.last.weight)
    x, time, past = inputs(batch=1)
    x.requires_grad_()
    network(x, time, past)[0, 0, 2, 5, 9].backward()
    patch = x.grad[0, 0, 2, 4:6, 8:10].abs().sum()
    assert patch > 0.5 * x.grad.abs().sum()


def test_rotary_attention_knows_only_distances():
    shape, pairs = (3, 4, 5), 6
    angles = rotary_angles(shape, pairs, torch.device("cpu")).unflatten(0, shape)
    query, key = torch.randn(2 * pairs, dtype=torch.float64), torch.randn(2 * pairs, dtype=torch.float64)

    def score(here, there):
        return rotate(query, angles[here].double()) @ rotate(key, angles[there].double())

    torch.testing.assert_close(score((0, 1, 0), (1, 2, 3)), score((1, 2, 1), (2, 3, 4)), rtol=1e-6, atol=1e-6)
    for axis in range(3):
        there = tuple(int(k == axis) for k in range(3))
        assert abs(score((0, 0, 0), there) - score((0, 0, 0), (0, 0, 0))) > 1e-3


def test_checkpointing_gives_the_same_gradients():
    results = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        config = VideoUNet(width=8, attention_levels=1, checkpointing=checkpointing)
        network = config.build(past_channels=2, future_channels=1)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        network(*inputs()).square().mean().backward()
        results.append([parameter.grad for parameter in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width is 0"),
        ({"multipliers": ()}, "one whole number from 1 per resolution"),
        ({"multipliers": (1, 0)}, "one whole number from 1 per resolution"),
        ({"patch": 3}, "patch is 3"),
        ({"attention_levels": 4}, "there are 3 resolutions"),
        ({"width": 9, "attention_levels": 1}, "twice that must divide the width 36"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        VideoUNet(**options)


def test_the_divisor_counts_patches_and_halvings():
    assert VideoUNet().divisor == 8
    assert VideoUNet(patch=4, multipliers=(1, 2)).divisor == 8
    with pytest.raises(ConfigError, match="height 12 is not divisible by 8"):
        VideoUNet().check_size(12, 16)


def test_uneven_times_place_the_frames_and_even_ones_leave_the_network_as_it_was():
    """Moving a frame in time changes what is said; without times there is no further weight."""
    options = {"width": 8, "multipliers": (1, 2), "blocks": 1}
    plain = VideoUNet(**options).build(past_channels=1, future_channels=1)
    assert plain.frame_lag is None
    torch.manual_seed(0)
    near = VideoUNet(**options, past_times=(-3.0, -1.0, 0.0), future_times=(1.0, 4.0)).build(
        past_channels=1, future_channels=1
    )
    for parameter in near.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    far = VideoUNet(**options, past_times=(-9.0, -1.0, 0.0), future_times=(1.0, 4.0)).build(
        past_channels=1, future_channels=1
    )
    far.load_state_dict(near.state_dict())
    x, past = torch.randn(2, 1, 2, 8, 8), torch.randn(2, 1, 3, 8, 8)
    time = torch.tensor([3.0, 500.0])
    assert near(x, time, past, None).shape == x.shape
    assert not torch.allclose(near(x, time, past, None), far(x, time, past, None))


def test_times_of_past_and_future_belong_together():
    with pytest.raises(ConfigError, match="future_times"):
        VideoUNet(past_times=(-1.0, 0.0))
