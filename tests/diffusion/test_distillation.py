"""Progressive distillation on data whose best denoiser is known: an ideal student does in one step what two did."""

import pytest
import torch

from framecast.diffusion.distillation import ddim_step, implied_x0, student_target
from framecast.diffusion.sampler import DDIM, sample
from framecast.diffusion.schedule import Cosine, Linear, RectifiedFlow, ZeroTerminalSNR, broadcast
from framecast.diffusion.times import Distilled, Trailing

MEAN, STD = 1.5, 0.6
SCHEDULES = [Cosine(), Linear(), ZeroTerminalSNR(), RectifiedFlow()]


def gaussian(schedule):
    """Return the denoiser of N(MEAN, STD²)."""

    def denoise(x_t, t):
        alpha, sigma = (broadcast(value, x_t) for value in schedule(t))
        return (MEAN * sigma**2 + alpha * STD**2 * x_t) / (alpha**2 * STD**2 + sigma**2)

    return denoise


def ideal_student(teacher, schedule, steps):
    """Return the denoiser that predicts exactly what a teacher of twice the steps implies, at its own times."""
    ladder = torch.cat([Trailing().times(schedule, 2 * steps), torch.zeros(1, dtype=torch.float64)])

    def denoise(x_t, t):
        first = torch.stack([(ladder - own).abs().argmin() for own in t])
        return student_target(teacher, schedule, x_t, [ladder[first + k] for k in range(3)])

    return denoise


def draw(denoise, schedule, steps, x):
    def unused(k):
        raise AssertionError("a deterministic sampler asked for noise")

    return sample(denoise, DDIM(eta=0.0), schedule, Trailing().times(schedule, steps), x, unused)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.kind)
def test_a_step_and_the_x0_that_it_implies_are_inverse(schedule):
    x_t, x0 = torch.randn(2, 5, 3, dtype=torch.float64)
    t, s = schedule(torch.full((5,), 0.8).double()), schedule(torch.full((5,), 0.3).double())
    torch.testing.assert_close(implied_x0(x_t, ddim_step(x_t, x0, t, s), t, s), x0)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.kind)
def test_8_4_2_1_ideal_students_end_where_the_teacher_does(schedule):
    """The map from noise to data is kept exactly, so the law is: mean and spread of the teacher's eight steps."""
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    denoise = gaussian(schedule)
    expected = draw(denoise, schedule, 8, x)
    for steps in (4, 2, 1):
        denoise = ideal_student(denoise, schedule, steps)
        torch.testing.assert_close(draw(denoise, schedule, steps, x), expected)


def test_one_step_without_distillation_gives_the_mean_alone():
    """What there is to gain: the untaught network's one step has no spread."""
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    taught = draw(ideal_student(gaussian(RectifiedFlow()), RectifiedFlow(), 1), RectifiedFlow(), 1, x)
    assert draw(gaussian(RectifiedFlow()), RectifiedFlow(), 1, x).std() < 1e-9
    assert taught.std() > 0.2


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_times_of_students_are_among_their_teachers(steps):
    schedule = Cosine()
    student, teacher = Distilled(steps=steps).times(schedule), Distilled(steps=2 * steps).times(schedule)
    assert torch.equal(student, teacher[::2])
    assert student[0] == 1
