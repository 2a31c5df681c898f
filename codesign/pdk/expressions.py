"""Values of SPICE expressions, with every statistical term at its nominal.

Enough of the language for model cards: numbers with scale factors, names, arithmetic and a few
functions. A product with zero is zero whatever stands beside it, so that a mismatch term behind
a switch of 0 may refer to the instance's width without the card depending on it.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

_SCALES = {
    "t": 1e12, "g": 1e9, "meg": 1e6, "x": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6,
    "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
}  # fmt: skip
_NUMBER = re.compile(
    r"(?<![\w.])(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(meg|mil|[tgxkmunpfa])?([a-z]*)", re.IGNORECASE
)
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "abs": abs, "exp": math.exp, "ln": math.log, "log": math.log,
    "log10": math.log10, "pow": math.pow, "pwr": math.pow, "min": min, "max": max,
    "int": math.trunc, "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip
# Each draws around its first argument.
_STATISTICS = frozenset({"agauss", "gauss", "aunif", "unif", "limit"})


class UnresolvedError(ValueError):
    """An expression that has no value here; the message says which part and why."""


class Parameters:
    """Named expressions that may refer to each other, evaluated when asked for."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._expressions = {name.lower(): text for name, text in expressions.items()}
        self._values: dict[str, float] = {}
        self._open: set[str] = set()

    def value(self, text: str) -> float:
        """The value of an expression, with or without its braces or quotes.

        Raises UnresolvedError for a name that is not defined and for what is not in the language.
        """
        try:
            return self._value(ast.parse(_python(text), mode="eval").body)
        except UnresolvedError:
            raise
        except (SyntaxError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise UnresolvedError(f"cannot evaluate '{text[:80]}' ({error})") from error

    def _named(self, name: str) -> float:
        if name not in self._values:
            if name not in self._expressions:
                raise UnresolvedError(f"'{name}' is not defined outside the subcircuit")
            if name in self._open:
                raise UnresolvedError(f"'{name}' is defined by itself")
            self._open.add(name)
            try:
                self._values[name] = self.value(self._expressions[name])
            finally:
                self._open.discard(name)
        return self._values[name]

    def _value(self, node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                return self._named(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self._product(left, right)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return float(_OPERATORS[type(op)](self._value(left), self._value(right)))
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _STATISTICS:
                return self._value(first)
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
                return float(_FUNCTIONS[name](*(self._value(item) for item in arguments)))
        raise UnresolvedError(f"cannot evaluate '{ast.unparse(node)[:80]}'")

    def _product(self, left: ast.expr, right: ast.expr) -> float:
        try:
            first = self._value(left)
        except UnresolvedError:
            if self._value(right) == 0:
                return 0.0
            raise
        return 0.0 if first == 0 else first * self._value(right)


def _python(text: str) -> str:
    """The expression in Python's spelling: lower case, ``**``, numbers without scale factors."""
    text = text.strip().lower()
    if len(text) >= 2 and text[0] + text[-1] in ("{}", "''", '""'):
        text = text[1:-1].strip()
    return _NUMBER.sub(_number, text).replace("^", "**")


def _number(match: re.Match[str]) -> str:
    mantissa, exponent, scale, _unit = match.groups()
    return repr(float(mantissa + (exponent or "")) * (_SCALES[scale] if scale else 1.0))
