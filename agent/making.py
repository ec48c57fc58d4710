"""Which functions give a model, a loss, data and so on, through any number of functions, tables and registries between.

The facts say what each function's result comes from (`flows`). Here that is followed to classes and library calls, level
by level, nearest first, so that each role comes by a shortest way; the way is kept to be shown.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .code_map import Role, Symbol
from .defined import Definitions
from .facts import FileFacts
from .flows import LOOKED_UP, PART
from .library_roles import made_by
from .words import words

MAX_LEVELS = 8
PASSED_IN_PARTS: frozenset[Role] = frozenset({"llm_call", "retrieval", "memory", "metric"})
"""A part of an answer is the answer's; a part of a model is no model."""

OF_CONTAINERS = frozenset(
    "append add get items update join split keys values pop format copy read write close open strip replace insert".split()
)
"""Methods of the values that Python has itself: a method of the repository by such a name is not unmistakable."""

Key = tuple[str, str]
Made = Mapping[Role, str]
"""Role to the way it came."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a function's result may come from."""

    table: str
    """What it is looked up in; empty for a call."""
    is_part: bool
    sources: tuple[Symbol | tuple[Role, str], ...]
    """Symbols of the repository, and roles of library calls with their names."""


class Making:
    """What every function and table of a repository gives."""

    def __init__(self, facts: Sequence[FileFacts], definitions: Definitions, classes: Mapping[Key, Role]) -> None:
        """`classes`: by file and name, what an object of each class is."""
        self._definitions = definitions
        self._made: dict[Key, dict[Role, str]] = {key: {role: key[1]} for key, role in classes.items()}
        self._tables = {(one.file, name): its for one in facts for name, its in one.tables.items()}
        self._exported = {one.file: [symbol.name for symbol in one.symbols if "." not in symbol.name] for one in facts}
        self._imported = {
            one.file: [f"{i.module}.{i.name}" for i in one.imports if i.name and i.name != "*"] for one in facts
        }
        self._bases = {(one.file, name): bases for one in facts for name, bases in one.bases.items()}
        self._registered = list(_registered(facts))
        self._methods: dict[str, list[Key]] = defaultdict(list)
        self._targets: dict[tuple[str, str, str], Symbol | None] = {}
        self._heads = {
            one.file: {head for i in one.imports for head in (i.alias, i.module.partition(".")[0])} for one in facts
        }
        for one in facts:
            for symbol in one.symbols:
                owner, dot, last = symbol.name.rpartition(".")
                if dot and symbol.kind == "function" and owner in one.bases:
                    self._methods[last].append((one.file, symbol.name))
        functions = [
            ((one.file, name), found)
            for one in facts
            for name, its in one.returns.items()
            if (found := tuple(self._origins(one.file, name, its)))
        ]
        for _ in range(MAX_LEVELS):
            if not self._level(functions):
                break

    def by(self, file: str, name: str) -> Made:
        """What the function or class `name` of `file` gives."""
        return self._made.get((file, name), {})

    def called(self, callee: str, file: str, caller: str) -> Made:
        """What a call gives, by the dotted name of what is called."""
        if symbol := self.target(callee, file, caller):
            return self.by(symbol.file, symbol.name)
        role = made_by(callee)
        return {role: callee} if role else {}

    def target(self, callee: str, file: str, caller: str) -> Symbol | None:
        """The function or class of the repository that a call means, methods of `self` and unmistakable ones included."""
        key = (callee, file, caller.rpartition(".")[0] if callee.startswith("self.") else "")
        if key not in self._targets:
            self._targets[key] = self._target(callee, file, caller)
        return self._targets[key]

    def _target(self, callee: str, file: str, caller: str) -> Symbol | None:
        if found := self._definitions.find(callee, file):
            return found
        owner, _, last = callee.rpartition(".")
        if owner == "self":
            return self._method(file, caller.rpartition(".")[0], last, MAX_LEVELS)
        if not owner.replace(".", "").isidentifier() or owner.partition(".")[0] in self._heads.get(file, ()):
            return None  # something a library gave, or a library
        return self._only_method(last)

    def _method(self, file: str, scope: str, name: str, hops: int) -> Symbol | None:
        """The method that `self.name` means inside the class `scope`, its bases asked in order."""
        if found := self._definitions.find(f"{scope}.{name}", file):
            return found
        for base in self._bases.get((file, scope), ()) if hops else ():
            home = self._definitions.find(base, file)
            if home and (inherited := self._method(home.file, home.name, name, hops - 1)):
                return inherited
        return None

    def _only_method(self, name: str) -> Symbol | None:
        keys = self._methods.get(name, ()) if name not in OF_CONTAINERS else ()
        return self._definitions.find(keys[0][1], keys[0][0]) if len(keys) == 1 else None

    def _origins(self, file: str, caller: str, names: Iterable[str]) -> Iterator["_Origin"]:
        """The origins among `names` that may have a role."""
        for name in names:
            table = name.removesuffix(LOOKED_UP) if name.endswith(LOOKED_UP) else ""
            held = self._entries(table, file) if table else ((name.removesuffix(PART), file),)
            sources = [one for callee, home in held if (one := self._source(callee, home, caller))]
            if sources:
                yield _Origin(table, name.endswith(PART), tuple(sources))

    def _source(self, callee: str, file: str, caller: str) -> "Symbol | tuple[Role, str] | None":
        """The symbol that `callee` means, or what a library's call of that name gives."""
        if symbol := self.target(callee, file, caller):
            return symbol
        role = made_by(callee)
        return (role, callee) if role else None

    def _level(self, functions: Iterable[tuple[Key, Sequence["_Origin"]]]) -> bool:
        """Goes one call further back; whether anything was learnt."""
        learnt: list[tuple[Key, Role, str]] = []
        for key, origins in functions:
            known = self._made.get(key, {})
            for origin in origins:
                learnt += ((key, role, way) for role, way in self._from(origin) if role not in known)
        for key, role, way in learnt:
            self._made.setdefault(key, {}).setdefault(role, way)
        return bool(learnt)

    def _from(self, origin: "_Origin") -> Iterator[tuple[Role, str]]:
        """Roles of what an origin stands for, each with the way to it."""
        held = [self._of_source(source) for source in origin.sources]
        if origin.table:
            # A module holds more than constructors of one kind: what most of its names give is what is looked up in it.
            often = Counter(role for made in held for role in made).most_common(1)
            for role, _ in often:
                yield role, _way(origin.table, next(made[role] for made in held if role in made))
            return
        source, made = origin.sources[0], held[0]
        is_function = isinstance(source, Symbol) and source.kind != "class"
        for role, way in made.items():
            if not origin.is_part or role in PASSED_IN_PARTS:
                yield role, _way(source.name, way) if is_function else way  # type: ignore[union-attr]

    def _of_source(self, source: "Symbol | tuple[Role, str]") -> Made:
        return self.by(source.file, source.name) if isinstance(source, Symbol) else {source[0]: source[1]}

    def _entries(self, table: str, file: str) -> Iterator[tuple[str, str]]:
        """Names that a table, a registry or a module holds, each with the file that says so."""
        found = self._definitions.find(table, file)
        if found and (its := self._tables.get((found.file, found.name))):
            yield from ((name, found.file) for name in its)
        elif found or "regist" in table.lower():
            place = found.file if found else file
            yield from ((name, home) for name, home, by in self._registered if self._registers(by, home, place, found))
        else:
            home = file if table == "globals" else self._definitions.file_of(table, file)
            if home:
                yield from ((name, home) for name in (*self._exported.get(home, ()), *self._imported.get(home, ())))

    def _registers(self, decorator: str, home: str, place: str, table: Symbol | None) -> bool:
        """Whether a decorator puts what it decorates into `table`: it is a method of it, or a function beside it."""
        owner = self._definitions.find(decorator.rpartition(".")[0], home)
        if owner:
            return owner == table
        beside = self._definitions.find(decorator, home)
        return beside is not None and beside.file == place


def _registered(facts: Iterable[FileFacts]) -> Iterator[tuple[str, str, str]]:
    """Class or function, file and decorator, where the decorator says that it registers."""
    for one in facts:
        for name, decorators in one.decorators.items():
            for decorator in decorators:
                if {"register", "registry", "add"} & set(words(decorator)):
                    yield name, one.file, decorator


def _way(step: str, rest: str) -> str:
    return rest if step == rest or rest.startswith(f"{step} -> ") else f"{step} -> {rest}"
