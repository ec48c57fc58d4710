"""What one reading found: the findings, the text they stand in, and what was not read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..code_map import CodeMap, Unread
from ..proposers.defects import Finding, find_defects
from ..proposers.defects.base import Confidence
from ..readable import UnreadableError, parse

SURENESS: tuple[Confidence, ...] = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...]
    """By file, then by line."""
    sources: Mapping[str, bytes]
    unread: tuple[Unread, ...] = ()

    @property
    def files_read(self) -> int:
        return sum(name.endswith(".py") for name in self.sources) - sum(one.file in self.sources for one in self.unread)

    def below(self, prefix: str) -> "Report":
        """The same with `prefix` before every path: what was read in a folder, as seen from further up."""
        findings = tuple(
            replace(
                one,
                file=prefix + one.file,
                edits=tuple(replace(edit, file=prefix + edit.file) for edit in one.edits),
                evidence=tuple(replace(evidence, file=prefix + evidence.file) for evidence in one.evidence),
            )
            for one in self.findings
        )
        unread = tuple(replace(one, file=prefix + one.file) for one in self.unread)
        return Report(findings, {prefix + file: data for file, data in self.sources.items()}, unread)

    def reach(self, least: Confidence) -> bool:
        """Whether a finding is at least this sure."""
        return any(SURENESS.index(finding.confidence) >= SURENESS.index(least) for finding in self.findings)

    def line(self, finding: Finding) -> str:
        """The text of the line a finding stands on; empty when the file has no such line."""
        lines = self.sources.get(finding.file, b"").decode("utf-8", "replace").split("\n")
        return lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""


def read_findings(commit: str, sources: Mapping[str, bytes], too_large: Sequence[str] = ()) -> Report:
    """Every finding in these files, read with `ast` alone."""
    code = CodeMap(commit, sources)
    unread = [Unread(file, "too large to be read") for file in too_large]
    for file in sorted(name for name in sources if name.endswith(".py")):
        try:
            parse(sources[file])
        except UnreadableError as error:
            unread.append(Unread(file, str(error)))
    found = sorted(find_defects(code), key=lambda finding: (finding.file, finding.line, finding.detector))
    return Report(tuple(found), sources, tuple(unread))
