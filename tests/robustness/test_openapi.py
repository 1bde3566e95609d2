"""What the OpenAPI document promises, tried out by Schemathesis: no 5xx, nothing undocumented."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from ostro.server.serve import RunningServer
from ostro.server.serve_options import ServeOptions
from robustness.conftest import settle

pytestmark = pytest.mark.slow

PROMISES = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
    ]
)


@pytest.fixture(scope="module")
def api(small_llm) -> Iterator[object]:
    """The document of a server whose answers are short, since its context is."""
    with RunningServer(small_llm, ServeOptions(port=0, max_tokens=4)) as server:
        yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")
        settle(server)


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_document_says_everything(case) -> None:
    case.call_and_validate(checks=PROMISES)
