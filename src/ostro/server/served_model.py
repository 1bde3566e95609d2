"""The model behind a server, under all its names."""

from collections.abc import Sequence
from dataclasses import dataclass
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
        tokenizer = self.llm.tokenizer
        return (
            ModelCard(
                id=self.llm.name,
                created=self.created,
                context=self.llm.context,
                aliases=self.options.aliases,
                default_temperature=self.options.temperature,
                chat=tokenizer.has_chat_template,
                function_calling=tokenizer.has_chat_template,
                fim=False,
                moderation=tokenizer.has_chat_template,
            ),
        )

    def card(self, name: str | None) -> ModelCard:
        """The card of a requested name; 404 for one that nobody has, the first for None."""
        return self.cards[0] if name is None else find_card(name, self.cards)
