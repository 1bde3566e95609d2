"""The servers that clients are tried with, and what they are told about them."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ostro
from ostro.engine.llm import LLM
from ostro.runtime.progress import SilentProgress
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from tiny_chat import TEMPLATE, TOOL_TEMPLATE, save_speller

ANSWER = "Why did\u2028the shark\x85 \x1cé 😀 cross?"
"""With all that old clients could take for the end of a line."""
CALLS = """\
<tool_call>
[{"name": "get", "arguments": {"a": 1}}, {"name": "get", "arguments": {"a": 2}}]
</tool_call>"""
VALUE = '{"x": {"z": 5}, "y": "a b"}'
CONTEXT = 4096
BEFORE_FAILURE = 3


def key_of(client: str) -> str:
    """The key by which a client may ask the limited server once a minute."""
    return f"key-of-{client}"


@contextmanager
def serving(folder: Path, clients: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Servers that answer, call, write JSON, limit, stop and break."""
    keys = folder / "keys"
    keys.write_text("".join(f"{key_of(client)}\n" for client in clients))
    models = {
        "text": _load(folder / "text", ANSWER),
        "call": _load(folder / "call", CALLS, TOOL_TEMPLATE),
        "json": _load(folder / "json", VALUE),
    }
    with ExitStack() as stack:

        def serve(name: str, **options: Any) -> RunningServer:
            server = RunningServer(models[name], ServeOptions(port=0, **options))
            return stack.enter_context(server)

        servers = {name: serve(name) for name in models}
        servers["limited"] = serve("text", api_keys=keys, requests_per_minute=1)
        servers["stopping"] = serve("text")
        servers["stopping"].endpoints.is_draining = True
        servers["broken"] = serve("text")
        _break(servers["broken"])
        yield {
            **{name: server.url for name, server in servers.items()},
            "nobody": f"http://127.0.0.1:{_free_port()}",
            "answer": ANSWER,
            "value": {"x": {"z": 5}, "y": "a b"},
            "context": CONTEXT,
            "before_failure": BEFORE_FAILURE,
        }


def _load(folder: Path, text: str, template: str = TEMPLATE) -> LLM:
    folder.mkdir()
    save_speller(folder, text, template=template, max_position_embeddings=CONTEXT)
    return ostro.load(folder, progress=SilentProgress())


def _break(server: RunningServer) -> None:
    """Let every answer fail after a few tokens."""
    writer = server.endpoints.served.engine.core.writer
    write = writer.write

    def fail(answer, row):
        if answer.generated >= BEFORE_FAILURE:
            raise RuntimeError("broken on purpose")
        return write(answer, row)

    writer.write = fail  # type: ignore[method-assign]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
