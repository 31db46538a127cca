"""Moving MNIST is drawn by its law, from the files as they are distributed."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import DataError

SCRIPT = Path(__file__).parents[2] / "examples" / "moving_mnist.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("moving_mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Training digits are squares of value 100, one digit of the test set a square of 200."""
    folder = tmp_path_factory.mktemp("digits")
    for name, count, value in (("train", 5, 100), ("t10k", 3, 200)):
        header = np.array([0x803, count, 28, 28], ">u4").tobytes()
        images = np.full((count, 28, 28), value, np.uint8).tobytes()
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images))
    return folder


def read(sequences, number):
    return np.stack(list(sequences.frames(number, np.arange(len(sequences.times(number))))))[:, 0]


def test_sequences_of_each_side_show_digits_of_that_side_at_times_of_that_side(example, digits):
    sequences = example.open_sequences(digits, train=2, validation=1, test=2)
    assert [sequences.label(k) for k in range(sequences.sequences)] == [
        *("train-0000", "train-0001", "validation-0000", "test-0000", "test-0001")
    ]
    for number, value, year, frames in ((0, 100, 2000, 40), (2, 100, 2000, 20), (4, 200, 2001, 20)):
        video = read(sequences, number)
        assert np.unique(video).tolist() == pytest.approx([0, value / 255])  # the brighter covers, nothing is added
        assert sequences.times(number).astype("datetime64[Y]")[0] == np.datetime64(str(year))
        assert len(video) == frames
    again = example.open_sequences(digits, train=1, validation=1, test=2)
    np.testing.assert_array_equal(read(again, 3), read(sequences, 4))
    assert not np.array_equal(read(sequences, 3), read(sequences, 4))


def test_digits_move_by_a_tenth_of_the_free_way_and_turn_at_the_edges(example):
    corners = example.trajectory(np.random.default_rng(1), 400)
    assert corners.min() == 0
    assert corners.max() == 36
    step = np.diff(corners, axis=0)
    inside = ((corners > 4) & (corners < 32)).all(1)[:-1]
    lengths = np.hypot(*step[inside].T)
    assert lengths.mean() == pytest.approx(3.6, abs=0.1)
    assert (np.abs(step) <= 4).all()
    assert {-1, 1} <= set(np.sign(step[:, 0]))


def test_other_files_are_refused(example, digits, tmp_path):
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        example.open_sequences(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0" * 32)
    with pytest.raises(DataError, match="28×28"):
        example.open_sequences(tmp_path)
