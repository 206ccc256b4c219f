"""Reports: the same tables as a page, Markdown, LaTeX, CSV or JSON."""

from gentex.bench.report.page import html_report
from gentex.bench.report.text import render

__all__ = ["html_report", "render"]
