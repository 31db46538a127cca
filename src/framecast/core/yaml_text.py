"""YAML as people write it: whatever the parser says of it is told on one line."""

from typing import Any

import yaml

from framecast.core.errors import ConfigError


def parse_yaml(text: str, where: str) -> Any:
    """Return what ``text`` says.

    Args:
        text: YAML.
        where: what the user calls it, for the message.

    Raises:
        ConfigError: it is no YAML, holds a date or a number that there is not, or is nested without end.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from None
