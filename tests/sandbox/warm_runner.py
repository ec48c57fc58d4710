"""Puts every request through a warm start, so that the battery sees one. Also run as a script's head by other accounts."""

from dataclasses import replace

from branchlab.sandbox.bubblewrap import Bubblewrap
from branchlab.sandbox.bwrap import Bwrap
from branchlab.sandbox.runner import RunRequest, RunResult


class WarmRunner:
    """Fails when a Python program was started cold after all. Other commands are passed on as they are."""

    def __init__(self, program: Bwrap | None = None, *, drop: bool | None = None) -> None:
        self.cold = Bubblewrap(program, drop=drop)
        self.name = self.cold.name
        self.mode = self.cold.mode

    def run(self, request: RunRequest) -> RunResult:
        words = list(request.argv)
        if "-c" not in words:
            return self.cold.run(replace(request, preload=("json",)))
        at = words.index("-c") + 1
        # As an attacker would write it: no word in it gives away that it looks at the environment.
        words[at] = f"exec({ascii(words[at])!s})".replace("environ", "env\\x69ron")
        result = self.cold.run(replace(request, argv=tuple(words), preload=("json",)))
        assert "-warm" in result.backend or result.status in ("killed", "timeout"), result
        return result

    def cancel(self) -> None:
        self.cold.cancel()
