"""One self-contained HTML page from bundles and measurements."""

from edgekit.reports.page import write_report, write_why
from edgekit.reports.sources import Evidence, read_evidence

__all__ = ["Evidence", "read_evidence", "write_report", "write_why"]
