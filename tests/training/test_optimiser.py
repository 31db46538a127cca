import pytest
from torch import nn

from framecast.core.errors import ConfigError
from framecast.training import TrainingOptions
from framecast.training.optimiser import build_optimiser, learning_rate


def test_norms_and_biases_do_not_decay():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Linear(2, 2))
    decayed, free = build_optimiser(network, TrainingOptions(steps=1, weight_decay=0.1)).param_groups
    assert {p.ndim for p in decayed["params"]} == {2, 4}
    assert {p.ndim for p in free["params"]} == {1}
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_the_learning_rate_rises_and_then_stays_or_falls():
    options = TrainingOptions(steps=100, warmup=10, learning_rate=1.0)
    assert learning_rate(0, options) == pytest.approx(0.1)
    assert learning_rate(9, options) == learning_rate(99, options) == 1.0
    cosine = TrainingOptions(steps=110, warmup=10, learning_rate=1.0, decay="cosine")
    assert learning_rate(60, cosine) == pytest.approx(0.5)
    assert learning_rate(109, cosine) < 1e-3


def test_epochs_become_steps():
    options = TrainingOptions(epochs=3, batch=8).resolved(100)
    assert (options.last_step, options.epochs) == (38, None)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError) as caught:
        TrainingOptions(steps=1, batch=0, clip=-1.0, ema=2.0, averages=(0.4,), seed=-1)
    for name in ("batch is 0", "clip is -1.0", "ema is 2.0", "averages has 0.4", "seed is -1"):
        assert f"training.{name}" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"steps": 1, "epochs": 1}, {"steps": 0}, {"steps": 1, "ema": 1.0}, {"steps": 1, "batch": 3, "accumulate": 2}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        TrainingOptions(**wrong)
