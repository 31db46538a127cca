import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from framecast.core.errors import ConfigError
from framecast.core.seeding import MemberNoise, _box_muller, generator, philox


def words(counter, key):
    return [int(w) for w in philox(tuple(torch.tensor([c]) for c in counter), key)]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, expected):
    assert words(counter, key) == list(expected)


@settings(deadline=None, max_examples=50)
@given(
    counter=st.tuples(*[st.integers(0, 2**32 - 1)] * 4),
    key=st.tuples(*[st.integers(0, 2**32 - 1)] * 2),
)
def test_philox_agrees_with_integers_of_any_length(counter, key):
    """The rounds, written with Python's unbounded integers instead of wrapped ones."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    assert words(counter, key) == c


def test_box_muller_is_the_transform_of_the_textbook():
    generator_ = np.random.default_rng(0)
    radial, angular = generator_.integers(0, 2**32, size=(2, 20000))
    radial[:4] = angular[:4] = [0, 2**32 - 1, 2**31, 2**30]
    u, v = (radial + 0.5) / 2**32, (angular + 0.5) / 2**32
    first, second = _box_muller(torch.from_numpy(radial), torch.from_numpy(angular))
    np.testing.assert_allclose(first, np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v), rtol=0, atol=2e-10)
    np.testing.assert_allclose(second, np.sqrt(-2 * np.log(u)) * np.sin(2 * np.pi * v), rtol=0, atol=2e-10)


def noise(seed, pairs, shape):
    samples, members = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).unbind(1)
    return MemberNoise(seed, samples, members, shape)


PAIR = st.tuples(st.integers(0, 2**62), st.integers(0, 2**32 - 1))


@pytest.mark.thorough
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**64 - 1),
    pairs=st.lists(PAIR, min_size=1, max_size=9),
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    draw=st.integers(0, 1000),
    threads=st.sampled_from([1, 2]),
)
def test_a_member_is_bitwise_the_same_in_whatever_company(seed, pairs, shape, draw, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = noise(seed, pairs, shape)(draw)
    finally:
        torch.set_num_threads(before)
    assert together.shape == (len(pairs), *shape)
    for i, pair in enumerate(pairs):
        assert torch.equal(noise(seed, [pair], shape)(draw)[0], together[i])


def test_a_member_is_bitwise_the_same_in_a_large_batch():
    """Large enough for the vectorised loops to be cut into chunks at odd places."""
    shape = (1, 3, 37, 41)
    together = noise(5, [(1, m) for m in range(23)], shape)(2)
    for m in (0, 11, 22):
        assert torch.equal(noise(5, [(1, m)], shape)(2)[0], together[m])


def test_a_draw_does_not_depend_on_those_before_it():
    members = noise(1, [(0, 0)], (5,))
    third = noise(1, [(0, 0)], (5,))(3)
    assert [torch.equal(members(k), third) for k in range(5)] == [False, False, False, True, False]


def test_seed_sample_member_draw_and_element_all_matter():
    base = noise(0, [(0, 0)], (8,))(0)
    others = [
        noise(1, [(0, 0)], (8,))(0),
        noise(2**32, [(0, 0)], (8,))(0),
        noise(0, [(1, 0)], (8,))(0),
        noise(0, [(2**32, 0)], (8,))(0),
        noise(0, [(0, 1)], (8,))(0),
        noise(0, [(0, 0)], (8,))(1),
    ]
    values = torch.stack([base, *others])
    assert len(values.unique()) == values.numel()


def test_the_deviates_are_standard_normal_and_uncorrelated():
    z = noise(11, [(s, m) for s in range(4) for m in range(10)], (5000,))(0).double()
    assert stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-3
    n = z.numel()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(float((z**power).mean()) - moment) < 4 * math.sqrt(variance / n)
    correlation = np.corrcoef(z.numpy())[~np.eye(len(z), dtype=bool)]
    assert np.abs(correlation).max() < 5 / math.sqrt(5000)
    neighbours = float((z[:, 1:] * z[:, :-1]).mean())
    assert abs(neighbours) < 4 / math.sqrt(n)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="seed"):
        noise(-1, [(0, 0)], (1,))
    with pytest.raises(ConfigError, match="sample"):
        noise(0, [(-1, 0)], (1,))
    with pytest.raises(ConfigError, match="member"):
        noise(0, [(0, 2**32)], (1,))


def test_generators_of_nearby_keys_are_unrelated_and_repeat():
    def draw(*key):
        return torch.rand(1000, generator=generator(*key), dtype=torch.float64)

    assert torch.equal(draw(3, 14), draw(3, 14))
    values = torch.stack([draw(a, b) for a in range(4) for b in range(4)])
    assert torch.corrcoef(values).fill_diagonal_(0).abs().max() < 5 / math.sqrt(1000)
    assert not torch.equal(draw(1, 23), draw(12, 3))
