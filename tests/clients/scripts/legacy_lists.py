"""What only mistralai 0.1 could: content as a list of texts."""

from legacy import MODEL, client
from mistralai.models.chat_completion import ChatMessage


def check_content_as_a_list(world):
    asking = client(world.text)
    both = [ChatMessage(role="user", content=["a", "b"])]
    same = [ChatMessage(role="user", content="a\n\nb")]
    found = [asking.chat(messages, model=MODEL) for messages in (both, same)]
    assert found[0].choices[0].message.content == world.answer
    assert found[0].usage.prompt_tokens == found[1].usage.prompt_tokens
