"""A unified diff as lines with their kind, their numbers and the part that really changed; no markup is made here."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from .text import one_line, visible

LineKind = Literal["hunk", "add", "del", "same", "note"]
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(.*)")
MAX_LINES = 500
"""Of one file; the whole diff is one `git diff` away."""
_COMPARED_CHARACTERS = 300
"""Longer lines are not searched for the part that changed: that search is quadratic."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    kind: LineKind
    old: int | None
    new: int | None
    parts: tuple[tuple[str, bool], ...]
    """Text, and whether it is the part that changed within the line."""


@dataclass(frozen=True, slots=True)
class FileDiff:
    name: str
    added: int
    removed: int
    lines: tuple[DiffLine, ...]


def read_diff(diff: str) -> tuple[FileDiff, ...]:
    """The files of a `git diff`, each with its lines; text that is no diff comes back as notes of a nameless file."""
    files: list[FileDiff] = []
    name, lines = "", list[DiffLine]()
    left = [0, 0]
    at = [0, 0]
    for raw in diff.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        if left[0] > 0 or left[1] > 0:
            lines.append(_body_line(raw, at, left))
        elif raw.startswith("diff --git "):
            files += _closed(name, lines)
            name, lines = _git_name(raw), []
        elif match := _HUNK.fullmatch(raw):
            at = [int(match[1]), int(match[3])]
            left = [int(match[2] or 1), int(match[4] or 1)]
            lines.append(DiffLine("hunk", None, None, ((visible(raw), False),)))
        elif raw.startswith("+++ ") and raw != "+++ /dev/null":
            name = _stripped(raw[4:])
        elif raw.startswith(("--- ", "+++ ", "index ", "similarity ", "new file ", "deleted file ")) or not raw:
            continue
        else:
            lines.append(DiffLine("note", None, None, ((visible(raw), False),)))
    return (*files, *_closed(name, lines))


def _body_line(raw: str, at: list[int], left: list[int]) -> DiffLine:
    """One line inside a hunk; moves the line numbers and what is left of the hunk on each side."""
    sign, text = raw[:1], ((visible(raw[1:]), False),)
    if sign == "\\":
        return DiffLine("note", None, None, ((visible(raw), False),))
    old, new = at
    on_old, on_new = sign != "+", sign != "-"
    for side, present in enumerate((on_old, on_new)):
        at[side] += present
        left[side] -= present
    kind: LineKind = "add" if sign == "+" else "del" if sign == "-" else "same"
    return DiffLine(kind, old if on_old else None, new if on_new else None, text)


def _closed(name: str, lines: Sequence[DiffLine]) -> Iterator[FileDiff]:
    if not name and not lines:
        return
    added, removed = (sum(line.kind == kind for line in lines) for kind in ("add", "del"))
    shown = _marked(lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        shown.append(DiffLine("note", None, None, ((f"{len(lines) - MAX_LINES} more lines", False),)))
    yield FileDiff(one_line(name, 300), added, removed, tuple(shown))


def _marked(lines: Sequence[DiffLine]) -> list[DiffLine]:
    """The lines, with the changed part marked where removed lines are followed by added ones that resemble them."""
    out, i = list(lines), 0
    while i < len(out):
        dels = _run(out, i, "del")
        adds = _run(out, i + dels, "add")
        for j in range(i, i + min(dels, adds)):
            out[j], out[j + dels] = _mark_pair(out[j], out[j + dels])
        i += max(dels + adds, 1)
    return out


def _run(lines: Sequence[DiffLine], start: int, kind: LineKind) -> int:
    end = start
    while end < len(lines) and lines[end].kind == kind:
        end += 1
    return end - start


def _mark_pair(old: DiffLine, new: DiffLine) -> tuple[DiffLine, DiffLine]:
    a, b = old.parts[0][0], new.parts[0][0]
    if max(len(a), len(b)) > _COMPARED_CHARACTERS:
        return old, new
    # By words: character matches inside unrelated words read as noise.
    words_a, words_b = _words(a), _words(b)
    matcher = SequenceMatcher(None, words_a, words_b, autojunk=False)
    if matcher.ratio() < 0.5:
        return old, new
    blocks = matcher.get_opcodes()
    before = tuple(("".join(words_a[i:j]), tag != "equal") for tag, i, j, _, _ in blocks if j > i)
    after = tuple(("".join(words_b[i:j]), tag != "equal") for tag, _, _, i, j in blocks if j > i)
    return replace(old, parts=before), replace(new, parts=after)


def _words(line: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", line)


def _git_name(header: str) -> str:
    """The new name of `diff --git a/NAME b/NAME`, for files whose diff has no `+++` line."""
    return _stripped(header[len("diff --git ") :].rpartition(" ")[2])


def _stripped(name: str) -> str:
    name = name.split("\t")[0]
    return name[2:] if name.startswith(("a/", "b/")) else name
