"""Every literal of a Python file that could be a hyperparameter: where it stands, under a name that stays the same
when lines move. `tunables` decides which of them a tuner may turn; `set_literal` changes one of them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal as OneOf

import libcst as cst

from ..targets.tunable import Value
from .call_sites import ESTIMATORS, parameters_of
from .dotted import dotted_name, import_aliases
from .facts import resolve
from .literal_values import literal_value
from .option_calls import option_of
from .roles import ESTIMATOR_PACKAGES
from .tree_walk import walk
from .words import said, words

Place = OneOf["constant", "variable", "attribute", "option", "field", "parameter", "argument", "keyword", "entry"]

BUILDERS = frozenset(
    "init train trainer fit main run build make create model net network pretrain finetune optimizer optimizers "
    "configure learn setup".split()
)
"""Functions whose parameter defaults are settings, whatever the parameter is called."""
DATA_WORDS = frozenset(
    {"data", "dataset", "datasets", "dataloader", "dataloaders", "loader", "loaders", "tokenizer", "sampler"}
)
"""Code that makes data: its parameters are settings only where a rule knows their name."""
STATES = frozenset({"is", "has", "have", "was", "found", "done", "available", "installed", "ready", "first"})
"""A switch whose name says one of these tells how things are."""
FIELD_DECORATORS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "s", "attrib"})
FIELD_BASES = frozenset({"BaseModel", "BaseSettings", "NamedTuple", "Struct"})
FIELD_CALLS = frozenset({"field", "Field", "ib", "attrib"})


@dataclass(frozen=True)
class Site:
    """One literal in its place."""

    key: str
    """Unique inside the file, such as `Net.__init__.Dropout.p`."""
    name: str
    """The word the range rules know it by."""
    node: cst.BaseExpression
    value: Value
    place: Place
    scope: str
    """Qualified name of the enclosing function or class; empty at module level."""
    declared: str = ""
    """`int`, `float`, `bool` or `str` when the code says so."""
    options: tuple[str, ...] = ()
    """Command-line spellings, for an option."""
    choices: tuple[str, ...] = ()
    """A closed set of strings the code shows for it."""
    parameter: tuple[str, int] | None = None
    """For a parameter or a field: its name, and its position in a call (-1 when keyword only)."""
    bounds: tuple[float | None, float | None] = (None, None)
    """Limits the code itself declares."""
    callee: str = ""
    """For a keyword: the dotted name of what is called, which only the whole repository can place."""
    is_fixed: bool = False
    """A name of the module's own top level, bound this once: no flag that the code turns itself."""


def sites_in(module: cst.Module) -> tuple[Site, ...]:
    """Every candidate literal of `module`, in order, keys unique."""
    return sites_and_choices(module)[0]


def sites_and_choices(module: cst.Module) -> tuple[tuple[Site, ...], Mapping[str, Mapping[str, None]]]:
    """The candidates, and for each name the strings the code compares it with or has as keys of a table it looks it up in."""
    finder = _Finder(import_aliases(module))
    walk(module, finder)
    lines = (line for line in module.body if isinstance(line, cst.SimpleStatementLine))
    top = {id(one.value) for line in lines for one in line.body if isinstance(one, cst.Assign | cst.AnnAssign)}
    seen: Counter[str] = Counter()
    unique: list[Site] = []
    for site in finder.sites:
        seen[site.key] += 1
        key = site.key if seen[site.key] == 1 else f"{site.key}#{seen[site.key]}"
        fixed = id(site.node) in top and finder.bound[site.name] == 1
        choices = site.choices or tuple(finder.compared.get(choice_name(site), ()))
        unique.append(replace(site, key=key, choices=choices, is_fixed=fixed))
    return tuple(unique), finder.compared


def choice_name(site: Site) -> str:
    """The name that the code compares when it reads the value of `site`."""
    return site.key.partition("#")[0].rpartition(".")[2].lstrip("-").replace("-", "_")


class _Finder:
    """Visitor for `walk`: keeps the scope, collects sites."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.aliases = aliases
        self.scope: list[str] = []
        self.fields: list[bool] = []
        """For each class around us, whether its annotated names are fields."""
        self.field_count: list[int] = []
        self.sites: list[Site] = []
        self.compared: dict[str, dict[str, None]] = defaultdict(dict)
        self.bound: Counter[str] = Counter()
        """How often each name is assigned, anywhere in the file."""
        self.tables: dict[str, tuple[str, ...]] = {}
        """Names bound to a dict display, with its string keys."""

    @property
    def here(self) -> str:
        return ".".join(self.scope)

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        marks = {
            self._last(d.decorator.func if isinstance(d.decorator, cst.Call) else d.decorator) for d in node.decorators
        }
        bases = {self._last(base.value) for base in node.bases}
        self.scope.append(node.name.value)
        self.fields.append(bool(marks & FIELD_DECORATORS or bases & FIELD_BASES))
        self.field_count.append(0)

    def leave_ClassDef(self, node: cst.ClassDef) -> None:
        self.scope.pop()
        self.fields.pop()
        self.field_count.pop()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        in_class = self._in_class_body()
        self.scope.append(node.name.value)
        self.fields.append(False)
        self.field_count.append(-1)
        params = list(node.params.params)
        if in_class and params and params[0].name.value in {"self", "cls"}:
            params = params[1:]
        numbered = [*enumerate(params), *((-1, param) for param in node.params.kwonly_params)]
        command = any("command" in words(self._last_of_call(d.decorator)) for d in node.decorators)
        for position, param in numbered:
            if param.default is not None:
                self._parameter(param, param.default, position, command=command)

    def leave_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.scope.pop()
        self.fields.pop()
        self.field_count.pop()

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            self.bound[dotted_name(target.target)] += 1
        if len(node.targets) == 1:
            name, keys = dotted_name(node.targets[0].target), _string_keys(node.value)
            if name and keys:
                self.tables[name] = keys
            self._assignment(node.targets[0].target, node.value, "")

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self.bound[dotted_name(node.target)] += 1

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self.bound[dotted_name(node.target)] += 1
        declared = dotted_name(node.annotation.annotation)
        closed = _literal_choices(node.annotation.annotation)
        if self._in_class_body() and self.fields[-1] and isinstance(node.target, cst.Name):
            self.field_count[-1] += 1
            if node.value is not None:
                self._field(node.target.value, node.value, declared, closed)
        elif node.value is not None:
            self._assignment(node.target, node.value, declared)

    def visit_Call(self, node: cst.Call) -> None:
        callee = resolve(dotted_name(node.func), self.aliases)
        if option := option_of(callee, node):
            key = f"{option.library}.{option.options[0]}"
            for suffix, element, value in _elements(option.default):
                self._add(key + suffix, option.name, element, value, "option", declared=option.declared,
                          options=option.options, choices=option.choices)  # fmt: skip
            return
        last = callee.rpartition(".")[2]
        if callee == "dict":
            self._group({a.keyword.value: a.value for a in node.args if a.keyword})
            return
        if callee.startswith(ESTIMATOR_PACKAGES) and last[:1].isupper():
            self._arguments(node, last, ESTIMATORS)
        elif (table := parameters_of(callee)) is not None:
            if last != "DataLoader" or _loads_training_data(node, self.here):
                self._arguments(node, last, table)
        elif callee:
            self._keywords(node, callee)

    def visit_Dict(self, node: cst.Dict) -> None:
        pairs = [(literal_value(e.key), e.value) for e in node.elements if isinstance(e, cst.DictElement)]
        self._group({key: value for key, value in pairs if isinstance(key, str)})

    def _group(self, settings: Mapping[str, cst.BaseExpression]) -> None:
        """A group of an optimizer's parameters, `{"params": ..., "lr": 0.1}`; one without decay is without it on purpose."""
        if "params" not in settings:
            return
        prefix = f"{self.here}.group" if self.scope else "group"
        for name, setting in settings.items():
            for suffix, element, value in _elements(setting):
                if value and not isinstance(value, bool | str):
                    self._add(f"{prefix}.{name}{suffix}", name, element, value, "argument")

    def visit_Subscript(self, node: cst.Subscript) -> None:
        """`{"a": A, "b": B}[name]`, or the same by the name of the table: what `name` may be."""
        keys = _string_keys(node.value) or self.tables.get(dotted_name(node.value), ())
        if len(keys) > 1 and len(node.slice) == 1 and isinstance(index := node.slice[0].slice, cst.Index):
            name = dotted_name(index.value).rpartition(".")[2]
            if name:
                self.compared[name].update(dict.fromkeys(keys))

    def visit_Comparison(self, node: cst.Comparison) -> None:
        name = dotted_name(node.left).rpartition(".")[2]
        for target in node.comparisons:
            if name and isinstance(target.operator, cst.Equal | cst.In | cst.NotEqual | cst.NotIn):
                for _, _, value in _elements(target.comparator):
                    if isinstance(value, str):
                        self.compared[name][value] = None

    def _in_class_body(self) -> bool:
        return bool(self.field_count) and self.field_count[-1] >= 0

    def _assignment(self, target: cst.BaseExpression, value: cst.BaseExpression, declared: str) -> None:
        name = dotted_name(target)
        if not name:
            return
        last = name.rpartition(".")[2]
        place: Place = "attribute" if "." in name or self._in_class_body() else "variable"
        if not self.scope and name.isupper():
            place = "constant"
        key = f"{self.here}.{name}" if self.scope else name
        for suffix, element, literal in _elements(value):
            self._add(key + suffix, last, element, literal, place, declared=declared)
        for path, element, literal in _entries(value):
            self._add(f"{key}.{path}", path.rpartition(".")[2].partition("[")[0], element, literal, "entry")

    def _field(self, name: str, value: cst.BaseExpression, declared: str, closed: tuple[str, ...]) -> None:
        bounds: tuple[float | None, float | None] = (None, None)
        if isinstance(value, cst.Call) and self._last(value.func) in FIELD_CALLS:
            bounds = _declared_bounds(value)
            value = _default_of(value, positional=self._last(value.func) == "Field") or value
        for suffix, element, literal in _elements(value):
            self._add(f"{self.here}.{name}{suffix}", name, element, literal, "field", declared=declared,
                      choices=closed, bounds=bounds, parameter=(name, self.field_count[-1] - 1))  # fmt: skip

    def _parameter(self, param: cst.Param, default: cst.BaseExpression, position: int, *, command: bool) -> None:
        name = param.name.value
        annotation = param.annotation.annotation if param.annotation else None
        options: tuple[str, ...] = ()
        if isinstance(default, cst.Call) and self._last(default.func) in {"Option", "Argument"}:  # typer
            options = tuple(
                text for a in default.args if isinstance(text := literal_value(a.value), str) and text[:1] == "-"
            )
            command, default = True, _default_of(default, positional=True) or default
        place: Place = "option" if command else "parameter"
        if command:
            options = options or ("--" + name.replace("_", "-"),)
        for suffix, element, literal in _elements(default):
            self._add(f"{self.here}.{name}{suffix}", name, element, literal, place, options=options,
                      declared=dotted_name(annotation) if annotation else "", parameter=(name, position),
                      choices=_literal_choices(annotation) if annotation else ())  # fmt: skip

    def _arguments(self, call: cst.Call, callee: str, table: Mapping[str, tuple[int, str]]) -> None:
        by_position = {position: name for name, (position, _) in reversed(list(table.items())) if position >= 0}
        prefix = f"{self.here}.{callee}" if self.scope else callee
        for index, argument in enumerate(call.args):
            if argument.star:
                return
            name = argument.keyword.value if argument.keyword else by_position.get(index, "")
            if name not in table:
                continue
            for suffix, element, literal in _elements(argument.value):
                self._add(f"{prefix}.{name}{suffix}", table[name][1], element, literal, "argument")

    def _keywords(self, call: cst.Call, callee: str) -> None:
        prefix = ".".join(part for part in (self.here, callee.rpartition(".")[2]) if part)
        for argument in call.args:
            if argument.keyword and not isinstance(value := literal_value(argument.value), str) and value is not None:
                name = argument.keyword.value
                self._add(f"{prefix}.{name}", name, argument.value, value, "keyword", callee=callee)

    def _add(self, key: str, name: str, node: cst.BaseExpression, value: Value, place: Place, **more: object) -> None:
        self.sites.append(Site(key, name, node, value, place, self.here, **more))  # type: ignore[arg-type]

    def _last(self, node: cst.BaseExpression) -> str:
        return resolve(dotted_name(node), self.aliases).rpartition(".")[2]

    def _last_of_call(self, node: cst.BaseExpression) -> str:
        return self._last(node.func if isinstance(node, cst.Call) else node)


def is_setting(site: Site) -> bool:
    """Whether the code itself offers this literal as a setting, so that any name will do."""
    if site.place in {"option", "field"}:
        return True
    if DATA_WORDS & set(words(site.scope)):
        return False
    if site.place == "parameter":
        return bool(BUILDERS & set(words(site.scope.rpartition(".")[2])))
    if isinstance(site.value, bool):
        return site.is_fixed and not STATES & set(words(site.name))
    return site.place == "constant" and isinstance(site.value, float)


def _string_keys(node: cst.BaseExpression) -> tuple[str, ...]:
    """The keys of a dict display when all are strings."""
    if not isinstance(node, cst.Dict):
        return ()
    keys = [literal_value(element.key) for element in node.elements if isinstance(element, cst.DictElement)]
    return tuple(key for key in keys if isinstance(key, str)) if len(keys) == len(node.elements) else ()


def _elements(node: cst.BaseExpression) -> Iterator[tuple[str, cst.BaseExpression, Value]]:
    """The literal, or the literals of a tuple or list, each with the suffix its name gets."""
    if (value := literal_value(node)) is not None:
        yield "", node, value
    elif isinstance(node, cst.Tuple | cst.List):
        for index, element in enumerate(node.elements):
            if (value := literal_value(element.value)) is not None:
                yield f"[{index}]", element.value, value


def _entries(node: cst.BaseExpression) -> Iterator[tuple[str, cst.BaseExpression, Value]]:
    """Literals below the string keys of a dict display or a `dict(...)` call, by dotted path."""
    pairs: list[tuple[str, cst.BaseExpression]] = []
    if isinstance(node, cst.Dict):
        for element in node.elements:
            if isinstance(element, cst.DictElement) and isinstance(key := literal_value(element.key), str):
                pairs.append((key, element.value))
    elif isinstance(node, cst.Call) and dotted_name(node.func) == "dict":
        pairs = [(argument.keyword.value, argument.value) for argument in node.args if argument.keyword]
    for key, value in pairs:
        yield from ((key + suffix, element, literal) for suffix, element, literal in _elements(value))
        yield from ((f"{key}.{path}", element, literal) for path, element, literal in _entries(value))


def _default_of(call: cst.Call, *, positional: bool) -> cst.BaseExpression | None:
    for argument in call.args:
        if argument.keyword and argument.keyword.value == "default":
            return argument.value
    first = call.args[0] if call.args else None
    return first.value if first and positional and not first.keyword and not first.star else None


def _declared_bounds(call: cst.Call) -> tuple[float | None, float | None]:
    limits = {a.keyword.value: literal_value(a.value) for a in call.args if a.keyword}
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    return (
        low if isinstance(low, int | float) else None,
        high if isinstance(high, int | float) else None,
    )


def _literal_choices(annotation: cst.BaseExpression) -> tuple[str, ...]:
    """The strings of `Literal["a", "b"]`."""
    if not isinstance(annotation, cst.Subscript) or dotted_name(annotation.value).rpartition(".")[2] != "Literal":
        return ()
    values = [literal_value(e.slice.value) for e in annotation.slice if isinstance(e.slice, cst.Index)]
    return tuple(value for value in values if isinstance(value, str))


def _loads_training_data(call: cst.Call, scope: str) -> bool:
    """A loader that shuffles, or whose data set is called *train*: batch size there is part of training."""
    keywords = {a.keyword.value: a.value for a in call.args if a.keyword}
    first = dotted_name(call.args[0].value) if call.args else ""
    measured = frozenset({"val", "valid", "validation", "test", "eval", "dev"})
    if said(words(f"{scope} {first}"), measured):
        return False
    return literal_value(keywords["shuffle"]) is True if "shuffle" in keywords else "train" in words(f"{first} {scope}")
