"""Arithmetic of variables, as ``hypot(u, v)`` or ``lsm > 0.5``: numbers, names and a few functions."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from framecast.core.errors import ConfigError

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{each.__name__: each for each in (np.sqrt, np.exp, np.log, np.log10, np.log1p, np.sin, np.cos, np.tan)},
    **{each.__name__: each for each in (np.arctan2, np.hypot, np.isnan)},
    "abs": np.abs,
    "min": np.fmin,
    "max": np.fmax,
    "where": np.where,
}
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Invert: operator.invert,
}


def names_in(expression: str) -> tuple[str, ...]:
    """Return the variables of an expression, each once, in their order.

    Raises:
        ConfigError: it is not an expression.
    """
    nodes = sorted((n for n in ast.walk(_tree(expression)) if isinstance(n, ast.Name)), key=lambda n: n.col_offset)
    return tuple(dict.fromkeys(node.id for node in nodes if node.id not in FUNCTIONS))


def rescales(expression: str) -> bool:
    """Whether an expression multiplies or divides by a number other than 1, which may be a conversion of units."""
    for node in ast.walk(_tree(expression)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            numbers = [text for text in map(ast.unparse, (node.left, node.right)) if not names_in(text)]
            if len(numbers) == 1 and abs(evaluate(numbers[0], {})) != 1:
                return True
    return False


def subtracts(expression: str) -> bool:
    """Whether an expression contains a difference."""
    return any(isinstance(node, ast.Sub) for node in ast.walk(_tree(expression)))


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """Return what ``expression`` gives for ``values`` by name: arrays, numbers or quantities of pint.

    Raises:
        ConfigError: it contains something other than arithmetic, or an unknown name.
    """

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return FUNCTIONS[name](*map(value, arguments))
        raise ConfigError(
            f"{ast.unparse(node)} in {expression!r} is not known: variables are {', '.join(values) or 'none'}, "
            f"functions {', '.join(FUNCTIONS)}"
        )

    return value(_tree(expression))


def _tree(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ConfigError(f"{expression!r} is not an expression: write one such as hypot(u, v)") from None
