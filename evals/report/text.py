"""Text of strangers (titles, reasons, logs, diffs, file names) made safe to show; used wherever a person reads it."""

import re
import unicodedata


def visible(text: str) -> str:
    """The text with every control, bidirectional, zero-width, private and unpaired character written as `\\u202e`.

    Line feeds stay, tabs become four spaces, a carriage return before a line feed is dropped.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.replace("\n", " ").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else _shown(c) for c in text)


def _shown(char: str) -> str:
    if char == "\t":
        return "    "
    if unicodedata.category(char) == "Zs":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, visible, runs of white space folded, cut at `limit` characters with an ellipsis."""
    folded = " ".join(visible(text).split())
    return folded if len(folded) <= limit else folded[: limit - 1].rstrip() + "…"


def tail(text: str, lines: int = 30, width: int = 400) -> str:
    """The last `lines` lines, visible, each cut at `width` characters."""
    kept = visible(text).rstrip("\n").split("\n")[-lines:]
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in kept)


def md_text(text: str, limit: int = 300) -> str:
    """One line of Markdown prose, or of a table cell, in which nothing is markup, a link, a mention or HTML."""
    escaped = re.sub(r"([\\`*_\[\]<|~$&])", r"\\\1", one_line(text, limit))
    # Bare addresses become links and `@name` calls a person on the usual hosts, without any markup.
    escaped = re.sub(r"(?i)([a-z]):(?=\S)", r"\1\\:", escaped)
    escaped = re.sub(r"(?i)\b(www)\.", r"\1\\.", escaped)
    escaped = re.sub(r"@(?=\w)", "@<!-- -->", escaped)
    escaped = re.sub(r"^([>#=]|[-+](?!\d))", r"\\\1", escaped)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)


def md_code(text: str, limit: int = 300) -> str:
    """An inline code span that the text cannot end."""
    line = one_line(text, limit)
    if not line:
        return ""
    ticks = "`" * (_longest_run(line, "`") + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def md_code_cell(text: str, limit: int = 300) -> str:
    """The same inside a table, where a bar would end the cell."""
    return md_code(text, limit).replace("|", "\\|")


def md_fence(text: str, language: str = "") -> str:
    """A fenced block that the text cannot end."""
    body = visible(text).rstrip("\n")
    fence = "`" * max(3, _longest_run(body, "`") + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def _longest_run(text: str, char: str) -> int:
    return max((len(run) for run in re.findall(re.escape(char) + "+", text)), default=0)
