"""An expression of the target written so that it can be evaluated alone: locals replaced by what they were given.

Names at the top of a file become `_of(path, name)`, which is looked up inside the sandbox. Nothing is evaluated here.
"""

import ast
import builtins
import copy

from ..proposers.defects.program import Program, argument_of, called_name
from ..proposers.defects.source import Function, Source
from .arguments import Options
from .facts import Unsettled

DEEPEST = 12
MOST_NODES = 2000
ASSUMED_SIZE = 16
"""A size that only the data tells, such as the number of items or words, is taken to be this."""
SIZE_WORDS = frozenset("n num size dim dims classes vocab features items users channels width length count".split())
COUNTING = frozenset({"len", "size", "nunique", "item", "max", "int", "get_vocab_size"})


class Inliner:
    """Writes expressions of one program anew."""

    def __init__(self, program: Program, options: Options) -> None:
        self._program, self._options = program, options
        self.assumed: list[str] = []
        """What was taken for granted, in words."""

    def text(self, node: ast.expr, function: Function) -> str:
        """Raises: Unsettled when a part of it is known only to the running script."""
        made = self.expression(node, function)
        if sum(1 for _ in ast.walk(made)) > MOST_NODES:
            raise Unsettled("the expression is too long to be evaluated alone")
        return ast.unparse(ast.fix_missing_locations(made))

    def expression(self, node: ast.expr, function: Function, depth: int = DEEPEST) -> ast.expr:
        if depth == 0:
            raise Unsettled("names lead to names for too long")
        made: ast.expr = _Inline(self, function, depth, _bound_inside(node)).visit(copy.deepcopy(node))
        return made

    def argument(self, node: ast.expr, name: str, function: Function, depth: int) -> ast.expr:
        """An argument of a constructor; one that counts the data is taken to be ASSUMED_SIZE."""
        try:
            made = self.expression(node, function, depth)
            if not (_counts(node) and loads(made)):
                return made
        except Unsettled:
            if not (_counts(node) or frozenset(name.lower().split("_")) & SIZE_WORDS):
                raise
        if isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict):
            raise Unsettled(f"{name or ast.unparse(node)[:40]} was not read")
        self.assumed.append(f"{name or ast.unparse(node)[:40]} is taken to be {ASSUMED_SIZE}")
        return ast.Constant(ASSUMED_SIZE)

    def name(self, node: ast.Name, function: Function, depth: int) -> ast.expr:
        if self._is_options(node, function):
            return self._options.namespace()
        value = function.last_value(node.id, getattr(node, "lineno", 0)) or next(
            (v for _, v in function.assignments(node.id)), None
        )
        if value is not None and (function.name or _needs_inlining(value)):
            if any(isinstance(n, ast.Name) and n.id == node.id for n in ast.walk(value)):
                raise Unsettled(f"{node.id} is made from itself")
            return self.argument(value, node.id, function, depth - 1)
        if node.id in function.parameters:
            return self._parameter(node.id, function, depth)
        if (counted := _loop_value(node.id, function)) is not None:
            return counted
        if function.name:
            return self.name(node, function.source.functions[0], depth)
        return self._top(node, function.source)

    def _top(self, node: ast.Name, source: Source) -> ast.expr:
        """A name at the top of a file; a class of the program is taken from its own file, which may need less."""
        found = self._program.find_class(node.id, source)
        if found is not None:
            return _of(found[1].path, found[0].name)
        defined = {
            s.name for s in source.tree.body if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        stars = "*" in source.aliases
        if node.id in defined or node.id in source.aliases or source.functions[0].assignments(node.id) or stars:
            return _of(source.path, node.id)
        if hasattr(builtins, node.id):
            return node
        raise Unsettled(f"where {node.id} comes from was not read")

    def _parameter(self, name: str, function: Function, depth: int) -> ast.expr:
        for caller, call in self._program.callers(function)[:3]:
            given = argument_of(call, function, name)
            if given is not None:
                return self.argument(given, name, caller, depth - 1)
        default = default_of(function, name)
        if default is None:
            raise Unsettled(f"what {function.name} gets as {name} was not read")
        return self.expression(default, function.source.functions[0], depth - 1)

    def option(self, node: ast.Attribute, function: Function) -> ast.expr | None:
        """`args.lr` where `args` is what a command line was parsed to."""
        return self._options.default(node.attr) if self._is_options(node.value, function) else None

    def _is_options(self, node: ast.expr, function: Function) -> bool:
        values = self._program.values(node, function)
        return any(isinstance(v, ast.Call) and called_name(v) in ("parse_args", "parse_known_args") for v, _ in values)


class _Inline(ast.NodeTransformer):
    def __init__(self, inliner: Inliner, function: Function, depth: int, inside: frozenset[str]) -> None:
        self._inliner, self._function, self._depth, self._inside = inliner, function, depth, inside

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._inside or not isinstance(node.ctx, ast.Load):
            return node
        return self._inliner.name(node, self._function, self._depth)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        found = self._inliner.option(node, self._function)
        if found is not None:
            return found
        if ast.unparse(node.value) == "self":
            raise Unsettled(f"{ast.unparse(node)} is known only to its object")
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.func = self.visit(node.func)
        node.args = [self._argument(arg, "") for arg in node.args]
        for keyword in node.keywords:
            keyword.value = self._argument(keyword.value, keyword.arg or "")
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        names = [key.value if isinstance(key, ast.Constant) else "" for key in node.keys]
        node.keys = [self.visit(key) if key is not None else None for key in node.keys]
        node.values = [self._argument(v, str(name)) for name, v in zip(names, node.values, strict=True)]
        return node

    def _argument(self, node: ast.expr, name: str) -> ast.expr:
        if isinstance(node, ast.Starred):
            node.value = self.visit(node.value)
            return node
        if _bound_inside(node) or self._inside:
            return self.visit(node)  # type: ignore[no-any-return]
        return self._inliner.argument(node, name, self._function, self._depth - 1)


def default_of(function: Function, name: str) -> ast.expr | None:
    """The default of a parameter."""
    if isinstance(function.node, ast.Module):
        return None
    args = function.node.args
    positional = [*args.posonlyargs, *args.args]
    pairs = list(zip(positional[len(positional) - len(args.defaults) :], args.defaults, strict=True))
    pairs += [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None]
    return next((default for arg, default in pairs if arg.arg == name), None)


def _loop_value(name: str, function: Function) -> ast.expr | None:
    """1 for what a loop of the function counts; None for a name no loop binds. Raises: Unsettled for another loop's."""
    for node in function.own:
        if isinstance(node, ast.For | ast.AsyncFor) and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node.target)):  # fmt: skip
            first = node.target.elts[0] if isinstance(node.target, ast.Tuple) else node.target
            counts = isinstance(node.iter, ast.Call) and called_name(node.iter) in ("range", "enumerate", "trange")
            if counts and isinstance(first, ast.Name) and first.id == name:
                return ast.Constant(1)
            raise Unsettled(f"{name} is known only inside its loop")
    return None


def _of(path: str, name: str) -> ast.expr:
    return ast.Call(ast.Name("_of", ast.Load()), [ast.Constant(path), ast.Constant(name)], [])


def _needs_inlining(value: ast.expr) -> bool:
    """Whether a name at the top of a file is bound by work that is not done inside: see `Subject.space`."""
    return any(isinstance(node, ast.Call) for node in ast.walk(value))


def _bound_inside(node: ast.expr) -> frozenset[str]:
    """Names that comprehensions and lambdas of the expression bind themselves."""
    found = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Lambda):
            found |= {a.arg for a in inner.args.args}
    return frozenset(found)


def _counts(node: ast.expr) -> bool:
    """Whether an expression counts something: a length, a shape."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and called_name(inner) in COUNTING:
            return True
        if isinstance(inner, ast.Attribute) and inner.attr == "shape":
            return True
    return False


def loads(made: ast.expr) -> bool:
    """Whether evaluating it would call code of the target or of a package: data is not to be read."""
    calls = [node.func for node in ast.walk(made) if isinstance(node, ast.Call)]
    return any(not (isinstance(f, ast.Name) and (f.id == "_of" or hasattr(builtins, f.id))) for f in calls)
