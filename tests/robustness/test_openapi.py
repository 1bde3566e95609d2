"""What the OpenAPI document promises, tried out by Schemathesis: no 5xx, nothing undocumented."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

import ostro
from ostro.runtime.progress import SilentProgress
from ostro.server.limits import Limits
from ostro.server.openapi import OPERATIONS, Operation
from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from robustness.conftest import settle
from tiny_chat import save_babbler

pytestmark = pytest.mark.slow

EXAMPLES = 60
# No answer at all, an unlikely name, and a question that is longer than this model's context.
NEVER_GOOD = ("post_fim", "get_model", "post_moderation")
PLACES = [
    (one, mode)
    for one in OPERATIONS
    for mode in GenerationMode
    if one.asked or mode is GenerationMode.POSITIVE  # Elsewhere there is nothing to get wrong.
]
PROMISES = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[object]:
    """The document of a server whose answers are short, since its context is."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    save_babbler(folder, num_hidden_layers=1, max_position_embeddings=64)
    llm = ostro.load(folder, progress=SilentProgress(), concurrency=8)
    with RunningServer(llm, ServeOptions(port=0, max_tokens=4)) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        settle(server)


def _lead_on(operation: Operation, body: dict[str, Any], *, is_good: bool) -> None:
    """Change what would end most requests at the first look, so that the rest is tried as well."""
    name = body.get("model")
    if isinstance(name, str) and 0 < len(name) <= Limits.model_characters:
        body["model"] = "tiny"
    if is_good and operation.chunk is not None and len(str(body)) % 3 == 0:
        body["stream"] = True
    if is_good and len(str(body)) % 2:  # Random roles hardly ever make a conversation.
        for field in ("messages", "input"):
            if body.get(field) is not None:
                body[field] = [{"role": "user", "content": "Hello"}]


def _name(one: Operation | GenerationMode) -> str:
    return one.endpoint if isinstance(one, Operation) else one.value


@pytest.mark.parametrize(("operation", "mode"), PLACES, ids=_name)
def test_the_document_says_everything(api, operation: Operation, mode: GenerationMode) -> None:
    place = api[operation.path.replace(":path", "")][operation.method]
    seen = set()

    @given(case=place.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        body = case.body
        if isinstance(body, dict):
            _lead_on(operation, body, is_good=mode is GenerationMode.POSITIVE)
        seen.add(case.call_and_validate(checks=PROMISES).status_code)

    check()
    if mode is GenerationMode.POSITIVE and operation.endpoint not in NEVER_GOOD:
        assert 200 in seen
