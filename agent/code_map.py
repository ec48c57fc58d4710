"""What was understood of a repository at one commit: symbols, imports, calls, prompts, and what could not be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .trees import Trees

if TYPE_CHECKING:
    import libcst as cst

Role = Literal[
    "model", "loss", "optimizer", "data", "training_step", "loop", "evaluation", "metric", "prompt", "retrieval", "memory",
    "llm_call",
]  # fmt: skip
"""`training_step`: one pass of forward, backward and update, or a call that does them all; `loop`: what calls it again and
again. `evaluation`: runs a measurement; `metric`: computes its number. `memory`: a store that is added to and asked."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A class, function or module constant."""

    name: str
    """Qualified inside its file: `Net.forward`."""
    kind: Literal["class", "function", "constant", "module"]
    """`module`: code at the top of a script that has a role, such as a training loop below `__main__`; its name is empty."""
    file: str
    line: int
    end_line: int
    signature: str
    roles: frozenset[Role] = frozenset()
    source: Literal["ast", "cst"] = "cst"
    via: tuple[tuple[Role, str], ...] = ()
    """For a role that came through others, the way it came: `("model", "make -> MODELS -> Net")`."""


@dataclass(frozen=True, slots=True)
class Import:
    file: str
    line: int
    module: str
    """Dotted; relative imports are resolved against the file's own place."""
    name: str | None
    alias: str
    """The local name it is bound to."""


@dataclass(frozen=True, slots=True)
class Call:
    file: str
    line: int
    caller: str
    """Qualified name of the enclosing symbol, empty at module level."""
    callee: str
    """Dotted name with import aliases resolved, `torch.nn.functional.softmax`; attribute calls on values keep their
    text, `self.model.eval`."""
    positional: int
    keywords: Mapping[str, str]
    """Keyword to the source text of its value."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A string, or a whole text file, that reads like an instruction to a language model."""

    file: str
    line: int
    symbol: str
    text: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    file: str
    reason: str


@dataclass(frozen=True)
class CodeMap:
    commit: str
    sources: Mapping[str, bytes]
    """Every text file of the commit that was looked at, by path."""
    symbols: tuple[Symbol, ...] = ()
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    unread: tuple[Unread, ...] = ()
    python_files: tuple[str, ...] = ()
    """Files libcst could parse, sorted."""
    relevance: Mapping[str, float] = field(default_factory=dict)
    """Share of each Python file with facts, most relevant first: the entry files, what they reach, the rest."""
    entry: tuple[str, ...] = ()
    """Where reading started: the files a target's train command names, else the scripts."""
    reached: tuple[str, ...] = ()
    """Files that the entry points import, themselves included, most relevant first."""
    notes: tuple[str, ...] = ()
    """What a person should know of how this was read."""
    _trees: Trees = field(default_factory=Trees, repr=False, compare=False)

    def module(self, file: str) -> "cst.Module":
        """The lossless tree of one of `python_files`; the ones asked for last are kept. KeyError for any other file."""
        if file not in self.python_files:
            raise KeyError(file)
        return self._trees.of(file, lambda: self.sources[file])

    def symbol(self, file: str, name: str) -> Symbol | None:
        return next((s for s in self.symbols if s.file == file and s.name == name), None)

    def with_role(self, role: Role) -> tuple[Symbol, ...]:
        return tuple(s for s in self.symbols if role in s.roles)
