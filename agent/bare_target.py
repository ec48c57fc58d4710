"""A target of which nothing is known but where its code is: enough to read it."""

from collections.abc import Sequence

from ..targets.target import Metric, Steps, Target


def bare_target(source: str, commit: str | None = None, scripts: Sequence[str] = ()) -> Target:
    """`scripts` stand for the entry points: what they import is what training may reach."""
    return Target(
        name="unread",
        repo=source,
        commit=commit,
        steps=Steps(train=("python", *scripts)),
        metric=Metric(name="unknown", direction="maximize"),
        editable=("**",),
    )
