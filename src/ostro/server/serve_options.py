"""How a server was asked to run."""

from dataclasses import dataclass, field
from pathlib import Path

from ostro.errors import OstroError
from ostro.server.limits import Limits

ALIASES = ("mistral-small", "mistral-small-latest", "mistral-tiny", "open-mixtral-8x7b")
"""Names that reach the served model unless others are given: those that Mistral's clients use."""

_LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Everything but the model."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any that is free."""
    aliases: tuple[str, ...] = ALIASES
    api_keys: Path | None = None
    insecure: bool = False
    """Whether others on the network may ask without a key."""
    concurrency: int = 32
    """Answers that are computed at the same time."""
    max_queue: int = 256
    """Requests that may wait."""
    requests_per_minute: int | None = None
    """For each key by itself."""
    temperature: float = 0.0
    """Of requests that name none."""
    max_tokens: int = 1024
    """Of requests that name no limit: small models may never come to an end by themselves."""
    origins: tuple[str, ...] = ()
    """Web pages of these origins may ask (CORS)."""
    drain_seconds: float = 30.0
    """How long what runs may go on after the server was told to stop."""
    header_seconds: float = 10.0
    """How long a client may take for the head of a request, and then for its body."""
    log_prompts: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.host.startswith(_LOOPBACK) or self.api_keys is not None or self.insecure:
            return
        raise OstroError(
            f"{self.host} can be reached by others; give --api-keys FILE ('ostro key' makes keys), "
            "or --insecure to let everyone in"
        )
