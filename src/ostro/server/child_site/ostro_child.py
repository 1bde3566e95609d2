"""In a program that ``ostro run`` started, the default endpoint of Mistral's clients is ostro's.

No environment variable reaches it: clients up to 0.4.2 bind it when their class is defined, later
ones keep it in a table. So it is changed as their modules are imported. A program that names an
endpoint itself keeps it.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

from ostro_legacy import LegacyClient, tell

# For the type checker alone: at run time these would be imported on every start of Python.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Change = Callable[[ModuleType], None]

URL = "OSTRO_URL"
CLIENTS = "OSTRO_RUN_CLIENTS"
FETCH = "OSTRO_RUN_FETCH"
PUBLIC = "https://api.mistral.ai"


def install(variables: Mapping[str, str]) -> None:
    """Watch for imports of Mistral's clients, if ``variables`` say where ostro is."""
    url = variables.get(URL)
    if not url or any(isinstance(finder, Redirect) for finder in sys.meta_path):
        return
    legacy = LegacyClient(variables.get(CLIENTS, ""), variables.get(FETCH, ""))
    sys.meta_path.insert(0, Redirect(url, legacy))
    # Last: it is asked for what this Python does not have.
    sys.meta_path.append(legacy)


class Redirect:
    """Finds modules as the other finders do, and changes a few of them after they were executed."""

    def __init__(self, url: str, legacy: LegacyClient) -> None:
        self._url = url
        self._legacy = legacy
        self._changes: dict[str, Change] = {
            "mistralai.constants": self._change_constant,
            "mistralai.sdkconfiguration": self._change_configuration,
            "mistralai.client.sdkconfiguration": self._change_configuration,
            "mistralai.client": legacy.offer,
            "mistralai.async_client": legacy.offer,
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's specification; None for all that is not Mistral's."""
        if fullname == "mistralai" and self._legacy.folder:
            return PathFinder.find_spec(fullname, [self._legacy.folder])
        change = self._changes.get(fullname)
        if change is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                _then(spec, change)
                return spec
        return None

    def _change_constant(self, module: Any) -> None:
        """Up to 0.4.2: a constant that becomes a default argument."""
        if getattr(module, "ENDPOINT", None) == PUBLIC:
            module.ENDPOINT = self._url

    def _change_configuration(self, module: Any) -> None:
        """From 1.0 on: the configuration is asked for the address of every request."""
        configuration = getattr(module, "SDKConfiguration", None)
        original = getattr(configuration, "get_server_details", None)
        if configuration is None or original is None:
            tell(f"this mistralai asks Mistral's server; give it server_url={self._url!r}")
            return
        url = self._url

        def get_server_details(self: Any) -> Any:
            if not self.server_url and not getattr(self, "server", None):
                self.server_url = url
            return original(self)

        configuration.get_server_details = get_server_details


def _then(spec: ModuleSpec, change: Change) -> None:
    """Let ``change`` follow the execution of the module."""
    loader: Any = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None:  # A namespace has nothing to change.
        return

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == spec.name:  # A loader may serve several modules.
            change(module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        tell(f"cannot change {spec.name} here; Mistral's clients keep their endpoint")
