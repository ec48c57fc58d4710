"""Edits of a prompt's text that keep every placeholder: pure functions, used for strings in code and for files."""

import string
from collections import Counter

from ...targets.errors import OperatorError

DELIMITERS = (("{{", "}}"), ("{%", "%}"), ("<<", ">>"), ("%(", ")"))


def with_instruction(text: str, instruction: str, newline: str = "\n") -> str:
    """`text` with one more paragraph, before a closing `Answer:` when it ends in one, else at its end."""
    refuse_fields(instruction)
    lines = text.split(newline)
    if instruction.strip() in [line.strip() for line in lines]:
        raise OperatorError("the instruction stands there already", found=instruction)
    last = max((i for i, line in enumerate(lines) if line.strip()), default=-1)
    ends_open = last >= 0 and lines[last].rstrip().endswith(":")
    at = last if ends_open else last + 1
    indent = lines[last][: len(lines[last]) - len(lines[last].lstrip())] if last >= 0 else ""
    return newline.join([*lines[:at], indent + instruction, *lines[at:]])


def with_line_moved(text: str, line: str, anchor: str, where: str, newline: str = "\n") -> str:
    """`text` with the line that reads `line` put right `before` or `after` the one that reads `anchor`.

    Spaces at both ends of a line do not matter. OperatorError when one of the two is not there once, or nothing moves.
    """
    lines = text.split(newline)
    stripped = [one.strip() for one in lines]
    for wanted in (line, anchor):
        if stripped.count(wanted.strip()) != 1:
            raise OperatorError("no such line, or more than one", wanted=wanted)
    if line.strip() == anchor.strip():
        raise OperatorError("a line cannot be moved next to itself", found=line)
    moved = lines.pop(stripped.index(line.strip()))
    at = [one.strip() for one in lines].index(anchor.strip()) + (where == "after")
    lines.insert(at, moved)
    result = newline.join(lines)
    if result == text:
        raise OperatorError("the line is there already", found=line)
    return result


def refuse_fields(instruction: str) -> None:
    """OperatorError when the text of a new sentence could be taken for a placeholder, or spans lines."""
    if placeholders(instruction) or set("{}") & set(instruction) or "\n" in instruction:
        raise OperatorError("a new instruction is one line without placeholders and braces", found=instruction)


def refuse_lost_fields(before: str, after: str) -> None:
    """OperatorError unless both texts hold the same placeholders, each as often."""
    old, new = placeholders(before), placeholders(after)
    if old != new:
        lost, added = sorted((old - new).elements()), sorted((new - old).elements())
        raise OperatorError("the placeholders of a prompt stay as they are", wanted=f"{lost}", found=f"{added}")


def placeholders(text: str) -> Counter[str]:
    """Every placeholder of the common styles: `{x}`, `{{ x }}`, `{% x %}`, `<<x>>`, `%(x)s`, `%s`, `$x`, `${x}`."""
    found: Counter[str] = Counter()
    for opening, closing in DELIMITERS:
        found.update(
            f"{opening}{piece.partition(closing)[0].strip()}" for piece in text.split(opening)[1:] if closing in piece
        )
    try:
        parsed = list(string.Formatter().parse(text))
        found.update(f"{{{name}!{kind}:{spec}" for _, name, spec, kind in parsed if name is not None)
    except ValueError:  # a lone brace: not a format string, so its braces are counted as they are
        found.update({"{": text.count("{"), "}": text.count("}")})
    found.update(
        match.group()
        for match in string.Template.pattern.finditer(text)
        if match.group("named") or match.group("braced")
    )
    found.update({kind: text.count(kind) for kind in ("%s", "%d", "%r", "%f") if kind in text})
    return found
