"""What mistralai 0.0.12 does by itself: it never reads the body of an error to a stream."""

from expect import raised
from httpx import ResponseNotRead
from legacy import client, user


def check_error_of_a_stream_is_not_read(world):
    asking = client(world.text)
    stream = asking.chat_stream(model="nobody", messages=user())
    raised(ResponseNotRead, lambda: list(stream))
