"""Strings and text files that read like instructions to a language model."""

import string
from collections.abc import Iterable

from .code_map import Prompt
from .facts import Text

MIN_WORDS = 12
MAX_FILE = 100_000
"""Bytes above which a text file is data, not a prompt."""

INSTRUCTIONS = frozenset(
    "answer assistant classify concise context describe evaluate explain extract follow format generate given "
    "instruction instructions json list must question respond response return rewrite select summarise summarize "
    "task think translate user you your".split()
)
FILE_SUFFIXES = (".prompt", ".j2", ".jinja", ".jinja2")
FILE_WORDS = ("prompt", "instruction", "system_message")
TEXT_SUFFIXES = (".txt", ".md")


def prompts_in(file: str, texts: Iterable[Text]) -> tuple[Prompt, ...]:
    """The long strings of one file that read like prompts, in order of line."""
    return tuple(
        Prompt(file, text.line, text.symbol, text.text, text.fields or fields_of(text.text))
        for text in texts
        if _reads_like_instruction(text.text, bool(text.fields))
    )


def prompt_file(file: str, data: bytes) -> Prompt | None:
    """The file as a prompt when its name says it is one and it is text."""
    lower = file.lower()
    named = any(word in lower for word in FILE_WORDS)
    if not (lower.endswith(FILE_SUFFIXES) or (named and lower.endswith(TEXT_SUFFIXES))) or len(data) > MAX_FILE:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    # A template for HTML or for configuration has the same suffix as a prompt: its text has to read like one too.
    if "\0" in text or not (named or _reads_like_instruction(text, "{" in text)):
        return None
    return Prompt(file, 1, "", text, fields_of(text))


def fields_of(text: str) -> tuple[str, ...]:
    """Names of the `{fields}` of a format string, or of the `{{ fields }}` of a template, each once."""
    if "{{" in text:
        pieces = [piece.partition("}}")[0].strip() for piece in text.split("{{")[1:]]
        doubled = [piece for piece in pieces if piece.isidentifier()]
        if doubled:
            return tuple(dict.fromkeys(doubled))
    try:
        parsed = [name for _, name, _, _ in string.Formatter().parse(text) if name]
    except ValueError:  # a lone brace: not a format string
        return ()
    heads = (name.partition(".")[0].partition("[")[0] for name in parsed)
    return tuple(dict.fromkeys(head for head in heads if head.isidentifier()))


def _reads_like_instruction(text: str, has_fields: bool) -> bool:
    words = [word.strip(".,:;!?\"'()[]{}").lower() for word in text.split()]
    if len(words) < MIN_WORDS:
        return False
    marks = INSTRUCTIONS.intersection(words)
    return len(marks) >= (2 if has_fields or "you" in marks else 3)
