import numpy as np
import pytest
import torch
from torch import nn

from framecast.core.errors import ConfigError, DataError
from framecast.training import TrainingOptions
from framecast.training.averaging import Average, exponential, power
from framecast.training.reconstruction import Profile, coefficients, exponent, inner_product, misfit
from framecast.training.snapshots import is_due, make_average, save_snapshot


def walk(network, step):
    with torch.no_grad():
        network.weight.fill_(np.sin(step / 30.0))


def test_the_exponential_average_is_that_of_its_recursion():
    network = nn.Linear(1, 1, bias=False)
    average = Average(network, exponential(0.5))
    expected = None
    for step in range(20):
        walk(network, step)
        average.update(network)
        decay, value = min(0.5, (1 + step) / (10 + step)), network.weight.item()
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert average.values["weight"].item() == pytest.approx(expected, rel=1e-5)


def test_the_power_average_weighs_the_steps_by_their_power():
    """As τ^γ, up to the discretisation of the integral in 400 steps."""
    network = nn.Linear(1, 1, bias=False)
    average, weights, values = Average(network, power(0.1)), [], []
    for step in range(1, 401):
        walk(network, step)
        average.update(network)
        weights.append((step - 0.5) ** exponent(0.1))
        values.append(network.weight.item())
    assert average.values["weight"].item() == pytest.approx(np.average(values, weights=weights), abs=2e-3)


@pytest.mark.parametrize("width", [0.01, 0.05, 0.1, 0.25, 0.28])
def test_the_exponent_gives_the_width(width):
    """The standard deviation of the density (γ + 1) τ^γ on [0, 1], from its moments."""
    gamma = exponent(width)
    mean, square = (gamma + 1) / (gamma + 2), (gamma + 1) / (gamma + 3)
    assert (square - mean**2) ** 0.5 == pytest.approx(width, rel=1e-6)


def test_inner_products_are_integrals():
    one, other = Profile(0.05, 300), Profile(0.1, 500)
    t = (np.arange(500_000) + 0.5) / 1000

    def profile(of):
        gamma = exponent(of.width)
        return np.where(t < of.step, (gamma + 1) * t**gamma / float(of.step) ** (gamma + 1), 0)

    expected = (profile(one) * profile(other)).sum() / 1000
    assert inner_product(one, other) == pytest.approx(expected, rel=1e-4)
    assert inner_product(other, one) == inner_product(one, other)


def test_a_snapshot_of_the_wanted_profile_is_taken_as_it_is():
    snapshots = [Profile(width, step) for step in (100, 200, 300) for width in (0.05, 0.1)]
    weights = coefficients(snapshots, Profile(0.1, 200))
    assert weights == pytest.approx([0, 0, 0, 1, 0, 0], abs=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("width", [0.03, 0.07, 0.15, 0.2])
def test_an_average_made_afterwards_is_that_which_would_have_been_kept(tmp_path, width):
    network = nn.Linear(1, 1, bias=False)
    kept = [Average(network, power(w)) for w in (0.05, 0.1)]
    wanted = Average(network, power(width))
    options = TrainingOptions(steps=600, averages=(0.05, 0.1), snapshots=16)
    for step in range(1, 601):
        walk(network, step)
        for average in (*kept, wanted):
            average.update(network)
        if is_due(step, options):
            weights = [average.weights(network) for average in kept]
            save_snapshot(tmp_path, step, list(zip(options.averages, weights, strict=True)))
    assert len(list((tmp_path / "averages").iterdir())) == 16
    weights, step, distance = make_average(tmp_path, width)
    assert step == 600
    assert weights["weight"].item() == pytest.approx(wanted.values["weight"].item(), abs=0.02)
    assert distance < 0.15


@pytest.mark.thorough
def test_more_snapshots_fit_better():
    wanted = Profile(0.15, 1600)

    def distance(count):
        snapshots = [Profile(w, 1600 * (k + 1) // count) for k in range(count) for w in (0.05, 0.1)]
        return misfit(snapshots, wanted, coefficients(snapshots, wanted))

    assert distance(32) < distance(8) < distance(2) < 1


def test_what_cannot_be_averaged_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="width"):
        exponent(0.5)
    with pytest.raises(DataError, match=r"training\.averages"):
        make_average(tmp_path, 0.1)
    save_snapshot(tmp_path, 10, [(0.1, {"w": torch.ones(1)})])
    with pytest.raises(ConfigError, match="earliest is at step 10"):
        make_average(tmp_path, 0.1, step=5)
    (tmp_path / "averages" / "00000020.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a snapshot of averages"):
        make_average(tmp_path, 0.1)


@pytest.mark.parametrize(
    "weights",
    [
        [{"w": torch.ones(3)}, {"w": torch.ones(2)}],
        [{"w": torch.ones(3)}, {"w": torch.ones(3)}],
        [{"v": torch.ones(2)}, {"v": torch.ones(2)}],
        [{"w": torch.ones(2)}, {}],
    ],
)
def test_snapshots_of_different_weights_are_refused(tmp_path, weights):
    save_snapshot(tmp_path, 10, list(zip((0.1, 0.2), weights, strict=True)))
    save_snapshot(tmp_path, 20, [(0.1, {"w": torch.ones(2)}), (0.2, {"w": torch.ones(2)})])
    with pytest.raises(DataError, match="00000010"):
        make_average(tmp_path, 0.15)


def test_a_network_has_its_own_weights_back_after_the_average():
    network = nn.Linear(3, 3)
    own = network.weight.detach().clone()
    average = Average(network, exponential(0.9))
    average.values["weight"].zero_()
    with pytest.raises(KeyboardInterrupt), average.within(network):
        assert not network.weight.any()
        raise KeyboardInterrupt
    assert torch.equal(network.weight, own)
