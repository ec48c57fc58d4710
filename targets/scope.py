"""Which files a glob means, and whether what a target lets candidates change is apart from what it protects."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from .errors import TargetError
from .target import Target


def matches(path: str, globs: Sequence[str]) -> bool:
    """Whether a file of the repository is meant by any of the globs.

    `*` and `?` stay inside one folder, `**` spans any number, `[a-z]` is a set; a glob that names a folder means
    everything in it, and one that starts with `!` takes files out again, wherever it stands in the list.
    """
    taken = (glob for glob in globs if not glob.startswith("!"))
    given_back = (glob[1:] for glob in globs if glob.startswith("!"))
    return any(_compiled(g).fullmatch(path) for g in taken) and not any(
        _compiled(g).fullmatch(path) for g in given_back
    )


def check_scope(target: Target, files: Iterable[str] | Mapping[str, int]) -> None:
    """Nothing for a target whose globs fit the files of its base commit.

    Raises: TargetError when `editable` matches nothing or overlaps `protected`, when `repo:` data is not there, or
    when labels inside the repository are not kept from the candidates by `hidden`.
    """
    paths = list(files)
    editable = [path for path in paths if matches(path, target.editable)]
    if not editable:
        wanted = f"globs that match some of {len(paths)} files"
        raise TargetError(
            "editable matches nothing", wanted=wanted, found=", ".join(target.editable), where=target.name
        )
    if both := [path for path in editable if matches(path, target.protected)]:
        found = ", ".join(both[:5]) + (f" and {len(both) - 5} more" if len(both) > 5 else "")
        fix = f'add "!{both[0]}" to editable'
        raise TargetError(
            "a file is both editable and protected", wanted="two sets apart", found=found, where=target.name, fix=fix
        )
    for key, path, is_label in _repository_data(target):
        inside = [file for file in paths if file == path or file.startswith(f"{path}/")]
        if not inside:
            raise TargetError("no such path in the base commit", found=path, where=f"{target.name}: {key}")
        if is_label and (seen := [file for file in inside if not matches(file, target.hidden)]):
            message = "candidates would see these labels"
            raise TargetError(message, found=seen[0], where=f"{target.name}: {key}", fix=f'add "{path}" to hidden')


def _repository_data(target: Target) -> Iterable[tuple[str, str, bool]]:
    splits = target.splits
    parts = [("data", target.data, False)]
    for name in ("search", "confirm", "sealed") if splits else ():
        split = getattr(splits, name)
        parts += [(f"splits.{name}.inputs", split.inputs, False), (f"splits.{name}.labels", split.labels, True)]
    for key, value, is_label in parts:
        if value and value.startswith("repo:"):
            yield key, value.removeprefix("repo:").strip("/"), is_label


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    folders = [part for part in glob.split("/") if part not in ("", ".")]
    text = ""
    for at, part in enumerate(folders):
        last = at == len(folders) - 1
        if part == "**":
            text += ".+" if last else "(?:[^/]+/)*"
        else:
            text += _one_folder(part) + ("" if last else "/")
    # A glob that names a folder means what is in it.
    return re.compile(text + "(?:/.+)?", re.DOTALL)


def _one_folder(part: str) -> str:
    text, at = "", 0
    while at < len(part):
        char = part[at]
        at += 1
        close = part.find("]", at + 1)
        if char == "[" and close > 0:
            inside = part[at:close].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
            text += f"(?!/)[^{inside[1:]}]" if inside.startswith("!") else f"(?!/)[{inside}]"
            at = close + 1
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
    return text
