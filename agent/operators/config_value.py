"""Sets one value of a YAML, TOML or JSON file; comments, order and layout stay as they are."""

from collections.abc import Mapping

from ...targets.errors import OperatorError
from ..configs.scalar import ConfigError
from ..configs.text import READERS, Config, parse_config, with_value
from ..literal_values import parse_literal
from ..tunables import judged_scalar


class SetConfigValue:
    """`symbol`: a tunable's name after `FILE::`, such as `optim.lr`. `value`: the new value as a Python literal.

    The format is told by which reader takes the whole text: JSON, then TOML, then YAML.
    """

    name = "set_config_value"

    def apply_text(self, text: str, symbol: str, args: Mapping[str, str]) -> str:
        if set(args) != {"value"}:
            raise OperatorError(
                "wrong arguments", wanted="value", found=", ".join(sorted(args)) or "none", where=symbol
            )
        _, value = parse_literal(args["value"])
        config = _parse(text)
        if symbol not in config.scalars:
            raise OperatorError(
                "no such value", wanted=symbol, found=", ".join(list(config.scalars)[:8]) or "no values"
            )
        literal = judged_scalar(config.scalars[symbol], symbol, "")
        if literal.excluded:
            raise OperatorError("this is part of the measurement", found=literal.excluded, where=symbol)
        old = config.scalars[symbol].value
        if not _same_kind(value, old, as_float=literal.range is not None and literal.range.type == "float"):
            raise OperatorError(
                "the value has another type", wanted=type(old).__name__, found=args["value"], where=symbol
            )
        changed = with_value(config, symbol, value, args["value"])
        if changed == text:
            raise OperatorError("nothing would change", found=args["value"], where=symbol)
        return changed


def _parse(text: str) -> Config:
    reasons = []
    for suffix in (".json", ".toml", ".yaml"):
        try:
            config = parse_config(text, READERS[suffix])
        except ConfigError as error:
            reasons.append(str(error))
            continue
        if config.scalars or suffix == ".yaml":
            return config
    raise OperatorError("not a configuration file", found="; ".join(reasons))


def _same_kind(new: object, old: object, *, as_float: bool) -> bool:
    if isinstance(old, bool | str) or isinstance(new, bool | str):
        return type(new) is type(old)
    return as_float or isinstance(old, float) or isinstance(new, int)
