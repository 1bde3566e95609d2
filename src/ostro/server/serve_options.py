"""How a server was asked to run."""

from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from ostro.errors import OstroError
from ostro.server.api_keys import ApiKeys, read_api_keys
from ostro.server.limits import Limits

ALIASES = ("mistral-small", "mistral-small-latest", "mistral-tiny", "open-mixtral-8x7b")
"""Names that reach the served model unless others are given: those that Mistral's clients use."""


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
    stall_seconds: float = 60.0
    """How long a client may take nothing of what it is sent."""
    connections: int = 512
    """Clients that are connected at the same time, whether they ask something or not."""
    log_prompts: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if is_loopback(self.host) or self.api_keys is not None or self.insecure:
            return
        raise OstroError(
            f"{self.host or 'every address'} can be reached by others; give --api-keys FILE "
            "('ostro key' makes keys), or --insecure to let everyone in"
        )

    @cached_property
    def keys(self) -> ApiKeys | None:
        """The keys that are asked for; None if none is."""
        return None if self.api_keys is None else read_api_keys(self.api_keys)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:  # A name: nobody knows what it will mean, but for this one.
        return host == "localhost"
