"""Every small change of a function's code that a test should notice.

One change at a time: a comparison, an operator, a constant, a condition turned round, a branch of
`and` and `or`, `min` for `max`, a `break` or `continue` dropped. Words (messages, names of columns)
are left alone, and so is what only the type checker reads.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
CALLS = {"max": "min", "min": "max", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes:
        line: Where it is.
        before: The expression as it was.
        after: As it is in the mutant.
        compile: Returns the module's functions, changed, by qualified name.
    """

    line: int
    before: str
    after: str
    compile: Callable[[], dict[str, CodeType]]


def mutants(source: str, name: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's functions."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            for inner in _executed(node):
                for after in _alternatives(inner):
                    yield Mutant(
                        getattr(inner, "lineno", node.lineno),
                        _shown(inner),
                        _shown(after),
                        partial(_compiled, tree, number, node, inner, after, name),
                    )


def _executed(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body that run, those of inner functions apart."""
    waiting: list[ast.AST] = [*function.body[1 if ast.get_docstring(function) else 0 :]]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.keyword) and node.arg == "strict":
            continue  # of zip: only another defect would show
        yield node
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns"}:
                continue
            children = value if isinstance(value, list) else [value]
            waiting += [
                child
                for child in children
                if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef)
            ]


def _alternatives(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""
    if isinstance(node, ast.Compare):
        for place, held in enumerate(node.ops):
            for other in COMPARISONS[type(held)]:
                changed = copy.deepcopy(node)
                changed.ops[place] = other()
                yield changed
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        for operator in OPERATORS.get(type(node.op), ()):
            changed_operation = copy.deepcopy(node)
            changed_operation.op = operator()
            yield changed_operation
    elif isinstance(node, ast.BoolOp):
        turned = copy.deepcopy(node)
        turned.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield turned
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        exchanged = copy.deepcopy(node)
        exchanged.func = ast.Name(CALLS[node.func.id], ast.Load())
        yield exchanged
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        reversed_test = copy.deepcopy(node)
        reversed_test.test = ast.UnaryOp(ast.Not(), reversed_test.test)
        yield reversed_test
    elif isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            without = copy.deepcopy(node)
            del without.ifs[place]
            yield without
    elif isinstance(node, ast.Break | ast.Continue):
        yield ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass()  # a statement that is only a call: what it does is not done


def _compiled(
    tree: ast.Module, number: int, function: ast.FunctionDef, old: ast.AST, new: ast.AST, name: str
) -> dict[str, CodeType]:
    place = next(i for i, node in enumerate(ast.walk(function)) if node is old)
    mutated = copy.deepcopy(tree)
    inside = next(node for i, node in enumerate(ast.walk(mutated)) if i == number)
    target = next(node for i, node in enumerate(ast.walk(inside)) if i == place)
    _Replace(target, new).visit(mutated)
    ast.fix_missing_locations(mutated)
    return functions_of(compile(mutated, name, "exec"))


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, new: ast.AST) -> None:
        self.target, self.new = target, copy.deepcopy(new)

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.target:
            return ast.copy_location(self.new, node) if hasattr(node, "lineno") else self.new
        return super().visit(node)  # type: ignore[no-any-return]


def _shown(node: ast.AST) -> str:
    """Return a node on one line; of a statement with a body, its head."""
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())


def functions_of(code: CodeType) -> dict[str, CodeType]:
    """Return the code of a module's functions and methods by qualified name."""
    found = {}
    for constant in code.co_consts:
        if hasattr(constant, "co_qualname"):
            found[constant.co_qualname] = constant
            if not constant.co_flags & 0x1:  # a class body, in which methods are defined
                found |= functions_of(constant)
    return found
