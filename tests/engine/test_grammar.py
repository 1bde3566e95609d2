"""Masks: what they allow is valid, what is valid they allow."""

import json
import random
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from grammar_walks import MODELS, SCHEMAS, Walker, allowed, strict
from ostro.engine.grammar import GrammarCompiler, GrammarLimits
from ostro.engine.grammar_state import GrammarState, MaskAhead
from ostro.engine.output_format import (
    Choice,
    JsonObject,
    JsonSchema,
    Lark,
    OutputFormat,
    Regex,
)
from ostro.errors import OstroError
from ostro.text.json_tokenizer import json_tokenizer
from ostro.text.mistral import bundled_mistral_tokenizer
from ostro.text.tokenizer import Tokenizer
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from small_vocabulary import byte_vocabulary
from tiny_chat import EOS, VOCAB_SIZE, save_tokenizer, text_ids

SEEDS = st.integers(0, 1 << 32)
# A seed is not made simpler by making it smaller.
few = settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))


class Setting:
    """A tokenizer and a compiler for it."""

    def __init__(self, tokenizer: Tokenizer, vocab_size: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.compiler = GrammarCompiler(tokenizer, vocab_size)
        self.walker = Walker(tokenizer)
        self.walk = self.walker.walk

    def state(self, form: OutputFormat, **options: Any) -> GrammarState:
        return self.compiler.compile(form, **options).state()

    def answer(self, form: OutputFormat, seed: int) -> str:
        return self.tokenizer.decode(self.walk(self.state(form), seed))


@pytest.fixture(scope="module")
def by_bytes(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Every token is a byte; the model's vocabulary is larger than the tokenizer's."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return Setting(json_tokenizer(folder), VOCAB_SIZE + 40)


@pytest.fixture(scope="module")
def mistral() -> Setting:
    """Mixtral 8x7B's own: SentencePiece, with a space before the text, and byte pieces."""
    return Setting(bundled_mistral_tokenizer("v1"))


@pytest.fixture(params=["by_bytes", "mistral"])
def setting(request: pytest.FixtureRequest) -> Setting:
    found: Setting = request.getfixturevalue(request.param)
    return found


def accept_text(state: GrammarState, tokens: list[int]) -> None:
    for token in tokens:
        state.accept(token)


@pytest.mark.parametrize("name", SCHEMAS)
def test_whatever_the_masks_allow_is_json_of_the_schema(setting: Setting, name: str) -> None:
    schema = SCHEMAS[name]
    check = jsonschema.Draft202012Validator(schema)

    @few
    @given(SEEDS)
    def run(seed: int) -> None:
        text = setting.answer(JsonSchema.of(schema), seed)
        check.validate(json.loads(text))
        assert "\n" not in text

    run()


@pytest.mark.parametrize("model", MODELS)
def test_whatever_the_masks_allow_is_an_object_of_a_pydantic_model(
    setting: Setting, model: type[BaseModel]
) -> None:
    form = JsonSchema.of(model.model_json_schema())

    @few
    @given(SEEDS)
    def run(seed: int) -> None:
        model.model_validate_json(setting.answer(form, seed), strict=True)

    run()


def test_any_json_object_is_an_object(setting: Setting) -> None:
    for seed in range(4):
        assert isinstance(json.loads(setting.answer(JsonObject(), seed)), dict)


@pytest.mark.parametrize(
    "pattern",
    [r"\d{3}-[a-f]+", r"^(a|bé|😀)*$", "[^a]{2,3}", r"\s?/\\[\]\"'-]/", "(?i)yes|no", r" *x ?"],
)
def test_answers_match_the_whole_regular_expression(setting: Setting, pattern: str) -> None:
    @few
    @given(SEEDS)
    def run(seed: int) -> None:
        assert re.fullmatch(pattern, setting.answer(Regex(pattern), seed))

    run()


OPTIONS = ("red", "red wine", "rosé", ' "so"\n', " white", "  white", "\\n\x01\x7f", "😀!", "😁")


def test_answers_are_options_and_every_option_is_an_answer(setting: Setting) -> None:
    seen = {setting.answer(Choice(OPTIONS), seed) for seed in range(150)}
    assert seen == set(OPTIONS)


def fitting(rest: set[bytes], setting: Setting) -> set[int]:
    """By comparison with every option: the tokens that may come before what ``rest`` lists."""
    tokenizer = setting.tokenizer
    beginnings = {way[:length] for way in rest for length in range(1, len(way) + 1)}
    texts = enumerate(setting.walker.texts)
    ways = {token: len(text) for token, text in texts if text in beginnings}
    if b"" in rest:
        return {*ways, *tokenizer.eos_ids}
    same = 0
    while len({way[: same + 1] for way in rest}) == 1 and all(len(way) > same for way in rest):
        same += 1
    if not same:
        return set(ways)
    forced = next(iter(rest))[:same]
    text = forced.decode("utf-8", "ignore")
    own = set[int]()
    if text and forced.startswith(text.encode()):
        # Before the text stands a line feed, which nothing of it is joined to.
        own.add(tokenizer.encode("\n" + text)[2 if tokenizer.drops_first_space else 1])
    beyond = {token for token, length in ways.items() if length >= same}
    return beyond | (own & ways.keys() or longest(ways))


def longest(ways: dict[int, int]) -> set[int]:
    most = max(ways.values())
    return {token for token, length in ways.items() if length == most}


@few
@given(SEEDS)
def test_masks_are_exact(by_bytes: Setting, mistral: Setting, seed: int) -> None:
    for setting in (by_bytes, mistral):
        tokenizer, rng = setting.tokenizer, random.Random(seed)
        rest = {option.encode() for option in OPTIONS}
        if tokenizer.drops_first_space:
            rest = {w for w in rest if w[:1] != b" "} | {b" " + way for way in rest}
        state = setting.state(Choice(OPTIONS))
        while True:
            choices = allowed(state.mask())
            assert set(choices) == fitting(rest, setting)
            token = rng.choice(choices)
            state.accept(token)
            if token in tokenizer.eos_ids:
                break
            text = tokenizer.token_bytes(token)
            rest = {way[len(text) :] for way in rest if way.startswith(text)}


def test_a_forced_text_is_spelt_as_the_tokenizer_would(mistral: Setting) -> None:
    schema = strict({"explanation": {"enum": ["international law", "internal"]}})
    state, tokenizer = mistral.state(JsonSchema.of(schema)), mistral.tokenizer
    state.accept(tokenizer.encode("{")[0])
    spelt: list[list[str]] = []
    while not state.is_stopped:
        choices = allowed(state.mask())
        spelt.append(sorted(tokenizer.token_bytes(token).decode() for token in choices))
        state.accept(max(choices, key=lambda number: len(tokenizer.token_bytes(number))))
    # What the two texts share ends inside a word, and may yet become a longer token.
    assert spelt[:6] == [['"'], ["ex"], ["plan"], ["ation"], ['":'], [' "']]
    assert spelt[6:] == [["intern", "internal"], ['"}']]


def test_a_token_that_is_not_the_tokenizers_choice_is_still_accepted(mistral: Setting) -> None:
    state, tokenizer = mistral.state(Choice(("temperature",))), mistral.tokenizer
    pieces = {tokenizer.token_bytes(n): n for n in range(tokenizer.vocab_size)}
    state.accept(pieces[b"temp"])
    assert {tokenizer.token_bytes(n) for n in allowed(state.mask())} == {b"er"}
    assert state.allows([pieces[b"era"]]) == 0
    state.accept(pieces[b"era"])
    assert {tokenizer.token_bytes(n) for n in allowed(state.mask())} == {b"t"}


def test_the_first_space_is_the_tokenizers_and_not_the_answers(mistral: Setting) -> None:
    space, eos = mistral.tokenizer.encode("x")[0], min(mistral.tokenizer.eos_ids)
    (bare,) = (n for n in range(3, 32_000) if mistral.tokenizer.pieces[n] == "▁")  # type: ignore[attr-defined]
    assert mistral.tokenizer.token_bytes(space).startswith(b" ")
    first = mistral.state(Choice(("x", "y")))
    assert {bare, space} <= set(allowed(first.mask()))
    first.accept(space)
    assert eos in allowed(first.mask())
    inside = mistral.state(Choice(("x", "y")), mid_text=True)
    assert not {bare, space} & set(allowed(inside.mask()))
    own = mistral.state(Regex(" x"))
    own.accept(bare)
    assert space in allowed(own.mask())
    assert mistral.state(Regex(" x"), mid_text=True).allows([space, eos]) == 2


@pytest.mark.parametrize("text", ["é", "😀", "日本"])
def test_characters_may_be_split_over_tokens(setting: Setting, text: str) -> None:
    tokenizer = setting.tokenizer
    single = {tokenizer.token_bytes(n): n for n in reversed(range(tokenizer.vocab_size))}
    quoted = json.dumps(text, ensure_ascii=False).encode()
    state = setting.state(JsonSchema.of({"type": "string"}))
    for byte in quoted:
        assert single[bytes([byte])] in allowed(state.mask())
        state.accept(single[bytes([byte])])
    assert state.is_complete
    half = setting.state(JsonSchema.of({"type": "string"}))
    accept_text(half, [single[quoted[:1]], single[quoted[1:2]]])
    assert single[b'"'] not in allowed(half.mask())


def test_ids_beyond_the_tokenizer_and_special_tokens_are_never_allowed(by_bytes: Setting) -> None:
    mask = by_bytes.state(Regex("(?s:.*)")).mask()
    assert tuple(mask.shape) == (-(-(VOCAB_SIZE + 40) // 32),)
    assert str(mask.dtype) == "torch.int32"
    # No character begins with 80 to C1 or F5 to FF.
    begins = {*range(0x80), *range(0xC2, 0xF5)}
    assert set(allowed(mask)) == {*begins, EOS}


def test_a_model_that_knows_fewer_ids_than_its_tokenizer_is_given_no_others() -> None:
    tokenizer = vocabulary_tokenizer(byte_vocabulary())
    full = allowed(GrammarCompiler(tokenizer).compile(Regex("[a-z]?")).state().mask())
    few_ids = GrammarCompiler(tokenizer, 70).compile(Regex("[a-z]?")).state().mask()
    assert tuple(few_ids.shape) == (3,)
    assert allowed(few_ids) == [token for token in full if token < 70]


def test_every_token_that_ends_answers_ends_this_one_and_never_stands_inside() -> None:
    tilde = byte_vocabulary().pieces.index("~")
    vocabulary = replace(byte_vocabulary(), eos_ids=frozenset((0, tilde)))
    setting = Setting(vocabulary_tokenizer(vocabulary))
    assert setting.tokenizer.eos_ids == {0, tilde}
    state = setting.state(Regex("[a~]+"))
    (a,) = allowed(state.mask())
    state.accept(a)
    assert allowed(state.mask()) == sorted((0, tilde, a))
    assert [state.allows([a, token, a]) for token in (0, tilde)] == [2, 2]
    state.accept(tilde)
    assert (state.is_complete, state.is_stopped) == (True, True)
    state.rollback(2)
    assert allowed(state.mask()) == [a]


def test_a_tokenizer_that_ends_nothing_is_refused() -> None:
    tokenizer = vocabulary_tokenizer(replace(byte_vocabulary(), eos_ids=frozenset()))
    with pytest.raises(OstroError, match="ends an answer"):
        GrammarCompiler(tokenizer)


FORMS = {
    "object": JsonSchema.of(SCHEMAS["references"]),
    "choice": Choice(OPTIONS),
    "regex": Regex("(a|bc)*d"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_drafts_are_judged_as_the_masks_would_one_by_one(
    setting: Setting, form: OutputFormat
) -> None:
    tokenizer = setting.tokenizer

    @few
    @given(SEEDS)
    def run(seed: int) -> None:
        rng = random.Random(seed)
        draft = [*setting.walk(setting.state(form), seed), *tokenizer.eos_ids]
        if rng.random() < 0.8:
            draft[rng.randrange(len(draft))] = rng.randrange(tokenizer.vocab_size)
        state, expected = setting.state(form), 0
        for token in draft:
            if token not in allowed(state.mask()):
                break
            state.accept(token)
            expected += 1
            if token in tokenizer.eos_ids:
                break
        start = rng.randrange(expected + 1)
        state.rollback(expected - start)
        before = allowed(state.mask()) if not state.is_stopped else None
        assert state.allows(draft[start:]) == expected - start
        assert (allowed(state.mask()) if not state.is_stopped else None) == before

    run()


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_what_was_accepted_can_be_taken_back(setting: Setting, form: OutputFormat) -> None:
    @few
    @given(SEEDS, st.data())
    def run(seed: int, data: st.DataObject) -> None:
        tokens = setting.walk(setting.state(form), seed)
        tokens.append(min(setting.tokenizer.eos_ids))
        state, masks = setting.state(form), []
        for token in tokens:
            masks.append((allowed(state.mask()), state.is_complete, state.is_stopped))
            state.accept(token)
        count = data.draw(st.integers(1, len(tokens)))
        state.rollback(count)
        for token, mask in list(zip(tokens, masks, strict=True))[-count:]:
            assert (allowed(state.mask()), state.is_complete, state.is_stopped) == mask
            state.accept(token)

    run()


def test_states_and_forks_go_their_own_ways(by_bytes: Setting) -> None:
    grammar = by_bytes.compiler.compile(Choice(("abc", "abd", "xy")))
    one, two = grammar.state(), grammar.state()
    one.accept(ord("a"))
    fork = one.fork()
    fork.accept(ord("b"))
    one.rollback(1)
    one.accept(ord("x"))
    masks = [allowed(state.mask()) for state in (one, two, fork)]
    assert masks == [[ord("y")], [ord("a"), ord("x")], [ord("c"), ord("d")]]
    accept_text(fork, [ord("c"), EOS])
    ended = fork.fork()
    fork.rollback(1)
    assert allowed(fork.mask()) == [EOS]
    assert ended.is_stopped


def test_what_may_not_come_is_not_accepted(by_bytes: Setting) -> None:
    state = by_bytes.state(Choice(("ab",)))
    refused: list[Callable[[], None]] = [
        lambda: state.accept(ord("b")),
        lambda: state.accept(EOS),
        lambda: state.rollback(1),
    ]
    for refuse in refused[:2]:
        with pytest.raises(AssertionError):
            refuse()
    accept_text(state, text_ids("ab"))
    assert state.is_complete
    assert state.is_stopped
    state.accept(EOS)
    with pytest.raises(AssertionError):
        state.accept(EOS)


def test_masks_can_be_made_ahead_by_other_threads(by_bytes: Setting) -> None:
    text = text_ids('{"a": "wörter", "b": "12345"}')
    form = JsonObject()
    states = [by_bytes.state(form) for _ in range(4)]
    alone = by_bytes.state(form)
    ahead = [MaskAhead(state) for state in states]
    with ThreadPoolExecutor(3) as executor:
        for index, token in enumerate(text):
            for mask in ahead if index % 3 else ahead[1:]:
                mask.start(executor)
            expected = allowed(alone.mask())
            assert [allowed(mask.result()) for mask in ahead] == [expected] * 4
            for state in (alone, *states):
                state.accept(token)


def test_tools_write_literal_text_around_json(setting: Setting) -> None:
    schema = JsonSchema.of({"const": 1})
    around = Lark.around('<tool>\n"', schema, "</tool>")
    assert setting.answer(around, 1) == '<tool>\n"1</tool>'
    calls = Lark(
        'answer: "[" call (", " call)* "]"\ncall: first | second',
        (("first", schema), ("second", JsonSchema.of({"type": "null"}))),
    )
    for seed in range(5):
        values = json.loads(setting.answer(calls, seed))
        assert values
        assert set(values) <= {1, None}
    with pytest.raises(OstroError, match="'not' is not supported"):
        setting.state(Lark.around("", JsonSchema.of({"not": {}})))


def test_json_has_one_style(by_bytes: Setting) -> None:
    state = by_bytes.state(JsonObject())
    text = json.dumps({"a": [1, {"é": "\x01ü\n😀"}, {}], "b": []}, ensure_ascii=False)
    tokens = text_ids(text)
    assert state.allows([*tokens, EOS]) == len(tokens) + 1
    for wrong in ('{"a":1}', '{"a": [1,2]}', "{ }", '{"a": 1 }', ' {"a": 1}', "{\n"):
        assert state.allows(text_ids(wrong)) < len(wrong)


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        (Regex("(("), "unclosed group"),
        (Regex("(?=a)b"), "look-ahead"),
        (Regex(r"(a)\1"), "backreferences"),
        (Regex(r"\bword"), "lookarounds not supported"),
        (Regex("a" * 70_000), "70000 bytes, and 65536"),
        (Regex("half \ud800"), "half a character at 5"),
        (Choice(("\ud800",)), "half a character"),
        (JsonSchema("{"), "not JSON"),
        (JsonSchema("[]"), "must be an object"),
        (JsonSchema.of({"const": "\ud800"}), "can't be enforced"),
        (JsonSchema.of({"type": "strin"}), "Invalid type: strin"),
        (JsonSchema.of({"$ref": "#/$defs/lost"}), "'/$defs/lost' does not exist"),
        (JsonSchema.of({"$ref": "https://example.org/x"}), "example.org/x"),
        (JsonSchema.of({"minLength": 3, "maxLength": 2, "type": "string"}), "minLength"),
        (JsonSchema.of({"oneOf": [{"type": "string"}, {"minLength": 1}]}), "oneOf"),
        (JsonSchema.of(strict({"a": {}}, required=["b"])), "'b'"),
        (Lark("answer: lost"), "lost"),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_one_line(
    setting: Setting, form: OutputFormat, complaint: str
) -> None:
    with pytest.raises(OstroError) as caught:
        setting.compiler.compile(form)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_form_that_no_text_has_is_refused(by_bytes: Setting) -> None:
    with pytest.raises(OstroError, match="no text of this form exists"):
        by_bytes.compiler.compile(JsonSchema.of({"$ref": "#"}))


def hostile() -> dict[str, OutputFormat]:
    """Small inputs that would take long without limits, here or in most engines."""
    doubled: dict[str, Any] = {"a0": {"type": "string"}}
    branches: dict[str, Any] = {"a0": {"type": "string"}}
    for n in range(1, 60):
        below = {"$ref": f"#/$defs/a{n - 1}"}
        doubled[f"a{n}"] = {"allOf": [below, below]}
        branches[f"a{n}"] = {"properties": dict.fromkeys("abcdefgh", below)}
    either: dict[str, Any] = {"type": "string"}
    for _ in range(9):
        either = {"anyOf": [{"items": either}, {"properties": {"a": either}}]}
    schemas = {
        "long string": {"type": "string", "maxLength": 10**9, "minLength": 10**6},
        "long list": {"type": "array", "maxItems": 10**9, "minItems": 10**6},
        "doubled": {"$defs": doubled, "$ref": "#/$defs/a59"},
        "branches": {"$defs": branches, "$ref": "#/$defs/a59"},
        "either": either,
        "either and either": {
            "allOf": [{"anyOf": [{"maxLength": 50 * i + j} for j in range(50)]} for i in range(50)]
        },
        "repeated": {"type": "string", "pattern": "^((((a{1,99}){1,99}){1,99}){1,99})$"},
        "meeting": {"allOf": [{"pattern": f"a{i}.*b"} for i in range(40)]},
        "multiples": {"type": "integer", "multipleOf": 9_999_991},
    }
    return {
        **{name: JsonSchema.of(schema) for name, schema in schemas.items()},
        "backtracking": Regex("(x+x+)+y"),
        "states": Regex("(a|b)*a(a|b){40}"),
        "nested": Regex("(" * 2_000 + "a" + ")" * 2_000),
        "classes": Regex(r"(\p{L}|\w|[^a-z]){1,10000}" * 200),
    }


@pytest.mark.parametrize("name", hostile())
def test_a_hostile_form_is_compiled_or_refused_and_never_runs_away(
    by_bytes: Setting, name: str
) -> None:
    """Without the limits several of these take minutes; with them, each far below a second."""
    start = time.process_time()
    with suppress(OstroError):
        state = by_bytes.state(hostile()[name])
        for _ in range(30):
            texts = [token for token in allowed(state.mask()) if token != EOS]
            if texts:
                state.accept(texts[-1])
    assert time.process_time() - start < 10


def test_one_answer_that_outgrows_its_limits_ends_no_other(by_bytes: Setting) -> None:
    limits = GrammarLimits(max_lexer_states=100)
    grammar = GrammarCompiler(by_bytes.tokenizer, limits=limits).compile(Regex("(a|b)*a(a|b){14}"))
    greedy, modest = grammar.state(), grammar.state()
    rng = random.Random(1)

    def babble() -> None:
        for _ in range(1_000):
            greedy.mask()
            greedy.accept(rng.choice(text_ids("ab")))

    with pytest.raises(OstroError, match=r"any further: .*too many states"):
        babble()
    ahead = MaskAhead(greedy)
    with ThreadPoolExecutor(1) as executor:
        ahead.start(executor)
    with pytest.raises(OstroError, match="too many states"):
        ahead.result()
    assert not greedy.is_stopped
    assert allowed(modest.mask()) == text_ids("ab")
    assert allowed(grammar.state().mask()) == text_ids("ab")


def test_without_the_library_an_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(OstroError, match="llguidance, which is not installed"):
        GrammarCompiler(vocabulary_tokenizer(byte_vocabulary()))
