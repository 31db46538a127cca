import pytest
import torch

from framecast.core.errors import ConfigError, DataError
from framecast.videos.conditioning import Conditioning, GivenFrames
from framecast.videos.frames import FrameSpec
from framecast.videos.masks import FrameMasks
from framecast.videos.normalise import Normaliser, Stretch
from framecast.videos.representation import Representation
from framecast.videos.target import Change, Future

FRAMES = FrameSpec(past_channels=("a",), future_channels=("a",), past=2, future=3, cadence=60.0, height=4, width=6)
NORMALISER = Normaliser(stretches={"a": Stretch(curve="linear", mean=5.0, std=2.0)})


def representation(target=None):
    return Representation(frames=FRAMES, normaliser=NORMALISER, target=target or Future())


def batch(seed=0):
    video = torch.rand(4, 1, 5, 4, 6, generator=torch.Generator().manual_seed(seed)) * 10
    return video[:, :, :2], video[:, :, 2:]


def test_the_past_is_given_and_the_future_generated():
    past, future = batch()
    task = Conditioning(representation())
    x0, condition, known = task.example(past, future, torch.Generator())
    torch.testing.assert_close(x0, (future - 5) / 2)
    torch.testing.assert_close(condition, (past - 5) / 2)
    assert known.all()
    assert task.shape(4, 6) == (1, 3, 4, 6)
    torch.testing.assert_close(task.future(x0, past), future)


def test_with_masks_the_whole_video_is_x0_and_the_condition_shows_the_given_frames():
    past, future = batch()
    future[0, 0, 1, 0, 0] = torch.nan
    task = GivenFrames(representation(), FrameMasks())
    x0, condition, known = task.example(past, future, torch.Generator().manual_seed(0))
    assert x0.shape == known.shape == (4, 1, 5, 4, 6)
    assert not known[0, 0, 3, 0, 0]
    assert torch.isfinite(x0).all()
    given = condition[:, 1:, :, :1, :1] > 0.5
    torch.testing.assert_close(condition[:, :1], torch.where(given, x0, 0.0))
    assert task.shape(4, 6) == (1, 5, 4, 6)
    torch.testing.assert_close(task.video(x0[1:]), torch.cat([past, future], dim=2)[1:])


def test_a_forecast_with_masks_gives_the_past():
    past, _ = batch()
    condition = GivenFrames(representation(), FrameMasks()).condition(past)
    assert condition[:, 1, :, 0, 0].tolist() == [[1, 1, 0, 0, 0]] * 4
    torch.testing.assert_close(condition[:, :1, :2], (past - 5) / 2)
    assert (condition[:, :1, 2:] == 0).all()


def test_what_masks_cannot_do_is_refused():
    with pytest.raises(ConfigError, match="target=change"):
        GivenFrames(representation(Change(scale=((1.0, 1.0, 1.0),))), FrameMasks())
    with pytest.raises(DataError, match="this model takes 5 of both"):
        GivenFrames(representation(), FrameMasks()).condition_on(torch.zeros(1, 1, 5, 4, 6), torch.zeros(1, 4).bool())
