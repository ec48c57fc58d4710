"""Which defaults are dead: every call passes the parameter, so that turning its default changes nothing."""

from collections import defaultdict
from collections.abc import Sequence

from .code_map import Call, CodeMap
from .literals import Site


class PassedArguments:
    """The calls of a repository, by the last word of what they call."""

    def __init__(self, code: CodeMap) -> None:
        self._calls: dict[str, list[Call]] = defaultdict(list)
        for call in code.calls:
            self._calls[call.callee.rpartition(".")[2]].append(call)

    def always(self, site: Site) -> bool:
        """Whether the code calls the function or class that `site` is a default of, and every call passes it."""
        if site.parameter is None:
            return False
        name, position = site.parameter
        calls = self._calls_of(site.scope)
        return bool(calls) and all(_passes(call, name, position) for call in calls)

    def _calls_of(self, scope: str) -> Sequence[Call]:
        outer, _, last = scope.rpartition(".")
        if last == "__init__":
            last = outer.rpartition(".")[2]
        return self._calls[last]


def _passes(call: Call, name: str, position: int) -> bool:
    # Nobody knows what `**config` holds; the default is then taken to be alive.
    return name in call.keywords or 0 <= position < call.positional
