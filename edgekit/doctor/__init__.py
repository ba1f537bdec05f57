"""What works on this machine, what is missing, and the line that installs it. Looks only; changes nothing."""

from edgekit.doctor.finding import Finding, Status
from edgekit.doctor.report import Report, examine

__all__ = ["Finding", "Report", "Status", "examine"]
