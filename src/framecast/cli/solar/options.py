"""How the options of several ``framecast solar`` commands are read."""

from framecast.errors import ConfigError


def whole_numbers(option: str, text: str) -> list[int]:
    """Return whole numbers from ``193,211,94``.

    Args:
        option: the option's name, for the message.
        text: what was given.

    Raises:
        ConfigError: it is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{option} is {text!r}; write whole numbers with commas between, such as 193,211,94")
    return [int(part) for part in parts]
