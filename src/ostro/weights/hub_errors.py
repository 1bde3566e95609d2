"""What goes wrong between here and the hub, each told in one line that can be acted on."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from ostro.errors import NetworkError, OstroError
from ostro.runtime.environment import Environment


@contextmanager
def explained(env: Environment, hub_id: str) -> Iterator[None]:
    """Turn what ``huggingface_hub`` and the disk raise into an :class:`OstroError`."""
    try:
        yield
    except Exception as error:
        explanation = _explanation(error, env, hub_id)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(error: Exception, env: Environment, hub_id: str) -> OstroError | None:
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, OSError) and error.errno is not None:
        return _disk_error(error, hub_id)
    for kind, text in _reasons(env, hub_id):
        if isinstance(error, kind):
            return NetworkError(text)
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return NetworkError(f"{env.hub_endpoint} answered {status} for {hub_id}; {_advice(status)}")
    if isinstance(error, (OSError, _transport_error())):
        reason = " ".join(str(error).split()) or type(error).__name__
        return NetworkError(
            f"no connection to {env.hub_endpoint} ({reason}); what was fetched of {hub_id} is "
            "kept: try again later"
        )
    return None


def _reasons(env: Environment, hub_id: str) -> tuple[tuple[type[Exception], str], ...]:
    """What each kind of error means; special kinds before those that they derive from."""
    from huggingface_hub import errors as hub

    hub_url, repo = env.hub_endpoint, "/".join(hub_id.split("/")[:2])
    token = "set HF_TOKEN to a token of your account"
    return (
        (
            hub.GatedRepoError,
            f"{repo} is for those who accepted its terms: do so at {hub_url}/{repo}, then {token}",
        ),
        (hub.RepositoryNotFoundError, f"no model {repo} at {hub_url}; if it is private, {token}"),
        (hub.RevisionNotFoundError, f"{repo} has no such revision; look at {hub_url}/{repo}"),
        (hub.EntryNotFoundError, f"{repo} has no such file; look at {hub_url}/{repo}"),
        (hub.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set; unset it to reach the hub"),
        (hub.HFValidationError, f"{hub_id!r} is not a hub id; write ORG/NAME"),
    )


def _disk_error(error: OSError, hub_id: str) -> OstroError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OstroError(f"the disk is full; what was fetched of {hub_id} is kept: make room")
    return OstroError(f"cannot write {error.filename or hub_id}: {error.strerror}")


def _advice(status: int) -> str:
    if status in (401, 403):
        return "set HF_TOKEN to a token of an account that may read it"
    return "what was fetched is kept: try again later"


def _transport_error() -> type[Exception]:
    """The root of the HTTP client's errors, whichever client ``huggingface_hub`` was built on."""
    from huggingface_hub.errors import HfHubHTTPError

    roots = [base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError"]
    return cast(type[Exception], roots[0])
