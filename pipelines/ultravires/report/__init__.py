"""The run on one offline page."""

from ultravires.report.report import write_report

__all__ = ["write_report"]
