import pytest
import torch

from framecast.core.distributed import Processes
from framecast.core.errors import ConfigError
from framecast.generators.batch_random import BatchRandom
from framecast.training import TrainingOptions
from framecast.training.batches import cut


def shares(count, **options):
    """The cut of each of ``count`` processes."""
    processes = []
    for rank in range(count):
        process = Processes()
        process.rank, process.count = rank, count
        processes.append(process)
    return [cut(TrainingOptions(steps=1, **options), process) for process in processes]


@pytest.mark.parametrize(("count", "batch", "accumulate"), [(1, 8, 1), (1, 8, 4), (2, 8, 1), (4, 16, 2), (3, 12, 4)])
def test_the_processes_take_every_place_of_a_batch_once(count, batch, accumulate):
    cuts = shares(count, batch=batch, accumulate=accumulate)
    places = [place for share in cuts for part in range(share.parts) for place in share.places(part)]
    assert places == list(range(batch))
    assert all(share.size <= batch // accumulate for share in cuts)


@pytest.mark.parametrize(("count", "batch"), [(3, 8), (16, 8)])
def test_a_batch_that_cannot_be_divided_is_refused(count, batch):
    with pytest.raises(ConfigError, match=f"make the batch a multiple of {count}"):
        shares(count, batch=batch)


def test_what_chance_decides_at_a_place_does_not_depend_on_the_cut():
    def drawn(places):
        random = BatchRandom(3, 14, total=6, places=places)
        spread = random.spread(lambda total, random: torch.rand(total, generator=random))
        return torch.cat([spread[:, None], random.normal(2), random.normal(1)], dim=1)

    whole = drawn(None)
    assert torch.equal(torch.cat([drawn(range(4)), drawn(range(4, 6))]), whole)
    assert len(whole.unique()) == whole.numel()
    assert not torch.equal(BatchRandom(3, 15, total=6).normal(2), BatchRandom(3, 14, total=6).normal(2))
