from itertools import pairwise

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import ks_2samp

from framecast.domains.corona import dynamics
from framecast.domains.corona.dynamics import Dynamics, stationary_state
from framecast.domains.corona.region import draw_region
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import StateLayout


@pytest.mark.parametrize("hours", [0.003, 0.2, 2.0, 60.0])
def test_oscillators_are_stepped_by_their_exact_transition_law(hours):
    rate = 0.14
    drift = rate * np.array([[0.0, 1.0], [-1.0, -2.0]])
    noise = np.diag([0.0, 4.0 * rate])
    stationary = solve_continuous_lyapunov(drift, -noise)
    assert stationary == pytest.approx(np.eye(2), abs=1e-12)
    matrix = expm(drift * hours)
    stay, swap, back, damp, root_z, cross, root_v = dynamics._oscillator_step(np.array(rate), hours)
    assert np.array([[stay, swap], [back, damp]]) == pytest.approx(matrix, abs=1e-13)
    factor = np.array([[root_z, 0.0], [cross, root_v]])
    assert factor @ factor.T == pytest.approx(stationary - matrix @ stationary @ matrix.T, abs=1e-13)


@pytest.mark.thorough
def test_the_gaussian_part_keeps_its_law(many):
    spec, _, states = many
    layout = StateLayout.of(spec)
    gaussian = states[:, :, : layout.background.stop].astype(np.float64)
    for k in (0, 5, 15):
        assert gaussian[:, k].mean() == pytest.approx(0.0, abs=0.01)
        assert gaussian[:, k].var() == pytest.approx(1.0, abs=0.015)


def test_brightness_correlates_over_time_as_a_critically_damped_oscillator(many):
    spec, regions, states = many
    layout = StateLayout.of(spec)
    z = layout.loop_part(states, 0).astype(np.float64)
    rates = np.stack([layout.loop_part(region.rates, 0) for region in regions])
    for lag in (1, 2, 4):
        a = rates * lag * spec.hours
        seen = (z[:, lag:] * z[:, :-lag]).mean()
        assert seen == pytest.approx(((1 + a) * np.exp(-a)).mean(), abs=0.015)


def test_velocity_tells_the_trend(many):
    spec, _, states = many
    layout = StateLayout.of(spec)
    z = layout.loop_part(states, 0)
    velocity = layout.loop_part(states[..., layout.oscillators :], 0)
    change = z[:, 1:] - z[:, :-1]
    # One step of 6 h: persistence leaves a mean square of 2 (1 - ρ); velocity explains a good part of it.
    assert np.corrcoef(velocity[:, :-1].ravel(), change.ravel())[0, 1] > 0.4


def test_stored_energy_and_flare_plasma_are_stationary(many):
    spec, _, states = many
    part = StateLayout.of(spec).arcade_part(states)
    for component in (0, 1, 3):
        first, last = part[:, 0, :, component].ravel(), part[:, -1, :, component].ravel()
        assert ks_2samp(first, last).pvalue > 0.01, component


@pytest.mark.thorough
def test_flares_come_at_the_rate_that_energy_sets():
    spec = CoronaSpec(modes=1, cadence=300.0)
    generators = [np.random.default_rng(k) for k in range(100)]
    regions = [draw_region(spec, generator) for generator in generators]
    law = Dynamics(spec, regions, hours=spec.hours)
    layout = StateLayout.of(spec)
    state = stationary_state(spec, regions, generators)
    energies, flared = [], []
    for _ in range(288):
        before = layout.arcade_part(state)[..., 0]
        state = law.step(state, [law.drive(generator) for generator in generators])
        energies.append(before)
        # Energy only falls in a flare.
        flared.append(layout.arcade_part(state)[..., 0] < before)
    energy, flare = np.array(energies), np.array(flared)
    rate = np.exp((energy - 1.0) / spec.flare_sharpness) / spec.flare_hours * spec.hours
    # A slice adds a little energy before the dice are thrown: the rate is that of its end, some per cent higher.
    edges = np.quantile(energy[flare], [0.0, 0.25, 0.5, 0.75, 1.0])
    previous = 0.0
    for low, high in pairwise(edges):
        chosen = (energy >= low) & (energy < high)
        seen, expected = flare[chosen].sum(), rate[chosen].sum()
        assert abs(seen - expected) < 4 * np.sqrt(expected) + 0.06 * expected
        assert flare[chosen].mean() > previous
        previous = flare[chosen].mean()
    assert flare.sum() > 200


def test_a_flare_releases_what_was_stored():
    spec = CoronaSpec(modes=1, flare_scatter=1e-9)
    region = draw_region(spec, np.random.default_rng(0))
    arcades = dynamics._Arcades(spec, [region], hours=1 / 12)
    part = np.zeros((1, spec.arcades, 6))
    part[..., 0] = 1.5
    certain = np.zeros((1, 1, spec.arcades, 2))
    certain[..., 1] = 1.0 - 1e-9
    after = arcades.run(part, np.zeros_like(certain), certain)
    stored = 1.5 + region.supply / 12
    released = stored - after[0, :, 0]
    assert released == pytest.approx(0.95 * stored, rel=1e-3)
    assert after[0, :, 2] == pytest.approx(spec.flare_size * released**2, rel=1e-6)


def test_two_short_steps_have_the_law_of_one_long_step(many):
    spec, regions, states = many
    start = states[:, 0]
    generators = [np.random.default_rng(k) for k in range(len(regions))]
    long = Dynamics(spec, regions, hours=6.0)
    short = Dynamics(spec, regions, hours=3.0)
    once = long.step(start, [long.drive(generator) for generator in generators])
    twice = start
    for _ in range(2):
        twice = short.step(twice, [short.drive(generator) for generator in generators])
    for part in (slice(None, 400), StateLayout.of(spec).background, slice(-18, None)):
        assert ks_2samp(once[:, part].ravel(), twice[:, part].ravel()).pvalue > 0.001
        assert np.std(once[:, part] - start[:, part]) == pytest.approx(
            np.std(twice[:, part] - start[:, part]), rel=0.25 if part.start == -18 else 0.02
        )
