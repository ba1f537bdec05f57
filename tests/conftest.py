"""Before any test module is imported: the libraries that tests load send nothing anywhere."""

import os

from edgekit.telemetry import SWITCHED_OFF

os.environ.update(SWITCHED_OFF)
