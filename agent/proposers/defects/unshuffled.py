"""Training batches come in the same order every epoch.

Why it hurts: files are usually sorted, by class or by time, so batches are of one kind and the gradient swings; the loss
shows a sawtooth. Source: Humbatova et al. 2020, training data faults; DeepCrime.

    before                                      after
    loader = DataLoader(train_set, 64)          loader = DataLoader(train_set, 64, shuffle=True)

    for i in range(0, len(x), 64):              order = torch.randperm(len(x))
        batch = x[i : i + 64]                   for i in range(0, len(x), 64):
                                                    batch = x[order[i : i + 64]]

Not flagged: a sampler, batch_sampler or generator of the user's choice, iterable and streaming data sets, loaders that
are not plainly for training, options passed on by `**`, windows over a sequence, and hand-written loops where anything
permutes or samples.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...proposal import Edit, Evidence
from .base import Finding
from .program import Program, called_name, keyword_of
from .source import Function, Loop, words
from .training import HELD_OUT_WORDS, TRAIN_WORDS, backwards, is_backward, mentions

SEQUENCE_WORDS = frozenset(
    "bptt seq sequence sequences series time timeseries block context window windows stride hidden state stream chunk "
    "horizon".split()
)
SHUFFLING = frozenset(
    "shuffle randperm permutation permute randint choice sample sampler multinomial rand random shuffled perm".split()
)
STREAMS = frozenset("stream streaming iterable iterator iter pipe datapipe webdataset wds".split())
NOT_TRAINING = frozenset("eval evaluate predict test validate infer extract embed dataloaders".split())
CHOSEN = ("sampler", "batch_sampler")


@dataclass(frozen=True, slots=True)
class UnshuffledTraining:
    name: str = "unshuffled_training"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call in function.calls:
                if called_name(call) == "DataLoader" and _is_unshuffled(call) and _trains_on(call, function, program):
                    yield self._loader(function, call)
            for loop, slices in _slicing_loops(function):
                yield self._slices(function, loop, slices)

    def _loader(self, function: Function, call: ast.Call) -> Finding:
        callee = ast.unparse(call)
        same = [c for c in function.everything if isinstance(c, ast.Call) and ast.unparse(c) == callee]
        same.sort(key=lambda node: (node.lineno, node.col_offset))
        extra = {} if len(same) == 1 else {"nth": str(same.index(call) + 1)}
        edit = function.edit("set_keyword", call=callee, keyword="shuffle", value="True", **extra)
        return Finding(
            self.name,
            function.source.path,
            call.lineno,
            function.name,
            "Shuffle the training data",
            "The training loader gives the same batches in the same order every epoch: DataLoader shuffles only when told to.",
            (edit,),
            (Evidence(function.source.path, call.lineno, "the training loader"),),
        )

    def _slices(self, function: Function, loop: ast.For, slices: list[ast.Subscript]) -> Finding:
        source = function.source
        length = source.segment(loop.iter.args[1])  # type: ignore[attr-defined]
        numpy = next((name for name, full in source.aliases.items() if full == "numpy"), "")
        make = "torch.randperm" if source.aliases.get("torch") == "torch" else f"{numpy}.random.permutation"
        name = "order" if "order" not in source.text else "shuffled_order"
        edits: list[Edit] = []
        for text in dict.fromkeys(ast.unparse(cut) for cut in slices):
            cut = next(c for c in slices if ast.unparse(c) == text)
            new = f"{source.segment(cut.value)}[{name}[{source.segment(cut.slice)}]]"
            edits.append(function.edit("replace_expression", old=text, new=new, nth="all"))
        edits.append(function.insert(f"{name} = {make}({length})", "before", loop))
        return Finding(
            self.name,
            source.path,
            loop.lineno,
            function.name,
            "Visit the training examples in a new order every epoch",
            "The loop takes slices of the data from first to last, every epoch the same, and nothing shuffles them.",
            tuple(edits),
            (Evidence(source.path, loop.lineno, "batches in the order of the file"),),
        )


def _is_unshuffled(call: ast.Call) -> bool:
    if any(keyword.arg is None or keyword.arg in CHOSEN for keyword in call.keywords) or len(call.args) > 2:
        return False
    if not call.args and keyword_of(call, "dataset") is None:
        return False
    shuffle = keyword_of(call, "shuffle")
    return shuffle is None or (isinstance(shuffle, ast.Constant) and shuffle.value is False)


def _trains_on(call: ast.Call, function: Function, program: Program) -> bool:
    data = call.args[0] if call.args else keyword_of(call, "dataset")
    if data is None or _is_streaming(data, function, program):
        return False
    if mentions(data, HELD_OUT_WORDS | {"infer", "predict"}):
        return False
    target = _assigned_to(call, function)
    if keyword_of(call, "shuffle") is not None and any(
        mentions(node, SEQUENCE_WORDS) for node in (data, target) if node is not None
    ):
        return False  # said so, and the order may matter
    if target is not None and mentions(target, HELD_OUT_WORDS | {"infer", "predict", "extract"}):
        return False
    if function.words & NOT_TRAINING:
        return False
    named = mentions(data, TRAIN_WORDS) or (target is not None and mentions(target, TRAIN_WORDS))
    if isinstance(target, ast.Name) and _is_only_read(target.id, function, program):
        return False
    if named or {"train", "dataloader"} <= function.words or {"train", "loader"} <= function.words:
        return program.trains
    return isinstance(target, ast.Name) and _is_trained_over(target.id, function)


def _is_only_read(name: str, function: Function, program: Program) -> bool:
    """Whether the loader is used in this file, and never to train: to embed or to score the training data."""
    used = False
    for user in function.source.functions:
        if user is not function and name in user.parameters:
            continue
        for node in user.own:
            if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Load):
                continue
            above = next(
                (a for a in user.source.ancestors(node) if isinstance(a, ast.Call | ast.For | ast.AsyncFor)), None
            )
            if isinstance(above, ast.Call) and (callees := program.callees(above, user)):
                trained = any(is_backward(inner) for callee in callees for inner in callee.everything)
            else:
                loop = next((a for a in user.source.ancestors(node) if isinstance(a, ast.For | ast.AsyncFor)), None)
                trained = loop is None or any(is_backward(inner) for inner in ast.walk(loop))
            if trained:
                return False
            used = True
    return used


def _is_trained_over(name: str, function: Function) -> bool:
    """Whether a loop over that very loader runs backward."""
    loops = [loop for call in backwards(function) for loop in function.source.loops(call)]
    return any(
        isinstance(n, ast.Name) and n.id == name
        for loop in loops
        if isinstance(loop, ast.For)
        for n in ast.walk(loop.iter)
    )


def _assigned_to(call: ast.Call, function: Function) -> ast.expr | None:
    statement = function.source.statement(call)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and call in value.elts:
            return target.elts[value.elts.index(call)]
        if isinstance(value, ast.Dict) and call in value.values:
            return value.keys[value.values.index(call)]
        return target
    return None


def _is_streaming(data: ast.expr, function: Function, program: Program) -> bool:
    if mentions(data, STREAMS):
        return True
    for value, home in program.values(_whole(data, function), function):
        if not isinstance(value, ast.Call):
            continue
        found = program.find_class(called_name(value), home.source)
        if found is not None:
            bases = program.bases(*found)
            if any("Iterable" in base for base in bases) or (bases and program.method(*found, "__iter__") is not None):
                return True
        elif (
            "Iterable" in called_name(value)
            or any(k.arg == "streaming" for k in value.keywords)
            or "shuffle" in words(called_name(value))  # in one order, but not in that of the file
            or home.source.full(value.func).startswith("webdataset")
        ):
            return True
    return False


def _whole(node: ast.expr, function: Function) -> ast.expr:
    """`data` of `data[:n]`, through a variable too."""
    value = function.last_value(node.id, node.lineno) if isinstance(node, ast.Name) else node
    return value.value if isinstance(value, ast.Subscript) and not isinstance(value.value, ast.Call) else node


def _slicing_loops(function: Function) -> Iterator[tuple[ast.For, list[ast.Subscript]]]:
    """Loops over `range(0, n, size)` that train on `data[i : i + size]` where nothing shuffles."""
    seen: list[Loop] = []
    for call in backwards(function):
        for loop in function.source.loops(call):
            if loop in seen or not isinstance(loop, ast.For):
                continue
            seen.append(loop)
            slices = _slices_of(loop)
            if slices and function.source.loops(loop) and not _shuffles(function) and _can_permute(function):
                yield loop, slices


def _slices_of(loop: ast.For) -> list[ast.Subscript]:
    ranged = loop.iter
    if not (isinstance(ranged, ast.Call) and called_name(ranged) == "range" and len(ranged.args) == 3):
        return []
    if not isinstance(loop.target, ast.Name) or mentions(ranged, SEQUENCE_WORDS) or ast.unparse(ranged.args[0]) != "0":
        return []
    if ast.unparse(ranged.args[1])[:4] != "len(" and ".shape[0]" not in ast.unparse(ranged.args[1]):
        return []
    cut = f"[{loop.target.id}:{loop.target.id} + {ast.unparse(ranged.args[2])}]"
    inside = [node for statement in loop.body for node in ast.walk(statement)]
    found = [n for n in inside if isinstance(n, ast.Subscript) and ast.unparse(n).endswith(cut)]
    plain = all(isinstance(n.value, ast.Name | ast.Attribute) for n in found)
    # Inputs and labels: one array alone may be a text that is read on.
    return found if plain and len({ast.unparse(n) for n in found}) >= 2 else []


def _shuffles(function: Function) -> bool:
    names = [n.id for n in function.everything if isinstance(n, ast.Name)]
    names += [n.attr for n in function.everything if isinstance(n, ast.Attribute)]
    return any(SHUFFLING.intersection(words(name)) for name in names)


def _can_permute(function: Function) -> bool:
    return bool({"torch", "numpy"} & set(function.source.aliases.values()))
