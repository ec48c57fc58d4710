"""Where the value of an expression comes from, by name: which calls and tables a function's result is made of."""

import ast
from collections.abc import Iterator, Mapping

WRAPPERS = frozenset({
    "compile", "DataParallel", "DistributedDataParallel", "DDP", "FSDP", "FullyShardedDataParallel", "prepare", "script",
    "get_peft_model", "jit", "partial", "prepare_model", "setup", "list", "tuple", "wrap",
})  # fmt: skip
"""Calls that hand on their first argument, dressed."""
CHAINED = frozenset({
    "to", "cuda", "cpu", "half", "float", "double", "bfloat16", "eval", "train", "requires_grad_", "item", "mean",
    "sum", "apply",
})  # fmt: skip
"""Methods that hand on what they are called on."""
LOOKUPS = frozenset({"get", "build", "create", "pop"})
MAX_DEPTH = 6
MAX_ITEMS = 30
LOOKED_UP = "[]"
"""Ends a name that is looked in, not called: `MODELS[]` is some value of the table `MODELS`."""
PART = "."
"""Ends a name of which only a part is taken: `reply.choices[0].text`."""
LOCAL = "="
"""Starts a name that stands for whatever the function bound to it."""


def origins(node: ast.expr | None, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Names that the value of `node` comes from, as they are written."""
    if node is None or depth == 0:
        return
    match node:
        case ast.Call():
            yield from _of_call(node, depth)
        case ast.Name(id=name):
            yield LOCAL + name
        case ast.IfExp(body=first, orelse=second):
            yield from origins(first, depth - 1)
            yield from origins(second, depth - 1)
        case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
            yield from origins(value, depth - 1)
        case ast.BoolOp(values=values) | ast.Dict(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
            for value in values[:MAX_ITEMS]:
                yield from origins(value, depth - 1)
        case ast.Subscript():
            yield from _looked_up(node.value, depth)
            yield from (part_of(name) for name in origins(node.value, depth - 1))
        case ast.Attribute(value=value):
            yield from (part_of(name) for name in origins(value, depth - 1))
        case ast.BinOp(left=left, right=right):
            yield from origins(left, depth - 1)
            yield from origins(right, depth - 1)


def _of_call(node: ast.Call, depth: int) -> Iterator[str]:
    called = node.func
    if isinstance(called, ast.Subscript):  # MODELS[name](...)
        yield from _looked_up(called.value, depth)
    elif isinstance(called, ast.Call):  # getattr(models, name)(...), MODELS.get(name)(...), partial(f)(...)
        yield from _of_call(called, depth - 1) if depth > 1 else ()
    elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Call | ast.Subscript):
        if called.attr in CHAINED:  # Net().to(device)
            yield from origins(called.value, depth - 1)
        else:  # OpenAI().chat
            yield from (f"{name}.{called.attr}" for name in origins(called.value, depth - 1))
    elif name := dotted(called):
        owner, _, last = name.rpartition(".")
        if last == "getattr" and node.args:
            yield from _looked_up(node.args[0], depth)
            return
        if last in WRAPPERS and node.args:
            yield from origins(node.args[0], depth - 1)
        elif last in CHAINED and owner and "." not in owner:
            yield LOCAL + owner
        elif last in LOOKUPS and owner:
            yield owner + LOOKED_UP
        yield name


def _looked_up(node: ast.expr, depth: int) -> Iterator[str]:
    if isinstance(node, ast.Dict):
        yield from (name for value in node.values[:MAX_ITEMS] if (name := dotted(value)))
    elif isinstance(node, ast.Attribute) and node.attr == "__dict__":
        yield from (dotted(node.value) + LOOKED_UP,)
    elif isinstance(node, ast.Call):
        if dotted(node.func) in {"globals", "locals"}:
            yield "globals" + LOOKED_UP
        elif dotted(node.func) == "vars" and node.args:
            yield dotted(node.args[0]) + LOOKED_UP
        else:
            yield from _of_call(node, depth - 1) if depth > 1 else ()
    elif name := dotted(node):
        yield name + LOOKED_UP


def entries(node: ast.expr) -> list[str]:
    """Names in a dict, list or tuple display, or in `dict(a=A)`: what a table of constructors holds."""
    if isinstance(node, ast.Dict):
        values = list(node.values)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        values = list(node.elts)
    elif isinstance(node, ast.Call) and dotted(node.func) == "dict":
        values = [keyword.value for keyword in node.keywords]
    else:
        return []
    return [name for value in values[:MAX_ITEMS] if (name := _entry(value))]


def _entry(node: ast.expr) -> str:
    if isinstance(node, ast.Lambda):
        node = node.body
    if isinstance(node, ast.Call):  # partial(Net, width=3), or lambda: Net()
        inner = node.args[0] if dotted(node.func).rpartition(".")[2] in WRAPPERS and node.args else node.func
        return dotted(inner)
    return dotted(node)


def part_of(name: str) -> str:
    return name if name.endswith((PART, LOOKED_UP)) else name + PART


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of attributes on a name; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


class Flow:
    """What the function being read has bound and returned so far."""

    def __init__(self) -> None:
        self.bound: dict[str, dict[str, None]] = {}
        self.returned: dict[str, None] = {}

    def bind(self, targets: list[ast.expr], value: ast.expr) -> None:
        if len(targets) != 1:
            return
        target = targets[0]
        if isinstance(target, ast.Name):
            self.bound.setdefault(target.id, {}).update(dict.fromkeys(origins(value)))
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, its in zip(target.elts, value.elts, strict=True):
                self.bind([one], its)

    def comes_back(self, value: ast.expr | None) -> None:
        self.returned.update(dict.fromkeys(origins(value)))

    def result(self) -> list[str]:
        """What the function returns, its own names replaced by what they were bound to."""
        return list(dict.fromkeys(_expanded(self.returned, self.bound, MAX_DEPTH)))[:MAX_ITEMS]


def _expanded(names: Mapping[str, None], bound: Mapping[str, Mapping[str, None]], depth: int) -> Iterator[str]:
    for name in names:
        bare = name.removeprefix(LOCAL).removesuffix(PART)
        if name.startswith(LOCAL) and depth and bare in bound:
            found = _expanded(bound[bare], bound, depth - 1)
            yield from map(part_of, found) if name.endswith(PART) else found
            continue
        yield name.removeprefix(LOCAL)  # a call, a parameter, or a name of the module
        head, dot, rest = bare.partition(".")
        if dot and depth and head in bound:  # client.chat.completions.create, with client = OpenAI()
            yield from (f"{origin}.{rest}" for origin in bound[head] if not origin.startswith(LOCAL))
