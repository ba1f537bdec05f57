"""Before any test module is imported: the libraries that tests load send nothing anywhere."""

from edgekit.telemetry import switch_off

switch_off()
