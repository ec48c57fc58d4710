"""Which defaults are dead: every call passes the parameter, so that turning its default changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import libcst as cst

from .code_map import Call, CodeMap
from .cst_facts import constant_of
from .dotted import dotted_name
from .literal_values import literal_value
from .literals import Site
from .tree_walk import nodes


class PassedArguments:
    """The calls of a repository, by the last word of what they call."""

    def __init__(
        self, code: CodeMap, reached: Sequence[str], entry: Sequence[str] = (), configured: Iterable[Call] = ()
    ) -> None:
        """Calls in files that training reaches count, but not what such a file does when it is itself the script and
        `entry` says that it is not. `configured`: objects that configuration files make, as calls."""
        self._code = code
        self._calls: dict[str, list[Call]] = defaultdict(list)
        self._dicts: dict[str, dict[str, set[str]]] = {}
        guards = {file: _guard_line(code.sources[file]) for file in reached if file not in entry}
        own = (call for call in code.calls if call.file in reached)
        runs = (call for call in own if call.caller or call.line < guards.get(call.file, call.line + 1))
        for call in (*runs, *configured):
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
        """Keys that the dicts of a file hold, by the name they are assigned to."""
        if file not in self._dicts:
            found = self._dicts.setdefault(file, {})
            for node in nodes(self._code.module(file)) if file in self._code.python_files else ():
                named = constant_of(node)
                if named and (keys := _keys(named[1])):
                    # Two dicts by one name: only what both hold is surely passed.
                    found[named[0]] = found[named[0]] & keys if named[0] in found else keys
            for node in nodes(self._code.module(file)) if found else ():
                if (added := _added_key(node)) and added[0] in found:
                    found[added[0]].add(added[1])
        return self._dicts[file]


def _guard_line(source: bytes) -> int:
    """The line of `if __name__ == "__main__"`; beyond the end when there is none."""
    lines = source.splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.startswith(b"if __name__")), len(lines) + 1)


def _keys(value: cst.BaseExpression) -> set[str]:
    """String keys of a dict display, of `dict(a=1)`, or those common to all values of `{...: {...}}[name]`."""
    if isinstance(value, cst.Dict):
        keys = (literal_value(element.key) for element in value.elements if isinstance(element, cst.DictElement))
        return {key for key in keys if isinstance(key, str)}
    if isinstance(value, cst.Call) and dotted_name(value.func) == "dict":
        return {argument.keyword.value for argument in value.args if argument.keyword}
    if isinstance(value, cst.Subscript) and isinstance(value.value, cst.Dict):
        options = [_keys(element.value) for element in value.value.elements]
        return set.intersection(*options) if options else set()
    return set()


def _added_key(node: cst.CSTNode) -> tuple[str, str] | None:
    """Name and key of `name["key"] = value`."""
    match node:
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Subscript(value=cst.Name(value=name), slice=[one]))]):
            key = literal_value(one.slice.value) if isinstance(one.slice, cst.Index) else None
            return (name, key) if isinstance(key, str) else None
    return None
