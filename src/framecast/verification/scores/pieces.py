"""Large ensembles a piece at a time: what a score computes on the way is a multiple of what it is given."""

from collections.abc import Iterator

_VALUES = 2**22  # values of a piece, about: the working memory of a score is then some hundred megabytes at most


def pieces(length: int, each: int) -> Iterator[slice]:
    """Yield slices that cover ``length`` places with ``each`` values at a place; one for an empty length."""
    step = max(1, _VALUES // max(1, each))
    for start in range(0, max(1, length), step):
        yield slice(start, start + step)
