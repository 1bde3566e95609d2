"""Random answers that masks allow, and the schemas they are tried with."""

import random
from enum import Enum
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ostro.engine.grammar_state import GrammarState
from ostro.text.tokenizer import Tokenizer

MOST_TOKENS = 3_000
# What ends strings, lists, objects and choices with null soonest.
CLOSING = b'"]}n'


def allowed(mask: Tensor) -> list[int]:
    """The tokens of a mask."""
    return list(map(int, _tokens(mask)))


def _tokens(mask: Tensor) -> np.ndarray:
    return np.flatnonzero(np.unpackbits(mask.numpy().view(np.uint8), bitorder="little"))


class Walker:
    """Makes up answers of tokens that masks allow."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts = [tokenizer.token_bytes(number) for number in range(tokenizer.vocab_size)]
        self.ends = np.array(sorted(tokenizer.eos_ids))
        self._closing = [self.texts.index(bytes([byte])) for byte in CLOSING]
        self._silent = np.array([not text for text in self.texts])

    def walk(self, state: GrammarState, seed: int, free: int = 25) -> list[int]:
        """Tokens chosen at random up to EOS, which is left out; after ``free``, soon to end."""
        rng, tokens = random.Random(seed), list[int]()
        while len(tokens) < MOST_TOKENS:
            choices = _tokens(state.mask())
            texts = self._texts(choices, state)
            late = len(tokens) >= free
            if state.is_complete and (late or not len(texts) or rng.random() < 0.1):
                state.accept(int(rng.choice(self.ends)))
                assert (state.is_complete, state.is_stopped) == (True, True)
                return tokens
            token = int(rng.choice(texts))
            if late and rng.random() < 0.75:
                token = next((n for n in self._closing if (texts == n).any()), token)
            state.accept(token)
            tokens.append(token)
        raise AssertionError("the answer has no end")

    def _texts(self, choices: np.ndarray, state: GrammarState) -> np.ndarray:
        """The allowed tokens that go on, after checking those that don't."""
        texts = choices[~np.isin(choices, self.ends, kind="table")]
        # The text is valid exactly where the answer may end, and then every way of ending is open.
        assert len(choices) - len(texts) == (len(self.ends) if state.is_complete else 0)
        assert len(choices), "no token is allowed, not even EOS"
        assert not (state.is_stopped and len(texts))
        assert not self._silent[texts].any(), "a token without text inside"
        return texts


def strict(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An object with these properties, all required, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


class Colour(Enum):
    """Two values."""

    RED = "red"
    GREEN = "grün"


class Strict(BaseModel):
    """Nothing but its own fields, as the clients' helpers ask for."""

    model_config = ConfigDict(extra="forbid")


class Address(Strict):
    """Nested by reference."""

    street: str = Field(description="with the number", max_length=12)
    postcode: str = Field(pattern=r"^[0-9]{5}$")


class Cat(Strict):
    """One of two, told apart by ``kind``."""

    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(Strict):
    """The other one."""

    kind: Literal["dog"]
    tricks: list[str] = Field(max_length=2)


class Person(Strict):
    """What pydantic makes of most types that people use."""

    name: str
    age: Annotated[int, Field(ge=0, lt=130)]
    nickname: str | None = None
    height: float | None
    colours: list[Colour]
    address: Address
    former: list[Address] = Field(max_length=1)
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    scores: dict[str, int]
    pair: tuple[bool, Literal["a", 1]]


class Tree(Strict):
    """Contains itself."""

    value: int
    children: list["Tree"]
    left: "Tree | None"


MODELS = (Person, Tree)

SCHEMAS: dict[str, dict[str, Any]] = {
    "any object": {"type": "object"},
    "anything": {},
    "string": {"type": "string"},
    "numbers": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3},
    "integer range": {"type": "integer", "minimum": -3, "maximum": 120},
    "exclusive range": {"type": "integer", "exclusiveMinimum": 7, "exclusiveMaximum": 19},
    "number range": {"type": "number", "minimum": -1.5, "exclusiveMaximum": 2.25},
    "multiples": {"type": "integer", "multipleOf": 7, "minimum": 10},
    "lengths": {"type": "string", "minLength": 2, "maxLength": 3},
    "pattern": {"type": "string", "pattern": "^[a-zé]{2,4}-[0-9]+$"},
    "pattern anywhere": {"type": "string", "pattern": "[a-f]x?"},
    "enum": {"enum": ["red", 'gr"ün', 3, None, True, {"a": [1.5]}]},
    "const": {"const": "😀 \\ \n"},
    "types": {"type": ["null", "boolean", "integer"]},
    "null or string": {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "null"}]},
    "one of": {
        "oneOf": [strict({"k": {"const": "a"}}), strict({"k": {"const": "b"}, "v": {}})],
    },
    "all of": {
        "allOf": [{"type": "string", "minLength": 3}, {"pattern": "^a"}, {"maxLength": 6}],
    },
    "strict": strict({"a": {"type": "string"}, "b": strict({"c": {"type": "null"}})}),
    "optional": strict({"a": {}, "b": {"type": "integer"}}, required=["b"]),
    "map": {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1},
    "pattern properties": {
        "type": "object",
        "patternProperties": {"^x": {"type": "integer"}},
        "additionalProperties": False,
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "minItems": 2,
        "items": False,
    },
    "references": {
        "$defs": {"name": {"type": "string", "maxLength": 5}, "list": {"items": False}},
        **strict({"a": {"$ref": "#/$defs/name"}, "b": {"$ref": "#/$defs/name", "minLength": 5}}),
    },
    "recursion": {
        "$defs": {
            "node": strict(
                {
                    "items": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                }
            )
        },
        "$ref": "#/$defs/node",
    },
    "format": {"type": "string", "format": "uuid"},
}
