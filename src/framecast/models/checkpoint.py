"""A trained model on disk: a folder with ``config.json`` and ``weights.safetensors``.

The configuration describes everything about the model except its weights, as plain JSON; the weights are those of the
averaged network. Nothing is unpickled, and files are checked before use: the format version, the checksum of the
weights and the shape of every tensor are compared before anything is computed with them.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from framecast.core.configuration import from_plain, to_plain
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import write_atomically
from framecast.models.config import ModelConfig, attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.header import CONFIG, WEIGHTS, find_model, models_below, read_header
from framecast.models.model_ensemble import ModelEnsemble
from framecast.models.reference import read_reference
from framecast.networks import OwnNetwork
from framecast.verification.recalibration.calibration import read_calibration


def save_weights(folder: str | Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Write the model folder: the weights (a ``state_dict``) first, then the configuration with their checksum."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = save(stored(weights))
    plain = to_plain(config) | {"weights_sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / CONFIG, json.dumps(plain, indent=2) + "\n")


def stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors takes them: on the CPU, contiguous, and no two of them in the same memory."""
    places: set[int] = set()
    found = {}
    for name, value in tensors.items():
        kept = value.detach().cpu().contiguous()
        place = kept.untyped_storage().data_ptr()
        found[name] = kept.clone() if place in places else kept
        places.add(place)
    return found


def read_config(folder: str | Path, *, trust_code: bool = False) -> ModelConfig:
    """Return the configuration in a model folder; a precision of bf16 in it is read as ``auto``.

    Code that it names is imported only with ``trust_code``, that of its network when it is built.

    Raises:
        ConfigError: it names code that does not come with framecast, and ``trust_code`` is false.
        DataError: it is missing, damaged, of a newer version, or not a model's.
    """
    plain = read_header(folder)
    config = from_plain(ModelConfig, plain, where=str(Path(folder) / CONFIG), trusted=trust_code)
    if config.sampling.precision == "bf16":
        # bf16 may be slow on this processor: only a call can force it.
        return replace(config, sampling=replace(config.sampling, precision="auto"))
    return config


def load(
    path: str | Path | Sequence[str | Path],
    *,
    network: nn.Module | None = None,
    device: str | torch.device = "cpu",
    trust_code: bool = False,
) -> Forecaster:
    """Return the forecaster at ``path``: a model folder, a run (its newest checkpoint), or a released model's name.

    Of several paths, or of a folder of runs, member m of a forecast is drawn by model m modulo their number.

    Args:
        path: folder, or name of a released model; or several of them.
        network: the module that takes the weights, for a model whose network does not come with framecast.
        device: device to compute on.
        trust_code: whether code may be imported that the model names and that does not come with framecast. It runs
            with your permissions: allow it only for models from a source that you trust.

    Raises:
        ConfigError: the model names such code, and neither ``network`` nor ``trust_code`` is given.
        FramecastError: the model does not exist or cannot be used; the message says why.
    """
    paths: Sequence[str | Path] = [path] if isinstance(path, str | os.PathLike) else path
    if len(paths) == 1:
        paths = models_below(paths[0]) or paths
    if len(paths) != 1:
        if network is not None:
            raise ConfigError(
                f"{len(paths)} models and one network were given: load models with a custom network one at a time"
            )
        return ModelEnsemble([load(own, device=device, trust_code=trust_code) for own in paths])
    folder = find_model(paths[0])
    config = read_config(folder, trust_code=trust_code)
    if network is None:
        network = _build(folder, config, trust_code=trust_code)
    tensors, own = read_weights(folder, config), network.state_dict()
    shapes = [{name: tuple(value.shape) for name, value in each.items()} for each in (own, tensors)]
    if shapes[0] != shapes[1]:
        wrong = sorted(set(shapes[0].items()) ^ set(shapes[1].items()))[0][0]
        raise DataError(f"{folder / WEIGHTS} does not fit the network: tensor {wrong} differs in name or shape")
    tensors = {name: _as(own[name], value, f"tensor {name} of {folder / WEIGHTS}") for name, value in tensors.items()}
    network.load_state_dict(tensors, assign=all(value.is_meta for value in own.values()))
    return Forecaster(
        config,
        attach(config, network.to(device)),
        calibration=read_calibration(folder),
        reference=read_reference(folder, config.normaliser, config.frames, weights=config.weights_sha256),
    )


def read_weights(folder: Path, config: ModelConfig) -> dict[str, Tensor]:
    """Return the weights in a model folder by name, on the CPU.

    Raises:
        DataError: the file is missing or does not match the checksum in ``config``.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise DataError(f"{folder} has a {CONFIG} and no {WEIGHTS}: copy both files of the model")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != config.weights_sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {digest[:12]}…, and {CONFIG} says {config.weights_sha256[:12]}…"
        )
    try:
        return load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path} is not a safetensors file ({error})") from None


def _build(folder: Path, config: ModelConfig, *, trust_code: bool) -> nn.Module:
    """Return the network of the model in ``folder``, without memory of its own where it is one of framecast's."""
    if not isinstance(config.network, OwnNetwork):
        try:
            with torch.device("meta"):
                return build_network(config)
        except (RuntimeError, OverflowError, TypeError) as error:  # sizes whose product overflows
            reason = str(error).splitlines()[0]
            raise DataError(f"{folder / CONFIG} describes a network that cannot be built ({reason})") from None
    if not trust_code:
        raise ConfigError(
            f"the network of {folder} is {config.network.kind}, code that does not come with framecast: give it as "
            "network=, or pass trust_code=True (--trust-code) if you trust the model's author"
        )
    return build_network(config)


def _as(example: Tensor, value: Tensor, what: str) -> Tensor:
    """Return a stored tensor in the type of the network's own; weights may have been kept in half precision."""
    if value.is_floating_point() != example.is_floating_point():
        raise DataError(f"{what} is {value.dtype}; it must be {example.dtype}")
    return value.to(example.dtype)
