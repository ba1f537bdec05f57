"""The project folder of the conversion's tests."""

from tests.conversion.conftest import project

__all__ = ["project"]
