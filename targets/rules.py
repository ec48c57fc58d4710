"""Rules of target.toml that no single key can break: steps and splits that belong together, seeds kept apart."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .broken import Broken
from .errors import TargetError
from .guard_rules import broken_guards
from .mistakes import nearest, show
from .requirements import LOCKS, is_supported
from .target import PLACEHOLDERS, Environment, Split, Target, TunableOverride
from .urls import check_url, is_url


def check_rules(target: Target, where: str) -> None:
    """Nothing for a target that holds together. Raises: TargetError naming the first key that does not."""
    for rule in _broken(target):
        raise TargetError(
            rule.message, wanted=rule.wanted, found=rule.found, where=f"{where}: {rule.key}", fix=rule.fix
        )
    if is_url(target.repo):
        check_url(target.repo, f"{where}: repo")


def _broken(target: Target) -> Iterator[Broken]:
    yield from _steps(target)
    yield from _needs(target)
    yield from _metric(target)
    yield from broken_guards(target)
    yield from _seeds(target)
    yield from _rungs(target)
    for key in ("editable", "protected", "hidden"):
        yield from _globs(key, getattr(target, key))
    for name, override in target.tunables.items():
        yield from _override(f'tunables."{name}"', override)
    yield from _data(target)
    yield from _environment(target.environment)
    if is_url(target.repo) and target.commit is None:
        yield Broken(
            "commit", "a repository given as a URL needs a commit", "40 hex digits, a tag or a branch", "nothing"
        )


def _steps(target: Target) -> Iterator[Broken]:
    steps = target.steps
    if (steps.predict is None) != (steps.score is None):
        there, missing = ("score", "predict") if steps.predict is None else ("predict", "score")
        yield Broken(
            f"steps.{missing}", f"steps.{there} needs steps.{missing}", "both, or neither", f"only steps.{there}"
        )
    needed = {
        # A metric that is printed needs no folder; everything else leaves its result in {out}.
        "train": set() if target.metric.stdout else {"out"},
        "predict": {"inputs", "out"},
        "score": {"predictions", "labels", "out"},
    }
    for step, known in PLACEHOLDERS.items():
        command = getattr(steps, step)
        if command is None:
            continue
        used = [name for word in command for name in re.findall(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", word)]
        listed = ", ".join(f"{{{name}}}" for name in sorted(known))
        for name in used:
            if name not in known:
                fix = nearest(name, known)
                yield Broken(f"steps.{step}", "unknown placeholder", f"one of {listed}", f"{{{name}}}", fix)
        for name in sorted(needed[step] - set(used)):
            yield Broken(
                f"steps.{step}", f"{{{name}}} is not used", f"an argument with {{{name}}}", show(list(command))
            )


def _needs(target: Target) -> Iterator[Broken]:
    if target.steps.score and target.splits is None:
        yield Broken(
            "splits", "steps.score needs data splits", "[splits.search], [splits.confirm], [splits.sealed]", "nothing"
        )
    if target.splits and target.steps.score is None:
        yield Broken("splits", "splits are used by steps.predict and steps.score only", "both steps", "neither")
    if any("{data}" in word for word in target.steps.train) and target.data is None:
        yield Broken("data", "steps.train uses {data}", "the folder or file of training data", "nothing")
    if target.limits.gpu_memory_mb is not None and not target.limits.gpu:
        yield Broken(
            "limits.gpu_memory_mb", "it limits a GPU that is not asked for", "limits.gpu = true", "limits.gpu = false"
        )


def _metric(target: Target) -> Iterator[Broken]:
    metric = target.metric
    if not _inside(metric.file):
        yield Broken("metric.file", "bad value", "a path relative to {out}", show(metric.file))
    if metric.stdout is None:
        return
    if target.steps.score:
        message = "steps.score writes its metric to metric.file"
        yield Broken("metric.stdout", message, "no such key", show(metric.stdout), "take metric.stdout out")
    try:
        groups = re.compile(metric.stdout).groups
    except re.error as error:
        yield Broken(
            "metric.stdout", "not a regular expression", "one with exactly one group", f"{show(metric.stdout)}: {error}"
        )
        return
    if groups != 1:
        found = f"{groups} groups in {show(metric.stdout)}"
        yield Broken("metric.stdout", "bad value", "a regular expression with exactly one group", found)


def _seeds(target: Target) -> Iterator[Broken]:
    for key in ("search", "confirm"):
        values = getattr(target.seeds, key)
        if len(set(values)) < len(values):
            yield Broken(f"seeds.{key}", "a seed is there twice", "distinct seeds", show(list(values)))
    if shared := sorted(set(target.seeds.search) & set(target.seeds.confirm)):
        wanted = "seeds that search has not seen"
        yield Broken("seeds.confirm", "overlaps seeds.search", wanted, f"{shared} in both")


def _rungs(target: Target) -> Iterator[Broken]:
    rungs, used = target.rungs, any("{length}" in word for word in target.steps.train)
    if rungs is None:
        if used:
            wanted = "[rungs] with short and full"
            yield Broken("steps.train", "{length} says nothing without rungs", wanted, "no [rungs]")
        return
    if not used:
        wanted = 'an argument with {length}, such as "--epochs", "{length}"'
        yield Broken("rungs", "nothing tells the code how long to train", wanted, show(list(target.steps.train)))
    if not rungs.smoke <= rungs.short < rungs.full:
        found = f"smoke {rungs.smoke}, short {rungs.short}, full {rungs.full}"
        yield Broken("rungs", "rungs must rise", "smoke <= short < full", found)


def _globs(key: str, globs: tuple[str, ...]) -> Iterator[Broken]:
    for glob in globs:
        if not _inside(glob.removeprefix("!")):
            yield Broken(key, "bad glob", "a pattern relative to the repository, such as src/**", show(glob))
    if globs and all(glob.startswith("!") for glob in globs):
        yield Broken(key, "bad globs", "at least one pattern that takes files in", show(list(globs)))


def _override(key: str, override: TunableOverride) -> Iterator[Broken]:
    low, high = override.low, override.high
    if low is not None and high is not None and low >= high:
        yield Broken(key, "bad range", "low below high", f"low {low}, high {high}")
    if override.log and low is not None and low <= 0:
        yield Broken(key, "bad range", "low above 0 where log = true", f"low {low}")
    if override.choices is not None and (low is not None or high is not None):
        yield Broken(key, "choices and a range exclude each other", "one of them", "both")
    if override.choices is not None and len(set(override.choices)) < 2:
        yield Broken(key, "bad choices", "at least two distinct values", show(list(override.choices)))


def _data(target: Target) -> Iterator[Broken]:
    parts = {"data": target.data}
    for name in ("search", "confirm", "sealed") if target.splits else ():
        split: Split = getattr(target.splits, name)
        parts |= {f"splits.{name}.inputs": split.inputs, f"splits.{name}.labels": split.labels}
    for key, path in parts.items():
        if path is None:
            continue
        if path.startswith("repo:"):
            if not _inside(path.removeprefix("repo:")):
                yield Broken(key, "bad value", "repo: and a path inside the repository", show(path))
        elif not (target.home / path).exists():
            yield Broken(key, "no such file or folder", f"a path relative to {target.home}", show(path))
    if target.splits:
        labels = [getattr(target.splits, name).labels for name in ("search", "confirm", "sealed")]
        if len(set(labels)) < 3:
            yield Broken("splits", "two splits share their labels", "three separate ones", show(labels))


def _environment(environment: Environment) -> Iterator[Broken]:
    for path in environment.requirements:
        name = PurePosixPath(path).name
        if not _inside(path):
            yield Broken("environment.requirements", "bad value", "a path inside the repository", show(path))
        elif not is_supported(path):
            wanted = "a requirement file (.txt, .in) or a pyproject.toml"
            yield Broken("environment.requirements", "not a format that is read", wanted, name, LOCKS.get(name, ""))
    if environment.requirements:
        if environment.python is not None:
            message = "python and requirements exclude each other"
            fix = "base_python names the interpreter to build with"
            yield Broken("environment.python", message, "one of them", "both", fix)
        return
    for key in ("base_python", "allow_dependency_changes"):
        if getattr(environment, key):
            yield Broken(f"environment.{key}", "says nothing without requirements", "requirements too", "none")


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and "\0" not in path
