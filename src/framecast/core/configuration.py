"""Typed configurations: plain data (YAML, JSON) in, frozen dataclasses out, and back.

A configuration is a tree of frozen dataclasses whose constructor arguments are the keys of the file. Pydantic checks
it; here its findings become one line that names every wrong key with the nearest right one.

A part of it that comes in several kinds (a sampler, a schedule) is annotated with `OneOf`. Its key ``kind`` names one
of framecast's own, or a class of the user's by its path: ``kind: my_package.my_module:MySampler``. Such code is
imported only where the caller of `from_plain` says that it may be.
"""

import copy
import dataclasses
import difflib
import importlib
import inspect
import json
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema

from framecast.core.errors import ConfigError

T = TypeVar("T")
Others = Literal["forbid", "ignore"]

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


class OneOf:
    """Marks a field of several kinds: ``Annotated[Sampler, OneOf(DDPM, DDIM)]``.

    Args:
        known: frozen dataclasses, identified by their field ``kind``.
        own: makes the value for a path and its arguments; by default the class is imported and must be a dataclass
            derived from the annotated one.
    """

    def __init__(self, *known: type, own: Callable[[str, dict[str, Any]], Any] | None = None) -> None:
        self.known = known
        self.own = own

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {kind: handler.generate_schema(each) for each in self.known if (kind := _kind(each))}
        kinds = core_schema.tagged_union_schema(choices, discriminator="kind") if choices else None

        def check(value: Any, known: Callable[[Any], Any], info: core_schema.ValidationInfo) -> Any:
            if isinstance(value, source):
                return value
            path = value.get("kind") if isinstance(value, Mapping) else None
            if not (isinstance(path, str) and ":" in path):
                return known(value)
            arguments = {name: given for name, given in value.items() if name != "kind"}
            return (
                self.own(path, arguments)
                if self.own
                else _own_part(source, path, arguments, trusted=bool(info.context))
            )

        return core_schema.with_info_wrap_validator_function(
            check,
            kinds or core_schema.is_instance_schema(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_part_to_plain),
        )


@dataclasses.dataclass(frozen=True)
class OwnCode:
    """A class of the user's and the arguments of its constructor: imported when it is made, and not before.

    Attributes:
        kind: where it is, ``my_package.my_module:MyClass``; a function that returns the object will do as well.
        arguments: of the call.
    """

    kind: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"kind": self.kind, **self.arguments}

    def make(self, **known: Any) -> Any:
        """Import the class and return an object of it.

        Args:
            known: given to a constructor that has arguments of these names, unless the file gives them.

        Raises:
            ConfigError: it cannot be imported, or takes other arguments.
        """
        called = import_own(self.kind)
        try:
            parameters = inspect.signature(called).parameters
            filled = {name: value for name, value in known.items() if name in parameters} | dict(self.arguments)
            inspect.signature(called).bind(**filled)
        except (TypeError, ValueError) as error:
            given = ", ".join(self.arguments) or "no arguments"
            raise ConfigError(f"{self.kind} cannot be constructed with {given}: {error}") from None
        return called(**filled)


def kind_of(part: object) -> str:
    """Return what the key ``kind`` of a part is: a word for framecast's own, ``module:Class`` for others."""
    if type(part).__module__.startswith("framecast."):
        return str(getattr(part, "kind", ""))
    return f"{type(part).__module__}:{type(part).__qualname__}"


def import_own(path: str) -> Any:
    """Return the class or function at ``module:name``; the working directory is searched too, after all others.

    Raises:
        ConfigError: there is no such module or name; errors of the module itself are not caught.
    """
    module_name, _, name = path.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            f"{path} cannot be imported: there is no module {error.name}; install it or run in its folder"
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"{path} cannot be imported: {module_name} has no {name}")
        found = getattr(found, part)
    return found


def _own_part(base: type, path: str, arguments: dict[str, Any], *, trusted: bool) -> Any:
    """Return a part of the user's own class, which must be a dataclass derived from ``base``."""
    if not trusted:
        raise ConfigError(
            f"{path} is code that does not come with framecast, and models do not run such code by default: "
            "pass trust_code=True (--trust-code) if you trust its author"
        )
    own = import_own(path)
    if not (isinstance(own, type) and issubclass(own, base) and dataclasses.is_dataclass(own)):
        name = f"framecast's {base.__name__} ({base.__module__})"
        raise ConfigError(f"{path} cannot be used here: it must be a frozen dataclass derived from {name}")
    return from_plain(own, arguments, where=path, trusted=True)


def _part_to_plain(part: Any) -> Any:
    if hasattr(part, "to_plain"):
        return part.to_plain()
    if not dataclasses.is_dataclass(part):
        raise ConfigError(f"{kind_of(part)} cannot be stored: make it a frozen dataclass")
    return {**_adapter(type(part)).dump_python(part, mode="json"), "kind": kind_of(part)}


def from_plain(kind: type[T], data: object, *, where: str, trusted: bool = False, others: Others = "forbid") -> T:
    """Return the configuration of dataclass ``kind`` that ``data`` describes.

    Args:
        kind: a frozen dataclass.
        data: nested mappings, lists, strings and numbers.
        where: name of this configuration in errors.
        trusted: whether code named by ``data`` may be imported: true for the user's own files, not for models.
        others: how to treat unknown keys.

    Raises:
        ConfigError: keys are unknown, values of a wrong type or out of range; all of them in one line.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} contains {type(data).__name__}; it must contain a mapping of sections")
    if strange := list(_unusable(data)):
        raise ConfigError(f"{where}: {', '.join(strange)}: numbers must be finite, and text Unicode")
    try:
        return _adapter(kind).validate_python(data, context=trusted, extra=others)
    except ValidationError as error:
        findings = _findings(kind, data, error, trusted)
    raise ConfigError(f"{where}: {'; '.join(findings)}")


def _unusable(value: object, place: str = "") -> Iterator[str]:
    """Yield the dotted keys of NaN, infinity and lone surrogates in plain data."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{place} is {value}"
    if isinstance(value, str) and value.encode(errors="replace") != value.encode(errors="surrogatepass"):
        yield f"{place} is {value!a}"
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, part in parts:
        if isinstance(name, str):
            yield from _unusable(name, f"a key of {place}".rstrip(" of"))
        yield from _unusable(part, f"{place}.{name}".lstrip("."))


def to_plain(configuration: object) -> dict[str, Any]:
    """Return nested dicts, lists, strings and numbers from which `from_plain` makes the same configuration."""
    plain = json.loads(_adapter(type(configuration)).dump_json(configuration))
    assert isinstance(plain, dict)
    return plain


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Return pydantic's view of a dataclass, which takes a tenth of a second to make and is made once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _findings(kind: type, data: Mapping[Any, Any], error: ValidationError | None, trusted: bool) -> list[str]:
    """Return all errors, including those that a section finds only when its keys have the right type."""
    findings: dict[str, None] = {}
    rest, gone = copy.deepcopy(dict(data)), set[str]()
    while error is not None:
        for finding in (finding for entry in error.errors() for finding in _said(kind, entry)):
            if not any(name in finding for name in gone):  # the default in place of a reported value
                findings[finding] = None
        taken = {name for entry in error.errors() if (name := _take_out(kind, rest, entry))}
        gone |= taken
        error = _error(kind, rest, trusted) if taken else None
    return list(findings)


def _error(kind: type, data: object, trusted: bool) -> ValidationError | None:
    try:
        _adapter(kind).validate_python(data, context=trusted, extra="forbid")
    except ValidationError as error:
        return error
    return None


def _take_out(kind: type, data: dict[Any, Any], entry: Any) -> str | None:
    """Take what ``entry`` is about out of ``data``; return where it was, None if it is not there or a whole section."""
    path = _without_tags(kind, list(entry["loc"]))
    here: Any = data
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if entry["type"] == "value_error" or not path or not isinstance(here, dict) or path[-1] not in here:
        return None
    del here[path[-1]]
    return ".".join(map(str, path))


def _said(kind: type, entry: Any) -> tuple[str, ...]:
    """Return the error of a section, or of a key."""
    if entry["type"] != "value_error":
        return (_finding(kind, entry),)
    error = entry["ctx"]["error"]
    return error.findings if isinstance(error, ConfigError) else (str(error),)


def _finding(kind: type, entry: Any) -> str:
    location = list(entry["loc"])
    dotted = ".".join(str(part) for part in _without_tags(kind, location))
    if entry["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _names(_follow(kind, location[:-1]))
        sections = known if len(location) == 1 else []  # in which a setting of this name may be meant
        nearest = [f"{name}.{location[-1]}" for name in sections if str(location[-1]) in _names(_follow(kind, [name]))]
        nearest = nearest or difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"known: {', '.join(known)}"
        return f"{dotted} is unknown ({hint})"
    if entry["type"].startswith("union_tag"):
        context = entry.get("ctx", {})
        given = f"kind {context['tag']!r}" if "tag" in context else "no kind"
        tags = ", ".join(repr(tag) for member in _follow(kind, location) if (tag := _kind(member)))
        return f"{dotted} has {given}; known kinds: {context.get('expected_tags', tags)}"
    if entry["type"] in ("missing", "missing_argument"):
        return f"{dotted} is missing"
    given = json.dumps(entry["input"], default=str)
    return f"{dotted} is {given}: {entry['msg'][0].lower()}{entry['msg'][1:]}"


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation: ``A | B`` gives A and B, anything else itself."""
    if get_origin(annotation) is Annotated:
        kinds = [member for mark in annotation.__metadata__ if isinstance(mark, OneOf) for member in mark.known]
        return kinds or _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _kind(member: Any) -> str | None:
    if dataclasses.is_dataclass(member):
        for field in dataclasses.fields(member):
            hint = get_type_hints(member).get(field.name) if field.name == "kind" else None
            if get_origin(hint) is Literal:
                return str(get_args(hint)[0])
    return None


def _follow(kind: type, location: Iterable[Any]) -> list[Any]:
    """Return the dataclasses that may stand at ``location``; union tags in it choose among them."""
    here: list[Any] = [kind]
    for part in location:
        tagged = [member for member in here if _kind(member) == part]
        if tagged:
            here = tagged
            continue
        classes = [member for member in here if dataclasses.is_dataclass(member)]
        hints = [get_type_hints(member, include_extras=True) for member in classes]
        here = [member for hint in hints if part in hint for member in _members(hint[part])]
    return here


def _without_tags(kind: type, location: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for position, part in enumerate(location):
        before = _follow(kind, location[:position])
        if not any(_kind(member) == part for member in before):
            kept.append(part)
    return kept


def _names(members: Iterable[Any]) -> list[str]:
    classes = [member for member in members if dataclasses.is_dataclass(member)]
    return list(dict.fromkeys(field.name for member in classes for field in dataclasses.fields(member)))
