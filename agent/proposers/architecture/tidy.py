"""An edit's last step: constants that the edits before it left without a reader are taken out."""

import libcst as cst

from ...code_map import CodeMap
from ...operators.apply import apply_edits
from ...operators.leftovers import single_target
from ...operators.module_place import loaded_names
from ...proposal import Edit


def with_constants_dropped(code: CodeMap, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """`edits` and, for each file they leave with constants that nothing mentions any more, one edit that drops them.

    A constant nobody reads would cost a tuner trials that change nothing.

    Raises:
        OperatorError: the edits do not apply.
    """
    after = apply_edits(code.sources, edits)
    tree = {**code.sources, **after}
    drops = []
    for file in sorted(file for file in after if file.endswith(".py")):
        before = _unread(cst.parse_module(code.sources[file]))
        names = _unread(cst.parse_module(after[file])) - before
        others = [source for path, source in tree.items() if path != file]
        free = sorted(name for name in names if not any(name.encode() in source for source in others))
        if free:
            drops.append(Edit("drop_constants", file, "", {"names": ",".join(free)}))
    return (*edits, *drops)


def _unread(module: cst.Module) -> set[str]:
    """Constants assigned once at the top of the module and read nowhere in it."""
    read = loaded_names(module)
    targets = [single_target(line) for line in module.body if isinstance(line, cst.SimpleStatementLine)]
    return {name for name in targets if name is not None and name.isupper() and read.count(name) == 1}
