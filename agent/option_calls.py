"""Command-line options that a script declares: argparse, click and absl, read from the call alone."""

from dataclasses import dataclass

import libcst as cst

from .dotted import dotted_name
from .literal_values import literal_value


@dataclass(frozen=True)
class OptionCall:
    library: str
    name: str
    """The variable the option's value lands in."""
    options: tuple[str, ...]
    """Its spellings, the long one first."""
    default: cst.BaseExpression
    declared: str
    choices: tuple[str, ...]


def option_of(callee: str, call: cst.Call) -> OptionCall | None:
    """The option that `call` declares with a default; None when it declares none."""
    last = callee.rpartition(".")[2]
    keywords = {argument.keyword.value: argument.value for argument in call.args if argument.keyword}
    texts = [literal_value(a.value) for a in call.args if not a.keyword and not a.star]
    spelled = [text for text in texts if isinstance(text, str)]
    if last.startswith("DEFINE_") and len(call.args) >= 2 and spelled:
        declared = {"integer": "int", "float": "float", "bool": "bool", "boolean": "bool", "string": "str"}
        kind = declared.get(last.removeprefix("DEFINE_"), "")
        return OptionCall("flags", spelled[0], (f"--{spelled[0]}",), call.args[1].value, kind, ())
    library = "argparse" if last == "add_argument" else "click" if last == "option" else ""
    options = sorted((text for text in spelled if text.startswith("-")), key=lambda text: not text.startswith("--"))
    if not library or not options or "default" not in keywords or "action" in keywords:
        return None
    name = literal_value(keywords["dest"]) if "dest" in keywords else None
    if library == "click":
        name = next((text for text in spelled if text.isidentifier()), None)
    declared_type = dotted_name(keywords["type"]) if "type" in keywords else ""
    return OptionCall(
        library,
        name if isinstance(name, str) else options[0].lstrip("-").partition("/")[0].replace("-", "_"),
        tuple(options),
        keywords["default"],
        declared_type,
        _choices(keywords),
    )


def _choices(keywords: dict[str, cst.BaseExpression]) -> tuple[str, ...]:
    """Strings of `choices=[...]`, or of `type=click.Choice([...])`."""
    listed = keywords.get("choices")
    kind = keywords.get("type")
    if isinstance(kind, cst.Call) and dotted_name(kind.func).rpartition(".")[2] == "Choice" and kind.args:
        listed = kind.args[0].value
    if not isinstance(listed, cst.List | cst.Tuple | cst.Set):
        return ()
    values = [literal_value(element.value) for element in listed.elements]
    return tuple(value for value in values if isinstance(value, str))
