"""One Python file for the detectors: its tree with parents, its functions and classes, and what its names stand for."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from ...operators.anchors import head
from ...proposal import Edit

Loop = ast.For | ast.AsyncFor | ast.While
Definition = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(eq=False)
class Source:
    path: str
    text: str
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """Local name to the dotted name it was imported as."""

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.aliases[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                for alias in node.names:
                    self.aliases[alias.asname or alias.name] = f"{base}.{alias.name}"

    def full(self, node: ast.AST) -> str:
        """Dotted name with aliases resolved, `torch.nn.functional.softmax`; empty for what is not a chain of names."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.aliases.get(node.id, node.id))
        return ".".join(reversed(parts))

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines, comments included."""
        return self.text.split("\n")

    def segment(self, node: ast.AST) -> str:
        """The source of a node as it was written."""
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def spliced(self, whole: ast.expr | ast.stmt, part: ast.expr, new: str) -> str:
        """The source of a node with one expression inside it written anew; comments and layout stay."""
        start, end = self.span(whole)
        inner_start, inner_end = self.span(part)
        return self.text[start:inner_start] + new + self.text[inner_end:end]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where a node begins and ends in the text."""
        ends = ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        start, end = (self._starts[line - 1] + self._column(line, column) for line, column in ends)
        return start, end

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self._lines)]

    def _column(self, line: int, column: int) -> int:
        """`ast` counts bytes."""
        return len(self._lines[line - 1].encode()[:column].decode(errors="ignore"))

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self.parents:
            node = self.parents[node]
            yield node

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement around a node, the node itself included."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def loops(self, node: ast.AST) -> list[Loop]:
        """Loops around a node within its own function, innermost first."""
        found: list[Loop] = []
        below = node
        for above in self.ancestors(node):
            if isinstance(above, _SCOPES):
                break
            if isinstance(above, Loop) and below is not getattr(above, "iter", None):
                found.append(above)
            below = above
        return found

    @cached_property
    def functions(self) -> tuple["Function", ...]:
        """The module's own statements first, then every function, outer before inner."""
        return (Function(self, "", self.tree, None), *_functions(self, self.tree, "", None))

    @cached_property
    def bindings(self) -> Counter[str]:
        """How often each name is bound anywhere in the file: by an import, a definition, a parameter, an assignment."""
        found: Counter[str] = Counter()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[node.name] += 1
            elif isinstance(node, ast.alias):
                found[node.asname or node.name] += 1
            elif isinstance(node, ast.arg):
                found[node.arg] += 1
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found[node.id] += 1
        return found

    @cached_property
    def methods(self) -> dict[tuple[ast.ClassDef, str], "Function"]:
        """Methods by class and name, the first of a name."""
        found: dict[tuple[ast.ClassDef, str], Function] = {}
        for function in self.functions:
            if function.owner is not None:
                found.setdefault((function.owner, function.name.rpartition(".")[2]), function)
        return found

    @cached_property
    def classes(self) -> tuple[ast.ClassDef, ...]:
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))


@dataclass(eq=False)
class Function:
    """A function, or the module's own statements when `name` is empty."""

    source: Source
    name: str
    node: Definition | ast.Module
    owner: ast.ClassDef | None

    @cached_property
    def own(self) -> tuple[ast.AST, ...]:
        """Every node of the body in order of the source; bodies of inner functions and classes are others'."""
        found: list[ast.AST] = []
        pending: list[ast.AST] = list(reversed(self.node.body))
        while pending:
            node = pending.pop()
            found.append(node)
            if not isinstance(node, _SCOPES) or isinstance(node, ast.Lambda):
                pending.extend(reversed(list(ast.iter_child_nodes(node))))
        return tuple(found)

    @cached_property
    def everything(self) -> tuple[ast.AST, ...]:
        """Every node of the body, those of inner functions included. For a module the same as `own`."""
        if isinstance(self.node, ast.Module):
            return self.own
        return tuple(node for statement in self.node.body for node in ast.walk(statement))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.own if isinstance(node, ast.Call))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        if isinstance(self.node, ast.Module):
            return ()
        args = self.node.args
        return tuple(a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs))

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of its name, `validate_one_epoch` -> validate, one, epoch."""
        return frozenset(words(self.name.rpartition(".")[2]))

    @cached_property
    def returns(self) -> tuple[ast.expr, ...]:
        return tuple(node.value for node in self.own if isinstance(node, ast.Return) and node.value is not None)

    def assignments(self, target: str) -> list[tuple[int, ast.expr]]:
        """Line and value of every plain assignment to a name or attribute, in order; tuples are taken apart."""
        return self.assigned.get(target, [])

    @cached_property
    def assigned(self) -> dict[str, list[tuple[int, ast.expr]]]:
        """Assignments by target as it is written: `x`, `self.x`, `x[0]`."""
        found: dict[str, list[tuple[int, ast.expr]]] = {}
        for node in self.own:
            if isinstance(node, ast.Assign):
                pairs = [pair for target in node.targets for pair in _pairs(target, node.value)]
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                pairs = [(node.target, node.value)]
            else:
                continue
            for target, value in pairs:
                found.setdefault(ast.unparse(target), []).append((node.lineno, value))
        return found

    def last_value(self, name: str, before_line: int) -> ast.expr | None:
        """What `name` was last assigned above a line."""
        values = [value for line, value in self.assignments(name) if line < before_line]
        return values[-1] if values else None

    # edits of this function

    def edit(self, operator: str, **arguments: str) -> Edit:
        return Edit(operator, self.source.path, self.name, arguments)

    def insert(self, code: str, where: str, beside: ast.stmt | None = None) -> Edit:
        arguments = self.anchor(beside) if beside is not None else {}
        return self.edit("insert_statement", code=code, where=where, **arguments)

    def anchor(self, statement: ast.stmt) -> dict[str, str]:
        """The arguments that name a statement of this function: its first line, and which one if several read so."""
        text = head(statement)
        same = [n for n in self.everything if isinstance(n, ast.stmt) and n is not self.node and head(n) == text]
        same.sort(key=lambda node: (node.lineno, node.col_offset))
        return {"anchor": text} if len(same) == 1 else {"anchor": text, "nth": str(same.index(statement) + 1)}

    def rewrite(self, statement: ast.stmt, code: str) -> Edit:
        """Writes `code` in place of a simple statement; a comment behind it stays."""
        line = self.source.text.split("\n")[(statement.end_lineno or 1) - 1].encode()
        behind = line[statement.end_col_offset :].decode(errors="ignore").strip()
        code = f"{code}  {behind}" if behind.startswith("#") else code
        return self.edit("replace_statement", code=code, **self.anchor(statement))

    def replace(self, old: ast.expr, new: str) -> Edit:
        """Writes `new` in place of one expression; calls and other expressions that are not bare names."""
        text = ast.unparse(old)
        same = [n for n in self.everything if isinstance(n, ast.expr) and ast.unparse(n) == text]
        same.sort(key=lambda node: (node.lineno, node.col_offset))
        extra = {} if len(same) == 1 else {"nth": str(same.index(old) + 1)}
        return self.edit("replace_expression", old=text, new=new, **extra)

    def set_keyword(self, call: ast.Call, keyword: str, value: str) -> Edit:
        """Gives one call a keyword argument, or another value for the one it has."""
        text = ast.unparse(call)
        nodes = (
            (n for s in self.node.body for n in ast.walk(s)) if isinstance(self.node, ast.Module) else self.everything
        )
        same = [n for n in nodes if isinstance(n, ast.Call) and text in (ast.unparse(n), ast.unparse(n.func))]
        same.sort(key=lambda node: (node.lineno, node.col_offset))
        extra = {} if len(same) == 1 else {"nth": str(same.index(call) + 1)}
        return self.edit("set_keyword", call=text, keyword=keyword, value=value, **extra)


def is_head(node: ast.Subscript) -> bool:
    """`[:k]`: the first few."""
    cut = node.slice
    return (
        isinstance(cut, ast.Slice)
        and cut.lower is None
        and cut.step is None
        and cut.upper is not None
        and not isinstance(cut.upper, ast.UnaryOp)
    )


def words(name: str) -> tuple[str, ...]:
    """`trainLoader`, `train_loader` -> train, loader."""
    spaced = "".join(f"_{c.lower()}" if c.isupper() and i and name[i - 1].islower() else c for i, c in enumerate(name))
    return tuple(word for word in spaced.lower().replace(".", "_").split("_") if word)


def _functions(source: Source, node: ast.AST, prefix: str, owner: ast.ClassDef | None) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield Function(source, prefix + child.name, child, owner)
            yield from _functions(source, child, f"{prefix}{child.name}.", None)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(source, child, f"{prefix}{child.name}.", child)
        elif not isinstance(child, ast.expr):
            yield from _functions(source, child, prefix, owner)


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if not isinstance(target, ast.Tuple | ast.List):
        return [(target, value)]
    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
        return [pair for t, v in zip(target.elts, value.elts, strict=True) for pair in _pairs(t, v)]
    # `a, b = make()` -> make()[0], make()[1]
    made = [
        ast.copy_location(ast.Subscript(value, ast.copy_location(ast.Constant(i), value), ast.Load()), value)
        for i in range(len(target.elts))
    ]
    return [pair for t, v in zip(target.elts, made, strict=True) for pair in _pairs(t, v)]
