"""The best model, an early stop or a schedule follows a metric in the wrong direction.

Why it hurts: the worst state is kept as the best, training stops at once, or the learning rate falls while all goes
well. Source: defects4ml; DeepCrime (early stopping); Humbatova et al. 2020.

    before                                              after
    if val_loss > best_loss:                            if val_loss < best_loss:
        best_loss = val_loss                                best_loss = val_loss

    EarlyStopping(monitor="val_acc", mode="min")        EarlyStopping(monitor="val_acc", mode="max")

    best_loss = 0                                       best_loss = float("inf")
    if val_loss < best_loss:                            if val_loss < best_loss:

Not flagged: names that say no direction, such as `score` or `metric`; attacks, which look for the largest loss; negated
values; a mode that is left to the framework where it reads the name.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....metric_words import Direction, way_of
from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name, keyword_of
from ..source import Function, words

_MODES = {"min": "minimize", "max": "maximize"}
_ATTACKS = frozenset({"attack", "adversarial", "adv", "pgd", "perturb", "worst", "hard", "hardest", "perturbation"})
_TURNED = {ast.Lt: ">", ast.LtE: ">=", ast.Gt: "<", ast.GtE: "<="}
_DEFAULT_MIN = ("lightning.", "pytorch_lightning.", "torch.optim.lr_scheduler.")


@dataclass(frozen=True, slots=True)
class BestWrongWay:
    name: str = "best_wrong_way"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            attacks = _ATTACKS & {*function.words, *words(function.source.path.replace("/", "_"))}
            for node in function.own:
                if isinstance(node, ast.If) and not attacks:
                    yield from self._kept(node, function)
                elif isinstance(node, ast.Call):
                    yield from self._monitored(node, function)
                    yield from self._scheduled(node, function, program)

    def _kept(self, node: ast.If, function: Function) -> Iterator[Finding]:
        match node.test:
            case ast.Compare(left=new, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() as op], comparators=[best]):
                pass
            case _:
                return
        smaller = isinstance(op, ast.Lt | ast.LtE)
        if "best" in _said(new):
            new, best, smaller = best, new, not smaller
        if "best" not in _said(best) or "best" in _said(new) or not _keeps(node.body, best, new):
            return
        named = {way for side in (best, new) if (way := way_of(ast.unparse(side)))}
        if len(named) != 1:
            return
        way = named.pop()
        if way != ("minimize" if smaller else "maximize"):
            text = f"{ast.unparse(node.test.left)} {_TURNED[type(op)]} {ast.unparse(node.test.comparators[0])}"
            why = f"`{ast.unparse(node.test)}` keeps the worst `{ast.unparse(new)}`: it is to {way}."
            edits = (function.replace(node.test, text),)
            yield self._finding(function, node, "Turn the comparison with the best around", why, edits)
            return
        yield from self._start(best, way, node, function)

    def _start(self, best: ast.expr, way: Direction, node: ast.If, function: Function) -> Iterator[Finding]:
        """A first best that no value can beat: 0 for a loss, infinity for an accuracy."""
        before = [(line, v) for line, v in function.assignments(ast.unparse(best)) if line < node.lineno]
        if len(before) != 1 or not function.source.loops(node):
            return
        value = before[0][1]
        text = ast.unparse(value)
        infinite = text in (
            "float('inf')",
            "math.inf",
            "np.inf",
            "numpy.inf",
            "torch.inf",
            "sys.maxsize",
            "float('Inf')",
        )
        below = isinstance(value, ast.Constant) and type(value.value) in (int, float) and value.value == 0
        negative = text.startswith("-") and text[1:] in ("float('inf')", "math.inf", "np.inf")
        if (way == "maximize" and not infinite) or (way == "minimize" and not (below or negative)):
            return
        statement = function.source.statement(value) if value in function.source.parents else None
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or statement.value is not value:
            return
        if function.source.loops(statement)[:1] == function.source.loops(node)[:1]:
            return
        new = "float('inf')" if way == "minimize" else "float('-inf')"
        code = f"{function.source.segment(statement.targets[0])} = {new}"
        edits = (function.rewrite(statement, code),)
        why = f"`{ast.unparse(best)}` is to {way} and starts at {text}, which no value beats: nothing is ever kept."
        yield self._finding(function, statement, "Start the best at a value that can be beaten", why, edits)

    def _monitored(self, call: ast.Call, function: Function) -> Iterator[Finding]:
        """`EarlyStopping(monitor="val_acc", mode="min")`, `TrainingArguments(metric_for_best_model=...)`."""
        match keyword_of(call, "monitor"), keyword_of(call, "mode"):
            case ast.Constant(value=str(what)), (None | ast.Constant(value="min" | "max")) as given:
                full = function.source.full(call.func)
                if isinstance(given, ast.Constant):
                    asked = str(given.value)
                elif full.startswith(_DEFAULT_MIN) and called_name(call) in ("EarlyStopping", "ModelCheckpoint"):
                    asked = "min"
                else:
                    return
                if (way := way_of(what)) and way != _MODES[asked]:
                    right = "max" if asked == "min" else "min"
                    why = f"{called_name(call)} watches `{what}`, which is to {way}, with mode {asked!r}."
                    yield self._finding(
                        function,
                        call,
                        f"Watch {what} with mode {right}",
                        why,
                        (function.set_keyword(call, "mode", repr(right)),),
                    )
        match keyword_of(call, "metric_for_best_model"), keyword_of(call, "greater_is_better"):
            case ast.Constant(value=str(what)), ast.Constant(value=bool(up)):
                if (way := way_of(what)) and up is not (way == "maximize"):
                    edit = function.set_keyword(call, "greater_is_better", str(not up))
                    why = f"The best model is chosen by `{what}`, which is to {way}, with greater_is_better={up}."
                    yield self._finding(function, call, f"Choose the best {what} the right way round", why, (edit,))

    def _scheduled(self, call: ast.Call, function: Function, program: Program) -> Iterator[Finding]:
        """`scheduler.step(val_acc)` of `ReduceLROnPlateau(optimizer)`, which waits for a minimum."""
        match call:
            case ast.Call(func=ast.Attribute(value=owner, attr="step"), args=[ast.Name() | ast.Attribute() as given]):
                way = way_of(ast.unparse(given))
            case _:
                return
        made = [(v, f) for v, f in program.values(owner, function) if isinstance(v, ast.Call)] if way else []
        if len(made) != 1 or called_name(made[0][0]) != "ReduceLROnPlateau":
            return
        plateau, home = made[0]
        mode = keyword_of(plateau, "mode") or (plateau.args[1] if len(plateau.args) > 1 else None)
        if any(k.arg is None for k in plateau.keywords) or not (mode is None or isinstance(mode, ast.Constant)):
            return
        asked = mode.value if isinstance(mode, ast.Constant) else "min"
        if asked not in _MODES or _MODES[str(asked)] == way:
            return
        right = "max" if asked == "min" else "min"
        if mode is not None and mode in plateau.args:
            edit = home.replace(plateau, home.source.spliced(plateau, mode, repr(right)))
        else:
            edit = home.set_keyword(plateau, "mode", repr(right))
        why = f"The schedule is stepped with `{ast.unparse(given)}`, which is to {way}, and waits for its {asked}imum."
        yield self._finding(home, plateau, f"Lower the rate when {ast.unparse(given)} stalls", why, (edit,))

    def _finding(self, function: Function, node: ast.AST, title: str, why: str, edits: tuple[Edit, ...]) -> Finding:
        line = getattr(node, "lineno", 1)
        return Finding(
            self.name, function.source.path, line, function.name, title[:72], why, edits, confidence="high",
        )  # fmt: skip


def _said(node: ast.expr) -> set[str]:
    return set(words(ast.unparse(node))) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else set()


def _keeps(body: list[ast.stmt], best: ast.expr, new: ast.expr) -> bool:
    """Whether a block sets the best to the new value."""
    return any(
        isinstance(s, ast.Assign)
        and ast.unparse(s.value) in (ast.unparse(new), f"{ast.unparse(new)}.item()", f"float({ast.unparse(new)})")
        and any(ast.unparse(t) == ast.unparse(best) for t in s.targets)
        for s in body
    )
