"""The processes that do one job together: alone by default, several under ``torchrun``.

    torchrun --standalone --nproc-per-node 2 -m framecast train tiny --data rain.zarr --out run

A single process has no overhead: no import, no communication. Several are connected by accelerate, which chooses the
device of each and the backend (NCCL between GPUs, gloo between CPUs).
"""

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from framecast.core.errors import ConfigError, FramecastError

if TYPE_CHECKING:
    from torch import Tensor, device, nn

T = TypeVar("T")

_TIMEOUT = timedelta(minutes=30)
"""Timeout of one process for the others: longer than the first takes to write a checkpoint."""


_PR_SET_PDEATHSIG = 1

_LAUNCHER = os.getppid()
"""Parent process: determined on import of this file, before libraries take seconds to load."""


class ElsewhereError(FramecastError):
    """Raised in the other processes when the first one fails; rank 0 reports the error to the user."""


class Processes:
    """The processes of one job, as seen by one of them; this base class is a single process.

    Attributes:
        rank: the number of this process; only 0, the first, writes and prints.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def device(self, wanted: "device") -> "device":
        """Return the device of this process where ``wanted`` says which kind."""
        return wanted

    def together(self, module: "nn.Module") -> "nn.Module":
        """Return ``module`` such that gradients are means over the processes."""
        return module

    def apart(self, module: "nn.Module") -> AbstractContextManager[Any]:
        """Return the context in which gradients of ``module`` are only added up here, not yet averaged."""
        return nullcontext()

    def mean(self, value: "Tensor") -> "Tensor":
        """Return the mean of a tensor over the processes, the same in all of them."""
        return value

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes in their order, in all of them."""
        return [value]

    def share(self, make: Callable[[], T]) -> T:
        """Let the first process make a value, and return it in all.

        Raises:
            ElsewhereError: making it raised a `FramecastError` or an `OSError` in the first process, which raises that.
        """
        return make()

    def wait(self) -> None:
        """Wait until all processes reach this point."""


class _Several(Processes):
    """The processes that ``torchrun`` started, seen from one of them; accelerate chooses the device of each."""

    def __init__(self, *, cpu: bool) -> None:
        try:
            from accelerate import Accelerator
            from accelerate.utils import InitProcessGroupKwargs
        except ModuleNotFoundError as error:
            if error.name != "accelerate":
                raise
            raise ConfigError(
                "several processes need accelerate, which is not installed: pip install 'framecast[scale]'"
            ) from None
        stop_with_launcher()
        # DistributedDataParallel keeps gradients in rows, whatever layout the network prefers; it says so once.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        self._accelerator = Accelerator(cpu=cpu, kwargs_handlers=[InitProcessGroupKwargs(timeout=_TIMEOUT)])
        self.rank, self.count = self._accelerator.process_index, self._accelerator.num_processes
        if self.count != started():
            raise ConfigError(
                f"{started()} processes were started, but {self.count} joined: start them with torchrun "
                "--standalone --nproc-per-node N -m framecast ..."
            )

    def device(self, wanted: "device") -> "device":
        chosen: device = self._accelerator.device
        return wanted if chosen.type == wanted.type == "cpu" else chosen

    def together(self, module: "nn.Module") -> "nn.Module":
        return self._accelerator.prepare_model(module, device_placement=False)

    def apart(self, module: "nn.Module") -> AbstractContextManager[Any]:
        return self._accelerator.no_sync(module)

    def mean(self, value: "Tensor") -> "Tensor":
        return self._accelerator.reduce(value, reduction="mean")

    def gather(self, value: T) -> list[T]:
        from torch.distributed import all_gather_object

        values: list[Any] = [None] * self.count
        all_gather_object(values, value)
        return values

    def share(self, make: Callable[[], T]) -> T:
        from torch.distributed import broadcast_object_list

        parcel: list[Any] = [None, None]
        failure: Exception | None = None
        if self.first:
            try:
                parcel[0] = make()
            except (FramecastError, OSError) as error:
                failure, parcel[1] = error, str(error)
        broadcast_object_list(parcel)
        if failure is not None:
            raise failure
        if parcel[1] is not None:
            raise ElsewhereError(parcel[1])
        return parcel[0]

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()


def started() -> int:
    """Return how many processes ``torchrun`` started for this job; 1 if the environment is invalid (`join`)."""
    count = os.environ.get("WORLD_SIZE", "1")
    return int(count) if count.isdecimal() and len(count) < 8 else 1


def is_first() -> bool:
    """Whether this process is the first of its job, by its environment alone."""
    return started() == 1 or os.environ.get("RANK", "0") == "0"


def stop_with_launcher() -> None:
    """Ask the system for SIGTERM when ``torchrun`` dies, which otherwise leaves its processes running; Linux alone can.

    ``torchrun`` ends them itself when it is asked to stop, but not when it is killed, such as for lack of memory. If it
    has ended already, this process ends here: it would block until the rendezvous times out.
    """
    if sys.platform != "linux" or started() == 1:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != _LAUNCHER:
        sys.exit(128 + signal.SIGTERM)


def _check_environment() -> None:
    """Raise `ConfigError` unless the variables of ``torchrun`` are all there and whole numbers, or do not matter."""
    remedy = "start with torchrun --standalone --nproc-per-node N -m framecast ..., or unset WORLD_SIZE"
    numbers = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT")
    for name in numbers:
        if not (value := os.environ.get(name, "1")).isdecimal() or len(value) >= 8:
            raise ConfigError(f"the environment variable {name} is {value!r}; it must be a whole number: {remedy}")
    if os.environ.get("WORLD_SIZE") == "0":
        raise ConfigError(f"the environment variable WORLD_SIZE is 0; it must be at least 1: {remedy}")
    if started() > 1:
        if missing := [name for name in (*numbers, "MASTER_ADDR") if name not in os.environ]:
            raise ConfigError(f"WORLD_SIZE is {started()} and {', '.join(missing)} is not set: {remedy}")
        if int(os.environ["RANK"]) >= started():
            raise ConfigError(f"RANK is {os.environ['RANK']} and WORLD_SIZE {started()}; it must be less: {remedy}")


def join(*, cpu: bool) -> Processes:
    """Return the processes of this job; ``cpu`` says whether to compute on the CPU where there is a GPU.

    Raises:
        ConfigError: the environment variables that a launcher sets are damaged or incomplete, accelerate is not
            installed, or fewer processes joined than were started.
    """
    _check_environment()
    return Processes() if started() == 1 else _Several(cpu=cpu)
