"""A tokenizer of one's own: the same from the same texts, and one that all of ostro reads."""

import pytest
from transformers import AutoTokenizer

from ostro.data.answers import end_of_answer
from ostro.data.documents import convert_documents
from ostro.data.train_tokenizer import TrainedTokenizer, train_tokenizer
from ostro.errors import OstroError
from ostro.runtime.progress import SilentProgress
from ostro.text.messages import Message
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from ostro.weights.tokenizer_files import TokenizerFiles

TEXTS = [
    f"The river Volga is {n} km long; une rivière très longue, où l'on pêche." for n in range(99)
]
SIZE = 300
MESSAGES = [Message("user", "Hi <|im_end|>"), Message("assistant", "Ho"), Message("user", "é")]


@pytest.fixture
def train(tmp_path):
    source = tmp_path / "texts.txt"
    source.write_text("\n".join(TEXTS))

    def run(name: str, vocab_size: int = SIZE, **options) -> TrainedTokenizer:
        settings = {"progress": SilentProgress()} | options
        return train_tokenizer([source], tmp_path / name, vocab_size=vocab_size, **settings)

    return run


def test_the_same_texts_give_the_same_files(train, tmp_path) -> None:
    for name in ("a", "b"):
        assert train(name).vocab_size == SIZE
    files = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("a", "b")]
    assert files[0] == files[1]
    assert set(files[0]) == {"tokenizer.json", "tokenizer_config.json", "generation_config.json"}


def test_the_folder_is_a_tokenizer_that_ends_documents_and_answers(train, tmp_path) -> None:
    train("new")
    tokenizer = TokenizerFiles(tmp_path / "new").tokenizer(None)
    assert tokenizer is not None
    special = tokenizer.special_pieces
    assert dict(special) == {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    assert (tokenizer.vocab_size, tokenizer.bos_id, tokenizer.adds_bos) == (SIZE, None, False)
    assert end_of_answer(tokenizer) == special["<|im_end|>"]
    (document,) = convert_documents(tokenizer)({"text": TEXTS[0]})
    assert document.ids[-1] == special["<|endoftext|>"] == tokenizer.eos_id
    assert len(document) < len(TEXTS[0]) / 2
    for text in (TEXTS[0], "  \n\t<|im_end|> 日本 🙂 1234"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_transformers_reads_the_same_conversation(train, tmp_path) -> None:
    train("new")
    tokenizer = TokenizerFiles(tmp_path / "new").tokenizer(None)
    reference = AutoTokenizer.from_pretrained(tmp_path / "new")
    messages = [Message("user", "Hi"), *MESSAGES[1:]]
    plain = [{"role": message.role, "content": message.content} for message in messages]
    expected = reference.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
    assert tokenizer is not None
    assert tokenizer.encode_chat(messages) == expected


def test_it_can_be_carried_into_a_gguf_file(train, tmp_path) -> None:
    train("new")
    files = TokenizerFiles(tmp_path / "new")
    vocabulary, tokenizer = files.vocabulary(None), files.tokenizer(None)
    assert vocabulary is not None
    assert tokenizer is not None
    carried = vocabulary_tokenizer(vocabulary)
    assert carried.encode_chat(MESSAGES) == tokenizer.encode_chat(MESSAGES)
    assert carried.eos_ids == tokenizer.eos_ids == {0, 2}


@pytest.mark.parametrize(
    ("size", "complaint"),
    [
        (258, "a vocabulary has at least 259 pieces"),
        (100_000, "text for [0-9]+ pieces and not for 100000"),
    ],
)
def test_impossible_sizes_are_refused_and_leave_nothing(train, tmp_path, size, complaint) -> None:
    with pytest.raises(OstroError, match=complaint):
        train("new", size)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]


def test_records_without_a_text_are_counted(tmp_path) -> None:
    lines = [f'{{"text": "{text}"}}' for text in TEXTS] + ["{", '{"text": "\\udc00"}', "{}"]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    trained = train_tokenizer(
        [tmp_path], tmp_path / "new", vocab_size=SIZE, progress=SilentProgress()
    )
    assert trained.broken.count == 3
