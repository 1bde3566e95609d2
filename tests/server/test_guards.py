"""Keys, rates and request ids."""

import hashlib
from pathlib import Path

import pytest

from ostro.errors import OstroError
from ostro.server.api_keys import make_key, read_api_keys
from ostro.server.errors import ApiError
from ostro.server.identifiers import request_id, tool_call_id
from ostro.server.rate_limit import RateLimit

HASHED = f"sha256:{hashlib.sha256(b'second').hexdigest()}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# two keys\n\n  first-key  \n{HASHED.upper().replace('SHA', 'sha')}\n")
    return path


def test_keys_are_read_plain_and_hashed(file: Path) -> None:
    keys = read_api_keys(file)
    assert len(keys) == 2
    first, second = keys.check("Bearer first-key"), keys.check("bearer  second")
    assert first != second
    assert keys.check("Bearer first-key") == first
    assert "first" not in first


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "no API key"),
        ("", "no API key"),
        ("Bearer", "no API key"),
        ("Bearer ", "no API key"),
        ("Basic first-key", "no API key"),
        ("first-key", "no API key"),
        ("Bearer third", "wrong API key"),
        ("Bearer first-ke", "wrong API key"),
        ("Bearer first-key x", "wrong API key"),
        (f"Bearer {HASHED}", "wrong API key"),
        ("Bearer \udcff\u00e9", "wrong API key"),
    ],
)
def test_other_headers_are_a_401(file: Path, header: str | None, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        read_api_keys(file).check(header)
    assert caught.value.status == 401
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "third" not in str(caught.value)


def test_memory_holds_no_key(file: Path) -> None:
    assert "first-key" not in repr(vars(read_api_keys(file)))


def test_every_key_is_compared(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    keys = read_api_keys(file)
    monkeypatch.setattr("ostro.server.api_keys.hmac.compare_digest", compare)
    keys.check("Bearer first-key")
    assert len(compared) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\ntwo words\n", "line 2: a key is one word"),
        ("sch\u00fcssel\n", "line 1: a key is one word"),
        ("# c\nsha256:12\n", "line 2: sha256: must be followed by 64"),
        ("sha256:" + "g" * 64, "64 hexadecimal digits"),
        ("# nothing\n\n", "holds no API key; 'ostro key' makes one"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OstroError, match=words) as caught:
        read_api_keys(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OstroError, match="cannot read the API keys"):
        read_api_keys(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(OstroError, match="cannot read the API keys"):
        read_api_keys(tmp_path / "binary")


def test_a_made_key_is_let_in_by_its_line(tmp_path: Path) -> None:
    key, line = make_key()
    assert make_key()[0] != key
    assert len(key) >= 43
    assert key not in line
    (tmp_path / "keys").write_text(f"{line}\n")
    assert line.startswith(f"sha256:{read_api_keys(tmp_path / 'keys').check(f'Bearer {key}')}")


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_is_spent_and_comes_back() -> None:
    clock = Clock()
    limit = RateLimit(6, clock)
    assert [limit.take("a") for _ in range(6)] == [0.0] * 6
    assert limit.take("a") == pytest.approx(10)
    assert limit.take("b") == 0.0
    clock.now += 9
    assert limit.take("a") == pytest.approx(1)
    clock.now += 1.001
    assert limit.take("a") == 0.0
    assert limit.take("a") > 0
    clock.now += 3600
    assert [limit.take("a") > 0 for _ in range(7)] == [False] * 6 + [True]


def test_one_too_many_is_a_429_that_says_when() -> None:
    clock = Clock()
    limit = RateLimit(1, clock)
    limit.check("a")
    clock.now += 0.5
    with pytest.raises(ApiError, match="more than 1 requests a minute") as caught:
        limit.check("a")
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "60"})


def test_names_that_came_once_are_forgotten() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit) == 1000
    clock.now += 61
    limit.take("a")
    assert len(limit) == 1


def test_a_rate_must_allow_something() -> None:
    with pytest.raises(OstroError, match="at least 1"):
        RateLimit(0)


@pytest.mark.parametrize("given", ["a", "x" * 128, "0f-A:b/c_{}!~"])
def test_a_clients_request_id_is_kept(given: str) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\n", "\u00e9", "\x7f"])
def test_another_request_id_is_replaced(given: str | None) -> None:
    made = request_id(given)
    assert made != given
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")


def test_ids_of_tool_calls_are_of_mistrals_form() -> None:
    made = {tool_call_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 9 and one.isascii() and one.isalnum() for one in made)
