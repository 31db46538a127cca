from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from pydantic import Field

from framecast.configuration import from_plain, to_plain
from framecast.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Circle:
    __pydantic_config__ = {"extra": "forbid"}
    radius: float
    kind: Literal["circle"] = "circle"


@dataclass(frozen=True, kw_only=True)
class Square:
    __pydantic_config__ = {"extra": "forbid"}
    side: float = 1.0
    kind: Literal["square"] = "square"

    def __post_init__(self) -> None:
        if not self.side > 0:
            raise ConfigError(f"side is {self.side}; it must be positive")


@dataclass(frozen=True, kw_only=True)
class Drawing:
    __pydantic_config__ = {"extra": "forbid"}
    title: str
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    tags: tuple[str, ...] = ()
    depth: dict[str, int] = field(default_factory=dict)


def test_a_configuration_comes_back_from_its_plain_form():
    drawing = Drawing(title="a", shape=Circle(radius=2.0), tags=("x", "y"), depth={"k": 3})
    plain = to_plain(drawing)
    assert plain == {"title": "a", "shape": {"radius": 2.0, "kind": "circle"}, "tags": ["x", "y"], "depth": {"k": 3}}
    assert from_plain(Drawing, plain, where="here") == drawing


def test_all_findings_stand_in_one_line_with_the_nearest_names():
    plain = {"titel": "a", "shape": {"kind": "circle", "radios": 1}, "tags": 3}
    with pytest.raises(ConfigError) as caught:
        from_plain(Drawing, plain, where="drawing.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("drawing.yaml: ")
    for part in (
        "titel is unknown (did you mean title?)",
        "title is missing",
        "shape.radios is unknown (did you mean radius?)",
        "shape.radius is missing",
        "tags is 3",
    ):
        assert part in message


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"shape has kind 'circel'; known kinds: 'circle', 'square'"):
        from_plain(Drawing, {"title": "a", "shape": {"kind": "circel"}}, where="x")
    with pytest.raises(ConfigError, match=r"shape has no kind; known kinds: 'circle', 'square'"):
        from_plain(Drawing, {"title": "a", "shape": {}}, where="x")


def test_what_the_value_itself_refuses_is_passed_on_as_it_was_said():
    with pytest.raises(ConfigError, match=r"side is -1\.0; it must be positive"):
        from_plain(Drawing, {"title": "a", "shape": {"kind": "square", "side": -1}}, where="x")


@pytest.mark.parametrize("data", [None, [1], "text"])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(ConfigError, match="mapping"):
        from_plain(Drawing, data, where="x")
