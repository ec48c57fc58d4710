"""Typed edits: the only way anything changes a file. One operator a file, one line in the table."""

from .base import Operator, TextOperator
from .closed_form_model import ClosedFormModel
from .closed_form_training import ClosedFormTraining
from .corrupt_input import CorruptInput
from .multinomial_likelihood import MultinomialLikelihood
from .remove_hidden_layers import RemoveHiddenLayers

_ALL: tuple[Operator | TextOperator, ...] = (
    # bug fixes and general edits
    # literals: set_literal, set_config_value
    # architecture
    ClosedFormModel(),
    ClosedFormTraining(),
    CorruptInput(),
    MultinomialLikelihood(),
    RemoveHiddenLayers(),
    # prompts
)

OPERATORS: dict[str, Operator | TextOperator] = {operator.name: operator for operator in _ALL}
"""Every operator by name; an `Edit` names one of these."""

__all__ = ["OPERATORS", "Operator", "TextOperator"]
