"""A parameter is made of memory that nobody fills.

Why it hurts: `torch.empty` holds whatever was there: zeros one day, 1e30 or NaN the next; runs cannot be repeated and
sometimes fail for no reason. Source: two of seventy records of defects4ml (initialisation); NeuraLint.

    before                                              after
    self.w = nn.Parameter(torch.empty(a, b))            self.w = nn.Parameter(torch.empty(a, b))
                                                        nn.init.kaiming_uniform_(self.w, a=5**0.5)

Not flagged: anything that could fill it: a call in place on that attribute anywhere in the program, a loop over all
parameters, weights that are loaded, quantised layers, and bases that are not read.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....proposal import Edit
from ..base import Finding
from ..program import Program, called_name
from ..source import Function, Source, words

_FILLS = frozenset({"init", "reset", "initialize", "initialise", "load", "build", "fill", "setup"})
_LOADED = frozenset(
    "quant quantized quantize quantizer int8 fp8 fp4 awq gptq bnb packed lazy meta loaded marlin".split()
)
_ALL = frozenset({"parameters", "named_parameters", "load_state_dict", "apply", "children", "modules", "state_dict"})


@dataclass(frozen=True, slots=True)
class UninitialisedParameter:
    name: str = "uninitialised_parameter"

    def detect(self, program: Program) -> Iterable[Finding]:
        found = list(_made(program))
        filled = _filled(program) if found else set()
        for function, node, target, sizes in found:
            if function.owner is None or target.attr in filled:
                continue
            if not _is_read(function.owner, function.source, program):
                continue
            yield Finding(
                self.name,
                function.source.path,
                node.lineno,
                function.name,
                f"Initialise {ast.unparse(target)}"[:72],
                f"`{ast.unparse(node)[:90]}` takes memory as it is, and nothing in the program fills it.",
                _edits(function, node, target, sizes),
                confidence="medium",
            )


def _made(program: Program) -> Iterator[tuple[Function, ast.Assign, ast.Attribute, int]]:
    """`self.w = nn.Parameter(torch.empty(...))`, with the number of sizes given."""
    for function in program.functions:
        if function.owner is None or "Parameter(" not in function.source.text:
            continue
        for node in function.own:
            match node:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name("self")) as target],
                    value=ast.Call(args=[ast.Call() as inner, *_]) as outer,
                ) if called_name(outer) == "Parameter":
                    full = function.source.full(inner.func)
                case _:
                    continue
            if any("False" in ast.unparse(a) for a in (*outer.args[1:], *(k.value for k in outer.keywords))):
                continue  # learns nothing: a table that is loaded
            sizes = [a for a in inner.args if not isinstance(a, ast.Starred)]
            plain = len(sizes) == len(inner.args) and len(sizes) > 0
            if full == "torch.empty" or (full in ("torch.Tensor", "torch.FloatTensor") and plain and _are_sizes(sizes)):
                first = sizes[0] if sizes else None
                yield function, node, target, len(first.elts) if isinstance(first, ast.Tuple) else len(sizes)


def _are_sizes(given: list[ast.expr]) -> bool:
    return len(given) > 1 or (isinstance(given[0], ast.Constant) and type(given[0].value) is int)


def _filled(program: Program) -> set[str]:
    """Attributes that a function made to initialise mentions, or that some call in place does."""
    found: set[str] = set()
    for function in program.functions:
        mentions_all = bool(_FILLS & function.words) and function.name.rpartition(".")[2] != "__init__"
        for node in function.own:
            if mentions_all and isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif mentions_all and isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.Call) and (
                called_name(node).endswith("_") or {"init", "setattr"} & set(words(ast.unparse(node.func)))
            ):
                found |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
            elif isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if not isinstance(target, ast.Attribute) or target.attr == "data":
                        found |= {n.attr for n in ast.walk(target) if isinstance(n, ast.Attribute)}
            elif isinstance(node, ast.For):
                found |= {n.attr for n in ast.walk(node.iter) if isinstance(n, ast.Attribute)}
    return found


def _is_read(owner: ast.ClassDef, source: Source, program: Program) -> bool:
    """Whether everything that could fill a parameter of the class has been read, and nothing fills all of them at once."""
    if _LOADED & {*words(owner.name), *words(source.path.replace("/", "_"))}:
        return False
    bases = program.bases(owner, source)
    if not bases or any(not base.endswith("Module") and program.find_class(base, source) is None for base in bases):
        return False
    homes = [s for s in program.sources if s is source or owner.name in s.aliases]
    fills = [f for s in homes for f in s.functions if f.owner is owner or _FILLS & f.words]
    return not any(called_name(call) in _ALL for f in fills for call in f.calls)


def _edits(function: Function, node: ast.Assign, target: ast.Attribute, sizes: int) -> tuple[Edit, ...]:
    source = function.source
    module = next((alias for alias, full in source.aliases.items() if full == "torch.nn"), "")
    module = module or ("torch.nn" if source.aliases.get("torch") == "torch" else "")
    if not module:
        return ()
    text = source.segment(target)
    if "bias" in words(target.attr):
        code = f"{module}.init.zeros_({text})"
    elif sizes > 1:
        code = f"{module}.init.kaiming_uniform_({text}, a=5**0.5)"
    else:
        code = f"{module}.init.normal_({text}, std=0.02)"
    return (function.insert(code, "after", node),)
