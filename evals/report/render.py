"""A page as HTML and as Markdown. Every text of the page is a stranger's: the templates' filters make it safe."""

from functools import cache
from typing import TYPE_CHECKING

from . import text
from .page import Page

if TYPE_CHECKING:
    from jinja2 import Environment


def to_html(page: Page) -> str:
    """One self-contained document: no script, no network, no file beside it."""
    css = _html().get_template("style.css").render()
    return _html().get_template("page.html.j2").render(page=page, css=css)


def to_markdown(page: Page) -> str:
    lines = _markdown().get_template("report.md.j2").render(page=page).splitlines()
    folded = [line for i, line in enumerate(lines) if line.strip() or (i and lines[i - 1].strip())]
    return "\n".join(folded).strip() + "\n"


@cache
def _html() -> "Environment":
    from markupsafe import Markup

    environment = _environment(autoescape=True)
    environment.filters["seen"] = lambda value: text.visible(str(value)).replace("\n", " ")
    environment.filters["slug"] = lambda arm: str(arm).replace("+", "-")
    environment.filters["svg"] = Markup  # our own pictures and style sheet, never a text of the ledger
    return environment


@cache
def _markdown() -> "Environment":
    environment = _environment(autoescape=False)
    environment.filters["prose"] = lambda value, limit=300: text.md_text(str(value), limit)
    environment.filters["code"] = text.md_code
    environment.filters["codecell"] = text.md_code_cell
    environment.filters["fence"] = text.md_fence
    return environment


def _environment(*, autoescape: bool) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(__package__, ""),
        autoescape=autoescape,  # noqa: S701  (Markdown is no HTML: its own filters escape it)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
