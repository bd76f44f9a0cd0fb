"""What the doctor has to say: findings, each with what was seen, why it matters and how to mend it, and a report of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from .examples import Example

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        code (`str`): its name, such as `no_supervised_tokens`; docs/doctor.md lists them.
        what (`str`): what was seen, with numbers.
        why (`str`): what it does to a training.
        cure (`str`): how to mend it.
        severity (`str`, defaults to `"error"`): `error` stops a recipe before its first step, `warning` does not.
    """

    code: str
    what: str
    why: str
    cure: str
    severity: str = ERROR

    def __str__(self) -> str:
        return f"{self.code}: {self.what}; {self.why}; {self.cure}."


@dataclass
class Report:
    """What one examination found.

    Args:
        findings (`list[Finding]`): what is wrong; empty for a healthy model and data.
        examples (`list[Example]`): rows as the model gets them, the supervised text marked.
        checks (`list[str]`): the checks that could be made.
    """

    findings: list[Finding] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    checks: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_dict(self) -> dict:
        """The report as `--json` prints it."""
        return {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "examples": [example.to_dict() for example in self.examples],
            "checks": self.checks,
        }

    def text(self, colour: bool = False, width: int = 600) -> str:
        """The report for a terminal.

        Args:
            colour (`bool`, defaults to `False`): mark supervised text in bold green instead of double brackets.
            width (`int`, defaults to 600): characters of an example at most.
        """
        lines = []
        for number, example in enumerate(self.examples, 1):
            lines += [f"example {number} ({example.summary()})", f"  {example.text(colour, width)}", ""]
        for finding in self.findings:
            head = f"{finding.severity.upper()} {finding.code}"
            lines.append(f"\033[1;31m{head}\033[0m" if colour else head)
            lines += [f"  what: {finding.what}", f"  why:  {finding.why}", f"  mend: {finding.cure}", ""]
        number = len(self.findings)
        verdict = "healthy: nothing found" if self.healthy else f"{number} finding{'s' if number > 1 else ''}"
        return "\n".join([*lines, f"{verdict} ({len(self.checks)} checks: {', '.join(self.checks)})"])


def sentence(findings: Iterable[Finding]) -> str:
    """Findings as one message for an error."""
    return " | ".join(str(finding) for finding in findings)


__all__ = ["ERROR", "WARNING", "Finding", "Report", "sentence"]
