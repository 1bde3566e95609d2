import pytest
from pydantic import BaseModel, ValidationError

from ostro.errors import CheckpointError, MemoryPlanError, NetworkError, OstroError
from ostro.server import errors
from ostro.server.errors import ApiError, error_response

KEYS = {"object", "message", "type", "param", "code", "detail"}


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (OstroError("Unexpected role"), 400, "invalid_request_error", "invalid_request"),
        (MemoryPlanError("too long"), 400, "invalid_request_error", "invalid_request"),
        (errors.unauthorised(), 401, "authentication_error", "invalid_api_key"),
        (ApiError(403, "no", code="forbidden"), 403, "permission_error", "forbidden"),
        (errors.unknown_model("x", ["demo"]), 404, "invalid_request_error", "unknown_model"),
        (errors.unknown_path("/v1/files"), 404, "invalid_request_error", "unknown_path"),
        (
            errors.wrong_method("PUT", "/v1/models", ["GET"]),
            405,
            "invalid_request_error",
            "method_not_allowed",
        ),
        (errors.without_fim("demo"), 400, "invalid_request_error", "fim_not_supported"),
        (errors.too_many("slow", 3), 429, "rate_limit_error", "rate_limited"),
        (errors.unavailable("stopping", 5), 503, "server_error", "unavailable"),
        (RuntimeError("/secret"), 500, "server_error", "internal_error"),
        (CheckpointError("/secret is damaged"), 500, "server_error", "internal_error"),
        (NetworkError("/secret"), 500, "server_error", "internal_error"),
    ],
)
def test_every_error_has_the_flat_form(error, status: int, kind: str, code: str) -> None:
    response = error_response(error)
    assert response.status == status
    assert set(response.body) == KEYS
    assert (response.body["object"], response.body["type"]) == ("error", kind)
    assert response.body["code"] == code
    assert response.body["detail"] == []
    assert "secret" not in response.body["message"]


def test_headers_say_what_to_do() -> None:
    assert error_response(errors.unauthorised()).headers == {"WWW-Authenticate": "Bearer"}
    assert error_response(errors.too_many("slow", 3)).headers == {"Retry-After": "3"}
    assert error_response(errors.unavailable("stopping", 5)).headers == {"Retry-After": "5"}
    assert errors.wrong_method("PUT", "/x", ["GET", "POST"]).headers == {"Allow": "GET, POST"}


def test_any_validation_error_becomes_a_422() -> None:
    class Model(BaseModel):
        a: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"a": "x"})
    response = error_response(caught.value)
    assert (response.status, response.body["param"]) == (422, "a")
    assert response.body["message"].startswith("a must be a whole number")
    assert response.body["detail"][0]["loc"] == ["body", "a"]


def test_a_message_is_one_line_of_bounded_length() -> None:
    message = error_response(OstroError("a\n b" + "x" * 5000)).body["message"]
    assert message.startswith("a bx")
    assert len(message) < 1100
    assert len(str(errors.unknown_model("m" * 5000, ["demo"]))) < 200
    assert "served: none" in str(errors.unknown_model("m", []))
