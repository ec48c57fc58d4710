"""What a view of a run is, and which one suits where the output goes."""

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from .events import Event


class LiveView(Protocol):
    """Shows a run while it goes. `handle` may be called from any thread, and what it shows of an event's text is one
    line without control characters: titles, reasons and file names are strangers' text.

    A view is a context manager: leaving it puts the terminal back as it was, also after an exception.
    """

    def handle(self, event: Event) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def make_view(*, json: bool = False, stderr: TextIO | None = None, stdout: TextIO | None = None) -> LiveView:
    """The view for these streams: JSON lines on stdout when asked for, live on a terminal, else plain lines on stderr."""
    stderr, stdout = stderr or sys.stderr, stdout or sys.stdout
    if json:
        from .views.json_lines import JsonLines

        return JsonLines(stdout)
    if stderr.isatty():
        from rich.console import Console

        from .views.terminal import Terminal

        console = Console(file=stderr)
        # A terminal that cannot move its cursor (TERM=dumb, as in editors and some CI) gets lines.
        if not console.is_dumb_terminal:
            return Terminal(console)
    from .views.plain import Plain

    return Plain(stderr)
