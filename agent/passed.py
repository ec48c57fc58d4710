"""Which defaults are dead: every call passes the parameter, so that turning its default changes nothing."""

from collections import defaultdict
from collections.abc import Sequence

import libcst as cst

from .code_map import Call, CodeMap
from .cst_facts import constant_of
from .literal_values import literal_value
from .literals import Site
from .tree_walk import nodes


class PassedArguments:
    """The calls of a repository, by the last word of what they call."""

    def __init__(self, code: CodeMap) -> None:
        self._code = code
        self._calls: dict[str, list[Call]] = defaultdict(list)
        self._dicts: dict[str, dict[str, set[str]]] = {}
        for call in code.calls:
            self._calls[call.callee.rpartition(".")[2]].append(call)

    def always(self, site: Site) -> bool:
        """Whether the code calls the function or class that `site` is a default of, and every call passes it."""
        if site.parameter is None:
            return False
        name, position = site.parameter
        calls = self._calls_of(site.scope)
        return bool(calls) and all(self._passes(call, name, position) for call in calls)

    def _calls_of(self, scope: str) -> Sequence[Call]:
        outer, _, last = scope.rpartition(".")
        if last == "__init__":
            last = outer.rpartition(".")[2]
        return self._calls[last]

    def _passes(self, call: Call, name: str, position: int) -> bool:
        if name in call.keywords or 0 <= position < call.positional:
            return True
        # `Net(**config)` passes what the dict display called `config` holds; of any other nobody knows.
        return name in self._dicts_of(call.file).get(call.keywords.get("**", ""), set())

    def _dicts_of(self, file: str) -> dict[str, set[str]]:
        """Keys of the dict displays of a file, by the name they are assigned to."""
        if file not in self._dicts:
            found = self._dicts.setdefault(file, {})
            for node in nodes(self._code.module(file)) if file in self._code.python_files else ():
                named = constant_of(node)
                if named and isinstance(named[1], cst.Dict):
                    found[named[0]] = _keys(named[1])
        return self._dicts[file]


def _keys(display: cst.Dict) -> set[str]:
    keys = (literal_value(element.key) for element in display.elements if isinstance(element, cst.DictElement))
    return {key for key in keys if isinstance(key, str)}
