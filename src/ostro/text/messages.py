"""Messages of a conversation."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Message:
    """One message. ``prefix`` marks a last assistant message that the answer continues."""

    role: Role
    content: str
    prefix: bool = False
