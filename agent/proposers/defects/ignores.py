"""A comment that should silence a finding but does not: it gives no reason, or names no kind there is.

Why it hurts: without a reason nobody can tell later whether the code was looked at or the warning only switched off; a
misspelt kind hides nothing while its reader believes it does.

    before                                      after
        # branchlab: ignore[zerograd]               # branchlab: ignore[missing_zero_grad] accumulates on purpose

A comment silences the kinds in its brackets on the statement it trails; alone on a line, on the statement below it; on a
`def` line, in the whole function. Comments with known kinds and a reason are silent.
"""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....targets.mistakes import nearest
from .base import Finding
from .program import Program
from .source import Source

MARK = "branchlab:"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: what it silences, and where."""

    file: str
    line: int
    kinds: tuple[str, ...]
    reason: str
    first: int
    last: int
    """Lines it is about, both included."""

    def covers(self, finding: Finding) -> bool:
        return (
            bool(self.reason)
            and finding.file == self.file
            and finding.detector in self.kinds
            and self.first <= finding.line <= self.last
        )


@dataclass(frozen=True, slots=True)
class IgnoreComment:
    known: frozenset[str]
    """Every kind that can be silenced."""
    name: str = "ignore_comment"

    def detect(self, program: Program) -> Iterable[Finding]:
        for ignore in ignores(program):
            for wrong in self._mistakes(ignore):
                yield Finding(
                    self.name, ignore.file, ignore.line, "", "Give the ignore comment a known kind and a reason",
                    f"{wrong}: it silences nothing.", (), effect="visibility", confidence="high",
                )  # fmt: skip

    def _mistakes(self, ignore: Ignore) -> Iterator[str]:
        if not ignore.kinds:
            yield "The comment names no kind in brackets, as `ignore[KIND] REASON` does"
            return
        for kind in ignore.kinds:
            if kind not in self.known:
                yield f"There is no kind `{kind[:60]}`; {nearest(kind, self.known) or 'docs/defects lists them'}"
        if not ignore.reason:
            yield "The comment gives no reason behind its brackets"


def ignores(program: Program) -> tuple[Ignore, ...]:
    """Every ignore comment of a program, those with mistakes included."""
    return tuple(ignore for source in program.sources if MARK in source.text for ignore in _of(source))


def _of(source: Source) -> Iterator[Ignore]:
    for token in _comments(source.text):
        parsed = _parse(token.string)
        if parsed is None:
            continue
        kinds, reason = parsed
        line = token.start[0]
        alone = not token.line[: token.start[1]].strip()
        yield Ignore(source.path, line, kinds, reason, *_span(source, _below(source.text, line) if alone else line))


def _comments(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and MARK in token.string:
                yield token
    except (tokenize.TokenError, SyntaxError):
        return  # `ast` read the file; what the tokenizer cannot read holds no comments for us


def _parse(comment: str) -> tuple[tuple[str, ...], str] | None:
    """Kinds and reason of `# branchlab: ignore[a, b] reason`; None for a comment that is not about this."""
    said = comment.partition(MARK)[2].strip()
    if not said.startswith("ignore"):
        return None
    said = said.removeprefix("ignore").lstrip()
    if not said.startswith("["):
        return (), ""
    inside, _, reason = said[1:].partition("]")
    kinds = tuple(kind for part in inside.split(",") if (kind := part.strip()))
    return kinds, reason.strip(" \t-:,.#")


def _below(text: str, line: int) -> int:
    """The first line below that holds code."""
    lines = text.split("\n")
    for number in range(line + 1, len(lines) + 1):
        said = lines[number - 1].strip()
        if said and not said.startswith("#"):
            return number
    return line


def _span(source: Source, line: int) -> tuple[int, int]:
    """Lines of the innermost statement a line belongs to; of the whole function when it is on its head."""
    first, last = line, line
    size = float("inf")
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.stmt):
            continue
        start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        end = node.end_lineno or node.lineno
        body = getattr(node, "body", None)
        head = node.lineno if isinstance(node, ast.Match) else body[0].lineno - 1 if body else end
        if start <= line <= max(head, node.lineno) and end - start < size:
            size = end - start
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            first, last = start, end if is_function else max(head, node.lineno)
    return first, last
