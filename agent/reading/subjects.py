"""Which symbols a model is shown, most suspicious first: what reading by rule is not sure of, then what all runs through."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..code_map import CodeMap, Role, Symbol
from ..proposers.defects import Finding, Program

ROLE_ORDER: tuple[Role, ...] = ("model", "training_step", "loss", "evaluation", "data", "prompt", "optimizer")


@dataclass(frozen=True, slots=True)
class Subject:
    """One class or function, or a script's own statements when `symbol` is empty."""

    file: str
    symbol: str
    line: int
    end_line: int
    why: str
    suspicions: tuple[str, ...] = ()
    """What the static reader says about it, one line each."""

    def holds(self, file: str, line: int) -> bool:
        return file == self.file and self.line <= line <= self.end_line


def subjects_of(code: CodeMap, program: Program, findings: Sequence[Finding]) -> tuple[Subject, ...]:
    """Every symbol worth a look, best first, none inside another; tests are not among them."""
    readable = {source.path for source in program.sources}
    ordered = [*_suspicious(code, findings), *_central(code)]
    chosen: list[Subject] = []
    for subject in ordered:
        inside = any(one.holds(subject.file, subject.line) and subject.end_line <= one.end_line for one in chosen)
        if subject.file in readable and not inside:
            chosen.append(subject)
    return tuple(chosen)


def _suspicious(code: CodeMap, findings: Sequence[Finding]) -> list[Subject]:
    unsure = [finding for finding in findings if finding.confidence != "high"]
    places = dict.fromkeys((finding.file, finding.symbol) for finding in unsure)
    found = []
    for file, name in places:
        said = tuple(f"line {f.line}: {f.title}" for f in findings if (f.file, f.symbol) == (file, name))
        symbol = code.symbol(file, name) if name else None
        if symbol is not None:
            found.append(Subject(file, name, symbol.line, symbol.end_line, "a suspicion", said))
        elif not name and file in code.sources:
            found.append(Subject(file, "", 1, code.sources[file].count(b"\n") + 1, "a suspicion", said))
    return found


def _central(code: CodeMap) -> list[Subject]:
    """What has a role, in the order of roles; then whatever is called, the most called first."""
    calls: dict[str, int] = {}
    for call in code.calls:
        last = call.callee.rpartition(".")[2]
        calls[last] = calls.get(last, 0) + 1

    def called(symbol: Symbol) -> int:
        return calls.get(symbol.name.rpartition(".")[2], 0)

    marked = [s for s in code.symbols if s.kind != "constant" and (s.roles or (s.kind != "module" and called(s)))]

    def rank(place: int) -> tuple[int, int, str, int]:
        symbol = marked[place]
        role = min((ROLE_ORDER.index(role) for role in symbol.roles if role in ROLE_ORDER), default=len(ROLE_ORDER))
        return role, -called(symbol), symbol.file, symbol.line

    chosen = (marked[place] for place in sorted(range(len(marked)), key=rank))
    return [Subject(s.file, s.name, s.line, s.end_line, ", ".join(sorted(s.roles)) or "called") for s in chosen]
