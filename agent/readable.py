"""Which Python files are read at all: limits that keep a hostile or machine-made file from crashing or stalling us."""

import ast
import io
import tokenize
from collections.abc import Iterator

MAX_BYTES = 1_000_000
MAX_LINE = 20_000
"""Characters: longer ones are data or minified code."""
MAX_DEPTH = 100
"""Levels of the syntax tree. A libcst visitor takes about five Python frames a level, and the limit is 1,000."""
MAX_ASSIGNMENTS = 5_000
"""Machine-made tables of assignments make scope analysis quadratic (Instagram/LibCST#708)."""
MAX_BRACKETS = 60
_NO_BRACKETS = bytes(set(range(256)) - set(b"([{)]}"))
_SIDES = bytes(code in b"([{" for code in range(256))


_NO_NODES = frozenset((
    "ctx", "op", "ops", "id", "attr", "arg", "kind", "names", "level", "simple", "is_async", "conversion", "type_comment",
    "type_ignores", "kwd_attrs", "rest",
))  # fmt: skip
FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _NO_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""Fields of each kind of node that may hold nodes with something in them: a large repository has millions of nodes."""
LEAVES = frozenset((ast.Name, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal))


class UnreadableError(Exception):
    """Why a file was not read, in one line."""


def parse(data: bytes) -> tuple[str, ast.Module]:
    """The decoded text and its syntax tree.

    Raises:
        UnreadableError: the file is too large, not text, not Python, or shaped to exhaust a parser or a visitor.
    """
    text, tree = parse_any(data)
    _check_shape(tree)
    return text, tree


def parse_any(data: bytes) -> tuple[str, ast.Module]:
    """The same for whoever minds the depth of the tree and does nothing per assignment. Raises: UnreadableError."""
    text = _decode(data)
    longest = max((len(line) for line in text.split("\n")), default=0)
    if longest > MAX_LINE:
        raise UnreadableError(f"a line of {longest:,} characters; the limit is {MAX_LINE:,}")
    if (brackets := _bracket_depth(text)) > MAX_BRACKETS:
        raise UnreadableError(f"brackets nested {brackets} deep; the limit is {MAX_BRACKETS}")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"syntax error at line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"Python's parser gave up: {error or type(error).__name__}") from error
    return text, tree


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"{len(data):,} bytes; the limit is {MAX_BYTES:,}")
    if b"\0" in data:
        raise UnreadableError(f"a NUL byte at offset {data.index(0)}")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UnreadableError("not UTF-8, and no coding line says what it is") from error


def _bracket_depth(text: str) -> int:
    """Deepest nesting of brackets, those inside strings and comments included: an upper bound that costs one pass."""
    depth = deepest = 0
    for character in text.encode("utf-8", "surrogatepass").translate(_SIDES, _NO_BRACKETS):
        depth = depth + 1 if character else max(0, depth - 1)
        if depth > deepest:
            deepest = depth
    return deepest


def _check_shape(tree: ast.Module) -> None:
    assignments = 0
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH - 1):  # what a leaf of the last level holds, its context, is one level more
        level = [child for node in level for child in _children(node)]
        assignments += sum(isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) for node in level)
        if not level:
            break
    else:
        raise UnreadableError(f"nested more than {MAX_DEPTH} levels deep")
    if assignments > MAX_ASSIGNMENTS:
        raise UnreadableError(f"{assignments:,} assignments; the limit is {MAX_ASSIGNMENTS:,}")


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Children that are no leaves."""
    for name in FIELDS[node.__class__]:
        value = getattr(node, name, None)
        for item in value if isinstance(value, list) else (value,):
            if item.__class__ not in LEAVES and isinstance(item, ast.AST):
                yield item
