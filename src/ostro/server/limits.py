"""What a request may be at most."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on one request; validation is given them as its context.

    They keep a request from costing much before the model has seen it. How many tokens the model
    itself can take is known to the engine, which refuses more.
    """

    body_bytes: int = 4 << 20
    nesting: int = 128
    """Objects and lists within one another, in the whole body."""
    model_characters: int = 256
    """Of a model's name."""
    messages: int = 4096
    chunks: int = 1024
    """Pieces of text in one message's content."""
    prompts: int = 64
    """Texts in one call of ``/v1/completions``."""
    prompt_tokens: int = 1 << 18
    """Where a prompt comes as token ids, and in ``/detokenize``."""
    n: int = 16
    """Answers to one prompt."""
    answers: int = 128
    """Answers in one call: prompts times ``n``."""
    max_tokens: int = 1 << 20
    stop_strings: int = 16
    stop_characters: int = 512
    """In one stop string."""
    stop_tokens: int = 64
    biases: int = 1024
    """Entries of ``logit_bias``."""
    top_logprobs: int = 20
    tools: int = 128
    tool_calls: int = 128
    """In one message."""
    schema_bytes: int = 64 << 10
    """Of a JSON schema, a tool's parameters or a regular expression, as compact JSON."""
    options: int = 1024
    """Texts of ``response_format``'s type ``choice``."""
    steered: int = 4096
    """Keys and numbers in ``steering``, those of all its layers together."""
