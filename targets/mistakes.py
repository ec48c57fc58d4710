"""A mistake in target.toml as one line: the key, what was wanted, what was found, the nearest known name."""

import difflib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .errors import TargetError


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean "..."?`, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f'did you mean "{close[0]}"?' if close else ""


def first_mistake(error: ValidationError, model: type[BaseModel], where: str) -> TargetError:
    """The first mistake pydantic found, in words; further ones are only counted, since they often follow from it."""
    # A misspelt key comes first: the key that is missing then is usually the one that was meant.
    details = sorted(
        error.errors(include_url=False, include_context=False), key=lambda d: d["type"] != "extra_forbidden"
    )
    first = details[0]
    loc = _plain(first["loc"], first["input"])
    more = len({_plain(d["loc"], d["input"]) for d in details} - {loc})
    message, wanted, found, fix = _words(first, model, loc)
    counted = f"{message} (and {more} more)" if more else message
    return TargetError(counted, wanted=wanted, found=found, where=f"{where}: {_dotted(loc)}" if loc else where, fix=fix)


def show(value: object) -> str:
    """A value of the file, short enough for one line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _words(details: ErrorDetails, model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[str, str, str, str]:
    kind = details["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(model, loc)
        return "unknown key", f"one of {', '.join(sorted(known))}", "", nearest(str(loc[-1]), known)
    if kind == "missing":
        present = details["input"]
        found = ", ".join(map(str, present)) if isinstance(present, Mapping) and present else "nothing"
        return "key is missing", "", f"only {found}", ""
    text = details["msg"].removeprefix("Value error, ")
    for opening in ("Input should be ", "String should ", "List should ", "Tuple should ", "Input should "):
        text = text.removeprefix(opening)
    return "bad value", text, show(details["input"]), ""


def _plain(loc: tuple[str | int, ...], value: object) -> tuple[str | int, ...]:
    """The path in the file: pydantic appends the name of each union member it tried, which is not a key."""
    members = {"float", "int", "bool", "str"}
    return loc[:-1] if loc and loc[-1] in members and len(loc) > 1 and isinstance(loc[-2], int) else loc


def _dotted(loc: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def _keys_beside(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """The keys that would have been right where `loc` ends."""
    here: object = model
    for part in loc[:-1]:
        here = _inner(here.model_fields[str(part)].annotation) if _is_model(here) else _inner(get_args(here)[-1])
    return set(here.model_fields) if _is_model(here) else set()


def _inner(annotation: object) -> object:
    """`Split` of `Split | None` and of `Annotated[Split, ...]`."""
    if get_origin(annotation) is Annotated:
        return _inner(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation


def _is_model(value: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(value, type) and issubclass(value, BaseModel)
