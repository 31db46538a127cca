"""Weights, gradients, averages and the optimizer's moments divided over the processes, for models beyond one GPU.

It is torch's ``fully_shard`` (Zhao et al. 2023, arXiv 2304.11277) around the whole network: for a pass its weights are
gathered, everything that stays between passes is divided. A checkpoint holds whole tensors, so that a run may be
resumed with any number of processes, sharded or not. torch is called directly, because accelerate silently makes
DistributedDataParallel of it on CPUs.
"""

import torch
from torch import Tensor, nn

from framecast.core.distributed import Processes


def shard(network: nn.Module, processes: Processes) -> None:
    """Divide the parameters of ``network`` over the processes, in place; before the optimizer is made."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    device = next(network.parameters()).device
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()  # as fully_shard requires, whatever layout the network prefers
    fully_shard(network, mesh=init_device_mesh(device.type, (processes.count,)))


def reshard(network: nn.Module) -> None:
    """Divide parameters again that a pass left gathered; the network goes on computing with those until then."""
    again = getattr(network, "reshard", None)  # fully_shard adds this method
    if again is not None:
        again()


def is_sharded(network: nn.Module) -> bool:
    """Whether the parameters of ``network`` are divided."""
    return any(_is_divided(parameter) for parameter in network.parameters())


def whole(tensor: Tensor) -> Tensor:
    """Return a divided tensor as a whole one; every process must call this. Others are returned as they are."""
    if not _is_divided(tensor):
        return tensor
    return tensor.full_tensor()  # type: ignore[attr-defined]


def like(value: Tensor, example: Tensor) -> Tensor:
    """Return the whole tensor ``value`` divided as ``example`` is, and where it is."""
    value = value.to(example.device)
    if not _is_divided(example):
        return value
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(value, example.device_mesh, example.placements)  # type: ignore[attr-defined]


def _is_divided(tensor: Tensor) -> bool:
    return isinstance(tensor.data if isinstance(tensor, nn.Parameter) else tensor, _divided_type())


def _divided_type() -> type[Tensor]:
    """Return torch's class of divided tensors; importing it takes a second, and there is none without processes."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return _Nothing
    from torch.distributed.tensor import DTensor

    return DTensor


class _Nothing(Tensor):
    """Placeholder class without instances."""
