"""Where to compute."""

import torch

from framecast.core.errors import ConfigError


def choose_device(name: str | torch.device | None) -> torch.device:
    """Return the device called ``name``; without a name the GPU if there is one.

    Raises:
        ConfigError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {str(name)!r} cannot be used here ({str(error).splitlines()[0]})") from None
    return device
