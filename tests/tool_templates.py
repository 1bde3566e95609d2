"""Short chat templates that write functions, in the manner of well-known models."""

from ostro.text.piece_tokenizer import PieceTokenizer
from ostro.text.vocabulary import Vocabulary
from ostro.text.vocabulary_tokenizer import vocabulary_tokenizer
from small_vocabulary import byte_vocabulary

PLAIN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
TAGGED = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}"
    "<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for call in m.tool_calls %}<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
BARE = (
    "{% if tools is not none %}<|im_start|>system\n"
    'Write {"name": function, "parameters": values}.\n{{ tools | tojson(ensure_ascii=True) }}'
    "<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for call in m.tool_calls %}"
    '{"name": "{{ call.function.name }}", "parameters": '
    "{{ call.function.arguments | tojson(ensure_ascii=True) }}}{% endfor %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
MISTRAL = (
    "{% if tools %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "{% for m in messages %}{% if m.tool_calls %}[TOOL_CALLS] [{% for call in m.tool_calls %}"
    '{{ {"name": call.function.name, "arguments": call.function.arguments, "id": call.id}'
    " | tojson }}{% endfor %}]{% elif m.role == 'tool' %}[TOOL_RESULTS] "
    '{{ {"content": m.content, "call_id": m.tool_call_id} | tojson }}[/TOOL_RESULTS]'
    "{% else %}[INST] {{ m.content }}[/INST]{% endif %}{% endfor %}"
)
CONTROL = (
    *("<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
    *("[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
)


def with_template(template: str, *more: str) -> PieceTokenizer:
    """A tokenizer of single bytes, with ``CONTROL`` and ``more`` as control tokens."""
    plain = byte_vocabulary()
    pieces = [*plain.pieces, *CONTROL, *more]
    return vocabulary_tokenizer(
        Vocabulary(
            model="bpe",
            pieces=pieces,
            kinds=[*plain.kinds, *[3] * (len(pieces) - len(plain.pieces))],
            pre_tokenizer="gpt-2",
            eos_ids=frozenset((len(plain.pieces) + 1,)),
            chat_template=template,
        )
    )
