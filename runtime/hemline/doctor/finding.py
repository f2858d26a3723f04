"""What the doctor finds: one fact at a time, how bad it is, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hemline import __version__
from hemline.printable import printable

State = Literal["ok", "note", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: What it is about, one word.
        state: `ok`; `note`: worth knowing, or an optional part that is not there; `warn`: works worse than
            it could; `fail`: something that is needed does not work.
        what: A sentence with the facts.
        mend: What to do about it; empty where there is nothing to do.
        facts: The same for programs.
    """

    topic: str
    state: State
    what: str
    mend: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """All findings, in the order of printing; true if all that is needed works."""

    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return all(finding.state != "fail" for finding in self.findings)

    def text(self) -> str:
        """A line for each finding, and the mend below it."""
        width = max(len(finding.topic) for finding in self.findings)
        lines = []
        for finding in self.findings:
            state = finding.state.upper() if finding.state == "fail" else finding.state
            lines.append(f"{state:<5} {finding.topic:<{width}}  {_one_line(finding.what)}")
            if finding.mend:
                lines.append(f"{'':<5} {'':<{width}}  → {_one_line(finding.mend)}")
        return "\n".join([*lines, "", self._summary()])

    def _summary(self) -> str:
        states = [finding.state for finding in self.findings]
        warnings = f"{states.count('warn')} warning{'' if states.count('warn') == 1 else 's'}"
        if self:
            return f"all that is needed works; {warnings}"
        return f"of what is needed, {states.count('fail')} does not work; {warnings}"

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "hemline": __version__,
            "works": bool(self),
            "findings": [
                {
                    "topic": finding.topic,
                    "state": finding.state,
                    "what": finding.what,
                    "mend": finding.mend,
                    **({"facts": finding.facts} if finding.facts else {}),
                }
                for finding in self.findings
            ],
        }


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
