"""A student that is trained on a Gaussian: it reaches in half the steps where its teacher does."""

import pytest
import torch
from torch import nn

from framecast.diffusion.sampler import DDIM, sample
from framecast.diffusion.schedule import Cosine
from framecast.diffusion.times import Distilled, Trailing
from framecast.generators.batch_random import BatchRandom
from framecast.generators.denoiser import Denoiser
from framecast.generators.student import Student

MEAN, STD, ROWS = 0.8, 0.6, 1000
SHAPE = (1, 1, 2, 2)


class Exact(nn.Module):
    """The best v-prediction for N(MEAN, STD²)."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x, time, past, label):
        alpha, sigma = (v.to(x)[:, None, None, None, None] for v in Cosine()((time.double() + 1) / ROWS))
        x0 = (MEAN * sigma**2 + alpha * STD**2 * x) / (alpha**2 * STD**2 + sigma**2)
        noise = sigma * (x - alpha * MEAN) / (alpha**2 * STD**2 + sigma**2)
        return alpha * noise - sigma * x0


class Affine(nn.Module):
    """x times a gain plus an offset, both free at every row: enough for a student of a Gaussian's teacher."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ROWS, 2)
        nn.init.zeros_(self.table.weight)

    def forward(self, x, time, past, label):
        gain, offset = self.table(time.long()).to(x)[:, :, None, None, None, None].unbind(1)
        return gain * x + offset


def ends(denoiser, steps, x):
    past = torch.zeros(len(x), *SHAPE)
    times = Trailing().times(denoiser.schedule, steps)
    with torch.no_grad():
        return sample(lambda x_t, t: denoiser(x_t, t, past), DDIM(eta=0.0), denoiser.schedule, times, x, lambda k: x)


@pytest.mark.portable
def test_a_trained_student_ends_where_its_teacher_does():
    teacher = Denoiser(Exact(), Cosine(), "v")
    student = Student(Denoiser(Affine(), Cosine(), "v", Distilled(steps=2)), teacher, steps=4)
    optimiser = torch.optim.Adam(student.network.parameters(), lr=0.05)
    for step in range(400):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / 400)
        x0 = MEAN + STD * torch.randn(16, *SHAPE)
        loss = student.training_loss(x0, torch.zeros(16, *SHAPE), random=BatchRandom(0, step, total=16)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    x = torch.linspace(-2, 2, 5)[:, None, None, None, None].expand(5, *SHAPE)
    torch.testing.assert_close(ends(student, 2, x), ends(teacher, 4, x), atol=0.02, rtol=0.02)
    assert not teacher.network.unused.requires_grad
    assert {id(p) for p in student.parameters()} == {id(p) for p in student.network.parameters()}


def test_a_student_visits_all_of_its_times_and_unknown_pixels_do_not_count():
    teacher = Denoiser(Exact(), Cosine(), "v")
    student = Student(Denoiser(Affine(), Cosine(), "v", Distilled(steps=4)), teacher, steps=8)
    x0, known = torch.randn(8, *SHAPE), torch.rand(8, *SHAPE) < 0.7
    past = torch.zeros(8, *SHAPE)
    loss = student.training_loss(x0, past, random=BatchRandom(1, total=8), mask=known)
    other = student.training_loss(torch.where(known, x0, torch.nan), past, random=BatchRandom(1, total=8), mask=known)
    assert torch.equal(loss, other)
    loss.sum().backward()
    visited = student.network.table.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
    assert visited == Distilled(steps=4).rows(ROWS).tolist()
