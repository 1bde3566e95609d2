"""Documents: what stands before and after the text, and what is learned."""

import pytest

from ostro.data.documents import convert_documents
from ostro.errors import OstroError
from ostro.text.json_tokenizer import json_tokenizer
from tiny_chat import BOS, EOS, save_tokenizer, text_ids


def test_a_document_stands_between_bos_and_eos(chatml) -> None:
    (sequence,) = convert_documents(chatml)({"text": "Hé <s>", "id": 3})
    assert sequence.ids.tolist() == [BOS, *text_ids("Hé <s>"), EOS]
    assert sequence.learned.tolist() == [False] + [True] * 8


def test_bos_stands_there_once_with_mistrals_tokenizer(mistral) -> None:
    (sequence,) = convert_documents(mistral)({"text": "Hello there"})
    assert sequence.ids.tolist() == [1, *mistral.encode("Hello there"), 2]
    assert sequence.ids.tolist().count(1) == 1


def test_without_bos_the_first_token_is_not_learned(tmp_path) -> None:
    save_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"add_bos_token": false}')
    (sequence,) = convert_documents(json_tokenizer(tmp_path))({"text": "ab"})
    assert sequence.ids.tolist() == [*text_ids("ab"), EOS]
    assert sequence.learned.tolist() == [False, True, True]


@pytest.mark.parametrize("values", [{}, {"text": ""}, {"text": " \n"}, {"text": 3}, {"text": None}])
def test_a_record_without_a_text_is_refused(chatml, values) -> None:
    with pytest.raises(OstroError, match="'text' must be a text that is not empty"):
        convert_documents(chatml)(values)
