"""Text of strangers in a prompt: blocks that nothing inside them can end, and rows whose cells nothing can forge.

A repository, a log or an earlier answer may hold any text, written to look like the end of its block and the start of
our own words. Each prompt's blocks therefore stand between marks that are a hash of all that stands in them: the same text
gives the same prompt, which replays need, and nobody can write a text that holds the hash of itself.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping

MOST_LINE = 400
"""Characters of a line in a list, such as a file name; source keeps its lines as they are."""
MOST_LINES = 400
MOST_BLOCK = 40_000
"""Characters of one block: about 10,000 tokens, which somebody pays for."""
MARKS = re.compile(r"\b(BEGIN|END)\s+DATA\b", re.IGNORECASE)


def blocks(parts: Mapping[str, str]) -> str:
    """Each part under its title, between `BEGIN DATA mark` and `END DATA mark`; the first line names the mark."""
    texts = {title: cut(clean(text)) or "(none)" for title, text in parts.items()}
    mark = _mark(texts.values())
    fenced = [f"{title}\nBEGIN DATA {mark}\n{text}\nEND DATA {mark}" for title, text in texts.items()]
    return "\n\n".join([f"The mark of this message is {mark}.", *fenced])


def listed(lines: Iterable[str]) -> str:
    """One line for each, whatever it holds, cut where it or the list is too long; says how many were left out."""
    rows = [short(line, MOST_LINE) for line in lines]
    left = len(rows) - MOST_LINES
    return "\n".join(rows[:MOST_LINES] + ([f"({left} more)"] if left > 0 else []))


def row(*cells: str) -> str:
    """Cells on one line, with bars between them and in none of them."""
    return " | ".join(one_line(cell).replace("|", "/") for cell in cells)


def printable(text: str) -> str:
    """Without what could steer a terminal, hide, or end a string early."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def one_line(text: str) -> str:
    return " ".join(printable(text).split())


def short(text: str, limit: int) -> str:
    """One line of at most `limit` characters."""
    line = one_line(text[: 8 * limit])
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean(text: str) -> str:
    """Printable text without our marks' words. The hash alone would hold; a model may be less exact than a parser."""
    return MARKS.sub(r"\1-DATA", printable(text))


def cut(text: str) -> str:
    """At most MOST_BLOCK characters, whole lines where that is possible, and a note where something was left out."""
    if len(text) <= MOST_BLOCK:
        return text
    kept = text[:MOST_BLOCK].rpartition("\n")[0] or text[:MOST_BLOCK]
    return f"{kept}\n({len(text) - len(kept)} more characters)"


def _mark(texts: Iterable[str]) -> str:
    whole = "\0".join(texts)
    mark = hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]
    while mark in whole:  # by chance, if ever
        mark = hashlib.sha256(mark.encode()).hexdigest()[:16]
    return mark
