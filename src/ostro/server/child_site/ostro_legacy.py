"""Mistral's client 0.4.2 for programs that were written for it, in a Python that lacks it.

``mistralai.client.MistralClient`` was taken out after 0.4.2. When a program asks for it and its
Python has a later ``mistralai`` or none, that one is replaced in this process by 0.4.2 from ostro's
cache; ostro is asked to fill the cache if need be. Nothing happens to programs that don't ask.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder

# For the type checker alone: at run time these would be imported on every start of Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, FrameType, ModuleType
    from typing import Any

VERSION = "0.4.2"
CLASSES = {"mistralai.client": "MistralClient", "mistralai.async_client": "MistralAsyncClient"}
# Modules that no later version has.
GONE = ("mistralai.models.chat_completion", "mistralai.exceptions", "mistralai.client_base")
IMPORTLIB = os.path.join("importlib", "__init__.py")
CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ostro_child.py")


def tell(text: str) -> None:
    """One line for the person."""
    if sys.stderr is not None:
        sys.stderr.write(f"ostro: {text}\n")


def tag() -> str:
    """Which compiled modules this Python can load: its version, ABI, platform and processor."""
    import platform

    return f"{EXTENSION_SUFFIXES[0].split('.')[1]}-{platform.machine()}"


def has_legacy_client() -> bool:
    """Whether this Python's own ``mistralai`` is one up to 0.4.2. Nothing is imported."""
    spec = PathFinder.find_spec("mistralai")
    places = (spec and spec.submodule_search_locations) or ()
    return any(os.path.exists(os.path.join(p, "models", "chat_completion.py")) for p in places)


def own_version() -> str | None:
    """The version of ``mistralai`` that is installed here."""
    from importlib import metadata

    try:
        return metadata.version("mistralai")
    except metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, Any]:
    """What ostro needs to know of this Python before the program starts."""
    return {
        "tag": tag(),
        "version": list(sys.version_info[:2]),
        "has_pip": PathFinder.find_spec("pip") is not None,
        "mistralai": own_version(),
        "has_legacy_client": has_legacy_client(),
    }


class LegacyClient:
    """The last finder: it is asked for modules that this Python lacks."""

    def __init__(self, cache: str, fetch: str) -> None:
        self._cache = cache
        self._fetch = fetch
        self._failed = False
        self.folder: str | None = None
        """Where 0.4.2 is, once this process uses it."""

    def offer(self, module: Any) -> None:
        """Give a later ``mistralai.client`` the class that it lacks, when the program asks."""
        if hasattr(module, "ENDPOINT"):  # This is one up to 0.4.2.
            return
        wanted = CLASSES[module.__name__]
        stub = module.__dict__.pop(wanted, None)  # 1.x has one that only raises.
        before = module.__dict__.get("__getattr__")

        def get(name: str) -> Any:
            if name == wanted:
                found = self._take(module.__name__, wanted) or stub
                if found is not None:
                    return found
            if before is not None:
                return before(name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = get

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A module of 0.4.2, if the program asks for what only that one has."""
        if fullname.partition(".")[0] != "mistralai":
            return None
        name, frame = _asker()
        asks = name is not None and (name in GONE or (frame is not None and _names(frame.f_code)))
        if not asks or _is_installed(frame) or not self._use():
            return None
        assert self.folder is not None
        from importlib import import_module

        parent = fullname.rpartition(".")[0]
        places = [self.folder] if not parent else list(import_module(parent).__path__)
        return PathFinder.find_spec(fullname, places)

    def _take(self, module: str, name: str) -> Any:
        """The class out of 0.4.2; None if the program does not ask, or has to do without."""
        _, frame = _asker()
        if self.folder is None and (_is_installed(frame) or not self._use()):
            return None
        from importlib import import_module

        try:
            return getattr(import_module(module), name)
        except ImportError as error:
            tell(f"install mistralai=={VERSION} here; it does not go with what is here: {error}")
            raise

    def _use(self) -> bool:
        """Replace ``mistralai`` in this process; False if 0.4.2 cannot be had."""
        if self.folder is not None or self._failed or has_legacy_client():
            return False
        version = own_version()
        folder = self._ready()
        if folder is None:
            self._failed = True
            return False
        have = "no mistralai" if version is None else f"mistralai {version} without MistralClient"
        tell(f"this Python has {have}; using {VERSION}")
        for name in [name for name in sys.modules if name.partition(".")[0] == "mistralai"]:
            del sys.modules[name]
        sys.path.append(folder)  # Last: packages that are here already are used.
        self.folder = folder
        return True

    def _ready(self) -> str | None:
        """The folder of 0.4.2 for this Python; ostro is asked for it if it is not there yet."""
        folder = os.path.join(self._cache, tag())
        if os.path.isdir(folder):
            return folder
        if not self._fetch or not sys.executable:
            return None
        import json
        import subprocess

        # What is wrong, ostro says on standard error.
        command = [*json.loads(self._fetch), sys.executable]
        null = subprocess.DEVNULL
        try:
            subprocess.run(command, stdin=null, stdout=null, check=False)
        except OSError as error:
            tell(f"cannot fetch mistralai {VERSION}: {error}")
        return folder if os.path.isdir(folder) else None


def _asker() -> tuple[str | None, FrameType | None]:
    """The full name that an import statement asks for, and the frame that it stands in.

    ``from mistralai.client import X`` first imports ``mistralai``: importlib's outermost frame
    tells what for.
    """
    frame: FrameType | None = sys._getframe(1)
    name = None
    while frame is not None:
        code = frame.f_code
        if _is_importlib(code.co_filename):
            if code.co_name == "_find_and_load":
                name = frame.f_locals.get("name", name)
        elif code.co_filename not in (__file__, CHILD):
            break
        frame = frame.f_back
    return name, frame


def _is_importlib(file: str) -> bool:
    return file.startswith("<frozen importlib") or file.endswith(IMPORTLIB)


def _is_installed(frame: FrameType | None) -> bool:
    """Whether it is an installed package that asks: one that copes with every version."""
    if frame is None:
        return True
    file = frame.f_code.co_filename
    return "site-packages" in file or "dist-packages" in file


def _names(code: CodeType) -> bool:
    """Whether ``code``, or code inside it, names a class of 0.4.2."""
    return any(name in code.co_names for name in CLASSES.values()) or any(
        _names(inner) for inner in code.co_consts if isinstance(inner, type(code))
    )
