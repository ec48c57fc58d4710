"""Reads a repository at one commit: every Python file, prompt and role, and the name of whatever could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import libcst as cst

from .ast_facts import ast_facts
from .code_map import CodeMap, Prompt, Role, Symbol, Unread
from .configs.scalar import ConfigError
from .configs.text import READERS, read_config
from .cst_facts import cst_facts
from .facts import FileFacts
from .imports import Modules, closure
from .prompt_texts import prompt_file, prompts_in
from .readable import UnreadableError, parse
from .roles import with_roles
from .syntax import parse_cst

CST_BYTES = 600_000
"""Source that is read with libcst, files nearest to the entry points first: about 18,000 lines, five seconds."""


def read_code(
    commit: str, sources: Mapping[str, bytes], entry: Sequence[str] = (), *, cst_bytes: int = CST_BYTES
) -> CodeMap:
    """Symbols with roles, imports, calls and prompts of `sources`; files that could not be read are in `unread`.

    Files near `entry` (the scripts, when none is given) are read with libcst and can be edited; beyond `cst_bytes`
    the facts come from `ast` alone, and the file is named in `unread` with that reason.
    """
    facts: dict[str, FileFacts] = {}
    unread = _unread_configs(sources)
    for file in sorted(name for name in sources if name.endswith(".py")):
        try:
            facts[file] = ast_facts(file, *parse(sources[file]))
        except UnreadableError as error:
            unread.append(Unread(file, str(error)))
    modules = Modules(facts)
    parsed: dict[str, cst.Module] = {}
    left = cst_bytes
    for file in _by_closeness(facts, entry, modules):
        left -= len(sources[file])
        if left < 0:
            unread.append(Unread(file, f"facts by ast only: beyond the {cst_bytes:,} bytes read for editing"))
            continue
        try:
            module = parse_cst(sources[file])
            facts[file] = cst_facts(file, module)
            parsed[file] = module
        except (UnreadableError, RecursionError) as error:
            unread.append(Unread(file, f"facts by ast only: {error}"))
    prompts = _prompts(sources, facts)
    return CodeMap(
        commit,
        dict(sources),
        _mark_prompts(with_roles(list(facts.values()), modules), prompts),
        tuple(imported for one in facts.values() for imported in one.imports),
        tuple(call for one in facts.values() for call in one.calls),
        prompts,
        tuple(sorted(unread, key=lambda one: one.file)),
        parsed,
    )


def _by_closeness(facts: Mapping[str, FileFacts], entry: Sequence[str], modules: Modules) -> list[str]:
    start = [file for file in entry if file in facts] or [one.file for one in facts.values() if one.is_script]
    near = closure(start, {file: one.imports for file, one in facts.items()}, modules)
    return [*near, *(file for file in facts if file not in set(near))]


def _unread_configs(sources: Mapping[str, bytes]) -> list[Unread]:
    """Configuration files that the code names but that are not what their suffix says."""
    code = b"\n".join(data for file, data in sources.items() if file.endswith(".py"))
    unread: list[Unread] = []
    for file in sorted(name for name in sources if name.endswith(tuple(READERS))):
        if file.rpartition("/")[2].encode() in code:
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
