"""The one door to a language model: a request, a completion, and the Protocol every way through it follows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    """`system`, `user` or `assistant`."""
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """JSON schema the answer is asked to follow; always validated again by the caller."""
    max_tokens: int = 4096
    temperature: float = 0.7
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    input_tokens: int
    output_tokens: int
    dollars: float | None
    """None: the price of this model is not known."""
    model: str
    finish_reason: str = "stop"


class Model(Protocol):
    """Raises ModelError when there is no answer to be had; its message says whether a retry later can help."""

    name: str

    def complete(self, request: ModelRequest) -> Completion: ...
