import numpy as np
import pytest

from framecast.domains.corona.region import draw_region
from framecast.domains.corona.rendering import Background
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import StateLayout
from framecast.domains.corona.waves import Waves, patterns


def draw(spec: CoronaSpec, seed: int, displacement: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    fixed = patterns(spec, seed)
    return Waves(spec, fixed.shape[-1] - 1).draw(fixed[None], np.array([displacement]))[0]


def test_patterns_are_standard_normal_fields_independent_of_each_other():
    spec = CoronaSpec(height=256, width=256)
    fields = np.concatenate([draw(spec, seed).reshape(4, -1) for seed in range(8)], axis=1)
    assert fields.mean(axis=1) == pytest.approx(np.zeros(4), abs=0.05)
    assert np.cov(fields) == pytest.approx(np.eye(4), abs=0.06)
    assert np.mean(np.abs(fields) > 2.0, axis=1) == pytest.approx(np.full(4, 0.0455), abs=0.008)


def test_a_larger_frame_shows_the_same_patterns_in_more_detail():
    coarse, fine = draw(CoronaSpec(height=64, width=64), 3), draw(CoronaSpec(height=256, width=256), 3)
    shrunk = fine.reshape(4, 64, 4, 64, 4).mean(axis=(2, 4))
    for a, b in zip(coarse, shrunk, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.96
    assert (coarse.var(axis=(1, 2)) < fine.var(axis=(1, 2))).all()


def test_patterns_move_by_any_fraction_of_a_pixel():
    spec = CoronaSpec(height=48, width=96)
    still, moved = draw(spec, 1), draw(spec, 1, (2 / 48, -3 / 48))
    assert moved[:, 2:, :-3] == pytest.approx(still[:, :-2, 3:], abs=1e-4)


def test_patterns_are_those_of_every_release():
    """What a stored region looks like must not change: its oracle is drawn from the stored state."""
    waves = patterns(CoronaSpec(height=8, width=8, pattern_modes=2), 7)
    assert waves.shape == (4, 5, 3)
    assert waves[0, 2, 1] == pytest.approx(-0.2793110 - 0.2641527j, abs=1e-6)
    assert waves[3, 4, 0] == pytest.approx(0.0342768 - 0.7413800j, abs=1e-6)


def test_fine_grain_changes_but_keeps_its_contrast():
    spec = CoronaSpec(height=64, width=64, channels=("171",))
    region = draw_region(spec, np.random.default_rng(0))
    states = np.zeros((2, StateLayout.of(spec).size))
    states[1, StateLayout.of(spec).background] = np.random.default_rng(1).standard_normal(
        4 * StateLayout.of(spec).modes
    )
    still = np.zeros((2, 2))
    first, later = np.log(Background(spec, region).draw(states, still, still))[:, 0]

    def grain(image: np.ndarray) -> np.ndarray:
        """Return what is left without the smooth fields."""
        power = np.fft.fft2(image)
        k = 64 * np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64))
        return np.fft.ifft2(np.where(k > 12, power, 0.0)).real[8:-8, 8:-8]

    a, b = grain(first), grain(later)
    assert b.std() == pytest.approx(a.std(), rel=0.15)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] < 0.6
