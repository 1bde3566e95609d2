"""Packages that only some commands need: imported by those, and named where they are missing."""

from importlib import import_module
from types import ModuleType

from ostro.errors import OstroError


def require_extra(module: str, extra: str) -> ModuleType:
    """Import ``module``, which comes with ``extra`` of the package's optional dependencies.

    Where it is not installed, an OstroError says how to install it. A package that is there and
    fails to import keeps its own error.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise OstroError(
            f"this needs the package {error.name}, which is not installed; run"
            f" `make {extra}-deps` in the checkout, or pip install 'ostro[{extra}]'"
        ) from None
