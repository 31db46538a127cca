import numpy as np
import pytest

from framecast.domains.corona.dynamics import _Arcades
from framecast.domains.corona.loops import Loops, Splat
from framecast.domains.corona.region import draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import StateLayout


def quiet_state(spec: CoronaSpec) -> np.ndarray:
    return np.zeros(StateLayout.of(spec).size, np.float32)


def typical_states(spec: CoronaSpec, count: int) -> np.ndarray:
    states = np.random.default_rng(2).standard_normal((count, StateLayout.of(spec).size)).astype(np.float32)
    StateLayout.of(spec).arcade_part(states)[...] = np.abs(StateLayout.of(spec).arcade_part(states))
    return states


def test_a_frame_does_not_depend_on_what_is_drawn_with_it(spec, region):
    states = typical_states(spec, 70)
    together = Renderer(spec, region)(states)
    assert together.shape == (70, 3, 32, 32)
    assert np.array_equal(together[69], Renderer(spec, region)(states[69]))
    assert (together > 0).all()


def test_the_region_drifts_as_a_whole(region):
    spec = CoronaSpec(height=64, width=64)
    still, moved = quiet_state(spec), quiet_state(spec)
    # Three pixels up, two to the left.
    StateLayout.of(spec).motion(moved)[:2] = np.array([3, -2]) / 64 / spec.drift
    a, b = Renderer(spec, region)(np.stack([still, moved]))
    assert b[:, 8:-8, 8:-8] == pytest.approx(a[:, 5:-11, 10:-6], rel=1e-3)


def test_larger_frames_show_the_same_region():
    small, large = CoronaSpec(height=64, width=64), CoronaSpec(height=256, width=256)
    region = draw_region(small, np.random.default_rng(3))
    states = typical_states(small, 2)
    coarse = Renderer(small, region)(states)
    fine = Renderer(large, region)(states).reshape(2, 3, 64, 4, 64, 4).mean(axis=(3, 5))
    assert fine.sum(axis=(2, 3)) == pytest.approx(coarse.sum(axis=(2, 3)), rel=0.01)
    for c in range(3):
        assert np.corrcoef(fine[:, c].ravel(), coarse[:, c].ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("height", "width"), [(24, 56), (56, 24)])
def test_frames_need_not_be_square(height, width):
    spec = CoronaSpec(height=height, width=width, channels=("171", "131"))
    region = draw_region(spec, np.random.default_rng(4))
    frames = Renderer(spec, region)(typical_states(spec, 3))
    assert frames.shape == (3, 2, height, width)
    assert np.isfinite(frames).all()
    # The region fills the shorter side and quiet Sun surrounds it along the longer one.
    profile = frames[:, 0].mean(axis=(0, 1) if width > height else (0, 2))
    assert profile[20:36].mean() > 1.5 * np.concatenate([profile[:6], profile[-6:]]).mean()


def test_stored_energy_shows(spec, region):
    states = np.stack([quiet_state(spec)] * 3)
    StateLayout.of(spec).arcade_part(states)[..., 0] = np.array([0.1, 0.6, 1.1])[:, None]
    frames = Renderer(spec, region)(states)
    hot = frames[:, spec.channels.index("94")]
    # Against the rest of the region, and far above the photon noise.
    assert (hot[1] - hot[0]).max() > 1.0
    assert (hot[2] - hot[1]).max() > 0.5 * hot[1].max()


def test_a_flare_is_seen_in_the_hot_channel_first_and_cools_through_the_others():
    spec = CoronaSpec(height=32, width=32, channels=("94", "211", "171"), cadence=600.0, modes=1)
    region = draw_region(spec, np.random.default_rng(5))
    arcades = _Arcades(spec, [region], hours=1 / 6)
    part = np.zeros((1, spec.arcades, 6))
    part[0, 0, 2] = 100.0
    states = []
    never = np.full((1, 1, spec.arcades, 2), 1 - 1e-12)
    for _ in range(60):
        state = quiet_state(spec)
        StateLayout.of(spec).arcade_part(state)[..., 2:] = part[0, :, 2:]
        states.append(state)
        part = arcades.run(part, np.zeros_like(never), never)
        part[..., 0] = 0.0
    flux = Renderer(spec, region)(np.stack(states)).sum(axis=(2, 3))
    hot, warm, cool = flux.argmax(axis=0)
    assert 0 < hot < warm < cool
    # Fast rise, slow decay, of the hot channel.
    above = flux[:, 0] - flux[-1, 0] > 0.5 * (flux[hot, 0] - flux[-1, 0])
    assert above[hot:].sum() > 2 * above[:hot].sum()


def test_a_line_of_points_is_smooth_and_as_bright_as_it_says():
    spec = CoronaSpec(height=40, width=60)
    for sigma in (0.9, 3.0):
        spacing = 0.9 * max(1.0, sigma)
        x = np.arange(-40.0, 100.0, spacing)[None]
        y = np.full_like(x, 17.3)
        light = np.full((1, x.size, 1), 7.0 * spacing, np.float32)
        image = Splat(spec, sigma).draw(y, x, light)[0, 0]
        spine = image.sum(axis=0) / (np.sqrt(2 * np.pi) * sigma)
        assert spine == pytest.approx(np.full(60, 7.0), rel=0.03)
        assert image.mean(axis=1).argmax() == 17


def test_points_outside_the_frame_leave_no_trace():
    spec = CoronaSpec(height=20, width=20)
    y = np.array([[-30.0, 10.0, 60.0, np.float64(10.0)]])
    x = np.array([[10.0, 70.0, 10.0, -25.0]])
    assert Splat(spec, 1.0).draw(y, x, np.ones((1, 4, 1), np.float32)).max() == 0.0


def test_drained_flares_leave_no_light(spec, region):
    state = quiet_state(spec)
    faint = state.copy()
    StateLayout.of(spec).arcade_part(faint)[..., 2:] = 1e-6
    motion = np.zeros((1, 2))
    loops = Loops(spec, region)
    a, b = (loops.draw(s[None].astype(np.float64), motion, motion) for s in (state, faint))
    assert np.array_equal(a, b)
