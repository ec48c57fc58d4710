"""Finds training steps that compare a model's output with its own input: how an autoencoder is told from the rest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from ...dotted import dotted_name
from ...operators.imported_names import ImportedNames
from ...operators.module_place import Definition, definitions_in, loaded_names

ELEMENTWISE = {
    "torch.nn.functional.mse_loss", "torch.nn.functional.l1_loss", "torch.nn.functional.smooth_l1_loss",
    "torch.nn.functional.binary_cross_entropy", "torch.nn.functional.binary_cross_entropy_with_logits",
    "torch.nn.MSELoss", "torch.nn.L1Loss", "torch.nn.SmoothL1Loss", "torch.nn.BCELoss", "torch.nn.BCEWithLogitsLoss",
}  # fmt: skip
HOPS = 4


@dataclass(frozen=True, slots=True)
class ReconstructionStep:
    """`loss` compares `output`, a call of `model`, with `target`; all four are source text of function `function`."""

    file: str
    function: str
    line: int
    loss: str
    model: str
    output: str
    target: str
    elementwise: bool
    """Squared, absolute or binary error per item; else the multinomial likelihood."""


def reconstruction_steps(file: str, module: cst.Module) -> Iterator[ReconstructionStep]:
    """Every such step of a file; nothing for a loss against labels, shifted tokens or noise."""
    names = ImportedNames(module)
    places: list[tuple[str, cst.FunctionDef | cst.Module]] = [("", module), *functions(module)]
    for name, place in places:
        step = _step(file, name, module, names, place)
        if step is not None:
            yield step


def functions(place: Definition | cst.Module, prefix: str = "") -> Iterator[tuple[str, cst.FunctionDef]]:
    """Functions and methods with their qualified names, nested ones included."""
    for node in definitions_in(place):
        name = f"{prefix}{node.name.value}"
        if isinstance(node, cst.FunctionDef):
            yield name, node
        yield from functions(node, f"{name}.")


def _step(
    file: str, function: str, module: cst.Module, names: ImportedNames, place: cst.FunctionDef | cst.Module
) -> ReconstructionStep | None:
    code = module.code_for_node
    values = _Assignments.of(place)
    everywhere = {**_Assignments.of(module, deep=True), **values}
    for loss in _losses(place, values):
        pair = _compared(loss, names, everywhere)
        for output, target in (pair, pair[::-1]) if pair else ():
            call = values.get(output.value, output) if isinstance(output, cst.Name) else output
            if not (isinstance(call, cst.Call) and len(call.args) == 1 and dotted_name(call.func)):
                continue
            if names.full(call.func).startswith("torch."):
                continue
            source = call.args[0].value
            if code(source) != code(target) and not _derived(source, target, values, names):
                continue
            return ReconstructionStep(
                file=file,
                function=function,
                line=_line(module, loss),
                loss=code(loss),
                model=code(call.func),
                output=code(output),
                target=code(target),
                elementwise=not _is_multinomial(loss),
            )
    return None


class _Assignments(cst.CSTVisitor):
    """Last value given to each name, `self.x` included, in a function or at the top of a module."""

    def __init__(self, place: cst.CSTNode, deep: bool) -> None:
        super().__init__()
        self.values: dict[str, cst.BaseExpression] = {}
        self._place, self._deep = place, deep

    @classmethod
    def of(cls, place: cst.CSTNode, *, deep: bool = False) -> dict[str, cst.BaseExpression]:
        visitor = cls(place, deep)
        place.visit(visitor)
        return visitor.values

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return node is self._place or self._deep

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return self._deep

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if text := dotted_name(target.target):
                self.values[text] = node.value


def _losses(place: cst.CSTNode, values: Mapping[str, cst.BaseExpression]) -> list[cst.BaseExpression]:
    """What `.backward()` is called on, or what is passed to it: `loss.backward()`, `accelerator.backward(loss)`."""
    found: list[cst.BaseExpression] = []

    class Collect(cst.CSTVisitor):
        def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
            return node is place

        def visit_ClassDef(self, node: cst.ClassDef) -> bool:
            return False

        def visit_Call(self, node: cst.Call) -> None:
            if isinstance(node.func, cst.Attribute) and node.func.attr.value == "backward":
                bound = [values[name] for name in loaded_names(node) if name in values]
                found.extend(bound or [node.func.value])

    place.visit(Collect())
    return found


def _compared(
    loss: cst.BaseExpression, names: ImportedNames, values: Mapping[str, cst.BaseExpression]
) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """The two things a loss compares, None for a loss of another form."""
    if isinstance(loss, cst.Call):
        criterion = values.get(dotted_name(loss.func))
        full = names.full(criterion.func) if isinstance(criterion, cst.Call) else names.full(loss.func)
        operands = [arg.value for arg in loss.args if arg.keyword is None or arg.keyword.value in ("input", "target")]
        if full in ELEMENTWISE and len(operands) == 2:
            return operands[0], operands[1]
        if full in ELEMENTWISE or not (isinstance(loss.func, cst.Attribute) or loss.args):
            return None
        # `((a - b) ** 2).mean()` and `torch.mean((a - b) ** 2)` wrap what is compared.
        inner = loss.args[0].value if full.startswith("torch.") and loss.args else None
        if inner is None and isinstance(loss.func, cst.Attribute):
            inner = loss.func.value
        return _compared(inner, names, values) if inner is not None and not isinstance(inner, cst.Name) else None
    if isinstance(loss, cst.UnaryOperation):
        return _compared(loss.expression, names, values)
    if isinstance(loss, cst.BinaryOperation):
        return _compared_by_operator(loss, names)
    return None


def _compared_by_operator(
    loss: cst.BinaryOperation, names: ImportedNames
) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """`(a - b) ** 2`, and `log_softmax(a) * b`."""
    if isinstance(loss.operator, cst.Power) and isinstance(loss.left, cst.BinaryOperation):
        return (loss.left.left, loss.left.right) if isinstance(loss.left.operator, cst.Subtract) else None
    if isinstance(loss.operator, cst.Multiply):
        for one, other in ((loss.left, loss.right), (loss.right, loss.left)):
            if isinstance(one, cst.Call) and names.full(one.func).endswith("log_softmax") and one.args:
                return one.args[0].value, other
    return None


def _is_multinomial(loss: cst.BaseExpression) -> bool:
    found = False

    class Look(cst.CSTVisitor):
        def visit_Call(self, node: cst.Call) -> None:
            nonlocal found
            found = found or dotted_name(node.func).endswith("log_softmax")

    loss.visit(Look())
    return found


def _derived(
    source: cst.BaseExpression,
    target: cst.BaseExpression,
    values: Mapping[str, cst.BaseExpression],
    names: ImportedNames,
) -> bool:
    """Whether `source` is made from the variable `target`, such as a corrupted copy, and `target` is not noise."""
    if not isinstance(target, cst.Name):
        return False
    made = values.get(target.value)
    if isinstance(made, cst.Call) and names.full(made.func).startswith(("torch.rand", "numpy.random")):
        return False
    reached = set(loaded_names(source))
    for _ in range(HOPS):
        reached |= {name for known in reached if known in values for name in loaded_names(values[known])}
    return target.value in reached


def _line(module: cst.Module, node: cst.CSTNode) -> int:
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    return int(wrapper.resolve(PositionProvider)[node].start.line)
