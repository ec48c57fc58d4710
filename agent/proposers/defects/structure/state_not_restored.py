"""State that a checkpoint holds and that resuming does not load.

Why it hurts: after an interruption the model goes on with an optimizer that has forgotten its moments, or with a schedule
that starts from the top: the loss jumps at every restart, and a run that was cut in three ends lower than one that was
not. Source: seen in public fix histories.

    before                                          after
    c = torch.load(path)                            c = torch.load(path)
    model.load_state_dict(c["model"])               model.load_state_dict(c["model"])
    start = c["epoch"] + 1                          optimizer.load_state_dict(c["optimizer"])
                                                    start = c["epoch"] + 1

Silent: loading that does not resume (no epoch or step is read), keys that are read anywhere in the program, and
checkpoints whose keys are computed.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, words
from .found import also, at

_STATE = frozenset("optimizer optim opt optimizers scheduler sched scaler ema".split())
_PROGRESS = frozenset("epoch epochs step steps iter iteration global".split())


@dataclass(frozen=True, slots=True)
class StateNotRestored:
    name: str = "state_not_restored"

    def detect(self, program: Program) -> Iterable[Finding]:
        saved = list(_saved(program))
        if not saved:
            return
        read = _keys_read(program)
        for function in program.functions:
            for loaded in _resumed(function):
                for key, value, saver, node in saved:
                    if key not in read and _loads_neighbour(loaded, node, function):
                        yield self._finding(loaded, key, value, (saver, node), function)

    def _finding(
        self, loaded: str, key: str, value: str, place: tuple[Function, ast.Dict], function: Function
    ) -> Finding:
        after = _model_load(loaded, function)
        edits: tuple[Edit, ...] = ()
        if after is not None and _is_known(value, function):
            edits = (function.insert(f'{value}.load_state_dict({loaded}["{key}"])', "after", after),)
        why = f"`{key}` is saved with the model and never read: resuming goes on with a new {value}."
        found = at(self.name, function, after or function.node, f"Load {key} from the checkpoint too", why, edits)
        return replace(found, evidence=(also(*place, "saved here"),))


def _saved(program: Program) -> Iterable[tuple[str, str, Function, ast.Dict]]:
    """Key, object, and place of every optimizer-like state that goes into a checkpoint."""
    for function in program.functions:
        for call in function.calls:
            if called_name(call) != "save" or not function.source.full(call.func).startswith("torch.") or not call.args:
                continue
            for value, home in program.values(call.args[0], function):
                if isinstance(value, ast.Dict):
                    yield from ((key, name, home, value) for key, name in _states(value))


def _states(saved: ast.Dict) -> Iterable[tuple[str, str]]:
    """Keys of a checkpoint that hold an optimizer's or schedule's state, with the object's name."""
    for key, value in zip(saved.keys, saved.values, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or not isinstance(value, ast.Call):
            continue
        if called_name(value) == "state_dict" and isinstance(value.func, ast.Attribute):
            name = ast.unparse(value.func.value)
            if _STATE & set(words(name)):
                yield key.value, name


def _keys_read(program: Program) -> set[str]:
    """Texts that the program uses as a key, or may: everything but the keys of literal dictionaries."""
    found: set[str] = set()
    for source in program.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                above = source.parents.get(node)
                if not isinstance(above, ast.Dict) or node not in above.keys:
                    found.add(node.value)
    return found


def _resumed(function: Function) -> Iterable[str]:
    """Names of loaded checkpoints whose epoch or step is read: training goes on from there."""
    for node in function.own:
        if (
            not isinstance(node, ast.Assign)
            or not isinstance(node.value, ast.Call)
            or not isinstance(node.targets[0], ast.Name)
        ):
            continue
        if called_name(node.value) != "load" or not function.source.full(node.value.func).startswith("torch."):
            continue
        name = node.targets[0].id
        if any(_PROGRESS & set(words(key)) for key in _keys_of(name, function)):
            yield name


def _keys_of(name: str, function: Function) -> list[str]:
    return [
        str(n.slice.value)
        for n in function.own
        if isinstance(n, ast.Subscript) and ast.unparse(n.value) == name and isinstance(n.slice, ast.Constant)
    ]


def _loads_neighbour(loaded: str, node: ast.Dict, function: Function) -> bool:
    """Whether what is loaded has the keys of this dictionary."""
    keys = {k.value for k in node.keys if isinstance(k, ast.Constant)}
    mine = _keys_of(loaded, function)
    return len(mine) > 1 and all(key in keys for key in mine)


def _model_load(loaded: str, function: Function) -> ast.stmt | None:
    for call in function.calls:
        if called_name(call) == "load_state_dict" and loaded in {
            n.id for n in ast.walk(call) if isinstance(n, ast.Name)
        }:
            return function.source.statement(call)
    return None


def _is_known(value: str, function: Function) -> bool:
    """Whether the object has that name in the function too."""
    root = value.split(".")[0]
    return root in function.parameters or bool(function.assignments(value))
