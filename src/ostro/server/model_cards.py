"""``/v1/models``: cards that Mistral's clients, old and new, and OpenAI's can read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ostro.server.errors import unknown_model


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What clients are told of a served model."""

    id: str
    created: int
    """Seconds since 1970."""
    context: int
    """The most tokens that prompt and answer may have together."""
    aliases: tuple[str, ...] = ()
    """Other names that requests may call it by, such as ``mistral-small``."""
    parent: str | None = None
    """The model that this one is an adapter of."""
    description: str | None = None
    default_temperature: float | None = None
    chat: bool = True
    function_calling: bool = False
    fim: bool = False
    moderation: bool = False

    def to_dict(self, name: str | None = None) -> dict[str, Any]:
        """The card, under the name that was asked for."""
        return {
            "id": name or self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "ostro",
            "root": self.parent or self.id,
            "parent": self.parent,
            "permission": [],
            "type": "base",
            "capabilities": self._capabilities(),
            "name": self.id,
            "description": self.description,
            "max_context_length": self.context,
            "aliases": list(self.aliases),
            "deprecation": None,
            "default_model_temperature": self.default_temperature,
        }

    def _capabilities(self) -> dict[str, bool]:
        return {
            "completion_chat": self.chat,
            "function_calling": self.function_calling,
            "completion_fim": self.fim,
            "fine_tuning": False,
            "vision": False,
            "classification": False,
            "moderation": self.moderation,
        }


def model_list(cards: Iterable[ModelCard]) -> dict[str, Any]:
    """The response to ``GET /v1/models``: a model once, its aliases in its card."""
    return {"object": "list", "data": [card.to_dict() for card in cards]}


def find_card(name: str, cards: Iterable[ModelCard]) -> ModelCard:
    """The card of the model that is called ``name``; raises ApiError 404 if none is."""
    names: Mapping[str, ModelCard]
    known = list(cards)
    names = {alias: card for card in known for alias in card.aliases}
    names |= {card.id: card for card in known}
    if name not in names:
        raise unknown_model(name, sorted(names))
    return names[name]
