"""The model behind a server, under all its names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ostro.engine.engine import Engine
from ostro.engine.llm import LLM
from ostro.server.model_cards import ModelCard, find_card
from ostro.server.serve_options import ServeOptions


@dataclass(frozen=True)
class ServedModel:
    """A model, the engine that runs it, and what it is called."""

    llm: LLM
    engine: Engine
    options: ServeOptions
    created: int
    """When it was loaded, in seconds since 1970."""

    @cached_property
    def cards(self) -> Sequence[ModelCard]:
        """What clients are told of it."""
        chats = self.llm.tokenizer.has_chat_template
        own = ModelCard(
            id=self.llm.name,
            created=self.created,
            context=self.llm.context,
            aliases=self.options.aliases,
            default_temperature=self.options.temperature,
            chat=chats,
            function_calling=chats,
            fim=False,
            moderation=chats,
        )
        adapters = (
            replace(own, id=name, aliases=(), parent=own.id)
            for name in self.llm.model.adapters.names
        )
        return (own, *adapters)

    def adapter(self, card: ModelCard) -> str | None:
        """The adapter behind a card; None for the model itself."""
        return None if card.parent is None else card.id

    def card(self, name: str | None) -> ModelCard:
        """The card of a requested name; 404 for one that nobody has, the first for None."""
        return self.cards[0] if name is None else find_card(name, self.cards)
