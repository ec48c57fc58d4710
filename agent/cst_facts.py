"""Facts of a file from its libcst tree: the lossless reading, for the files that may be edited."""

from collections.abc import Iterator, Sequence
from typing import Literal

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from .ast_facts import MIN_TEXT
from .facts import MAX_VALUE, FileFacts, Record, short


def cst_facts(file: str, module: cst.Module) -> FileFacts:
    """Symbols, imports, calls and long strings of one parsed file."""
    return cst_record(module).placed(file, "cst")


def cst_record(module: cst.Module) -> Record:
    """The same for a content, wherever it lies."""
    reader = _Reader(module)
    MetadataWrapper(module, unsafe_skip_copy=True).visit(reader)
    reader.found.is_script = any(isinstance(node, cst.If) and is_main(node.test) for node in module.body)
    return reader.found


class _Reader(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, module: cst.Module) -> None:
        self.module = module
        self.scope: list[str] = []
        self.constant = ""
        self.found = Record()

    @property
    def here(self) -> str:
        return ".".join(self.scope)

    def visit_Module(self, node: cst.Module) -> bool:
        for statement in without_docstring(node.body):
            statement.visit(self)
        return False

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        for part in [*node.decorators, *node.bases, *node.keywords]:
            part.visit(self)
        name = ".".join([*self.scope, node.name.value])
        bases = [self._code(base.value) for base in node.bases if not base.star]
        self._symbol(name, "class", node, short(f"class {node.name.value}({', '.join(bases)})"))
        self.found.bases[name] = bases
        self._body(node.name.value, node.body)
        return False

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        for part in [*node.decorators, node.params, *([node.returns] if node.returns else [])]:
            part.visit(self)
        signature = short(f"{node.name.value}({self.module.code_for_node(node.params)})")
        self._symbol(".".join([*self.scope, node.name.value]), "function", node, signature)
        self._body(node.name.value, node.body)
        return False

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        for statement in node.body:
            named = constant_of(statement) if not self.scope else None
            if named and self._at_top(node):
                name, value = named
                self._symbol(name, "constant", statement, short(f"{name} = {self._code(value)}"))
                self.constant = name
            statement.visit(self)
            self.constant = ""
        return False

    def visit_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            name = self._code(alias.name)
            bound = self._code(alias.asname.name) if alias.asname else name.partition(".")[0]
            self.found.imports.append((self._range(node).start.line, 0, name, None, bound))
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        line = self._range(node).start.line
        level, module = len(node.relative), self._code(node.module) if node.module else ""
        if isinstance(node.names, cst.ImportStar):
            self.found.imports.append((line, level, module, "*", "*"))
            return False
        for alias in node.names:
            name = self._code(alias.name)
            bound = self._code(alias.asname.name) if alias.asname else name
            self.found.imports.append((line, level, module, name, bound))
        return False

    def visit_Call(self, node: cst.Call) -> None:
        keywords = {
            argument.keyword.value if argument.keyword else "**": self._code(argument.value, one_line=False)[:MAX_VALUE]
            for argument in node.args
            if argument.keyword or argument.star == "**"
        }
        positional = sum(argument.keyword is None and argument.star != "**" for argument in node.args)
        line = self._range(node).start.line
        self.found.calls.append((line, self.here, self._code(node.func), positional, keywords))

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        value = node.evaluated_value
        if isinstance(value, str):
            self._text(node, value, ())

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        self._text(node, *self._pieces(node))
        self._visit_fields(node)
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        self._text(node, *self._pieces(node))
        self._visit_fields(node)
        return False

    def _visit_fields(self, node: cst.BaseExpression) -> None:
        """What a string is filled with is code as well."""
        if isinstance(node, cst.ConcatenatedString):
            self._visit_fields(node.left)
            self._visit_fields(node.right)
        for part in node.parts if isinstance(node, cst.FormattedString) else ():
            if isinstance(part, cst.FormattedStringExpression):
                part.expression.visit(self)

    def _pieces(self, node: cst.BaseExpression) -> tuple[str, tuple[str, ...]]:
        """The text of a string as the program sees it, with `{expression}` for each field."""
        match node:
            case cst.ConcatenatedString(left=left, right=right):
                first, second = self._pieces(left), self._pieces(right)
                return first[0] + second[0], first[1] + second[1]
            case cst.SimpleString(evaluated_value=str() as value):
                return value, ()
            case cst.FormattedString(parts=parts):
                fields = tuple(self._code(p.expression) for p in parts if isinstance(p, cst.FormattedStringExpression))
                return "".join(self._piece(part, node) for part in parts), fields
        return "", ()

    def _piece(self, part: cst.BaseFormattedStringContent, node: cst.FormattedString) -> str:
        if not isinstance(part, cst.FormattedStringExpression):
            return _plain(part, node)
        field = "{" + self._code(part.expression) + "}"
        return f"{self._code(part.expression)}={field}" if part.equal else field

    def _at_top(self, line: cst.SimpleStatementLine) -> bool:
        return any(line is statement for statement in self.module.body)

    def _symbol(
        self, name: str, kind: Literal["class", "function", "constant"], node: cst.CSTNode, signature: str
    ) -> None:
        span = self._range(node)
        self.found.symbols.append((name, kind, span.start.line, span.end.line, signature))

    def _body(self, name: str, body: cst.BaseSuite) -> None:
        self.scope.append(name)
        for statement in without_docstring(body.body):
            statement.visit(self)
        self.scope.pop()

    def _text(self, node: cst.CSTNode, text: str, fields: tuple[str, ...]) -> None:
        if len(text) >= MIN_TEXT:
            self.found.texts.append((self._range(node).start.line, self.here or self.constant, text, list(fields)))

    def _range(self, node: cst.CSTNode) -> CodeRange:
        span: CodeRange = self.get_metadata(PositionProvider, node)
        return span

    def _code(self, node: cst.CSTNode, *, one_line: bool = True) -> str:
        own_brackets = isinstance(node, cst.Tuple | cst.GeneratorExp) or not isinstance(node, cst.BaseExpression)
        bare = node if own_brackets else node.with_changes(lpar=(), rpar=())
        code = self.module.code_for_node(bare)
        return short(code) if one_line else code


def constant_of(statement: cst.CSTNode) -> tuple[str, cst.BaseExpression] | None:
    """Name and value of `NAME = value` or `NAME: type = value`."""
    match statement:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
            return name, value
        case cst.AnnAssign(target=cst.Name(value=name), value=cst.BaseExpression() as value):
            return name, value
    return None


def without_docstring(body: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The statements without bare strings: docstrings, and the comments some write as strings."""
    for statement in body:
        match statement:
            case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString())]):
                continue
        yield statement


def is_main(test: cst.BaseExpression) -> bool:
    """`__name__ == "__main__"`."""
    match test:
        case cst.Comparison(left=cst.Name(value="__name__"), comparisons=[cst.ComparisonTarget(comparator=text)]):
            return isinstance(text, cst.SimpleString) and text.evaluated_value == "__main__"
    return False


def _plain(part: cst.BaseFormattedStringContent, node: cst.FormattedString) -> str:
    """A literal piece of an f-string with its escapes undone; as it stands where that cannot be done."""
    if not isinstance(part, cst.FormattedStringText):
        return ""
    text = part.value.replace("{{", "{").replace("}}", "}")
    prefix = "r" if "r" in node.prefix else ""
    try:
        value = cst.SimpleString(f"{prefix}{node.quote}{text}{node.quote}").evaluated_value
    except (cst.CSTValidationError, SyntaxError, ValueError):
        return text
    return value if isinstance(value, str) else text
