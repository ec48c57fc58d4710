"""The answer is among the features: the target column was never taken out of the frame the model learns from.

Why it hurts: the score is nearly perfect, here and on the test split, and worthless on new data.

Source: Kapoor & Narayanan 2023, leakage type L2 (illegitimate features); Humbatova et al. 2020 (training data).

    X = df.drop(columns=["id"])              X = df.drop(columns=["id", "price"])
    y = df["price"]                    ->    y = df["price"]

Silent: a target that was shifted in time (the column itself is then known), popped from the frame, or dropped anywhere
between the frame and the model.
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .base import Finding
from .program import Program, called_name, keyword_of
from .source import Function, words

_LEARN = frozenset({"fit", "fit_transform", "fit_resample", "train_test_split", "cross_val_score", "cross_validate",
                    "cross_val_predict", "Dataset", "DMatrix"})  # fmt: skip
_SAME_COLUMN = frozenset({"to_numpy", "astype", "copy", "map", "replace", "fit_transform", "array", "asarray", "ravel",
                          "reshape", "flatten", "log", "log1p", "squeeze", "to_list", "tolist", "round"})  # fmt: skip
_SAME_FRAME = frozenset({"to_numpy", "astype", "copy", "fillna", "dropna", "reset_index", "array", "asarray"})
Written = Callable[[ast.AST], str]
_SELECTS = frozenset({"drop", "pop", "__delitem__", "loc", "iloc", "filter", "select_dtypes", "delete"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a frame (`df["price"]`) or of an array (`data[:, -1]`)."""

    frame: str
    key: ast.expr

    @property
    def place(self) -> int | None:
        """The column's number when it is one of an array."""
        value = _literal(self.key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class TargetLeak:
    name: str = "target_leak"

    def detect(self, program: Program) -> Iterable[Finding]:
        for function in program.functions:
            for call, features, target in _learned_from(function):
                made = function.last_value(features, call.lineno)
                column = _column(function.last_value(target, call.lineno))
                if made is None or column is None or _taken_out_later(function, features, column, call.lineno):
                    continue
                if (new := _without(made, column, function.source.segment)) is not None:
                    yield self._finding(function, made, column, new)
                    break

    def _finding(self, function: Function, made: ast.expr, column: Column, new: str) -> Finding:
        key = f"column {column.place}" if column.place is not None else ast.unparse(column.key)
        return Finding(
            detector=self.name,
            file=function.source.path,
            line=made.lineno,
            symbol=function.name,
            title=f"Take the target {key} out of the features"[:72],
            rationale=f"`{ast.unparse(made)}` still holds {key}, which is what the model is to predict: it can read the "
            "answer, so its score says nothing.",
            edits=(function.replace(made, new),),
        )


def _learned_from(function: Function) -> Iterator[tuple[ast.Call, str, str]]:
    """Calls that take features and target side by side, and the names of both."""
    for call in function.calls:
        if called_name(call) not in _LEARN:
            continue
        names = [arg.id for arg in call.args if isinstance(arg, ast.Name)]
        label = keyword_of(call, "label") or keyword_of(call, "y")
        names += [label.id] if isinstance(label, ast.Name) else []
        start = 1 if names and called_name(call).startswith("cross_val") and len(names) > 2 else 0
        if len(names) >= start + 2:
            yield call, names[start], names[start + 1]


def _column(value: ast.expr | None) -> Column | None:
    """The column a target is made of, through steps that leave every value in its row."""
    match value:
        case ast.Attribute(value=inner, attr="values" | "T"):
            return _column(inner)
        case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in _SAME_COLUMN:
            return _column(value.args[0]) if _is_function_of_first(value, inner) else _column(inner)
        case ast.Subscript(value=ast.Name(id=frame), slice=ast.List(elts=[key])):
            return Column(frame, key) if _is_key(key) else None
        case ast.Subscript(value=ast.Name(id=frame), slice=ast.Tuple(elts=[ast.Slice(None, None, None), key])):
            return Column(frame, key) if isinstance(_literal(key), int) else None
        case ast.Subscript(value=ast.Name(id=frame), slice=key) if _is_key(key):
            return Column(frame, key)
    return None


def _is_function_of_first(call: ast.Call, owner: ast.expr) -> bool:
    """`np.log1p(df["price"])`, `encoder.fit_transform(df["kind"])`: the column is the argument, not the owner."""
    return bool(call.args) and _column(call.args[0]) is not None and _column(owner) is None


def _is_key(node: ast.expr) -> bool:
    """A name in quotes, or a constant that is called after what it names: `df[TARGET]`, `df[label_col]`."""
    return isinstance(_literal(node), str) or (
        isinstance(node, ast.Name) and bool({"target", "label"} & set(words(node.id)))
    )


def _literal(node: ast.expr | None) -> object:
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError):
        return None


def _without(made: ast.expr, column: Column, written: Written) -> str | None:
    """The features without the target; None when they do not hold it, or that cannot be seen."""
    if column.place is not None:
        return _array_without(made, column.frame, column.place)
    match made:
        case ast.Name(id=name) if name == column.frame:
            return f"{name}.drop(columns={written(column.key)})"
        case ast.Attribute(value=inner, attr="values"):
            kept = _without(inner, column, written)
            return f"{kept}.values" if kept else None
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="drop")) if name == column.frame:
            return _drop_also(made, column.key, written)
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in _SAME_FRAME:
            kept = _without(inner, column, written)
            return kept + written(made)[len(written(inner)) :] if kept else None
    return None


def _drop_also(call: ast.Call, key: ast.expr, written: Written) -> str | None:
    """A drop of other columns that drops `key` too."""
    axis = _literal(keyword_of(call, "axis"))
    axis = _literal(call.args[1]) if len(call.args) > 1 else axis
    named = keyword_of(call, "columns")
    dropped = named or (call.args[0] if call.args and axis in (1, "columns") else None)
    if keyword_of(call, "inplace") is not None or dropped is None:
        return None
    parts = dropped.elts if isinstance(dropped, ast.List | ast.Tuple) else [dropped]
    if any(_literal(part) is None for part in parts) or ast.unparse(key) in {ast.unparse(part) for part in parts}:
        return None  # a name may stand for the target
    if not isinstance(_literal(key), str):
        return None
    both = ", ".join(written(part) for part in (*parts, key))
    return written(call).replace(written(dropped), f"[{both}]", 1)


def _array_without(made: ast.expr, frame: str, place: int) -> str | None:
    """`data[:, 1:]` with target `data[:, -1]` -> `data[:, 1:-1]`; only the first and the last column can be cut off."""
    match made:
        case ast.Name(id=name) if name == frame:
            lower = 0
        case ast.Subscript(
            value=ast.Name(id=name), slice=ast.Tuple(elts=[ast.Slice(None, None, None), ast.Slice(first, None, None)])
        ) if name == frame:
            start = _literal(first) if first is not None else 0
            if not isinstance(start, int) or start < 0:
                return None
            lower = start
        case _:
            return None
    if place == -1:
        return f"{frame}[:, {lower or ''}:-1]"
    return f"{frame}[:, 1:]" if place == 0 and lower == 0 else None


def _taken_out_later(function: Function, features: str, column: Column, line: int) -> bool:
    """Whether the frame or the features lose a column in some way before the model sees them, or were taken apart."""
    for node in function.own:
        if getattr(node, "lineno", line) >= line:
            continue
        match node:
            case ast.Delete(targets=targets):
                texts = [ast.unparse(target) for target in targets]
                if any(text.startswith((f"{features}[", f"{column.frame}[")) for text in texts):
                    return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if name in (features, column.frame):
                if method == "pop" or (method in _SELECTS and keyword_of(node, "inplace") is not None):
                    return True
    frames = function.assignments(column.frame)
    return any(_mentions_removal(value, column) for at, value in frames if at < line)


def _mentions_removal(value: ast.expr, column: Column) -> bool:
    """A frame that is made anew without the column after the target was read."""
    for node in ast.walk(value):
        if (
            isinstance(node, ast.Call)
            and called_name(node) in _SELECTS
            and ast.unparse(column.key) in ast.unparse(node)
        ):
            return True
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == column.frame:
            return True
    return False
