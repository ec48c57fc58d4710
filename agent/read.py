"""Reads a repository at one commit: every Python file, prompt and role, and the name of whatever could not be read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..targets.tree import blob_id
from .code_map import CodeMap, Prompt, Role, Symbol, Unread
from .configs.instances import configured_calls
from .configs.scalar import ConfigError
from .configs.text import READERS, read_config
from .facts import FileFacts
from .imports import Modules
from .index import FactIndex
from .prompt_texts import prompt_file, prompts_in
from .relevance import relevance
from .roles import with_roles

CST_BYTES = 1_100_000
"""Source that is read with libcst, the most relevant files first: about 25,000 lines, ten seconds."""


def read_code(
    commit: str,
    sources: Mapping[str, bytes],
    entry: Sequence[str] = (),
    *,
    cst_bytes: int = CST_BYTES,
    index: FactIndex | None = None,
) -> CodeMap:
    """Symbols with roles, imports, calls and prompts of `sources`; files that could not be read are in `unread`.

    Every Python file is read with `ast`, through `index` where one is given. The files most relevant from `entry` (the
    scripts, when none is given) are read with libcst and can be edited; beyond `cst_bytes` the facts come from `ast` alone,
    and the file is named in `unread` with that reason.
    """
    index = index or FactIndex()
    blobs = {file: blob_id(sources[file]) for file in sorted(sources) if file.endswith(".py")}
    unread = _unread_configs(sources)
    by_ast: dict[str, FileFacts] = {}
    for file, found in index.facts("ast", blobs, sources):
        if isinstance(found, str):
            unread.append(Unread(file, found))
        else:
            by_ast[file] = found
    facts = {file: by_ast[file] for file in blobs if file in by_ast}
    modules = Modules(facts)
    shares, reached = relevance(facts, entry, modules)
    near, far = _near(shares, sources, cst_bytes)
    unread += [Unread(file, f"facts by ast only: beyond the {cst_bytes:,} bytes read for editing") for file in far]
    parsed: list[str] = []
    for file, found in index.facts("cst", {file: blobs[file] for file in near}, sources):
        if isinstance(found, str):
            unread.append(Unread(file, f"facts by ast only: {found}"))
        else:
            facts[file] = found.with_flows_of(by_ast[file])
            parsed.append(file)
    prompts = _prompts(sources, facts)
    return CodeMap(
        commit,
        dict(sources),
        _mark_prompts(with_roles(list(facts.values()), modules, configured_calls(sources)), prompts),
        tuple(imported for one in facts.values() for imported in one.imports),
        tuple(call for one in facts.values() for call in one.calls),
        prompts,
        tuple(sorted(unread, key=lambda one: one.file)),
        tuple(sorted(parsed)),
        shares,
        reached,
        index.notes,
    )


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


def _prompts(sources: Mapping[str, bytes], facts: Mapping[str, FileFacts]) -> tuple[Prompt, ...]:
    strings = [prompt for file, one in facts.items() for prompt in prompts_in(file, one.texts)]
    files = [prompt for file in sorted(sources) if (prompt := prompt_file(file, sources[file]))]
    return tuple(strings + files)


def _mark_prompts(symbols: Sequence[Symbol], prompts: Sequence[Prompt]) -> tuple[Symbol, ...]:
    holders = {(prompt.file, prompt.symbol) for prompt in prompts if prompt.symbol}
    role: frozenset[Role] = frozenset({"prompt"})
    return tuple(
        replace(symbol, roles=symbol.roles | role) if (symbol.file, symbol.name) in holders else symbol
        for symbol in symbols
    )
