"""Packages laid out as Mistral's clients are, with nothing in them but their endpoint."""

from pathlib import Path

PUBLIC = "https://api.mistral.ai"

_LEGACY_CLASS = """
from mistralai.client_base import ClientBase
from mistralai.constants import ENDPOINT
from mistralai.models.chat_completion import ChatMessage

class {name}(ClientBase):
    def __init__(self, api_key=None, endpoint=ENDPOINT):
        self._endpoint = endpoint
"""

_CONFIGURATION = """
from dataclasses import dataclass
SERVERS = {{"{default}": "https://api.mistral.ai", "us": "https://api.us.mistral.ai"}}

@dataclass
class SDKConfiguration:
    server_url: str = ""
    server: str = ""

    def get_server_details(self):
        if self.server_url:
            return self.server_url, {{}}
        if not self.server:
            self.server = "{default}"
        return SERVERS[self.server], {{}}
"""

_SDK = """
from .sdkconfiguration import SDKConfiguration

class Mistral:
    def __init__(self, api_key=None, server=None, server_url=None):
        self.sdk_configuration = SDKConfiguration(server_url, server)
        self.endpoint = self.sdk_configuration.get_server_details()[0]
"""

_STUB = """
class {name}:
    def __init__(self, api_key=None):
        raise NotImplementedError("pin your version to 0.4.2")
"""


def write_legacy(folder: Path, version: str = "0.4.2") -> None:
    """0.0.x to 0.4.2: a constant becomes a default argument."""
    _write(
        folder,
        version,
        {
            "__init__.py": "",
            "constants.py": f"ENDPOINT = {PUBLIC!r}",
            "client_base.py": "class ClientBase: ...",
            "exceptions.py": "class MistralException(Exception): ...",
            "client.py": _LEGACY_CLASS.format(name="MistralClient"),
            "async_client.py": _LEGACY_CLASS.format(name="MistralAsyncClient"),
            "models/__init__.py": "",
            "models/chat_completion.py": "class ChatMessage: ...",
        },
    )


def write_one(folder: Path, version: str = "1.12.4") -> None:
    """1.x: one package, with stubs where the earlier classes were."""
    _write(
        folder,
        version,
        {
            "__init__.py": "from .sdk import Mistral",
            "sdk.py": _SDK,
            "sdkconfiguration.py": _CONFIGURATION.format(default="eu"),
            "client.py": _STUB.format(name="MistralClient"),
            "async_client.py": _STUB.format(name="MistralAsyncClient"),
            "models/__init__.py": "class UserMessage: ...",
        },
    )


def write_three(folder: Path, version: str = "3.7.0") -> None:
    """2.x and 3.x: a package inside a namespace."""
    _write(
        folder,
        version,
        {
            "client/__init__.py": "from .sdk import Mistral",
            "client/sdk.py": _SDK,
            "client/sdkconfiguration.py": _CONFIGURATION.format(default="global"),
            "client/models/__init__.py": "class UserMessage: ...",
        },
    )


def _write(folder: Path, version: str, files: dict[str, str]) -> None:
    record = f"Metadata-Version: 2.1\nName: mistralai\nVersion: {version}\n"
    written = {f"mistralai/{name}": text for name, text in files.items()}
    written[f"mistralai-{version}.dist-info/METADATA"] = record
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
