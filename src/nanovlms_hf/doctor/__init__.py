"""Finds the faults with which a training runs to the end and learns nothing; see docs/doctor.md."""

from .examples import AnswerCollator, Example
from .finding import Finding, Report
from .run import check_trainer, diagnose

__all__ = ["AnswerCollator", "Example", "Finding", "Report", "check_trainer", "diagnose"]
