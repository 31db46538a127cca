import math

import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.core.seeding import generator
from framecast.diffusion.guidance import Guidance, drop_labels

SHAPE = (3, 1, 2, 4, 5)
T = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)


def outputs():
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64).unbind(0)


def test_the_formula():
    conditional, unconditional = outputs()
    for scale in (0.0, 1.0, 3.5):
        guided = Guidance(scale=scale).combine(conditional, unconditional, T)
        torch.testing.assert_close(guided, unconditional + scale * (conditional - unconditional))


def test_rescale_is_equations_15_and_16_of_lin_2023():
    conditional, unconditional = outputs()
    plain = Guidance(scale=4.0).combine(conditional, unconditional, T)
    result = Guidance(scale=4.0, rescale=0.7).combine(conditional, unconditional, T)
    for i in range(len(T)):
        rescaled = plain[i] * conditional[i].std(correction=0) / plain[i].std(correction=0)
        torch.testing.assert_close(result[i], 0.7 * rescaled + 0.3 * plain[i])
    full = Guidance(scale=4.0, rescale=1.0).combine(conditional, unconditional, T)
    torch.testing.assert_close(full.flatten(1).std(1), conditional.flatten(1).std(1))


def test_rescale_leaves_a_constant_output_as_it_is():
    zero = torch.zeros(SHAPE, dtype=torch.float64)
    assert torch.equal(Guidance(scale=2.0, rescale=0.7).combine(zero, zero, T), zero)


def test_outside_the_interval_only_the_label_counts():
    conditional, unconditional = outputs()
    guided = Guidance(scale=3.0, rescale=0.5, interval=(0.4, 0.6)).combine(conditional, unconditional, T)
    torch.testing.assert_close(guided[[0, 2]], conditional[[0, 2]])
    everywhere = Guidance(scale=3.0, rescale=0.5).combine(conditional, unconditional, T)
    torch.testing.assert_close(guided[1], everywhere[1])


def test_labels_are_dropped_at_the_asked_rate_and_never_changed_otherwise():
    label = torch.arange(20000) % 4
    dropped = drop_labels(label, 4, generator(0))
    kept = dropped != 4
    assert torch.equal(dropped[kept], label[kept])
    assert abs(1 - float(kept.double().mean()) - 0.1) < 4 * math.sqrt(0.09 / 20000)
    assert torch.equal(drop_labels(label, 4, generator(0), probability=0.0), label)
    assert drop_labels(label, 4, generator(0), probability=1.0).eq(4).all()
    assert torch.equal(drop_labels(label, 4, generator(0)), dropped)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Guidance(scale=-1.0), "guidance scale"),
        (lambda: Guidance(rescale=1.5), "rescale"),
        (lambda: Guidance(interval=(0.7, 0.2)), "interval"),
        (lambda: drop_labels(torch.zeros(1, dtype=torch.int64), 1, generator(0), probability=2.0), "probability"),
    ],
)
def test_impossible_guidance_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
