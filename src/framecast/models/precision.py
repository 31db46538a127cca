"""Which precision a network is computed in: bf16 where that is faster on this machine, float32 elsewhere.

``auto`` first checks the device: one without instructions for bf16 emulates it, up to ten times slower than float32.
Otherwise float32 and bf16 are timed against each other once for each network and the outcome is kept in the user's
cache, so that the choice stays the same from one call to the next. ``framecast machine`` shows what is kept there, and
``framecast machine --reset`` deletes it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor, nn

from framecast.core.errors import FramecastError
from framecast.core.files import write_atomically
from framecast.core.machine import cache_folder, lacks_bf16, processor
from framecast.models.config import ModelConfig
from framecast.networks import padding

Job = Literal["forecast", "training"]

WORTHWHILE = 1.05
"""Speed-up from which bf16 is chosen: float32 is more accurate."""

_ROUNDS = 3
_BATCH = 2


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A precision, ``float32``, ``bf16`` or ``fp16``, and why it was chosen, in a few words."""

    precision: Any
    reason: str

    def __str__(self) -> str:
        return f"precision {self.precision}: {self.reason}"


def asked(precision: str, device: torch.device, *, why: str = "as asked") -> Choice:
    """Return ``precision`` as the choice, with a warning in its reason where the device emulates bf16."""
    if precision == "bf16" and (lack := lacks_bf16(device)):
        return Choice(precision=precision, reason=f"{why}; expect it to be several times slower than float32 ({lack})")
    return Choice(precision=precision, reason=why)


def choose(build: Callable[[], nn.Module], device: torch.device, config: ModelConfig, *, job: Job) -> Choice:
    """Return the precision in which a network is faster on ``device``, in a forward pass or a training step.

    ``build`` returns the network there and is only called where the device computes in bf16. Frames have the size that
    the model was trained on.
    """
    if lack := lacks_bf16(device):
        return Choice(precision="float32", reason=lack)
    network = build()
    conditioning, size = config.conditioning, (config.frames.height, config.frames.width)
    rows, columns = padding(network, *size)
    size = (size[0] + rows, size[1] + columns)
    past, x = (config.given_channels, conditioning.condition_frames, *size), conditioning.shape(*size)
    record = _known(network, past, x, device, job)
    path = _folder() / f"{hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]}.json"
    kept = _parse(path)
    if kept is None:
        ratio = _measure(network, [torch.zeros(_BATCH, *shape, device=device) for shape in (x, past)], job)
        kept = record | {"ratio": ratio, "measured": time.strftime("%Y-%m-%d", time.gmtime())}
        where = (
            "measured once" if _keep(path, kept) else f"measured; {cache_folder()} is not writable, so it was not saved"
        )
    else:
        where = f"measured on {kept['measured']}"
    ratio = kept["ratio"]
    if ratio >= WORTHWHILE:
        return Choice(precision="bf16", reason=f"{ratio:.2g} times as fast as float32 here ({where})")
    return Choice(precision="float32", reason=f"bf16 is only {ratio:.2g} times as fast here ({where})")


def measurements() -> list[dict[str, Any]]:
    """Return what has been measured on this machine: ``network``, ``job``, ``device``, ``ratio``, ``measured``, ..."""
    return [kept for path in _files() if (kept := _parse(path)) is not None]


def forget_measurements() -> int:
    """Delete what has been measured, so that it is measured again; return how many measurements there were."""
    files = list(_files())
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _measure(network: nn.Module, given: Sequence[Tensor], job: Job) -> float:
    """Return how many times as fast bf16 is: the median over rounds in which both are timed one after the other."""
    x, past = given
    random = torch.Generator(x.device).manual_seed(0)
    x, past = x.normal_(generator=random), past.normal_(generator=random)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    training, before = job == "training", network.training

    def seconds(precision: str) -> float:
        _wait(x.device)
        began = time.perf_counter()
        with torch.set_grad_enabled(training):
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
                answer: Tensor = network(x, x.new_zeros(len(x)), past, None)
            if training:
                torch.autograd.grad(answer.float().square().mean(), parameters, allow_unused=True)
        _wait(x.device)
        return time.perf_counter() - began

    network.train(training)
    try:
        for precision in ("float32", "bf16"):  # libraries choose their kernels the first time
            seconds(precision)
        return median(seconds("float32") / seconds("bf16") for _ in range(_ROUNDS))
    finally:
        network.train(before)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _known(network: nn.Module, past: Sequence[int], x: Sequence[int], device: torch.device, job: Job) -> dict[str, Any]:
    """Return everything that a measurement depends on: if unchanged, it is not repeated."""
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "torch": torch.__version__,
        "network": type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "shapes": hashlib.sha256(repr(shapes).encode()).hexdigest(),
        "past": list(past),
        "x": list(x),
        "job": job,
    }


def _folder() -> Path:
    return cache_folder() / "precision"


def _files() -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(_folder().glob("*.json"))


def _parse(path: Path) -> dict[str, Any] | None:
    """Return the measurement in a file; ``None`` where there is none, or it is damaged: it is then made again."""
    try:
        kept = dict(json.loads(path.read_text(encoding="utf-8")))
        ratio, _ = float(kept["ratio"]), str(kept["measured"])
        return kept if 0 < ratio < float("inf") else None
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _keep(path: Path, kept: dict[str, Any]) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(kept, indent=1) + "\n")
    except (OSError, FramecastError):  # perhaps another process is writing it
        return False
    return True
