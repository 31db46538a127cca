import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from framecast.core.configuration import from_plain
from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import (
    AnySchedule,
    ContinuousCosine,
    ContinuousLinear,
    Cosine,
    Karras,
    Linear,
    RectifiedFlow,
    Schedule,
    ZeroTerminalSNR,
    broadcast,
)

SCHEDULES = [
    Linear(),
    Linear(rows=20, beta_start=1e-3, beta_end=0.5),
    Cosine(),
    Cosine(s=0.1, clip=0.9999),
    Cosine(s=0.0, clip=1.0, rows=7),
    ZeroTerminalSNR(),
    ZeroTerminalSNR(base=Cosine(rows=50)),
    ContinuousLinear(),
    ContinuousCosine(),
    ContinuousCosine(s=0.0),
    RectifiedFlow(),
    Karras(),
    ZeroTerminalSNR(base=ContinuousLinear()),
    ZeroTerminalSNR(base=Karras()),
]
TABLES = [schedule for schedule in SCHEDULES if schedule.rows is not None]


def name(value: object) -> str:
    return repr(value) if isinstance(value, Schedule) else str(value)


def row_times(schedule: Schedule) -> torch.Tensor:
    assert schedule.rows is not None
    return (torch.arange(schedule.rows, dtype=torch.float64) + 1) / schedule.rows


def all_times(schedule: Schedule) -> torch.Tensor:
    return torch.linspace(0, 1, 1001, dtype=torch.float64) if schedule.rows is None else row_times(schedule)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
def test_time_runs_from_exactly_clean_to_the_noisiest(schedule):
    t = torch.cat([torch.zeros(1, dtype=torch.float64), all_times(schedule)])
    alpha, sigma = schedule(t)
    assert alpha.dtype == sigma.dtype == torch.float64
    assert alpha[0] == 1
    assert sigma[0] == 0
    assert torch.isfinite(alpha).all()
    assert torch.isfinite(sigma).all()
    assert (alpha.diff() <= 0).all()
    assert (sigma.diff() >= 0).all()
    assert schedule.network_time(t).isfinite().all()
    assert (schedule.network_time(t) >= 0).all()


@pytest.mark.parametrize("schedule", [s for s in SCHEDULES if not isinstance(s, RectifiedFlow)], ids=name)
def test_the_variance_is_preserved(schedule):
    alpha, sigma = schedule(all_times(schedule))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha), rtol=0, atol=1e-14)


@settings(deadline=None, max_examples=30)
@given(
    schedule=st.sampled_from(SCHEDULES),
    shape=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 99),
)
def test_any_shape_of_times_gives_scales_of_that_shape(schedule, shape, seed):
    t = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    scale = schedule(t)
    assert scale.alpha.shape == scale.sigma.shape == t.shape
    flat = schedule(t.flatten())
    assert torch.equal(flat.alpha.reshape(shape), scale.alpha)


def test_linear_is_the_product_of_ho_2020():
    beta = np.linspace(1e-4, 0.02, 1000)
    alpha_bar = np.array([np.prod(1 - beta[: i + 1]) for i in range(1000)])
    alpha, sigma = Linear()(row_times(Linear()))
    np.testing.assert_allclose(alpha**2, alpha_bar, rtol=1e-12)
    np.testing.assert_allclose(sigma**2, 1 - alpha_bar, rtol=1e-10)
    assert float(alpha[-1]) == pytest.approx(0.00635, abs=5e-6)
    assert float(alpha[-1]) ** 2 == pytest.approx(4.036e-5, rel=1e-3)


@pytest.mark.parametrize(("s", "clip"), [(0.008, 0.999), (0.1, 0.9999), (0.0, 1.0)])
def test_cosine_is_equation_17_of_nichol_and_dhariwal(s, clip):
    def f(t: float) -> float:
        return math.cos((t / 100 + s) / (1 + s) * math.pi / 2) ** 2

    alpha_bar, expected = 1.0, []
    for t in range(1, 101):
        alpha_bar *= 1 - min(1 - f(t) / f(t - 1), clip)
        expected.append(alpha_bar)
    schedule = Cosine(rows=100, s=s, clip=clip)
    np.testing.assert_allclose(schedule(row_times(schedule)).alpha ** 2, expected, rtol=1e-10, atol=1e-30)


@pytest.mark.parametrize("base", [Linear(), Cosine(), Linear(rows=2, beta_end=0.5)], ids=name)
def test_zero_terminal_snr_is_algorithm_1_of_lin_2023(base):
    root = base(row_times(base)).alpha.numpy()
    first, last = root[0], root[-1]
    expected = (root - last) * first / (first - last)
    alpha, sigma = ZeroTerminalSNR(base=base)(row_times(base))
    np.testing.assert_allclose(alpha, expected, rtol=1e-12, atol=1e-16)
    assert alpha[-1] == 0
    assert sigma[-1] == 1
    np.testing.assert_allclose(alpha[0], first, rtol=1e-15)


@pytest.mark.parametrize(
    ("table", "limit"),
    [
        (Linear(rows=20000, beta_start=0.1 / 20000, beta_end=20 / 20000), ContinuousLinear()),
        (Cosine(rows=20000, clip=1.0), ContinuousCosine()),
        (Cosine(rows=20000, s=0.0, clip=1.0), ContinuousCosine(s=0.0)),
        (ZeroTerminalSNR(base=Cosine(rows=20000, clip=1.0)), ZeroTerminalSNR(base=ContinuousCosine())),
    ],
    ids=name,
)
def test_the_continuous_schedules_are_limits_of_the_tables(table, limit):
    t = row_times(table)
    torch.testing.assert_close(table(t).alpha, limit(t).alpha, rtol=0, atol=1e-3)
    torch.testing.assert_close(table(t).sigma, limit(t).sigma, rtol=0, atol=1e-3)


def test_continuous_schedules_keep_their_digits_near_the_clean_end():
    t = torch.tensor([1e-9], dtype=torch.float64)
    # sigma² is beta_min t for the linear schedule, and -f'(0)/f(0) t for the cosine one.
    slope = math.pi / 1.008 * math.tan(0.008 / 1.008 * math.pi / 2)
    torch.testing.assert_close(ContinuousLinear()(t).sigma ** 2, 0.1 * t, rtol=1e-6, atol=0)
    torch.testing.assert_close(ContinuousCosine()(t).sigma ** 2, slope * t, rtol=1e-6, atol=0)


def test_karras_visits_the_noise_levels_of_edm():
    i = np.arange(18)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    earliest = Karras().earliest
    t = torch.linspace(1, earliest, 18, dtype=torch.float64)
    alpha, sigma = Karras()(t)
    np.testing.assert_allclose(sigma / alpha, expected, rtol=1e-10)


@pytest.mark.parametrize("schedule", TABLES, ids=name)
def test_every_row_is_its_own_and_is_told_to_the_network(schedule):
    rows = torch.arange(schedule.rows, dtype=torch.float64)
    assert torch.equal(schedule.network_time(row_times(schedule)), rows)
    assert len(schedule(row_times(schedule)).alpha.unique()) == schedule.rows


def test_a_continuous_time_is_told_on_the_same_range():
    t = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    assert torch.equal(RectifiedFlow().network_time(t), 1000 * t)
    assert torch.equal(ZeroTerminalSNR(base=ContinuousLinear()).network_time(t), 1000 * t)


def test_which_schedules_end_in_pure_noise():
    assert [s.reaches_pure_noise for s in SCHEDULES] == [
        s(torch.ones(1, dtype=torch.float64)).alpha == 0 for s in SCHEDULES
    ]
    assert not Linear().reaches_pure_noise
    assert not Cosine().reaches_pure_noise
    assert not Karras().reaches_pure_noise
    assert ZeroTerminalSNR().reaches_pure_noise
    assert RectifiedFlow().reaches_pure_noise
    assert ContinuousCosine().reaches_pure_noise


def test_snr_is_infinite_where_clean_and_zero_in_pure_noise():
    scale = RectifiedFlow()(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    assert scale.snr.tolist() == [math.inf, 1.0, 0.0]
    assert scale.log_snr.tolist() == [math.inf, 0.0, -math.inf]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_coefficient_takes_the_type_and_the_axes_of_the_video(dtype):
    x = torch.ones(2, 3, 4, dtype=dtype)
    per_element = broadcast(torch.tensor([1.0, 2.0], dtype=torch.float64), x)
    assert (per_element * x).dtype == dtype
    assert (per_element * x)[1].eq(2).all()
    assert (broadcast(torch.tensor(3.0, dtype=torch.float64), x) * x).eq(3).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Linear(rows=0), "at least 1 row"),
        (lambda: Linear(beta_start=0.5, beta_end=0.1), "beta_start"),
        (lambda: Linear(beta_end=1.0), "< 1"),
        (lambda: Cosine(s=-0.1), "offset"),
        (lambda: Cosine(clip=1.5), "clip"),
        (lambda: ContinuousLinear(beta_min=0.0), "beta_min"),
        (lambda: Karras(sigma_min=2.0, sigma_max=1.0), "sigma_min"),
        (lambda: ZeroTerminalSNR(base=Linear(rows=1)), "at least 2 rows"),
    ],
)
def test_impossible_schedules_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name)
def test_a_schedule_survives_its_configuration(schedule):
    adapter = TypeAdapter(AnySchedule)
    assert adapter.validate_json(adapter.dump_json(schedule)) == schedule


def test_a_misspelt_argument_is_refused():
    with pytest.raises(ConfigError, match="beta_stop"):
        from_plain(Linear, {"kind": "linear", "beta_stop": 0.1}, where="schedule")
