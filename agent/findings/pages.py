"""A page of documentation for each kind of defect, and a list of them, from the detectors' own docstrings."""

from ..proposers.defects import DETECTORS
from .kinds import Kind, kinds

INDEX = "README.md"
MADE = "<!-- Made by `make docs` from the detector's docstring: change that, not this page. -->"


def render_pages() -> dict[str, str]:
    """Markdown by file name, the index among them."""
    return {INDEX: _index(), **{f"{kind.name}.md": _page(kind) for kind in kinds()}}


def _page(kind: Kind) -> str:
    return (
        f"{MADE}\n# {kind.title}\n\n`{kind.name}`, {_family(kind)}\n\n{kind.markdown}\n\n"
        f"## Where it is meant\n\nSay so, with the reason, on the line or on the one above it; on a `def` line it holds for the "
        f"whole function:\n\n```python\n# branchlab: ignore[{kind.name}] REASON\n```\n\n[All kinds]({INDEX})\n"
    )


def _index() -> str:
    rows = [f"| [{kind.name}]({kind.name}.md) | {_family(kind)} | {_cell(kind.summary)} |" for kind in kinds()]
    return "\n".join([
        MADE, "# Kinds of defects", "",
        "What `branchlab map --findings` looks for, and `branchlab run` mends. [findings.md](../findings.md) says how to use it.",
        "", "| kind | family | what it is |", "|---|---|---|", *sorted(rows), "",
    ])  # fmt: skip


def _family(kind: Kind) -> str:
    """The folder its detector stands in, `training` for those that stand above the families."""
    module = type(DETECTORS[kind.name]).__module__
    parts = module.partition(".defects.")[2].split(".")
    return parts[0] if len(parts) > 1 else "training"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
