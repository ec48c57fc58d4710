"""YAML: PyYAML's node graph holds the place of every scalar; aliases are followed once, never expanded."""

from collections.abc import Iterator

import yaml

from ...targets.tunable import Value
from .scalar import ConfigError, Path, Scalar, refuse_deep

_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "str"))


def yaml_scalars(text: str) -> Iterator[Scalar]:
    """Numbers, switches and one-line strings in order; a second document's paths start with its number.

    A plain `1e-3`, which YAML 1.1 takes for a string, counts as the number its author meant.

    Raises: ConfigError.
    """
    refuse_deep(text)
    found: list[Scalar] = []
    seen: set[int] = set()
    try:
        for number, root in enumerate(yaml.compose_all(text, Loader=yaml.SafeLoader)):
            _node(root, (number,) if number else (), found, seen)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"not YAML: {str(error) or type(error).__name__}") from error
    return iter(found)


def _node(node: yaml.Node | None, path: Path, found: list[Scalar], seen: set[int]) -> None:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                _node(value, (*path, key.value), found, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _node(value, (*path, index), found, seen)
    elif isinstance(node, yaml.ScalarNode) and node.tag in _TAGS and node.style in (None, "'", '"'):
        value = _value(node)
        is_loose = node.tag.endswith("str") and isinstance(value, float)
        found.append(Scalar(path, value, node.start_mark.index, node.end_mark.index, is_loose))


def _value(node: yaml.ScalarNode) -> Value:
    if node.tag.endswith("str"):
        text: str = node.value
        number = _number(text) if node.style is None else None
        return text if number is None else number
    value: Value = yaml.constructor.SafeConstructor().construct_object(node)
    return value


def _number(text: str) -> float | None:
    """The number in `1e-3`; None for a word, `nan` and `inf` included."""
    if not text[:1].isdigit():
        return None
    try:
        return float(text)
    except ValueError:
        return None
