"""Reads a repository at one commit: every Python file, prompt and role, and the name of whatever could not be read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..targets.tree import blob_id
from .code_map import CodeMap, Prompt, Role, Symbol, Unread
from .configs.instances import configured_calls
from .configs.scalar import ConfigError
from .configs.text import READERS, read_config
from .facts import FileFacts, Level
from .imports import Modules
from .index import FactIndex
from .prompt_texts import prompt_file, prompts_in
from .relevance import Uses, relevance
from .roles import with_roles

CST_BYTES = 1_100_000
"""Source that is read with libcst, the most relevant files first: about 25,000 lines, ten seconds."""
CALL_BYTES = 12_000_000
"""Python source whose calls are held, the most relevant files first: about 300,000 lines, 60 MB."""


def read_code(
    commit: str,
    sources: Mapping[str, bytes],
    entry: Sequence[str] = (),
    *,
    cst_bytes: int = CST_BYTES,
    call_bytes: int = CALL_BYTES,
    index: FactIndex | None = None,
) -> CodeMap:
    """Symbols with roles, imports, calls and prompts of `sources`; files that could not be read are in `unread`.

    Every Python file is read with `ast`, through `index` where one is given. The files most relevant from `entry` (the
    scripts, when none is given) are read with libcst and can be edited; beyond `cst_bytes` the facts come from `ast` alone,
    and the file is named in `unread` with that reason. Of a repository of more than `call_bytes` the calls of the least
    relevant files are not held, and their roles go by names and bases alone; a note says of how many.
    """
    index = index or FactIndex()
    blobs = {file: blob_id(sources[file]) for file in sorted(sources) if file.endswith(".py")}
    scan = _Scan(index, blobs, sources, sum(len(sources[file]) for file in blobs) <= call_bytes)
    modules = Modules(scan.facts)
    relevant = relevance(scan.uses, entry, modules)
    near, far = _near(relevant.shares, sources, cst_bytes)
    scan.unread += [Unread(f, f"facts by ast only: beyond the {cst_bytes:,} bytes read for editing") for f in far]
    parsed = scan.read_again("cst", near)
    notes = index.notes
    if not scan.whole:
        held, left = _near(relevant.shares, sources, call_bytes)
        scan.read_again("ast", [file for file in held if file not in parsed])
        notes = (
            *notes,
            f"the calls of {len(left):,} files are not held: beyond the {call_bytes:,} most relevant bytes",
        )
    facts = scan.facts
    prompts = (*(prompt for file in blobs for prompt in scan.prompts.get(file, ())), *_prompt_files(sources))
    return CodeMap(
        commit,
        dict(sources),
        _mark_prompts(with_roles(list(facts.values()), modules, configured_calls(sources)), prompts),
        tuple(imported for one in facts.values() for imported in one.imports),
        tuple(call for one in facts.values() for call in one.calls),
        prompts,
        tuple(sorted((*scan.unread, *_unread_configs(sources)), key=lambda one: one.file)),
        tuple(sorted(parsed)),
        relevant.shares,
        relevant.entry,
        relevant.reached,
        notes,
    )


class _Scan:
    """One pass over every file; what only some of them need is read again from the index, where it is by then."""

    def __init__(self, index: FactIndex, blobs: Mapping[str, str], sources: Mapping[str, bytes], whole: bool) -> None:
        self._index = index
        self._blobs = blobs
        self._sources = sources
        self.whole = whole
        """Whether calls are held from the start."""
        self.unread: list[Unread] = []
        self.uses: dict[str, Uses] = {}
        self.prompts: dict[str, tuple[Prompt, ...]] = {}
        found: dict[str, FileFacts] = {}
        for file, one in index.facts("ast", blobs, sources):
            if isinstance(one, str):
                self.unread.append(Unread(file, one))
                continue
            self.uses[file] = Uses.of(one)
            self.prompts[file] = prompts_in(file, one.texts)
            found[file] = replace(one, texts=()) if whole else replace(one, texts=(), calls=())
        self.facts = {file: found[file] for file in blobs if file in found}
        self.uses = {file: self.uses[file] for file in self.facts}

    def read_again(self, level: Level, files: Sequence[str]) -> set[str]:
        """Facts of `files` with their calls, by another level; those that could be read."""
        parsed: set[str] = set()
        for file, one in self._index.facts(level, {file: self._blobs[file] for file in files}, self._sources):
            if isinstance(one, str):
                self.unread.append(Unread(file, f"facts by ast only: {one}"))
            else:
                self.facts[file] = replace(one, texts=()).with_flows_of(self.facts[file])
                parsed.add(file)
        return parsed


def _near(files: Iterable[str], sources: Mapping[str, bytes], limit: int) -> tuple[list[str], list[str]]:
    """The first of `files` that are no more than `limit` bytes together, passing over what is too large, and the rest."""
    near: list[str] = []
    far: list[str] = []
    for file in files:
        size = len(sources[file])
        (near if size <= limit else far).append(file)
        limit -= size if size <= limit else 0
    return near, far


def _unread_configs(sources: Mapping[str, bytes]) -> list[Unread]:
    """Configuration files that the code names but that are not what their suffix says."""
    configs = {file: file.rpartition("/")[2].encode() for file in sources if file.endswith(tuple(READERS))}
    waiting = set(configs.values())
    for file, data in sources.items():
        if not waiting:
            break
        if file.endswith(".py"):
            waiting -= {name for name in waiting if name in data}
    unread: list[Unread] = []
    for file in sorted(file for file, name in configs.items() if name not in waiting):
        try:
            read_config(file, sources[file])
        except ConfigError as error:
            unread.append(Unread(file, str(error)))
    return unread


def _prompt_files(sources: Mapping[str, bytes]) -> Iterator[Prompt]:
    return (prompt for file in sorted(sources) if (prompt := prompt_file(file, sources[file])))


def _mark_prompts(symbols: Sequence[Symbol], prompts: Sequence[Prompt]) -> tuple[Symbol, ...]:
    holders = {(prompt.file, prompt.symbol) for prompt in prompts if prompt.symbol}
    role: frozenset[Role] = frozenset({"prompt"})
    return tuple(
        replace(symbol, roles=symbol.roles | role) if (symbol.file, symbol.name) in holders else symbol
        for symbol in symbols
    )
