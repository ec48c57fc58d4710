"""One definition of a file cut out, changed by an operator, and put back: no byte outside it is ever parsed by libcst.

libcst takes a hundred times longer than `ast`, so it sees the one function, not the file. The function keeps the
indentation it has in the file, below stand-ins for the lines it stands under: strings over several lines are not moved.
"""

import ast
import symtable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import libcst as cst

from ...targets.errors import OperatorError
from ..readable import MAX_BYTES, UnreadableError, parse
from ..syntax import parse_cst
from .base import Operator
from .spans import Span, blocks_of, spans_of


@dataclass(frozen=True, slots=True)
class Cut:
    """A file in three parts, of which the middle one is a definition."""

    above: bytes
    header: bytes
    """What the definition needs above it to be parsed alone."""
    definition: bytes
    below: bytes
    block: bytes
    """What above the definition must be parsed with it to know that the file parses: `header`, or, where names of a
    function around it matter, the beginning of the top-level statement that it stands in."""
    rest: bytes
    """The same below it: nothing, or the end of that statement."""


def spliced(data: bytes, operator: Operator, symbol: str, args: Mapping[str, str]) -> bytes | None:
    """`data` with the definition `symbol` changed by `operator`; None when it cannot be cut out, so all must be parsed.

    Raises:
        OperatorError: the edit does not apply, or it would put something beside the definition.
        UnreadableError: the result does not parse.
    """
    cut = cut_out(data, symbol)
    if cut is None:
        return None
    try:
        module = _module(cut.header + cut.definition)
    except UnreadableError:
        return None
    after = operator.apply(module, symbol, args).bytes
    if not after.startswith(cut.header) or not _is_only(after, symbol):
        raise OperatorError("the edit would reach beyond the symbol it names", wanted=symbol)
    result = cut.above + after[len(cut.header) :] + cut.below
    _refuse_broken(result, cut.block + after[len(cut.header) :] + cut.rest)
    return result


@lru_cache(maxsize=256)
def cut_out(data: bytes, symbol: str) -> Cut | None:
    """The one definition of that name; None when there is none or several, or its lines cannot be told apart safely.

    Raises: UnreadableError as `readable.parse`.
    """
    found = [span for span in spans_of(data) if span.name == symbol]
    if len(found) != 1 or not _plain(data):
        return None
    span, lines = found[0], data.splitlines(keepends=True) if b"\r" in data else _lines(data)
    definition = b"".join(lines[span.first - 1 : span.last])
    indents = [_indent(lines[one.first - 1]) for one in (*span.around, span)]
    if any(indent is None for indent in indents):
        return None
    newline = b"\r\n" if b"\r\n" in data else b"\n"
    header = b"if 1:" + newline if indents[0] else b""
    for one, indent in zip(span.around, indents, strict=False):
        header += (indent or b"") + _stand_in(one) + newline
    above, below = b"".join(lines[: span.first - 1]), b"".join(lines[span.last :])
    if all(one.keyword == "class" for one in span.around):
        return Cut(above, header, definition, below, header, b"")
    first, last = next(block for block in blocks_of(data) if block[0] <= span.first <= block[1])
    block, rest = b"".join(lines[first - 1 : span.first - 1]), b"".join(lines[span.last : last])
    return Cut(above, header, definition, below, block, rest)


def _stand_in(span: Span) -> bytes:
    name = span.name.rpartition(".")[2].encode()
    return b"class %s:" % name if span.keyword == "class" else b"def %s():" % name


def _plain(data: bytes) -> bool:
    """Whether lines and characters are what they seem: UTF-8 without a mark, and every line ends the same way."""
    if data.startswith(b"\xef\xbb\xbf") or not (data.isascii() or _is_utf8(data)):
        return False
    return b"\r" not in data or data.count(b"\r") == data.count(b"\r\n") == data.count(b"\n")


def _is_utf8(data: bytes) -> bool:
    """A coding line could say that the same bytes are other characters."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"coding" not in b"".join(data.split(b"\n", 2)[:2])


def _lines(data: bytes) -> list[bytes]:
    """As Python counts them: `splitlines` would break at other characters too."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + [data.rpartition(b"\n")[2]]


def _indent(line: bytes) -> bytes | None:
    indent = line[: len(line) - len(line.lstrip())]
    return indent if not indent.strip(b" \t") else None


@lru_cache(maxsize=32)
def _module(source: bytes) -> cst.Module:
    """Nodes never change, so that a definition edited a hundred times is parsed once."""
    return parse_cst(source)


def _is_only(source: bytes, symbol: str) -> bool:
    """Whether there is nothing in `source` but the way to the definition `symbol`, and that to the last line."""
    text, tree = parse(source)
    body: list[ast.stmt] = tree.body
    names = symbol.split(".")
    while len(body) == 1:
        node = body[0]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name != names.pop(0):
                return False
            if not names:
                return node.end_lineno == text.rstrip("\n").count("\n") + 1
        elif not isinstance(node, ast.If) or node.orelse:
            return False
        body = node.body
    return False


def _refuse_broken(data: bytes, block: bytes) -> None:
    """UnreadableError when Python does not take the `block` that changed, or the file has grown too large.

    What stands above and below is as it was, and the statements of a module and of a class are parsed one by one: where
    each parses, all do. `symtable` is the parser that `ast.parse` is, and the check of names behind it, without a Python
    object for every node.
    """
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"{len(data):,} bytes; the limit is {MAX_BYTES:,}")
    try:
        symtable.symtable(block.decode(), "the edited file", "exec")
    except SyntaxError as error:
        raise UnreadableError(f"syntax error at line {error.lineno} of the statement: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"Python's parser gave up: {error or type(error).__name__}") from error
