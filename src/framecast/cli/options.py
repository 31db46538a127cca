"""Options of commands, made from dataclasses: a field is an option, its line in the docstring is the help.

    @takes_options
    def forecast(model: Path, ..., sampling: Sampling) -> None: ...

A parameter whose annotation is a dataclass is replaced by that dataclass's fields; the command receives the value that
they make. Several commands share a group of options by naming the same dataclass. The metadata of a field may name
another ``flag`` than its own name, a ``metavar``, and the least number (``min``).

A field of the type ``tuple[float, ...]`` is written ``A,B,...``, one of ``tuple[str, ...]`` is given once for each, and
``dict[str, tuple[float, float]]`` is ``NAME=LOW:HIGH``, once for each; others say how they are `Written`.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

import typer

from framecast.core.errors import ConfigError
from framecast.core.options import Written


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(",") if part.strip())


def _ranges(texts: list[str]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for text in texts:
        key, _, limits = text.rpartition("=")
        low, high = map(float, limits.split(":"))
        ranges[key] = (low, high)
    return ranges


def _listed(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


_KNOWN = {
    tuple[float, ...]: Written(_numbers, "numbers separated by commas, such as 0.5,2,5", "A,B,...", _listed),
    tuple[str, ...]: Written(tuple, repeated=True),
    dict[str, tuple[float, float]]: Written(
        _ranges, "a name and two numbers, such as rain=0:150", "NAME=LOW:HIGH", repeated=True
    ),
}


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the fields of its dataclasses for parameters, as typer reads them.

    In the help, required options come first, and the fields of a dataclass before those that it inherits.
    """
    signature, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}

    def called(**given: Any) -> None:
        for name, group in groups.items():
            own = {field.name: _value(group, field, given.pop(field.name)) for field in dataclasses.fields(group)}
            given[name] = group(**own)
        command(**given)

    parameters = []
    for name, parameter in signature.parameters.items():
        if name in groups:
            own = vars(groups[name])["__annotations__"]
            fields = sorted(dataclasses.fields(groups[name]), key=lambda each: each.name not in own)
            parameters += [_parameter(groups[name], field) for field in fields]
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
    parameters.sort(key=lambda each: each.default is not inspect.Parameter.empty)
    called.__name__, called.__doc__, called.__module__ = command.__name__, command.__doc__, command.__module__
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def add(app: typer.Typer, command: Callable[..., None], *, example: str) -> None:
    """Add ``command`` to ``app`` under its own name, with an ``example`` below its help, on one line to be copied."""
    name = command.__name__.strip("_").replace("_", "-")
    app.command(name, epilog=f"Example:\n\n\b\n{example}")(command)


def arguments(options: Any) -> list[str]:
    """Return the command-line arguments that give these options, those with their defaults left out."""
    found = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value != field.default and value is not None:
            written = _written(type(options), field)
            if value is True:
                found += [_flag(field)]
            elif written is not None and written.repeated and isinstance(value, tuple):
                found += [word for each in value for word in (_flag(field), str(each))]
            else:
                found += [_flag(field), written.write(value) if written else str(value)]
    return found


def _parameter(group: type, field: Any) -> inspect.Parameter:
    written, default, flag = _written(group, field), field.default, _flag(field)
    shown: Any = get_type_hints(group)[field.name]
    if written is not None:
        shown = list[str] | None if written.repeated else str if default is dataclasses.MISSING else str | None
        if default not in (dataclasses.MISSING, None):
            default = list(default) or None if written.repeated else written.write(default)
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if default is True else flag,
        help=_documented(group)[field.name],
        metavar=field.metadata.get("metavar", written and written.metavar),
        min=field.metadata.get("min"),
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is dataclasses.MISSING else default,
        annotation=Annotated[shown, option],
    )


def _value(group: type, field: Any, given: Any) -> Any:
    written = _written(group, field)
    if written is None:
        return given
    if given in (None, []):
        return field.default
    try:
        return written.read(given)
    except ConfigError:
        raise
    except ValueError:
        text = given[-1] if written.repeated else given
        raise ConfigError(f"{_flag(field)} is {text!r}; write {written.expected}") from None


def _flag(field: Any) -> str:
    return str(field.metadata.get("flag", f"--{field.name.replace('_', '-')}"))


def _written(group: type, field: Any) -> Written | None:
    return _mark(get_type_hints(group, include_extras=True)[field.name])


def _mark(hint: Any) -> Written | None:
    marks = [mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Written)]
    found = [mark for part in get_args(hint) if (mark := _mark(part))]
    return next(iter([*marks, *found]), _KNOWN.get(hint))


@cache
def _documented(group: type) -> dict[str, str]:
    """Return what the docstring says of each field, as a sentence; of inherited ones that of their own class.

    Raises:
        TypeError: a line belongs to no field, so that a help text would lack it.
    """
    found: dict[str, str] = {}
    for base in reversed(group.__mro__):
        _, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.MULTILINE)
        if lost := re.search(r"^    (?! |\w+: ).*", attributes, flags=re.MULTILINE):
            raise TypeError(f"docstring of {base.__name__}: indent the continuation {lost[0].strip()!r} further")
        found |= {name: _sentence(" ".join(text.split())) for name, text in entries}
    return found


def _sentence(text: str) -> str:
    text = text.replace("``", "")
    return text[0].upper() + text[1:]
