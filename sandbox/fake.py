"""A Runner that runs nothing, for the tests of the layers above."""

from collections.abc import Callable

from .runner import RunRequest, RunResult


class FakeRunner:
    """Answers each request with `answer(request)`, which may write into `request.out` first; remembers the requests."""

    name = "fake"

    def __init__(self, answer: Callable[[RunRequest], RunResult]) -> None:
        self._answer = answer
        self.requests: list[RunRequest] = []
        self.cancelled = False

    def run(self, request: RunRequest) -> RunResult:
        self.requests.append(request)
        return self._answer(request)

    def cancel(self) -> None:
        self.cancelled = True


def ok(*, device_seconds: float = 1.0, log: str = "") -> RunResult:
    """A result as of a run that ended well."""
    return RunResult("ok", "", 0, device_seconds, device_seconds, 10.0, log, "", False, (), "fake", "none")


def failed(reason: str = "exited with status 1", *, device_seconds: float = 1.0, log: str = "") -> RunResult:
    """A result as of a run whose command failed."""
    return RunResult("failed", reason, 1, device_seconds, device_seconds, 10.0, log, "", False, (), "fake", "none")
