"""Facts of a file from Python's own `ast`: fast, for every file; nothing read this way can be edited losslessly."""

import ast
from collections.abc import Iterator, Sequence

from .code_map import Call, Import, Symbol
from .facts import FileFacts, Text, absolute_module, short

MIN_TEXT = 60
"""Characters below which a string is not looked at as a prompt."""


def ast_facts(file: str, text: str, tree: ast.Module) -> FileFacts:
    """Symbols, imports, calls and long strings of one parsed file."""
    reader = _Reader(file, text)
    reader.visit(tree)
    return FileFacts(
        file,
        "ast",
        tuple(reader.symbols),
        reader.bases,
        tuple(reader.imports),
        tuple(reader.calls),
        tuple(reader.texts),
        any(isinstance(node, ast.If) and _is_main(node.test) for node in tree.body),
    ).resolved()


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, text: str) -> None:
        self.file = file
        # ast counts columns in UTF-8 bytes and ends lines at \n, \r\n and \r only.
        self.lines = [line.encode() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
        self.scope: list[str] = []
        self.constant = ""
        self.symbols: list[Symbol] = []
        self.bases: dict[str, tuple[str, ...]] = {}
        self.imports: list[Import] = []
        self.calls: list[Call] = []
        self.texts: list[Text] = []

    @property
    def here(self) -> str:
        return ".".join(self.scope)

    def slice(self, node: ast.expr) -> str:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if first == last:
            return self.lines[first][node.col_offset : node.end_col_offset].decode()
        parts = [
            self.lines[first][node.col_offset :],
            *self.lines[first + 1 : last],
            self.lines[last][: node.end_col_offset],
        ]
        return b"\n".join(parts).decode()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(part)
        name = ".".join([*self.scope, node.name])
        bases = tuple(short(self.slice(base)) for base in node.bases if not isinstance(base, ast.Starred))
        self._symbol(name, "class", node, short(f"class {node.name}({', '.join(bases)})"))
        self.bases[name] = bases
        self._body(node.name, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]:
            self.visit(part)
        signature = short(f"{node.name}({ast.unparse(node.args)})")
        self._symbol(".".join([*self.scope, node.name]), "function", node, signature)
        self._body(node.name, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Module(self, node: ast.Module) -> None:
        for statement in _without_docstring(node.body):
            if not self._constant(statement):
                self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            self.imports.append(Import(self.file, node.lineno, alias.name, None, bound))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = absolute_module(self.file, node.module or "", node.level)
        for alias in node.names:
            self.imports.append(Import(self.file, node.lineno, module, alias.name, alias.asname or alias.name))

    def visit_Call(self, node: ast.Call) -> None:
        keywords = {keyword.arg or "**": self.slice(keyword.value) for keyword in node.keywords}
        callee = short(self.slice(node.func))
        self.calls.append(Call(self.file, node.lineno, self.here, callee, len(node.args), keywords))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._text(node, node.value, ())

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pieces: list[str] = []
        fields: list[str] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                fields.append(short(self.slice(part.value)))
                pieces.append("{" + fields[-1] + "}")
                self.visit(part.value)
            elif isinstance(part, ast.Constant):
                pieces.append(str(part.value))
        self._text(node, "".join(pieces), tuple(fields))

    def _constant(self, statement: ast.stmt) -> bool:
        """Records `NAME = value` at module level, and reads its value with that name as the place."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.visit(statement.annotation)
            case _:
                return False
        self._symbol(name, "constant", statement, short(f"{name} = {self.slice(value)}"))
        self.constant = name
        self.visit(value)
        self.constant = ""
        return True

    def _symbol(self, name: str, kind: str, node: ast.stmt, signature: str) -> None:
        end = node.end_lineno or node.lineno
        self.symbols.append(Symbol(name, kind, self.file, node.lineno, end, signature, source="ast"))  # type: ignore[arg-type]

    def _body(self, name: str, body: Sequence[ast.stmt]) -> None:
        self.scope.append(name)
        for statement in _without_docstring(body):
            self.visit(statement)
        self.scope.pop()

    def _text(self, node: ast.expr, text: str, fields: tuple[str, ...]) -> None:
        if len(text) >= MIN_TEXT:
            self.texts.append(Text(node.lineno, self.here or self.constant, text, fields))


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
