"""What part each symbol plays in training, or around a language model: decided from the facts alone, so it is the same for
`ast` and `cst`. A role is a symbol's own by its name, its bases and what it calls; or it comes through what it calls, a
table it looks in, a trainer it is passed to, or a configuration that names it, and then `via` says how."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from .code_map import Call, Role, Symbol
from .defined import Definitions
from .facts import FileFacts
from .imports import Modules
from .library_roles import library_role, makes_model
from .making import Key, Making
from .role_words import (
    ADDING,
    ASKING,
    CONFIG_ROLES,
    DATA_BASES,
    ESTIMATOR_PACKAGES,
    EVALUATION_FILES,
    EVALUATION_WORDS,
    KEYWORD_ROLES,
    LLM_BASES,
    LOSS_WORDS,
    MEMORY_WORDS,
    METRIC_BASES,
    METRIC_NAMES,
    MODEL_BASE_ENDS,
    MODEL_BASE_PACKAGES,
    MODEL_BASES,
    NOT_MEMORY,
    NOT_MODELS,
    PROMPT_WORDS,
    RETRIEVAL_BASES,
    RETRIEVAL_WORDS,
    TAKERS,
    TRAINER_ENDS,
)
from .words import said, words

__all__ = ["ESTIMATOR_PACKAGES", "is_test", "trains", "with_roles"]

MODEL_WORDS = frozenset({"model", "models", "net", "network", "classifier", "regressor", "estimator", "pipeline"})
NOT_BY_RESULT: frozenset[Role] = frozenset({"model", "data", "metric", "optimizer"})
"""What a training function gives back says what it used, not what it is for."""
OBJECTS: tuple[Role, ...] = ("model", "loss", "data", "optimizer", "metric", "retrieval", "memory", "llm_call")
Given = dict[Key, dict[Role, str]]
"""Roles that come from elsewhere, by file and name of the symbol, each with the way it came."""


@dataclass(frozen=True, slots=True)
class _Models:
    keys: frozenset[str]
    """`FILE::NAME` of every model class."""
    names: frozenset[str]


def with_roles(facts: Sequence[FileFacts], modules: Modules, configured: Sequence[Call] = ()) -> tuple[Symbol, ...]:
    """Every symbol of `facts`, roles filled in; a script whose top-level code has a role adds a `module` symbol.

    `configured`: what configuration files make, as calls.
    """
    classes = _model_classes(facts, modules)
    models = _Models(classes, frozenset(key.partition("::")[2] for key in classes))
    definitions = Definitions(
        (symbol for one in facts for symbol in one.symbols), (i for one in facts for i in one.imports), modules
    )
    own = {
        (one.file, symbol.name): _class_roles(symbol, one, models)
        for one in facts
        for symbol in one.symbols
        if symbol.kind == "class"
    }
    kinds = {key: role for key, roles in own.items() if (role := next((r for r in OBJECTS if r in roles), None))}
    making = Making(facts, definitions, kinds)
    given = _passed(facts, making, {key for key, roles in own.items() if "training_step" in roles})
    for key, role, way in _by_configuration(configured, definitions, kinds):
        given[key].setdefault(role, way)
    found: list[tuple[Symbol, Sequence[Call], FileFacts]] = []
    for one in facts:
        calls = defaultdict(list)
        for call in one.calls:
            calls[call.caller].append(call)
        for symbol in one.symbols:
            its = _calls_of(symbol, calls)
            roles = own.get((one.file, symbol.name)) or _roles(symbol, one, models, its)
            found.append((_with_ways(replace(symbol, roles=roles), _ways(symbol, roles, its, making, given)), its, one))
        if script := _script(one, calls[""]):
            found.append((script, calls[""], one))
    return tuple(_with_loops(found, facts, making))


def _calls_of(symbol: Symbol, calls: Mapping[str, list[Call]]) -> list[Call]:
    if symbol.kind == "constant":  # `model = Sequential(...)`: the calls of its own lines
        return [call for call in calls[""] if symbol.line <= call.line <= symbol.end_line]
    return calls[symbol.name]


def _roles(symbol: Symbol, facts: FileFacts, models: "_Models", calls: Sequence[Call]) -> frozenset[Role]:
    """Roles by a function's or constant's own name and calls."""
    roles = {role for call in calls if (role := library_role(call.callee)) and _makes(symbol, role)}
    if "metric" in roles:
        roles.add("evaluation")
    name = set(words(symbol.name.rpartition(".")[2]))
    if symbol.kind == "function":
        roles |= _function_roles(symbol, is_test(facts.file), calls)
        if EVALUATION_FILES & set(words(facts.file.rpartition("/")[2])) and "training_step" not in roles:
            roles.add("evaluation")
        if _makes_model(name, models.names, calls):
            roles.add("model")
    elif any(f"{facts.file}::{call.callee}" in models.keys or makes_model(call.callee) for call in calls):
        roles.add("model")
    return frozenset(roles)


def _class_roles(symbol: Symbol, facts: FileFacts, models: "_Models") -> frozenset[Role]:
    bases = facts.bases.get(symbol.name, ())
    ends = {base.rpartition(".")[2] for base in bases}
    parts = words(symbol.name)
    if METRIC_BASES & set(bases):
        return frozenset({"metric", "evaluation"})
    if LOSS_WORDS & set(parts) or any(end.endswith("Loss") for end in ends):
        return frozenset({"loss"})
    if ends & DATA_BASES:
        return frozenset({"data"})
    if any("optim" in base.lower() for base in bases):
        return frozenset({"optimizer"})
    if any(end.endswith(TRAINER_ENDS) for end in ends):
        return frozenset({"training_step"})
    if f"{facts.file}::{symbol.name}" in models.keys:
        return frozenset({"model"})
    if ends & LLM_BASES:
        return frozenset({"llm_call"})
    if ends & RETRIEVAL_BASES or said(parts, RETRIEVAL_WORDS):
        return frozenset({"retrieval"})
    if _is_memory(parts) or _is_store(symbol, facts):
        return frozenset({"memory"})
    return frozenset()


def _is_memory(parts: Sequence[str]) -> bool:
    return bool(MEMORY_WORDS & set(parts)) and not NOT_MEMORY & set(parts)


def _is_store(symbol: Symbol, facts: FileFacts) -> bool:
    """Whether a class is added to and asked: `add` beside `search`."""
    prefix = f"{symbol.name}."
    methods = {
        words(one.name.removeprefix(prefix))[:1]
        for one in facts.symbols
        if one.kind == "function" and one.name.startswith(prefix) and not one.name.startswith(f"{prefix}_")
    }
    verbs = {verb for first in methods for verb in first}
    return bool(verbs & ADDING) and bool(verbs & ASKING)


def _makes(symbol: Symbol, role: Role) -> bool:
    """A constant is what it is made of; a function may well do more than one thing."""
    return symbol.kind == "function" or role != "metric"


def _function_roles(symbol: Symbol, tests: bool, calls: Sequence[Call]) -> set[Role]:
    parts = words(symbol.name.rpartition(".")[2])
    name = set(parts) - {"test"} if tests else set(parts)
    roles: set[Role] = set()
    if trains(calls) or {"training", "step"} <= name:
        roles.add("training_step")
    if name & EVALUATION_WORDS or ("valid" in name and "is" not in name):
        roles.add("evaluation")
    if said(parts, METRIC_NAMES) and not tests and "training_step" not in roles:
        roles |= {"metric", "evaluation"}
    if name & LOSS_WORDS or any(_computes_loss(call) for call in calls):
        roles.add("loss")
    if "optimizer" in name or "optimizers" in name:
        roles.add("optimizer")
    if name & {"dataset", "datasets", "dataloader", "dataloaders", "loaders", "data"}:
        roles.add("data")
    if name & PROMPT_WORDS and not tests:
        roles.add("prompt")
    if said(parts, RETRIEVAL_WORDS) and not tests:
        roles.add("retrieval")
    if _is_memory(parts) and not tests:
        roles.add("memory")
    return roles


def _computes_loss(call: Call) -> bool:
    """`criterion(output, target)`, `self.loss_fn(...)`: a loss by its name, called on values."""
    return call.positional >= 2 and bool(LOSS_WORDS & set(words(call.callee.rpartition(".")[2])))


@lru_cache(maxsize=1 << 12)
def is_test(file: str) -> bool:
    """Whether a file belongs to the tests of the repository, going by its place and name."""
    *folders, name = file.split("/")
    return bool({"test", "tests"} & set(folders)) or name.startswith("test_") or name == "conftest.py"


def trains(calls: Iterable[Call]) -> bool:
    """Whether these calls take an optimizer step after a backward pass, fit an estimator, or start a trainer."""
    calls = list(calls)
    last = [call.callee.rpartition(".") for call in calls]
    names = {name for _, _, name in last}
    # `zero_grad` without `step`: parameters updated by hand. `optimizer.step(closure)`: the backward pass is in there.
    if ("backward" in names and names & {"step", "zero_grad"}) or names & {"GradientTape", "value_and_grad"}:
        return True
    if any(call.positional and "optim" in call.callee and call.callee.endswith(".step") for call in calls):
        return True
    if any(name == "train" and ("Trainer(" in owner or "trainer" in words(owner)[-1:]) for owner, _, name in last):
        return True
    return any(
        name in {"fit", "train_on_batch", "partial_fit"}
        and dot
        and owner not in {"self", "super()"}
        and not NOT_MODELS & set(words(owner))
        for owner, dot, name in last
    )


def _makes_model(name: set[str], classes: frozenset[str], calls: Sequence[Call]) -> bool:
    if not name & MODEL_WORDS:
        return False
    return any(call.callee.rpartition(".")[2] in classes or makes_model(call.callee) for call in calls)


def _script(facts: FileFacts, calls: Sequence[Call]) -> Symbol | None:
    roles = {role for call in calls if (role := library_role(call.callee))}
    if "metric" in roles:
        roles.add("evaluation")
    if trains(calls):
        roles.add("training_step")
    if not roles:
        return None
    last = max(call.line for call in calls)
    return Symbol("", "module", facts.file, 1, last, facts.file, frozenset(roles), facts.source)


def _ways(
    symbol: Symbol, roles: frozenset[Role], calls: Sequence[Call], making: Making, given: Given
) -> Iterator[tuple[Role, str]]:
    """Roles that come to a function or constant through what it gives, or to any symbol from where it is passed."""
    yield from given.get((symbol.file, symbol.name), {}).items()
    if symbol.kind == "class" or is_test(symbol.file):
        return
    made = dict(making.by(symbol.file, symbol.name))
    if symbol.kind == "constant":
        for call in calls:
            made |= making.called(call.callee, symbol.file, "")
    names_it = bool(MODEL_WORDS & set(words(symbol.name.rpartition(".")[2])))
    for role, way in made.items():
        if not (role in NOT_BY_RESULT and "training_step" in roles and not (role == "model" and names_it)):
            yield role, way


def _with_ways(symbol: Symbol, ways: Iterable[tuple[Role, str]]) -> Symbol:
    kept: dict[Role, str] = {}
    for role, way in ways:
        kept.setdefault(role, way)
    if not kept:
        return symbol
    return replace(symbol, roles=symbol.roles | set(kept), via=tuple(sorted(kept.items())))


def _passed(facts: Sequence[FileFacts], making: Making, trainers: set[Key]) -> Given:
    """What functions and classes are for, by the keyword under which a trainer or loader takes them. `trainers`: classes of
    the repository that are trainers."""
    given: Given = defaultdict(dict)
    for one in facts:
        for call in one.calls:
            keys = call.keywords.keys() & KEYWORD_ROLES.keys()
            if not keys:
                continue
            taker = making.target(call.callee, one.file, call.caller)
            if not call.callee.endswith(TAKERS) and not (taker and (taker.file, taker.name) in trainers):
                continue
            for key in sorted(keys):
                for name in call.keywords[key].strip("[]()").split(","):
                    symbol = making.target(name.strip(), one.file, call.caller)
                    if symbol and symbol.kind in {"function", "class"}:
                        way = f"{call.callee.rpartition('.')[2]}({key}=)"
                        given[symbol.file, symbol.name].setdefault(KEYWORD_ROLES[key], way)
    return given


def _by_configuration(
    configured: Iterable[Call], definitions: Definitions, kinds: Mapping[Key, Role]
) -> Iterator[tuple[Key, Role, str]]:
    """What a `_target_` names plays the part that its place in the configuration says, or that its class has anyway."""
    for call in configured:
        symbol = definitions.find(call.callee, call.file)
        if symbol is None:
            continue
        key = (symbol.file, symbol.name)
        path = [*call.file.rpartition(".")[0].split("/"), *call.caller.replace("[", ".").split(".")]
        role = kinds.get(key) or next((CONFIG_ROLES[part] for part in reversed(path) if part in CONFIG_ROLES), None)
        if role:
            yield key, role, f"{call.file}:{call.line}"


def _with_loops(
    found: Sequence[tuple[Symbol, Sequence[Call], FileFacts]], facts: Sequence[FileFacts], making: Making
) -> Iterator[Symbol]:
    """`found`, with the role `loop` for what calls a training step of the repository, and scripts that only do that."""
    steps = {(symbol.file, symbol.name) for symbol, _, _ in found if "training_step" in symbol.roles and symbol.name}
    scripts = {one.file for symbol, _, one in found if symbol.kind == "module"}
    bare = (
        (Symbol("", "module", one.file, 1, 1, one.file, source=one.source), [c for c in one.calls if not c.caller], one)
        for one in facts
        if one.file not in scripts
    )
    for symbol, calls, one in (*found, *bare):
        way = None if symbol.kind in {"class", "constant"} or is_test(one.file) else _step(symbol, calls, steps, making)
        if way:
            end = symbol.end_line if symbol.name else max(call.line for call in calls)
            via = tuple(sorted({**dict(symbol.via), "loop": way}.items()))
            yield replace(symbol, roles=symbol.roles | {"loop"}, end_line=end, via=via)
        elif symbol.name or symbol.roles:
            yield symbol


def _step(symbol: Symbol, calls: Sequence[Call], steps: set[Key], making: Making) -> str | None:
    """The name of the training step among `calls`."""
    for call in calls:
        target = making.target(call.callee, symbol.file, symbol.name)
        if target and target.kind == "function" and (target.file, target.name) in steps and target != symbol:
            return target.name
    return None


def _model_classes(facts: Sequence[FileFacts], modules: Modules) -> frozenset[str]:
    """`FILE::NAME` of every class that is a model by its bases, through classes of the repository, or by its methods."""
    found = {f"{one.file}::{name}" for one in facts for name, bases in one.bases.items() if _is_model(bases)}
    for one in facts:
        methods = {symbol.name for symbol in one.symbols if symbol.kind == "function"}
        found |= {
            f"{one.file}::{name}"
            for name in one.bases
            if f"{name}.fit" in methods and (f"{name}.predict" in methods or f"{name}.recommend" in methods)
        }
    while True:
        heirs = {
            f"{one.file}::{name}"
            for one in facts
            for name, bases in one.bases.items()
            if any(_class_key(base, one.file, modules) in found for base in bases)
        }
        if heirs <= found:
            return frozenset(found)
        found |= heirs


def _is_model(bases: Sequence[str]) -> bool:
    return any(
        base in MODEL_BASES
        or base.startswith(MODEL_BASE_PACKAGES)
        or (base.endswith(MODEL_BASE_ENDS) and not base.startswith("."))
        for base in bases
    )


def _class_key(base: str, file: str, modules: Modules) -> str:
    module, dot, name = base.rpartition(".")
    home = modules.file_of(module, file) if dot else file
    return f"{home}::{name}"
