"""Output formats into masks over the vocabulary: compiled by llguidance, checked and bounded here.

``GrammarCompiler(tokenizer, vocab_size).compile(JsonSchema.of(...)).state()`` is the state of one
answer; :mod:`ostro.engine.grammar_state` says what it can do.
"""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostro.engine.grammar_state import GrammarState, GrammarVocabulary, why
from ostro.engine.json_schema import checked_schema
from ostro.engine.output_format import (
    Choice,
    JsonObject,
    JsonSchema,
    Lark,
    OutputFormat,
    Regex,
    lark_choice,
)
from ostro.errors import OstroError
from ostro.runtime.extras import require_extra
from ostro.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from llguidance import LLMatcher

# One line, a space after each comma and colon, and no other white space: what Python's json.dumps
# writes, and much of what models have read. Where white space is free a small model goes on with
# it for ever; where it is only bounded, it still breaks lines before commas, because it wanted to
# end the object there.
_JSON_STYLE = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
# How a text that leaves no choice is spelt is decided by GrammarState and not by the library, whose
# masks would then differ from what it takes, and which would call Python in the middle of a mask.
_HEAD = '%llguidance {"no_forcing": true}\n'


@dataclass(frozen=True, kw_only=True)
class GrammarLimits:
    """What one output format may cost. The defaults end a compilation within about a second."""

    max_bytes: int = 65_536
    """Length of the format: of a schema without its descriptions, of a pattern, of all options."""
    max_depth: int = 64
    """Objects and arrays inside each other, in a schema."""
    max_grammar_size: int = 100_000
    """Symbols in the grammar's productions."""
    max_lexer_states: int = 50_000
    """States of the lexer, 1 to 2 kB each, that one answer may reach."""
    initial_lexer_fuel: int = 1_000_000
    """Work on regular expressions in a compilation; 50,000 take about a millisecond."""
    step_lexer_fuel: int = 200_000
    """The same in one mask; 14,000 take about a millisecond."""
    step_max_items: int = 50_000
    """Items of the parser in one mask; 20,000 take about a millisecond."""


class CompiledGrammar:
    """A format that has been checked and compiled for one vocabulary. Made by GrammarCompiler."""

    def __init__(self, compiler: "GrammarCompiler", text: str) -> None:
        self._compiler, self._text = compiler, text
        # Taken by the first state. Copies of one matcher share its lexer, and with it its end when
        # that grows too large: one answer could end another.
        self._spare = [compiler.matcher(text)]

    def state(self) -> GrammarState:
        """A new state, at the beginning of an answer.

        The first is at hand; each further one compiles anew, without holding the interpreter's
        lock, since states that share anything could disturb each other.
        """
        try:
            matcher = self._spare.pop()
        except IndexError:
            matcher = self._compiler.matcher(self._text)
        return GrammarState(matcher, self._compiler.vocabulary)


class GrammarCompiler:
    """Compiles output formats for the vocabulary of one model."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        vocab_size: int | None = None,
        limits: GrammarLimits | None = None,
    ) -> None:
        """``vocab_size`` is the model's, where it has more ids than the tokenizer has pieces.

        Without llguidance this is an OstroError that says how to install it.
        """
        self._library: Any = require_extra("llguidance", "serve")
        self._limits = limits or GrammarLimits()
        self._drops_first_space = tokenizer.drops_first_space
        if not tokenizer.eos_ids:
            raise OstroError("structured output needs a tokenizer with a token that ends an answer")
        size = vocab_size or tokenizer.vocab_size
        wrapper = _Pieces(tokenizer, min(size, tokenizer.vocab_size))
        self._tokenizer = self._library.LLTokenizer(wrapper, eos_token=sorted(tokenizer.eos_ids))
        self.vocabulary = GrammarVocabulary(
            size=size,
            token_bytes=wrapper.tokens,
            tokenizer=tokenizer,
        )

    def compile(self, format: OutputFormat, *, mid_text: bool = False) -> CompiledGrammar:
        """Check and compile a format; what can't be enforced or costs too much is an OstroError.

        ``mid_text`` says that the answer continues a text. Otherwise a tokenizer that drops the
        first space of a text may put one before the answer, as the model expects.
        """
        leads = self._drops_first_space and not mid_text
        return CompiledGrammar(self, _HEAD + self._rules(format, leads))

    def matcher(self, text: str) -> "LLMatcher":
        """The library's matcher of a grammar, after its first mask has been tried."""
        limits = self._limits
        matcher: LLMatcher = self._library.LLMatcher(
            self._tokenizer,
            text,
            log_level=0,
            limits=self._library.LLParserLimits(
                initial_lexer_fuel=limits.initial_lexer_fuel,
                step_lexer_fuel=limits.step_lexer_fuel,
                step_max_items=limits.step_max_items,
                max_lexer_states=limits.max_lexer_states,
                max_grammar_size=limits.max_grammar_size,
                verbose_errors=False,
            ),
        )
        if not matcher.is_error():
            matcher.compute_bitmask()  # Some that compile allow no first token, or cost too much.
        if matcher.is_error():
            raise OstroError(f"this output format can't be enforced: {why(matcher)}")
        return matcher

    def _rules(self, format: OutputFormat, leads: bool) -> str:
        """A Lark grammar for ``format``; ``leads`` allows a space before the answer."""
        start = 'start: SPACE? answer\nSPACE: " "\n' if leads else "start: answer\n"
        match format:
            case JsonObject():
                return start + _json_rule("answer", {"type": "object"})
            case JsonSchema():
                return start + self._schema_rule("answer", format)
            case Regex(pattern):
                self._check_size(pattern)
                # Pairs of \d and the like would otherwise reach into all of Unicode.
                inside = self._library.regex_to_lark(pattern, "d")
                return _pattern_rules(f"/{inside}/", leads)
            case Choice(options):
                self._check_size("".join(options))
                plain = [option for option in options if not (leads and option.startswith(" "))]
                spaced = [f" {option}" for option in options] if leads else []
                # One terminal: as rules, thousands of options would be too many at once.
                return f"start: OPTION\nOPTION: {lark_choice([*plain, *spaced])}\n"
            case Lark(rules, schemas):
                parts = [self._schema_rule(name, schema) for name, schema in schemas]
                return start + rules + "\n" + "".join(parts)

    def _schema_rule(self, name: str, schema: JsonSchema) -> str:
        limits = self._limits
        checked = checked_schema(
            schema.text, max_bytes=limits.max_bytes, max_depth=limits.max_depth
        )
        return _json_rule(name, checked)

    def _check_size(self, text: str) -> None:
        try:
            size, most = len(text.encode()), self._limits.max_bytes
        except UnicodeEncodeError as error:
            where = error.start
            raise OstroError(f"this output format has half a character at {where}") from None
        if size > most:
            raise OstroError(f"this output format has {size} bytes, and {most} are the most")


class Grammars:
    """Compiled formats of one model, the latest few kept. Any thread may ask."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int, kept: int = 64) -> None:
        self._tokenizer, self._vocab_size, self._kept = tokenizer, vocab_size, kept
        self._lock = threading.Lock()
        self._compiler: GrammarCompiler | None = None
        self._compiled: OrderedDict[tuple[OutputFormat, bool], CompiledGrammar] = OrderedDict()

    def get(self, format: OutputFormat, *, mid_text: bool) -> CompiledGrammar:
        """As :meth:`GrammarCompiler.compile`."""
        key = format, mid_text
        with self._lock:
            if self._compiler is None:  # Without the package, only those who want it are told.
                self._compiler = GrammarCompiler(self._tokenizer, self._vocab_size)
            compiler, known = self._compiler, self._compiled.get(key)
        compiled = compiler.compile(format, mid_text=mid_text) if known is None else known
        with self._lock:
            self._compiled[key] = compiled
            self._compiled.move_to_end(key)
            while len(self._compiled) > self._kept:
                self._compiled.popitem(last=False)
        return compiled


def _json_rule(name: str, schema: dict[str, Any]) -> str:
    return f"{name}: %json {json.dumps({**schema, 'x-guidance': _JSON_STYLE})}\n"


def _pattern_rules(pattern: str, leads: bool) -> str:
    if not leads:
        return f"start: {pattern}\n"
    # The first space is dropped, so a text that has one of its own needs two.
    return (
        "start: SPACED | PLAIN\n"
        'SPACED: " " ANSWER\n'
        "PLAIN: ANSWER & UNSPACED\n"
        "UNSPACED: /([^ ](?s:.)*)?/\n"
        f"ANSWER: {pattern}\n"
    )


class _Pieces:
    """The vocabulary in the shape that llguidance reads it from."""

    is_tokenizer_wrapper = True

    def __init__(self, tokenizer: Tokenizer, count: int) -> None:
        names = {number: piece for piece, number in tokenizer.special_pieces.items()}
        numbers = range(count)
        text = [tokenizer.token_bytes(number) for number in numbers]
        # A token without text must not count as one that is allowed everywhere.
        self.special_token_ids = [n for n in numbers if not text[n] or n in tokenizer.eos_ids]
        for number in self.special_token_ids:
            text[number] = names.get(number, f"[{number}]").encode("utf-8", "replace")
        self.tokens = text
        self.eos_token_id = min(tokenizer.eos_ids)
        self.bos_token_id = tokenizer.bos_id

    def __call__(self, text: bytes) -> list[int]:
        """Never needed: nothing is forced, see ``_HEAD``."""
        raise AssertionError("llguidance asked for token ids")
