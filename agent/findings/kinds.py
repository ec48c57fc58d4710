"""Every kind of defect in words: what its detector's docstring says, taken apart."""

import sys
from dataclasses import dataclass
from functools import cache
from textwrap import dedent

from ..proposers.defects import DETECTORS

WHY, SOURCE = "Why it hurts:", "Source:"


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    summary: str
    """The docstring's first paragraph: what the defect is."""
    blocks: tuple[str, ...]
    """The rest, paragraph by paragraph; code keeps its indentation, and starts with four spaces."""

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def markdown(self) -> str:
        """Everything but the title."""
        return "\n\n".join([self.summary, *(_block(block) for block in self.blocks)])


@cache
def kinds() -> tuple[Kind, ...]:
    """In the order of the table of detectors."""
    return tuple(kind_of(name, sys.modules[type(one).__module__].__doc__ or "") for name, one in DETECTORS.items())


def kind_of(name: str, docstring: str) -> Kind:
    """A kind from the text of its detector; just its name when there is no text, as under `python -OO`."""
    first, *rest = [block.strip("\n") for block in _paragraphs(docstring)] or [name]
    return Kind(name, " ".join(first.split()), tuple(part for block in rest for part in _split(block)))


def _paragraphs(text: str) -> list[str]:
    """Paragraphs; blank lines within code do not part it."""
    found: list[str] = []
    for block in dedent(text).strip("\n").split("\n\n"):
        if found and _is_code(block) and _is_code(found[-1]):
            found[-1] += f"\n\n{block}"
        elif block.strip():
            found.append(block)
    return found


def _is_code(block: str) -> bool:
    return block.strip("\n").startswith("    ")


def _split(block: str) -> list[str]:
    """A source that ends a paragraph becomes one of its own."""
    head, mark, tail = block.partition(SOURCE)
    if _is_code(block) or not mark or not head.strip():
        return [block]
    return [head.rstrip(), mark + tail]


def _block(block: str) -> str:
    if _is_code(block):
        return f"```text\n{dedent(block)}\n```"
    text = " ".join(block.split())
    for mark in (WHY, SOURCE):
        if text.startswith(mark):
            return f"**{mark}**{text.removeprefix(mark)}"
    return text
