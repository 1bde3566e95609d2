"""A byte-level tokenizer with ChatML's control tokens, and with the demo's parent's template."""

import json
from pathlib import Path

from tiny_chat import save_tokenizer

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
).replace("\n", "\\n")
"""As in the parent's file, its line feeds written as \\n; a test with its weights says so."""


def save_parent_tokenizer(folder: Path) -> Path:
    """As the parent's, a conversation's BOS is what begins a turn, and EOS is what ends one."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder, template=TEMPLATE)
    names = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder
