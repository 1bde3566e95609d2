import json

import pytest

from ostro.server.errors import ApiError
from ostro.server.limits import Limits
from ostro.server.request_json import check_size, read_json

LIMITS = Limits(body_bytes=10_000_000)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"{", "line 1, column 2"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} x', "Extra data"),
        (b"\xff{}", "not UTF-8: invalid start byte at byte 0"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "beyond double precision"),
        (b"[" + b"1" * 5000 + b"]", "too many digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "has the key 'a' twice"),
        (b'[{"a": {"b": 1, "b": 1}}]', "has the key 'b' twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\uDC00x": 1}', "half of a surrogate pair"),
        (b"[" * 129 + b"]" * 129, "nests more than 128"),
        (b"[" * 1_000_000, "nests more than 128"),
        (b'{"a":' * 100_000, "nests more than 128"),
    ],
)
def test_what_is_no_json_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_json(body, LIMITS)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "\U0001f600\u2028"]},
        [[[]]],
        "x",
        0,
        json.loads("[" * 128 + "]" * 128),
    ],
)
def test_json_is_read(value) -> None:
    assert read_json(json.dumps(value).encode(), LIMITS) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode(), LIMITS) == value


def test_a_large_body_is_refused_unread() -> None:
    with pytest.raises(ApiError, match="larger than 10 bytes") as caught:
        read_json(b"[" * 11, Limits(body_bytes=10))
    assert caught.value.status == 413
    assert read_json(b"[1, 2, 34]", Limits(body_bytes=10)) == [1, 2, 34]
    check_size(10, Limits(body_bytes=10))
