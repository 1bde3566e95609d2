"""The native library, loaded for tests, with a context for each instruction set there is."""

import pytest

from ostro.errors import OstroError
from ostro.kernels.library import NativeLibrary, load_library
from ostro.kernels.native import NativeContext

needs_native = pytest.mark.skipif(
    not isinstance(load_library(), NativeLibrary), reason="the native library is not built"
)


def library() -> NativeLibrary:
    """The library; without one, tests of it are skipped with the reason."""
    loaded = load_library()
    if not isinstance(loaded, NativeLibrary):
        pytest.skip(loaded.notice)
    return loaded


def contexts(threads: int) -> dict[str, NativeContext]:
    """A context for each instruction set that this processor has."""
    found = {}
    for name in ("avx2", "avx512"):
        try:
            found[name] = NativeContext(library(), threads, name)
        except OstroError:
            continue
    return found
