"""What stands for each name that a function or a loop of the target needs, so that it can run on made-up data."""

import ast
import builtins

from ..proposers.defects.program import Program, called_name
from ..proposers.defects.source import Function, words
from ..proposers.defects.training import backwards, is_mini_batch_loop, is_model_value, is_optimizer
from .facts import Ask, Unsettled
from .inlining import Inliner, default_of, loads

STUBS = frozenset("scheduler sched logger log writer wandb pbar bar progress tracker recorder callback run".split())
INPUTS = frozenset("x xs images image imgs img inputs input data features matrix tokens ids src batch samples".split())
TARGETS = frozenset("y ys labels label targets target tgt truth answers".split())
LOADERS = frozenset("loader dataloader iterator dl batches".split())
CRITERIA = frozenset("criterion crit loss objective lossfn".split())
Loop = ast.For | ast.AsyncFor


def training_code(function: Function, program: Program, inliner: Inliner) -> Ask:
    """How to run a function that trains: called when it is one of its own, else its innermost loop alone."""
    if function.name and function.owner is None and "." not in function.name:
        try:
            return loop_code(function, None, program, inliner)
        except Unsettled:
            pass  # its loop may need less
    loops = [loop for loop in function.source.loops(backwards(function)[0]) if isinstance(loop, Loop)]
    if not loops:
        raise Unsettled("the training step is in no loop that can run alone")
    return loop_code(function, loops[0], program, inliner)


def loop_code(function: Function, loop: Loop | None, program: Program, inliner: Inliner) -> Ask:
    """For `called`: `file`, `function` or `text`, `names` with a role each, `batch_calls`.

    Raises: Unsettled, naming the first name whose value only the running script knows.
    """
    if loop is None and (function.owner is not None or "." in function.name or not function.name):
        raise Unsettled("it stands in a method or in the script itself: its object is not made by reading")
    nodes = list(ast.walk(loop)) if loop is not None else list(function.everything)
    taken = _Names(function, nodes, program, inliner)
    names = taken.free() if loop is not None else [p for p in function.parameters if _needed(p, function, taken)]
    calls = [called_name(n) for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    drawn = [name for name in dict.fromkeys(calls) if "batch" in words(name) and "get" in words(name)]
    found = {name: taken.role(name) for name in names if name not in drawn}
    models = [name for name, what in found.items() if what["role"] == "model"]
    if not models:
        raise Unsettled("no name was read to be its model")
    if len(models) > 1 and not taken.are_one(models):
        raise Unsettled(f"it needs {len(models)} models: {', '.join(models)}")
    return {
        "file": function.source.path,
        "function": "" if loop is not None else function.name,
        "text": ast.unparse(loop) if loop is not None else "",
        "names": found,
        "batch_calls": drawn,
    }


def _needed(parameter: str, function: Function, names: "_Names") -> bool:
    return default_of(function, parameter) is None or names.is_central(parameter)


class _Names:
    def __init__(self, function: Function, nodes: list[ast.AST], program: Program, inliner: Inliner) -> None:
        self._function, self._nodes, self._program, self._inliner = function, nodes, program, inliner

    def free(self) -> list[str]:
        """Names a loop reads that nothing in it binds first, and that are not at the top of the file."""
        names = [n for n in self._nodes if isinstance(n, ast.Name)]
        stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        added = {n.target.id for n in self._nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
        loaded = dict.fromkeys(n.id for n in names if isinstance(n.ctx, ast.Load) or n.id in added)
        source = self._function.source
        top = {
            s.name for s in source.tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef)
        } | source.aliases.keys()
        literal = {name for name, values in source.functions[0].assigned.items()
                   if not any(isinstance(n, ast.Call) for _, v in values for n in ast.walk(v))}  # fmt: skip
        known = top | (literal if self._function.name else set())
        before = stored - added
        return [name for name in loaded if name not in known | before and not hasattr(builtins, name)]

    def is_central(self, name: str) -> bool:
        parts = frozenset(words(name))
        return bool(parts & (LOADERS | CRITERIA)) or "device" in parts or is_model_value(_name(name), self._function, self._program)  # fmt: skip

    def are_one(self, names: list[str]) -> bool:
        """Whether the names stand for one model, under several wrappers."""
        made = [{id(v) for v, _ in self._program.values(_name(name), self._function) if isinstance(v, ast.Call)} for name in names]  # fmt: skip
        return all(made) and bool(set.intersection(*made))

    def role(self, name: str) -> Ask:
        """What stands for a name. Raises: Unsettled when only the running script knows."""
        node, parts = _name(name), frozenset(words(name))
        if (beside := self._beside(name, parts)) is not None:
            return beside
        if is_optimizer(node, self._function, self._program):
            return {"role": "optimizer"}
        if (form := self._iterated(name)) is not None:
            return form
        if is_model_value(node, self._function, self._program) and not self._is_flag(node):
            return {"role": "model"}
        if (parts & CRITERIA or name.startswith("loss")) and self._is_called(name):
            return {"role": "criterion", "text": self._inliner.text(node, self._function)}
        if parts & LOADERS:
            return {"role": "loader", "form": "pair"}
        return self._value(node, parts)

    def _beside(self, name: str, parts: frozenset[str]) -> Ask | None:
        """Of what only goes along: a gradient scaler, a logger, a device."""
        if "scaler" in parts and not any(isinstance(n, ast.Attribute) and n.attr == "transform" for n in self._nodes):
            return {"role": "expr", "text": "torch.amp.GradScaler('cpu', enabled=False)"}
        if parts & STUBS:
            return {"role": "stub"}
        return {"role": "device"} if "device" in parts else None

    def _value(self, node: ast.Name, parts: frozenset[str]) -> Ask:
        """Its value where the code spells it out, made-up data where it is loaded."""
        try:
            made, why = self._inliner.text(node, self._function), ""
        except Unsettled as error:
            made, why = "", str(error)
        if made and not loads(ast.parse(made, mode="eval").body):
            return {"role": "expr", "text": made}
        for role, vocabulary in (("targets", TARGETS), ("inputs", INPUTS)):
            if parts & vocabulary:
                return {"role": role}
        if made:
            return {"role": "expr", "text": made}
        raise Unsettled(f"what {node.id} is in {self._function.name or 'the script'} was not read: {why}")

    def _is_flag(self, node: ast.Name) -> bool:
        """Whether a name like a model's only says something about it: `ddp = rank != -1`."""
        values = [value for value, _ in self._program.values(node, self._function)]
        return bool(values) and all(isinstance(v, ast.Compare | ast.BoolOp | ast.Constant) for v in values)

    def _is_called(self, name: str) -> bool:
        return any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name for n in self._nodes)

    def _iterated(self, name: str) -> Ask | None:
        """The form of the batches when a loop goes over the name; None when none does."""
        for loop in self._nodes:
            if isinstance(loop, Loop) and is_mini_batch_loop(loop):
                iterated, target = loop.iter, loop.target
                while (
                    isinstance(iterated, ast.Call)
                    and iterated.args
                    and isinstance(iterated.func, ast.Name | ast.Attribute)
                ):
                    if called_name(iterated) == "enumerate" and isinstance(target, ast.Tuple):
                        target = target.elts[-1]
                    if called_name(iterated) not in ("enumerate", "tqdm", "iter", "track"):
                        break
                    iterated = iterated.args[0]
                if isinstance(iterated, ast.Name) and iterated.id == name:
                    return self._form(target)
        return None

    def _form(self, target: ast.expr) -> Ask:
        if isinstance(target, ast.Tuple):
            if len(target.elts) != 2:
                raise Unsettled(f"a batch of {len(target.elts)} parts is not known how to make")
            return {"role": "loader", "form": "pair"}
        if isinstance(target, ast.Name):
            taken = [n.slice.value for n in self._nodes if isinstance(n, ast.Subscript) and isinstance(n.value, ast.Name)
                     and n.value.id == target.id and isinstance(n.slice, ast.Constant)]  # fmt: skip
            keys = list(dict.fromkeys(key for key in taken if isinstance(key, str)))
            if len(keys) == 2:
                first = next((k for k in keys if frozenset(words(k)) & TARGETS), keys[1])
                return {"role": "loader", "form": "keys", "keys": [keys[1] if first == keys[0] else keys[0], first]}
            unpacked = any(isinstance(n, ast.Assign) and isinstance(n.value, ast.Name) and n.value.id == target.id
                           and isinstance(n.targets[0], ast.Tuple) for n in self._nodes)  # fmt: skip
            return {
                "role": "loader",
                "form": "pair" if any(isinstance(k, int) for k in taken) or unpacked else "single",
            }
        raise Unsettled("the form of a batch was not read")


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load(), lineno=1_000_000, col_offset=0)
