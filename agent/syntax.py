"""Source to a lossless tree, for source nobody vouches for: every refusal is one line, never a crash."""

import ast
import io
import tokenize

import libcst as cst

from .readable import UnreadableError, parse

# Python keeps `a and a and ...` and `"a" "a" ...` flat; libcst's native parser nests them, and beyond some thousands
# overflows the stack and takes the process with it.
MAX_CHAIN = 300


def parse_cst(data: bytes) -> cst.Module:
    """The tree of a file; its `.bytes` are `data` again.

    Raises:
        UnreadableError: as `readable.parse`, or libcst cannot read the file, or not without loss.
    """
    text, tree = parse(data)
    refuse_long_chains(text, tree)
    try:
        module = cst.parse_module(data)
        lossless = module.bytes == data
    except (cst.ParserSyntaxError, RecursionError, UnicodeError) as error:
        raise UnreadableError(f"libcst stopped with {type(error).__name__}") from error
    if not lossless:
        raise UnreadableError("libcst does not give the same bytes back")
    return module


def refuse_long_chains(text: str, tree: ast.Module) -> None:
    """UnreadableError for a chain of operands or adjacent strings that libcst's parser would not survive."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp) and len(node.values) > MAX_CHAIN:
            raise UnreadableError(f"line {node.lineno}: a chain of {len(node.values):,} operands")
    if text.count('"') + text.count("'") > 2 * MAX_CHAIN:
        _refuse_adjacent_strings(text)


def _refuse_adjacent_strings(text: str) -> None:
    layout = {tokenize.NL, tokenize.COMMENT}
    # From Python 3.12 on an f-string is several tokens.
    opening, closing = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    run = depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        depth += (token.type == opening) - (token.type == closing)
        if depth == 0 and token.type in (closing, tokenize.STRING):
            run += 1
            if run > MAX_CHAIN:
                raise UnreadableError(f"line {token.start[0]}: more than {MAX_CHAIN} adjacent strings")
        elif depth == 0 and token.type not in layout:
            run = 0
