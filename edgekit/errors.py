"""The errors a user can act on.

    EdgekitError                 exit 1, one message, no traceback
    ├── CatalogError             a target, profile or converter file is wrong or unknown
    ├── ModelError               a model file cannot be read, or asks for what edgekit does not do
    │   └── FetchError           a package of the zoo cannot be had, or is not the promised file
    ├── ContractError            a contract file is wrong, or does not fit its model
    ├── DataError                calibration or evaluation data cannot be used
    ├── EnvironmentSetupError    a converter's isolated environment cannot be made
    ├── ConversionError          no artifact could be made
    │   └── WorkerError          one worker crashed, timed out or ran out of memory
    ├── BundleError              a bundle is broken, incomplete or changed
    ├── DeviceError              a device cannot be reached or the runner on it failed
    ├── CameraError              a camera, clip or stream gives no frames
    └── GateFailedError          a measured value misses what the user asked for

Anything else that escapes is our bug: exit 3, with a log file to attach.
A message names the file, op or key and says what to do next.
"""


class EdgekitError(Exception):
    """The user can act on it: the message says which file, op or key, and what to do next."""


class CatalogError(EdgekitError):
    """A target, profile or converter file is wrong, or an id is unknown."""


class ModelError(EdgekitError):
    """A model file cannot be read, or asks for what edgekit does not do."""


class FetchError(ModelError):
    """A package of the zoo cannot be fetched, or is not the file that the zoo was made with."""


class ContractError(EdgekitError):
    """A contract file is wrong, or does not fit its model."""


class DataError(EdgekitError):
    """Calibration or evaluation data cannot be used."""


class EnvironmentSetupError(EdgekitError):
    """A converter's isolated environment cannot be made."""


class ConversionError(EdgekitError):
    """No artifact could be made."""


class WorkerError(ConversionError):
    """A worker crashed, timed out, ran out of memory or refused the model."""


class BundleError(EdgekitError):
    """A bundle is broken, incomplete or changed since it was written."""


class DeviceError(EdgekitError):
    """A device cannot be reached, or the runner on it failed."""


class CameraError(EdgekitError):
    """A camera, clip or stream gives no frames, or stopped to give them."""


class GateFailedError(EdgekitError):
    """A measured value misses what the user asked for."""
