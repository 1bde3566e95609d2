"""From fields of a request to what the engine understands, and back to what clients are told."""

from collections.abc import Sequence
from dataclasses import replace

from ostro.engine.answer import Answer
from ostro.engine.logprobs import TokenLogprob as EngineLogprob
from ostro.engine.logprobs import TokenLogprobs
from ostro.engine.output_format import Choice, JsonObject, JsonSchema, OutputFormat, Regex
from ostro.engine.params import SamplingParams
from ostro.engine.request import Piece
from ostro.server.logprobs import TokenLogprob
from ostro.server.responses import Told, Usage
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.serve_options import ServeOptions
from ostro.text.tokenizer import Tokenizer


def sampling_params(
    request: ChatRequest | CompletionRequest, options: ServeOptions, *, logprobs: int | None
) -> SamplingParams:
    """What a request asks of sampling, with the server's defaults for what it leaves open."""
    temperature = options.temperature if request.temperature is None else request.temperature
    top_p = 1.0 if request.top_p is None else request.top_p
    limit = request.token_limit
    return SamplingParams(
        # A text without an answer still has to be read: one token comes and is not shown.
        max_tokens=options.max_tokens if limit is None else max(limit, 1),
        # Nothing is left of a share of 0 but the likeliest token.
        temperature=temperature if top_p else 0.0,
        top_p=top_p or 1.0,
        top_k=request.top_k,
        min_p=request.min_p,
        repetition_penalty=request.repetition_penalty,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        logit_bias=request.logit_bias,
        seed=request.chosen_seed,
        stop=request.stop,
        stop_token_ids=tuple(request.stop_token_ids),
        min_tokens=request.min_tokens,
        ignore_eos=request.ignore_eos,
        n=request.n,
        logprobs=logprobs,
        prompt_logprobs=request.top_prompt_logprobs if request.prompt_logprobs else None,
    )


def output_format(request: ChatRequest | CompletionRequest) -> OutputFormat | None:
    """The form that ``response_format`` asks for; None for plain text."""
    asked = request.response_format
    if asked.type == "json_object":
        return JsonObject()
    if asked.json_schema is not None:
        return JsonSchema.of(asked.json_schema.schema_definition)
    if asked.regex is not None:
        return Regex(asked.regex)
    return None if asked.choice is None else Choice(tuple(asked.choice))


class Teller:
    """Says what was asked about tokens, in the server's words."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def told(self, pieces: Sequence[Piece]) -> Told:
        """What some pieces of one answer tell beside their text."""
        logprobs = [self.token(piece.logprobs) for piece in pieces if piece.logprobs is not None]
        routing = [piece.routing.to_dict() for piece in pieces if piece.routing is not None]
        reports = [piece.prompt for piece in pieces if piece.prompt is not None]
        prompt = [self.token(entry) for report in reports for entry in report.logprobs]
        read = [entry.to_dict() for report in reports for entry in report.routing]
        return Told(
            logprobs=logprobs or None,
            prompt_logprobs=prompt or None,
            routing=routing or None,
            prompt_routing=read or None,
        )

    def token(self, entry: TokenLogprobs, top: int | None = None) -> TokenLogprob:
        """One token with its alternatives, or the ``top`` likeliest of them."""
        others = tuple(self._one(other) for other in entry.top[:top])
        return replace(self._one(entry.chosen), top=others)

    def plain(self, token_id: int) -> TokenLogprob:
        """A token of which nothing is known."""
        return TokenLogprob(token_id, self._tokenizer.token_bytes(token_id), None)

    def _one(self, entry: EngineLogprob) -> TokenLogprob:
        return replace(self.plain(entry.token_id), logprob=entry.logprob)


def usage(answers: Sequence[Answer], *, is_shown: bool = True) -> Usage:
    """Tokens of a call: each prompt counts once, however many answers it gets.

    Answers that are not shown count for their prompts alone.
    """
    prompts = {id(answer.request): answer for answer in reversed(answers)}
    return Usage(
        prompt_tokens=sum(answer.prompt_length for answer in prompts.values()),
        completion_tokens=sum(answer.generated for answer in answers) if is_shown else 0,
        cached_tokens=sum(answer.known for answer in prompts.values()),
    )
