import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.core.errors import ConfigError
from framecast.core.seeding import generator
from framecast.videos.masks import FrameMasks, keep_observed, make_condition, observe_past, observed_frames


@pytest.mark.thorough
@settings(deadline=None)
@given(past=st.integers(1, 6), future=st.integers(1, 6), batch=st.integers(1, 9), seed=st.integers(0, 99))
def test_each_task_observes_what_it_says(past, future, batch, seed):
    def draw(**weights):
        none = {"future": 0.0, "past": 0.0, "gaps": 0.0, "nothing": 0.0}
        return FrameMasks(**(none | weights)).draw(batch, past, future, generator(seed))

    frames = torch.arange(past + future)
    assert draw(future=1.0).eq(frames < past).all()
    assert draw(past=1.0).eq(frames >= past).all()
    assert not draw(nothing=1.0).any()
    gaps = draw(gaps=1.0)
    assert gaps.any(dim=1).all()
    assert not gaps.all(dim=1).any()


def test_tasks_come_as_often_as_they_weigh_and_gaps_everywhere():
    masks = FrameMasks(future=2.0, past=1.0, gaps=4.0, nothing=1.0).draw(20000, 3, 2, generator(1))
    empty = (~masks.any(dim=1)).double().mean()
    assert abs(float(empty) - 1 / 8) < 0.01
    forecast = masks.eq(observe_past(3, 2)).all(dim=1).double().mean()
    # Gaps hit the forecast's own mask too: 3 of 5 frames in 1 of 4 cases, and those 3 in 1 of 10.
    assert abs(float(forecast) - (2 / 8 + 4 / 8 / 40)) < 0.015
    gaps = FrameMasks(future=0.0, past=0.0, gaps=1.0, nothing=0.0).draw(20000, 3, 2, generator(2))
    assert (gaps.double().mean(dim=0) - 0.5).abs().max() < 0.02
    assert len(gaps.unique(dim=0)) == 2**5 - 2


def test_a_condition_hides_what_is_to_be_generated():
    video = torch.randn(2, 3, 4, 2, 5)
    observed = torch.tensor([[True, False, True, False], [False] * 4])
    hidden = video.clone()
    hidden[0, :, [1, 3]] = torch.nan
    hidden[1] = torch.nan
    condition = make_condition(hidden, observed)
    assert condition.shape == (2, 4, 4, 2, 5)
    assert torch.equal(condition, make_condition(video, observed))
    assert torch.equal(condition[0, :3, [0, 2]], video[0, :, [0, 2]])
    assert condition[0, :, [1, 3]].eq(0).all()
    assert torch.equal(observed_frames(condition)[:, 0, :, 0, 0], observed)
    x = torch.randn(2, 3, 4, 2, 5)
    kept = keep_observed(x, condition)
    assert torch.equal(kept[0, :, [0, 2]], video[0, :, [0, 2]])
    assert torch.equal(kept[0, :, [1, 3]], x[0, :, [1, 3]])
    assert torch.equal(kept[1], x[1])


def test_impossible_weights_are_refused():
    with pytest.raises(ConfigError, match="weights of the masks"):
        FrameMasks(future=-1.0)
    with pytest.raises(ConfigError, match="weights of the masks"):
        FrameMasks(future=0.0, past=0.0, gaps=0.0, nothing=0.0)
