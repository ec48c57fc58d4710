"""Finds a prompt among the strings of a module and changes its source text, quotes and prefix left as they are."""

from collections.abc import Callable

import libcst as cst

from ...targets.errors import OperatorError
from .module_place import Definition, find_definition
from .prompt_text import refuse_lost_fields

String = cst.SimpleString | cst.FormattedString
Change = Callable[[str, str], str]
"""From the source between the quotes, and how a new line is written there, to the new source."""


def edit_prompt(module: cst.Module, symbol: str, phrase: str, change: Change) -> cst.Module:
    """`module` with the one string of `symbol` whose source holds `phrase` changed; f-strings, byte for byte source.

    In a run of adjacent literals the one with the phrase is changed. `symbol` may name a constant, then its scope is
    searched.

    Raises:
        OperatorError: no string or several hold the phrase, a placeholder would be lost, or it would not parse.
    """
    found = [node for node in _strings(_scope(module, symbol)) if phrase in _inside(module, node)[1]]
    if len(found) != 1:
        raise OperatorError("wanted one string with that phrase", wanted=phrase, found=f"{len(found)} of them")
    opening, text, closing = _inside(module, found[0])
    changed = change(text, "\n" if len(closing) == 3 else "\\n")
    refuse_lost_fields(text, changed)
    if "r" in opening.lower() and len(closing) == 1 and changed.count("\\n") > text.count("\\n"):
        raise OperatorError("a raw string on one line holds no line breaks", found=text)
    try:
        new = cst.parse_expression(opening + changed + closing)
    except cst.ParserSyntaxError:
        raise OperatorError("the string would not parse", found=changed) from None
    return cst.ensure_type(module.deep_replace(found[0], new), cst.Module)


def quoted(text: str, newline: str) -> str:
    """`text` as it may stand between any quotes: no quote that could end the string, no escape."""
    if "\\" in text or '"""' in text:
        raise OperatorError("a new instruction holds no backslash", found=text)
    return text.replace('"', "“").replace("'", "’") if newline == "\\n" else text


def _scope(module: cst.Module, symbol: str) -> Definition | cst.Module:
    """The definition of that name; the one around it when the last part names a constant."""
    try:
        return find_definition(module, symbol)
    except OperatorError:
        return find_definition(module, symbol.rpartition(".")[0])


def _strings(place: cst.CSTNode) -> list[String]:
    found: list[String] = []

    class Collect(cst.CSTVisitor):
        def visit_SimpleString(self, node: cst.SimpleString) -> None:
            found.append(node)

        def visit_FormattedString(self, node: cst.FormattedString) -> bool:
            found.append(node)
            return False

    place.visit(Collect())
    return found


def _inside(module: cst.Module, node: String) -> tuple[str, str, str]:
    """Prefix and opening quote, source between the quotes, closing quote."""
    code = module.code_for_node(node)
    quote = node.quote if isinstance(node, cst.SimpleString) else node.end
    opening = node.prefix + quote if isinstance(node, cst.SimpleString) else node.start
    return opening, code[len(opening) : len(code) - len(quote)], quote
