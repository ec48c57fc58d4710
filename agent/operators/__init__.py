"""Typed edits: the only way anything changes a file. One operator a file, one line in the table."""

from .add_constant import AddConstant
from .add_decorator import AddDecorator
from .add_import import AddImport
from .add_instruction import AddInstruction, AddInstructionFile
from .base import Operator, TextOperator
from .closed_form_model import ClosedFormModel
from .closed_form_training import ClosedFormTraining
from .config_value import SetConfigValue
from .corrupt_input import CorruptInput
from .delete_statement import DeleteStatement
from .drop_constants import DropConstants
from .insert_statement import InsertStatement
from .move_prompt_line import MovePromptLine, MovePromptLineFile
from .move_statement import MoveStatement
from .multinomial_likelihood import MultinomialLikelihood
from .remove_argument import RemoveArgument
from .remove_hidden_layers import RemoveHiddenLayers
from .replace_expression import ReplaceExpression
from .replace_function import ReplaceFunction
from .replace_statement import ReplaceStatement
from .set_keyword import SetKeyword
from .set_literal import SetLiteral
from .wrap_in_with import WrapInWith

_ALL: tuple[Operator | TextOperator, ...] = (
    # bug fixes and general edits
    AddDecorator(),
    AddImport(),
    DeleteStatement(),
    InsertStatement(),
    MoveStatement(),
    RemoveArgument(),
    ReplaceExpression(),
    ReplaceFunction(),
    ReplaceStatement(),
    SetKeyword(),
    WrapInWith(),
    AddConstant(),
    DropConstants(),
    # literals
    SetConfigValue(),
    SetLiteral(),
    # architecture
    ClosedFormModel(),
    ClosedFormTraining(),
    CorruptInput(),
    MultinomialLikelihood(),
    RemoveHiddenLayers(),
    # prompts
    AddInstruction(),
    AddInstructionFile(),
    MovePromptLine(),
    MovePromptLineFile(),
)

OPERATORS: dict[str, Operator | TextOperator] = {operator.name: operator for operator in _ALL}
"""Every operator by name; an `Edit` names one of these."""

__all__ = ["OPERATORS", "Operator", "TextOperator"]
