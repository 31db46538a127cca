"""Packages that only some formats need."""

from importlib import import_module
from typing import Any

from framecast.core.errors import FramecastError
from framecast.core.text import one_line


def needed(module: str, extra: str, kind: str) -> Any:
    """Return the imported ``module``.

    Args:
        module: its name.
        extra: of framecast, which installs it.
        kind: of files that need it.

    Raises:
        FramecastError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = (error.name or module).partition(".")[0]
        raise FramecastError(
            f"{missing} is not installed (required for {kind}): pip install 'framecast[{extra}]'"
        ) from None


def unreadable(url: str, error: Exception) -> FramecastError:
    """Return what is wrong with an address that cannot be opened."""
    why = one_line(error, most=200)
    if isinstance(error, ImportError):
        return FramecastError(f"{url} needs another package: {why}")
    if isinstance(error, FileNotFoundError):
        return FramecastError(f"there is nothing at {url}: correct the address")
    return FramecastError(f"{url} cannot be read: {why if why != url else type(error).__name__}")
