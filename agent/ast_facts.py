"""Facts of a file from Python's own `ast`: fast, for every file; nothing read this way can be edited losslessly."""

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .facts import MAX_VALUE, FileFacts, Record, short
from .flows import Flow, dotted, entries
from .readable import FIELDS, LEAVES, MAX_DEPTH, UnreadableError

MIN_TEXT = 60
"""Characters below which a string is not looked at as a prompt."""


def ast_facts(file: str, text: str, tree: ast.Module) -> FileFacts:
    """Symbols, imports, calls and long strings of one parsed file. Raises: UnreadableError, nested too deep."""
    return ast_record(text, tree).placed(file, "ast")


def ast_record(text: str, tree: ast.Module) -> Record:
    """The same for a content, wherever it lies."""
    reader = _Reader(text)
    reader.module(tree)
    return reader.found


class _Reader:
    """One pass, one Python frame a level, so that the depth it refuses is the depth it has."""

    def __init__(self, text: str) -> None:
        # ast counts columns in UTF-8 bytes and ends lines at \n, \r\n and \r only.
        self.lines = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogatepass").split(b"\n")
        self.scope = ""
        self.flow: Flow | None = None
        self.constant = ""
        self.found = Record()
        self._readers: dict[type[ast.AST], Callable[[Any, int], bool]] = {
            ast.ClassDef: self._class,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Call: self._call,
            ast.JoinedStr: self._joined,
            ast.Return: self._return,
            ast.Assign: self._assign,
        }

    def module(self, tree: ast.Module) -> None:
        for statement in _without_docstring(tree.body):
            if not self._constant(statement):
                self.read(statement, 1)
        self.found.is_script = any(isinstance(node, ast.If) and _is_main(node.test) for node in tree.body)

    def read(self, node: ast.AST, depth: int) -> None:
        """Everything below a node."""
        if depth >= MAX_DEPTH - 1:
            raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep")
        kind = node.__class__
        if isinstance(node, ast.Constant):
            if node.value.__class__ is str and len(node.value) >= MIN_TEXT:
                self._text(node, node.value, [])
            return
        reader = self._readers.get(kind)
        if reader is not None and reader(node, depth):
            return
        for name in FIELDS[kind]:
            value = getattr(node, name, None)
            if value.__class__ is list:
                for item in value:
                    if item.__class__ not in LEAVES and isinstance(item, ast.AST):
                        self.read(item, depth + 1)
            elif value.__class__ not in LEAVES and isinstance(value, ast.AST):
                self.read(value, depth + 1)

    def slice(self, node: ast.expr) -> str:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if first == last:
            return self.lines[first][node.col_offset : node.end_col_offset].decode("utf-8", "replace")
        parts = [
            self.lines[first][node.col_offset :],
            *self.lines[first + 1 : last],
            self.lines[last][: node.end_col_offset],
        ]
        return b"\n".join(parts).decode("utf-8", "replace")

    def _class(self, node: ast.ClassDef, depth: int) -> bool:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.read(part, depth + 1)
        name = f"{self.scope}.{node.name}" if self.scope else node.name
        self._decorated(name, node)
        bases = [short(self.slice(base)) for base in node.bases if not isinstance(base, ast.Starred)]
        self._symbol(name, "class", node, short(f"class {node.name}({', '.join(bases)})"))
        self.found.bases[name] = bases
        self._body(name, node.body, depth)
        return True

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, depth: int) -> bool:
        for part in (*node.decorator_list, node.args, *((node.returns,) if node.returns else ())):
            self.read(part, depth + 1)
        name = f"{self.scope}.{node.name}" if self.scope else node.name
        self._symbol(name, "function", node, short(f"{node.name}({', '.join(self._parameters(node.args))})"))
        self._decorated(name, node)
        around, self.flow = self.flow, Flow()
        self._body(name, node.body, depth)
        if result := self.flow.result():
            self.found.returns[name] = result
        self.flow = around
        return True

    def _return(self, node: ast.Return, depth: int) -> bool:
        if self.flow is not None:
            self.flow.comes_back(node.value)
        return False

    def _assign(self, node: ast.Assign, depth: int) -> bool:
        if self.flow is not None:
            self.flow.bind(node.targets, node.value)
        return False

    def _decorated(self, name: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        called = (one.func if isinstance(one, ast.Call) else one for one in node.decorator_list)
        if names := [text for one in called if (text := dotted(one))]:
            self.found.decorators[name] = names

    def _import(self, node: ast.Import, depth: int) -> bool:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            self.found.imports.append((node.lineno, 0, alias.name, None, bound))
        return True

    def _import_from(self, node: ast.ImportFrom, depth: int) -> bool:
        for alias in node.names:
            row = (node.lineno, node.level, node.module or "", alias.name, alias.asname or alias.name)
            self.found.imports.append(row)
        return True

    def _call(self, node: ast.Call, depth: int) -> bool:
        keywords = {keyword.arg or "**": self.slice(keyword.value)[:MAX_VALUE] for keyword in node.keywords}
        self.found.calls.append((node.lineno, self.scope, short(self.slice(node.func)), len(node.args), keywords))
        return False

    def _joined(self, node: ast.JoinedStr, depth: int) -> bool:
        pieces: list[str] = []
        fields: list[str] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                fields.append(short(self.slice(part.value)))
                pieces.append("{" + fields[-1] + "}")
                self.read(part.value, depth + 1)
            elif isinstance(part, ast.Constant):
                pieces.append(str(part.value))
        text = "".join(pieces)
        if len(text) >= MIN_TEXT:
            self._text(node, text, fields)
        return True

    def _constant(self, statement: ast.stmt) -> bool:
        """Records `NAME = value` at module level, and reads its value with that name as the place."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.read(statement.annotation, 2)
            case _:
                return False
        self._symbol(name, "constant", statement, short(f"{name} = {self.slice(value)}"))
        if names := entries(value):
            self.found.tables[name] = names
        self.constant = name
        self.read(value, 2)
        self.constant = ""
        return True

    def _parameters(self, args: ast.arguments) -> Iterator[str]:
        """Each parameter as it is written."""
        plain = [*args.posonlyargs, *args.args]
        defaults = [None] * (len(plain) - len(args.defaults)) + list(args.defaults)
        for place, (parameter, default) in enumerate(zip(plain, defaults, strict=True), start=1):
            yield self._parameter(parameter, default)
            if place == len(args.posonlyargs):
                yield "/"
        if args.vararg:
            yield f"*{self._parameter(args.vararg, None)}"
        elif args.kwonlyargs:
            yield "*"
        for parameter, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            yield self._parameter(parameter, default)
        if args.kwarg:
            yield f"**{self._parameter(args.kwarg, None)}"

    def _parameter(self, parameter: ast.arg, default: ast.expr | None) -> str:
        written = f"{parameter.arg}: {self.slice(parameter.annotation)}" if parameter.annotation else parameter.arg
        if default is None:
            return written
        return f"{written} = {self.slice(default)}" if parameter.annotation else f"{written}={self.slice(default)}"

    def _symbol(self, name: str, kind: str, node: ast.stmt, signature: str) -> None:
        self.found.symbols.append((name, kind, node.lineno, node.end_lineno or node.lineno, signature))

    def _body(self, name: str, body: Sequence[ast.stmt], depth: int) -> None:
        around, self.scope = self.scope, name
        for statement in _without_docstring(body):
            self.read(statement, depth + 1)
        self.scope = around

    def _text(self, node: ast.expr, text: str, fields: list[str]) -> None:
        self.found.texts.append((node.lineno, self.scope or self.constant, text, fields))


def _without_docstring(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements without bare strings: docstrings, and the comments some write as strings."""
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield statement


def _is_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), comparators=[ast.Constant(value="__main__")]):
            return True
    return False
