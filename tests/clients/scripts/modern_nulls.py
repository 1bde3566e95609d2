"""What came with mistralai 2: more that may be null."""

from expect import USER
from modern import MODEL, client


def check_more_nulls(world):
    names = ("top_p", "stop", "presence_penalty", "frequency_penalty", "reasoning_effort")
    found = client(world.text).chat.complete(model=MODEL, messages=USER, **dict.fromkeys(names))
    assert found.choices[0].message.content == world.answer
