"""YAML as people write it: whatever the parser says of it is told on one line."""

from typing import Any

import yaml

from framecast.core.errors import ConfigError, DataError
from framecast.core.reading import check_document
from framecast.core.text import one_line

MOST_CHARACTERS = 2**16
"""Length of a document; a recipe has a few thousand characters, and the parser takes seconds for so many."""


def parse_yaml(text: str, where: str) -> Any:
    """Return what ``text`` says.

    Args:
        text: YAML.
        where: what the user calls it, for the message.

    Raises:
        ConfigError: it is not valid YAML, holds a date or a number that does not exist, or is too long or too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise ConfigError(f"{where} has {len(text)} characters of YAML; at most {MOST_CHARACTERS} are read")
    try:
        document = yaml.safe_load(text)
        check_document(document, where=where)
    except DataError as error:
        raise ConfigError(str(error)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not valid YAML: {one_line(error, most=400)}") from None
    return document
