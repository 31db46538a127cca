import math
from dataclasses import replace

import pytest
import torch

from framecast.core.distributed import Processes
from framecast.core.errors import FramecastError
from framecast.data.archive.reader import Archive
from framecast.models.config import attach, build_network
from framecast.training import TrainingState, fit
from framecast.training.batches import Parts, cut
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe

pytestmark = pytest.mark.portable


@pytest.fixture(scope="module")
def prepared(small_archive, small_changes):
    changes = ["training.steps=40", "network.kind=palette-video", "network.width=4"]
    return prepare(load_recipe("tiny", [*small_changes, *changes]), Archive.open(small_archive))


def train(prepared, **changes):
    options = replace(prepared.recipe.training, **changes)
    torch.manual_seed(options.seed)
    denoiser = attach(prepared.model, build_network(prepared.model))
    state = TrainingState(denoiser.network, options)
    history = list(fit(state, denoiser, prepared.model.conditioning, prepared.dataset("train"), options))
    return state, history


@pytest.mark.thorough
def test_the_loss_falls(prepared):
    _, history = train(prepared)
    losses = [progress.loss for progress in history]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert [progress.step for progress in history] == list(range(1, 41))


def test_parts_of_a_batch_add_up_to_the_batch(prepared):
    windows, options = prepared.dataset("train"), prepared.recipe.training
    in_halves = replace(options, accumulate=2)
    whole = Parts(windows, options, cut(options, Processes()))
    halves = Parts(windows, in_halves, cut(in_halves, Processes()))
    for step in range(5):
        seen = torch.cat([halves[2 * step].past, halves[2 * step + 1].past])
        assert torch.equal(seen, whole[step].past)


@pytest.mark.thorough
def test_training_taken_up_again_ends_in_the_same_weights(prepared):
    options = replace(prepared.recipe.training, steps=8)
    conditioning, windows = prepared.model.conditioning, prepared.dataset("train")
    torch.manual_seed(0)
    denoiser = attach(prepared.model, build_network(prepared.model))
    state = TrainingState(denoiser.network, options)
    for progress in fit(state, denoiser, conditioning, windows, options):
        if progress.step == 5:
            saved = {name: value.clone() for name, value in state.tensors().items()}
    torch.manual_seed(99)
    second = attach(prepared.model, build_network(prepared.model))
    resumed = TrainingState(second.network, options)
    resumed.load(saved)
    assert [progress.step for progress in fit(resumed, second, conditioning, windows, options)] == [6, 7, 8]
    straight, again = state.tensors(), resumed.tensors()
    assert straight.keys() == again.keys()
    assert all(torch.equal(straight[name], again[name]) for name in straight)


@pytest.mark.thorough
def test_the_average_begins_when_it_should(prepared):
    state, _ = train(prepared, steps=4, ema_start=3)
    assert state.ema.count == 1
    current = state.network.state_dict()
    assert all(torch.equal(value, current[name]) for name, value in state.ema.weights(state.network).items())


@pytest.mark.thorough
def test_steps_that_are_not_finite_are_skipped_and_then_end_the_run(prepared, monkeypatch):
    from framecast.generators.denoiser import Denoiser

    true_loss, calls = Denoiser.loss, []

    def broken(self, *args, **options):
        calls.append(1)
        loss = true_loss(self, *args, **options)
        return loss * math.nan if 3 <= len(calls) <= 4 or len(calls) > 6 else loss

    monkeypatch.setattr(Denoiser, "loss", broken)
    skipped = []
    with pytest.raises(FramecastError, match=r"3 steps in a row .* not finite.*@20") as caught:
        options = replace(prepared.recipe.training, max_bad_steps=3)
        denoiser = attach(prepared.model, build_network(prepared.model))
        state = TrainingState(denoiser.network, options)
        steps = fit(state, denoiser, prepared.model.conditioning, prepared.dataset("train"), options)
        skipped.extend(progress.skipped for progress in steps)
    assert skipped == [False, False, True, True, False, False, True, True]
    assert "\n" not in str(caught.value)
    assert all(torch.isfinite(p).all() for p in state.network.parameters())


def test_before_averaging_begins_the_weights_stand_for_their_average(prepared):
    state, _ = train(prepared, steps=3, ema_start=100)
    assert state.ema.count == 0
    current = state.network.state_dict()
    assert all(torch.equal(value, current[name]) for name, value in state.ema.weights(state.network).items())


@pytest.mark.thorough
def test_half_precision_is_taken_up_again_with_its_loss_scale(prepared):
    """The scale is so large at first that steps are skipped to find it, which is not a sign of divergence."""
    options = replace(prepared.recipe.training, steps=6, precision="fp16", max_bad_steps=2)
    conditioning, windows = prepared.model.conditioning, prepared.dataset("train")
    saved: dict[str, torch.Tensor] = {}

    def run(state, denoiser):
        history = []
        for progress in fit(state, denoiser, conditioning, windows, options):
            history.append(progress)
            if progress.step == 4 and not saved:
                saved.update({name: value.clone() for name, value in state.tensors().items()})
        return history

    torch.manual_seed(0)
    first = attach(prepared.model, build_network(prepared.model))
    state = TrainingState(first.network, options)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    history = run(state, first)
    assert [progress.skipped for progress in history[:3]] == [True, True, True]
    second = attach(prepared.model, build_network(prepared.model))
    resumed = TrainingState(second.network, options)
    resumed.load(saved)
    assert resumed.scaler.get_scale() == 2.0**36
    assert [progress.step for progress in run(resumed, second)] == [5, 6]
    straight, again = state.tensors(), resumed.tensors()
    assert all(torch.equal(straight[name], again[name]) for name in straight)
