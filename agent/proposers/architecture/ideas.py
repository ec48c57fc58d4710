"""What is known to help an autoencoder over item vectors, as edits of the code that was found."""

from dataclasses import dataclass

from ...code_map import CodeMap
from ...operators.module_place import loaded_names
from ...proposal import Edit, Evidence
from .autoencoder import Autoencoder


@dataclass(frozen=True, slots=True)
class Idea:
    title: str
    short: str
    """Its name in the title of a combination."""
    rationale: str
    edits: tuple[Edit, ...]
    evidence: tuple[Evidence, ...]
    alone: bool = False
    """Goes with no other idea."""


def ideas_for(code: CodeMap, found: Autoencoder) -> tuple[Idea, ...]:
    """The ideas this code has room for, most promising first."""
    made = (_closed_form(code, found), _corrupted_input(code, found), _fewer_layers(found), _multinomial(found))
    return tuple(idea for idea in made if idea is not None)


def _closed_form(code: CodeMap, found: Autoencoder) -> Idea | None:
    model, step = found.model, found.step
    callable_by_others = found.outside_methods or not model.width_from_parameters
    if not found.ranks or callable_by_others or model.methods >= {"observe", "fit_closed_form"}:
        return None
    ridge = _new_constant(code, model.file, "RIDGE")
    return Idea(
        "Compute an item-item map with zero diagonal in closed form",
        "closed form",
        "A linear map from items to items whose diagonal is zero (EASE, Steck 2019) rivals deep autoencoders on sparse "
        "interactions, is exact, and takes one solve in place of epochs of gradient descent.",
        (
            Edit("add_constant", model.file, "", {"name": ridge, "value": "1.0"}),
            Edit("closed_form_model", model.file, model.name, {"width": model.width, "ridge": ridge}),
            Edit("closed_form_training", step.file, step.function, {"model": step.model, "target": step.target}),
        ),
        _evidence(found),
        alone=True,
    )


def _corrupted_input(code: CodeMap, found: Autoencoder) -> Idea | None:
    model = found.model
    if model.normalised or "fit_closed_form" in model.methods:
        return None
    rate = _new_constant(code, model.file, "INPUT_DROPOUT")
    return Idea(
        "Normalise the input and drop part of it in training",
        "corrupted input",
        "An autoencoder that sees all of its input can learn to copy it. Restoring dropped items from the others is "
        "what it is asked when it recommends (Wu et al. 2016, Liang et al. 2018).",
        (
            Edit("add_constant", model.file, "", {"name": rate, "value": "0.5"}),
            Edit("corrupt_input", model.file, f"{model.name}.forward", {"input": model.input, "rate": rate}),
        ),
        _evidence(found),
    )


def _fewer_layers(found: Autoencoder) -> Idea | None:
    model = found.model
    edits = [Edit("remove_hidden_layers", sizes.file, sizes.function, {"sizes": sizes.text}) for sizes in found.sizes]
    if not edits and model.stacks:
        edits = [Edit("remove_hidden_layers", model.file, model.name)]
    if not edits:
        return None
    return Idea(
        "Keep one hidden layer",
        "one hidden layer",
        "On sparse interactions one hidden layer is level with or better than several once the input is corrupted, at "
        "a fraction of the cost; alone it can hurt, so it is also tried with the other edits.",
        tuple(edits),
        _evidence(found),
    )


def _multinomial(found: Autoencoder) -> Idea | None:
    step = found.step
    if not found.ranks or not step.elementwise or found.model.squashed:
        return None
    arguments = {"loss": step.loss, "output": step.output, "target": step.target}
    return Idea(
        "Train with the multinomial likelihood",
        "multinomial loss",
        "Items compete for probability under a softmax, which is closer to ranking them than an error per item "
        "(Liang et al. 2018).",
        (Edit("multinomial_likelihood", step.file, step.function, arguments),),
        _evidence(found),
    )


def _evidence(found: Autoencoder) -> tuple[Evidence, ...]:
    model, step = found.model, found.step
    return (
        Evidence(model.file, model.line, f"{model.name} gives out as many numbers as it takes in ({model.width})"),
        Evidence(step.file, step.line, f"the loss compares {step.output} with its own input {step.target}"),
    )


def _new_constant(code: CodeMap, file: str, name: str) -> str:
    """`name`, or the first of `name_2`, `name_3` that the module does not use."""
    used = set(loaded_names(code.module(file)))
    return next(free for free in (name, *(f"{name}_{i}" for i in range(2, len(used) + 3))) if free not in used)
