"""Packages that only some formats need."""

from importlib import import_module
from typing import Any

from framecast.core.errors import FramecastError


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
