"""From a row of logits to the next piece of an answer."""

from ostro.engine.answer import Answer
from ostro.engine.logprobs import prompt_logprobs, token_logprobs
from ostro.engine.request import FinishReason, Piece
from ostro.engine.runner import PartResult, Row
from ostro.kernels.dispatch import Kernels


class Writer:
    """Chooses tokens and says what they bring."""

    def __init__(self, kernels: Kernels) -> None:
        self._kernels = kernels
        self.tokens = 0
        """How many were written."""

    def write(self, answer: Answer, row: Row) -> Piece:
        """Choose the answer's next token, and append it and its piece."""
        grammar = answer.grammar
        mask = None if grammar is None else grammar.ahead.result()
        token = answer.sampler.sample(row.logits_V, answer.tokens, mask=mask)
        if grammar is not None:
            grammar.state.accept(token)
        answer.tokens.append(token)
        self.tokens += 1
        text, reason = self._text(answer, token)
        request, logprobs = answer.request, None
        if request.params.logprobs is not None:
            top = request.params.logprobs
            logprobs = token_logprobs(self._kernels, row.logits_V, token, top)
        piece = Piece(
            text,
            token,
            reason,
            answer.choice,
            logprobs,
            row.routing if request.routing else None,
            answer.report if answer.generated == 1 else None,
        )
        answer.timer.token()
        answer.pieces.append(piece)
        return piece

    def read(self, result: PartResult) -> None:
        """Take down what was asked about a part of the prompt.

        What was taken down before an answer was preempted is not taken down again.
        """
        part, request = result.part, result.part.answer.request
        report, prompt = part.answer.report, request.prompt_ids
        assert report is not None
        if request.prompt_routing and result.routing is not None:
            first = request.report_from + len(report.routing)
            report.routing += result.routing[first - part.begin : len(prompt) - part.begin]
        top = request.params.prompt_logprobs
        if top is not None:
            # The row of a token tells of the one after it.
            first = max(request.report_from, 1) + len(report.logprobs)
            following = prompt[first : part.end + 1]
            rows = result.logits[first - 1 - part.begin :][: len(following)]
            report.logprobs += prompt_logprobs(self._kernels, rows, following, top)

    def _text(self, answer: Answer, token: int) -> tuple[str, FinishReason | None]:
        if token in answer.ends:
            return answer.text.rest(), "stop"
        text = answer.text.add(token)
        if answer.text.stopped:
            return text, "stop"
        if answer.grammar is not None and answer.grammar.state.is_stopped:
            return text + answer.text.rest(), "stop"
        if len(answer.tokens) >= answer.limit:
            return text + answer.text.rest(), "length"
        return text, None
