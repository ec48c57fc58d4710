"""The search space of a repository: literals of its code and configuration that a tuner may turn, each with a range.

Left out, always: whatever the exclusions name (seeds, evaluation, paths, logging, devices), protected files, code that
training does not reach, what the command line sets already, and defaults that every call overrides.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from ..targets.errors import TargetError
from ..targets.target import Target, TunableOverride
from ..targets.tunable import Tunable, Value
from .call_sites import parameters_of
from .code_map import CodeMap
from .configs.composed import Composition
from .configs.instances import calls_in
from .configs.scalar import ConfigError, Scalar
from .configs.text import read_config
from .exclusions import SEEDS, measures, measuring_scope, shaped
from .literals import Site, is_setting, sites_and_choices, sites_in
from .mentioned import Mentions
from .offered import Offered
from .passed import PassedArguments
from .ranges import Range, range_for
from .tuning_scope import GivenArguments, composition, config_files, configured, entry_files, python_files
from .words import said, words


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal with what the rules say of it: a range, or the reason why it has none."""

    name: str
    file: str
    line: int
    value: Value
    declared: str
    range: Range | None
    excluded: str
    """The word that keeps it out whatever target.toml says; empty when none does."""

    def tunable(self) -> Tunable | None:
        """The tunable that the rules make of it; None without a range, or with one that leaves no choice."""
        if self.range is None or self.excluded:
            return None
        value = float(self.value) if self.range.type == "float" else self.value
        return _checked(
            Tunable(
                self.name,
                self.file,
                self.line,
                self.range.type,
                value,
                self.range.rule,
                self.range.low,
                self.range.high,
                self.range.log,
                self.range.choices,
            )
        )


def literals_in(module: cst.Module, file: str) -> tuple[tuple[Tunable, cst.BaseExpression], ...]:
    """Every literal of one file that the rules would tune, with its node; what the target says is not asked."""
    pairs = ((literal.tunable(), site.node) for site, literal in _python_literals(module, file))
    return tuple((tunable, node) for tunable, node in pairs if tunable)


def find_tunables(code: CodeMap, target: Target) -> tuple[Tunable, ...]:
    """The search space of `target`, overrides applied, in order of file (nearest to the entry point first) and line.

    Raises:
        TargetError: an override asks for a seed or another measurement, or its range does not fit the literal.
    """
    found: list[Tunable] = []
    for literal in _reachable(code, target):
        override = target.tunables.get(literal.name, TunableOverride())
        tunable = _overridden(literal, override)
        if override.enabled and tunable:
            found.append(tunable)
    return tuple(found)


def unknown_overrides(code: CodeMap, target: Target) -> tuple[str, ...]:
    """Names under [tunables] of target.toml that no literal of this code has: typing errors, at the base commit."""
    known = {literal.name for literal in _reachable(code, target)}
    return tuple(sorted(set(target.tunables) - known))


def _reachable(code: CodeMap, target: Target) -> Iterator[Literal]:
    made = configured(code, target)
    reached = python_files(code, target)
    entry = entry_files(target.steps.train, code.sources, target.environment.path) or reached
    given, passed = GivenArguments(target), PassedArguments(code, reached, entry, made)
    offered = Offered(code, target.environment.path)
    sites: dict[str, tuple[Site, ...]] = {}
    for file in reached:
        sites[file], compared = sites_and_choices(code.module(file))
        offered.compare(compared)
    named = [call.callee.rpartition(".")[2] for call in made]
    mentions = Mentions(code.sources, reached, entry, named)
    for file in reached:
        kept = [s for s in sites[file] if mentions.in_use(file, s.scope) and offered.is_candidate(s, file)]
        for site, line in _with_lines(code.module(file), kept):
            if not given.covers(site) and not passed.always(site):
                wider = replace(site, choices=offered.choices(site))
                yield judged(wider, file, line, setting=offered.is_setting(site, file))
    composed = composition(code, target)
    for file in config_files(code, target, reached, composed):
        for literal in _config_literals(file, code, offered, composed):
            if not given.covers_name(literal.name):
                yield literal


def judged(site: Site, file: str, line: int = 0, *, setting: bool | None = None) -> Literal:
    """What the rules say of one literal of a Python file. `setting`: whether the code offers it as one; from the file
    alone when not given."""
    local = site.key.removeprefix(f"{site.scope}.") if site.scope else site.key
    excluded = measures(site.name) or measures(local) or measuring_scope(site.scope)
    generic = is_setting(site) if setting is None else setting
    known = range_for(site.name, site.value, generic=generic, declared=site.declared, choices=site.choices)
    bounded = _within(known, site.bounds) if known and not shaped(site.name) else None
    return Literal(f"{file}::{site.key}", file, line, site.value, site.declared, bounded, excluded)


def judged_scalar(
    scalar: Scalar, key: str, file: str, line: int = 0, *, made: str = "", setting: bool = False
) -> Literal:
    """What the rules say of one value of a configuration file. `made`: the dotted name of what it is an argument of;
    `setting`: whether that is a class or function of the repository which takes settings."""
    keys = [part for part in scalar.path if isinstance(part, str)]
    excluded = next((word for part in (*keys, made.rpartition(".")[2]) if (word := measures(part))), "")
    last = keys[-1] if keys else ""
    known_as = (parameters_of(made) or {}).get(last, (-1, last))[1]
    known = range_for(known_as, scalar.value, generic=setting) if not shaped(last) else None
    return Literal(f"{file}::{key}", file, line, scalar.value, "", known, excluded)


def _python_literals(module: cst.Module, file: str) -> Iterator[tuple[Site, Literal]]:
    for site, line in _with_lines(module, [site for site in sites_in(module) if site.place != "keyword"]):
        yield site, judged(site, file, line)


def _with_lines(module: cst.Module, sites: Sequence[Site]) -> Iterator[tuple[Site, int]]:
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider) if sites else {}
    for site in sites:
        yield site, positions[site.node].start.line


def _config_literals(file: str, code: CodeMap, offered: Offered, composed: Composition | None) -> Iterator[Literal]:
    try:
        config = read_config(file, code.sources[file])
    except ConfigError:  # read_code has named it
        return
    targets = {call.caller: call.callee for call in calls_in(file, config)}
    places = composed.places if composed and file in composed.files else None
    for key, scalar in config.scalars.items():
        if places is not None and (file, key) not in places:
            continue  # another file has the last word
        made = targets.get(Scalar(scalar.path[:-1], "", 0, 0).key, "")
        if composed and places:
            made = composed.made.get(places[file, key][:-1], "")
        own = offered.own(made, file) if made else None
        yield judged_scalar(scalar, key, file, config.line(scalar), made=made, setting=own is not None)


def _within(known: Range, bounds: tuple[float | None, float | None]) -> Range:
    """`known` clipped to limits that the code itself declares for the value."""
    if known.choices is not None or known.low is None or known.high is None or bounds == (None, None):
        return known
    low, high = (
        (bounds[0] if bounds[0] is not None else known.low),
        (bounds[1] if bounds[1] is not None else known.high),
    )
    kind = int if known.type == "int" else float
    return replace(known, low=kind(max(known.low, low)), high=kind(min(known.high, high)))


def _overridden(literal: Literal, override: TunableOverride) -> Tunable | None:
    own = literal.tunable()
    asked = {key: value for key, value in vars(override).items() if key != "enabled" and value is not None}
    if not asked or not override.enabled:
        return own
    if literal.excluded:
        seed = said(words(literal.name), SEEDS)
        what = "a seed is never tuned: the tuner would search for luck" if seed else "this changes the measurement"
        raise TargetError(what, found=literal.excluded, where=f"tunables.{literal.name}", fix="take it out")
    if own is None:
        if "choices" not in asked and not {"low", "high"} <= asked.keys():
            return None
        own = Tunable(literal.name, literal.file, literal.line, _type_of(literal, override), literal.value, "")
    if "choices" in asked:
        own = replace(own, low=None, high=None, log=False, choices=override.choices)
    for key in asked.keys() & {"low", "high", "log"}:
        own = replace(own, choices=None, **{key: asked[key]})
    own = replace(own, rule="given in target.toml")
    checked = _checked(own)
    if checked is None:
        wanted = "a range or choices that hold the default"
        raise TargetError("the override does not fit", wanted=wanted, found=repr(literal.value), where=literal.name)
    return checked


def _type_of(literal: Literal, override: TunableOverride) -> str:
    if literal.declared == "float" and isinstance(literal.value, int):
        return "float"
    return type(literal.value).__name__


def _checked(tunable: Tunable) -> Tunable | None:
    """`tunable` with its limits in its own type; None when they hold no choice or not the default."""
    if tunable.choices is not None:
        kinds = {type(choice).__name__ for choice in tunable.choices}
        fits = kinds == {tunable.type} and tunable.default in tunable.choices and len(tunable.choices) > 1
        return tunable if fits else None
    if tunable.low is None or tunable.high is None or tunable.type not in {"int", "float"}:
        return None
    kind = int if tunable.type == "int" else float
    low, high = kind(tunable.low), kind(tunable.high)
    if not low <= tunable.default <= high or low == high:  # type: ignore[operator]
        return None
    return replace(tunable, low=low, high=high, log=tunable.log and low > 0)
