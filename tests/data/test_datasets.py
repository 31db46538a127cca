import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from framecast.core.errors import ConfigError, DataError
from framecast.data.datasets import WindowDataset, batch_at, epoch_order
from framecast.data.windows import find_windows
from framecast.videos.frames import FrameSpec

FRAMES = FrameSpec(
    past_channels=("94", "193"), future_channels=("94",), past=3, future=2, cadence=7200.0, height=3, width=4
)


def dataset(archive, frames=FRAMES, **options) -> WindowDataset:
    return WindowDataset(archive, find_windows(archive, frames), frames, **options)


@pytest.mark.parametrize("cache_bytes", [0, 2**30])
def test_a_sample_is_its_window(make_archive, cache_bytes):
    data = dataset(make_archive(), cache_bytes=cache_bytes)
    assert data.cached == bool(cache_bytes)
    for index in (0, 7, len(data) - 1):
        past, future, *_ = data[index]
        window = data.windows[index]
        assert (past.shape, future.shape) == (FRAMES.past_shape, FRAMES.future_shape)
        assert past.dtype == future.dtype == torch.float32
        # The pixel of frame t, channel c (193 is 0, 94 is 1), row y, column x is 1000 t + 100 c + 10 y + x + 1.
        t = torch.tensor(window.indices, dtype=torch.float32)
        torch.testing.assert_close(past[0, :, 2, 1], 1000 * t[:3] + 122)
        torch.testing.assert_close(past[1, :, 0, 3], 1000 * t[:3] + 4)
        torch.testing.assert_close(future[0, :, 1, 0], 1000 * t[3:] + 111)


def test_masked_pixels_stay_nan_and_nothing_else_is(make_archive):
    def mask(name, data):
        data["intensity"][:, :, 2, 3] = np.nan
        return data

    past, future, *_ = dataset(make_archive(edit=mask)).batch([0, 5])
    expected = torch.zeros(3, 4, dtype=torch.bool)
    expected[2, 3] = True
    assert (past.isnan() == expected).all() and (future.isnan() == expected).all()


def test_a_caller_who_writes_into_a_sample_does_not_change_the_next(make_archive):
    data = dataset(make_archive())
    before = data[3].past.clone()
    data[3].past.zero_()
    torch.testing.assert_close(data[3].past, before)


def test_a_batch_is_its_samples(make_archive):
    data = dataset(make_archive(), flips=("x", "y"), seed=5)
    batch = data.batch([4, 1, 9], epoch=2)
    for row, index in enumerate((4, 1, 9)):
        sample = data.sample(index, epoch=2)
        torch.testing.assert_close(batch.past[row], sample.past)
        torch.testing.assert_close(batch.future[row], sample.future)


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [0, 1])
def test_it_works_under_a_loader_with_and_without_processes(make_archive, workers):
    data = dataset(make_archive(sequences=1, frames=14), cache_bytes=0)
    loaded = torch.cat([batch.past for batch in DataLoader(data, batch_size=2, num_workers=workers)])
    torch.testing.assert_close(loaded, data.batch(range(len(data))).past)


def test_it_survives_pickling(make_archive):
    data = dataset(make_archive())
    torch.testing.assert_close(pickle.loads(pickle.dumps(data))[2].past, data[2].past)


class TestFlips:
    def test_past_and_future_are_mirrored_alike_and_every_way_occurs(self, make_archive):
        data = dataset(make_archive(sequences=4), flips=("x", "y"), seed=1)
        seen = set()
        for index in range(len(data)):
            plain, mirrored = data[index], data.sample(index, epoch=0)
            ways = [
                axes
                for axes in ((), (-1,), (-2,), (-2, -1))
                if torch.equal(plain.past.flip(axes), mirrored.past)
                and torch.equal(plain.future.flip(axes), mirrored.future)
            ]
            assert len(ways) == 1
            seen.add(ways[0])
        assert len(seen) == 4

    def test_only_the_axes_allowed(self, make_archive):
        data = dataset(make_archive(sequences=4), flips=("x",))
        flipped = [not torch.equal(data[k].past, data.sample(k, epoch=0).past) for k in range(len(data))]
        assert 0.2 < np.mean(flipped) < 0.8
        for k in np.flatnonzero(flipped):
            torch.testing.assert_close(data[k].past.flip(-1), data.sample(int(k), epoch=0).past)

    @pytest.mark.thorough
    def test_decided_by_seed_epoch_and_index(self, make_archive):
        archive = make_archive(sequences=4)

        def ways(seed, epoch):
            data = dataset(archive, flips=("x", "y"), seed=seed)
            return [tuple(data.sample(k, epoch=epoch).past[0, 0, :, 0].tolist()) for k in range(len(data))]

        assert ways(0, 0) == ways(0, 0)
        assert ways(0, 0) != ways(0, 1)
        assert ways(0, 0) != ways(1, 0)

    def test_an_axis_that_cannot_be_mirrored(self, make_archive):
        with pytest.raises(ConfigError, match="the axes that can be mirrored"):
            dataset(make_archive(), flips=("time",))


class TestMistakes:
    def test_windows_of_another_length(self, make_archive):
        archive = make_archive()
        other = FrameSpec(
            past_channels=("94",), future_channels=("94",), past=2, future=2, cadence=7200.0, height=3, width=4
        )
        with pytest.raises(DataError, match=r"5 frames .*; 4 "):
            WindowDataset(archive, find_windows(archive, FRAMES), other)

    @pytest.mark.thorough
    def test_an_archive_that_lacks_a_channel(self, make_archive):
        windows = find_windows(make_archive(), FRAMES)
        with pytest.raises(DataError, match="lacks channel 94"):
            WindowDataset(make_archive(channels=("193", "171"), name="other.zarr"), windows, FRAMES)

    @pytest.mark.parametrize("index", [-1, 10_000])
    def test_an_index_out_of_range(self, make_archive, index):
        with pytest.raises(IndexError):
            dataset(make_archive())[index]


class TestOrder:
    @settings(deadline=None)
    @given(count=st.integers(0, 200), seed=st.integers(0, 2**63), epoch=st.integers(0, 1000))
    def test_a_permutation(self, count, seed, epoch):
        assert sorted(epoch_order(count, seed=seed, epoch=epoch)) == list(range(count))

    def test_the_same_on_every_machine(self):
        assert epoch_order(8, seed=0, epoch=0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
        assert epoch_order(8, seed=0, epoch=1).tolist() == [5, 3, 7, 2, 4, 1, 0, 6]

    def test_uniform(self):
        """Over many epochs each sample is as often at each place; chi-square with 81 degrees of freedom."""
        counts = np.zeros((10, 10))
        for epoch in range(2000):
            counts[np.arange(10), epoch_order(10, seed=7, epoch=epoch)] += 1
        assert ((counts - 200) ** 2 / 200).sum() < 130  # the 99.95 % point is 128.4

    def test_nobody_can_spoil_it(self):
        with pytest.raises(ValueError, match="read-only"):
            epoch_order(5, seed=0, epoch=0)[0] = 3

    @pytest.mark.thorough
    @settings(deadline=None)
    @given(count=st.integers(1, 60), size=st.integers(1, 150), seed=st.integers(0, 99))
    def test_steps_are_full_batches_of_one_epoch_after_another(self, count, size, seed):
        steps = [batch_at(step, count, size, seed=seed) for step in range(5)]
        assert all(len(batch) == size for batch, _ in steps)
        stream = np.concatenate([batch for batch, _ in steps])
        epochs = -(-len(stream) // count)
        expected = np.concatenate([epoch_order(count, seed=seed, epoch=epoch) for epoch in range(epochs)])
        np.testing.assert_array_equal(stream, expected[: len(stream)])
        assert [epoch for _, epoch in steps] == [step * size // count for step in range(5)]

    def test_nothing_to_train_on(self):
        with pytest.raises(DataError, match="no window"):
            batch_at(0, 0, 4, seed=0)
