"""The server's endpoints."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ostro import __version__
from ostro.engine.engine import EngineBusyError, EngineClosedError
from ostro.errors import OstroError
from ostro.server.chat import Chat
from ostro.server.completions import Completions
from ostro.server.deltas import Job, Run
from ostro.server.errors import (
    ApiError,
    too_many,
    unavailable,
    unknown_path,
    without_fim,
    wrong_method,
)
from ostro.server.gate import Gate
from ostro.server.http import (
    ClientGoneError,
    EventResponse,
    error_to_response,
    json_body,
    unless_gone,
)
from ostro.server.metrics import CONTENT_TYPE, Metrics
from ostro.server.model_cards import model_list
from ostro.server.moderation import Moderation
from ostro.server.openapi import OPERATIONS, document
from ostro.server.rate_limit import RateLimit
from ostro.server.responses import Head
from ostro.server.schema_base import Fields
from ostro.server.schema_chat import ChatRequest
from ostro.server.schema_completions import CompletionRequest
from ostro.server.schema_text import (
    DetokenizeRequest,
    ModerationRequest,
    TemplateRequest,
    TokenizeRequest,
)
from ostro.server.served_model import ServedModel
from ostro.server.text_requests import apply_template, detokenize, tokenize

HEARTBEAT_SECONDS = 10.0
_RETRY_SECONDS = 2
# Nothing is sent anywhere, whatever the environment says. What there is to know is at /metrics.
_TELEMETRY: Any = dict.fromkeys(
    ("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False
)

logger = logging.getLogger("ostro.server")
_Fields = TypeVar("_Fields", bound=Fields)


class Endpoints:
    """One method for each endpoint."""

    def __init__(self, served: ServedModel) -> None:
        self.served, self.options = served, served.options
        self.chat, self.completions = Chat(served), Completions(served)
        self.metrics = Metrics(served.engine)
        self.is_draining = False

    async def post_chat(self, request: Request) -> Response:
        """Answer a conversation."""
        asked = await self._read(request, ChatRequest)
        card = self.served.card(asked.model)
        if not card.chat:
            raise ApiError(400, f"{card.id} has no chat template", code="no_chat", param="model")
        head = Head(model=asked.model)
        run = await self._begin(self.chat.prepare, asked, head)
        if asked.stream:
            return self._events(run, self.chat.events(run, head, asked))
        return await self._whole(request, run, self.chat.complete(run, head))

    async def post_completion(self, request: Request) -> Response:
        """Continue texts."""
        asked = await self._read(request, CompletionRequest)
        self.served.card(asked.model)
        head = Head(model=asked.model)
        run = await self._begin(self.completions.prepare, asked)
        if asked.stream:
            return self._events(run, self.completions.events(run, head, asked))
        return await self._whole(request, run, self.completions.complete(run, head))

    async def post_moderation(self, request: Request) -> Response:
        """Judge conversations by categories."""
        asked = await self._read(request, ModerationRequest)
        card = self.served.card(asked.model)
        if not card.moderation:
            raise ApiError(400, f"{card.id} has no chat template", code="no_chat", param="model")
        judge = Moderation(self.served)
        run = await self._begin(judge.prepare, asked)
        return await self._whole(request, run, judge.complete(run, asked.model))

    async def post_fim(self, request: Request) -> Response:
        """Filling in the middle, which no Mixtral can."""
        values = await json_body(request, self.options.limits, self.options.header_seconds)
        model = values.get("model") if isinstance(values, dict) else None
        raise without_fim(str(model))

    async def get_models(self) -> Response:
        """The models that are served."""
        return JSONResponse(model_list(self.served.cards))

    async def get_model(self, name: str) -> Response:
        """One of them."""
        return JSONResponse(self.served.card(name).to_dict(name))

    async def post_tokenize(self, request: Request) -> Response:
        """Token ids of a text or a conversation."""
        asked = await self._read(request, TokenizeRequest)
        return await self._text(tokenize, asked)

    async def post_detokenize(self, request: Request) -> Response:
        """The text of token ids."""
        asked = await self._read(request, DetokenizeRequest)
        return await self._text(detokenize, asked)

    async def post_template(self, request: Request) -> Response:
        """What the model reads for a conversation."""
        asked = await self._read(request, TemplateRequest)
        return await self._text(apply_template, asked)

    async def get_live(self) -> Response:
        """Whether the process answers at all."""
        return JSONResponse({"status": "live"})

    async def get_ready(self) -> Response:
        """Whether the model answers; 503 while the server stops."""
        status = "draining" if self.is_draining else "ready"
        return JSONResponse({"status": status}, 503 if self.is_draining else 200)

    async def get_metrics(self) -> Response:
        """Counters for Prometheus."""
        return Response(self.metrics.render(), media_type=CONTENT_TYPE)

    async def get_version(self) -> Response:
        """What runs here."""
        settings = self.served.llm.settings
        return JSONResponse(
            {
                "version": __version__,
                "model": self.served.llm.name,
                "kernels": settings.kernels,
                "weights": settings.type_name,
                "cache": self.served.llm.cache.type.name,
                "threads": settings.threads,
                "context": self.served.llm.context,
            }
        )

    # ---- what they share ----

    async def _read(self, request: Request, schema: type[_Fields]) -> _Fields:
        values = await json_body(request, self.options.limits, self.options.header_seconds)
        if self.options.log_prompts:
            logger.info("%s %s", request.state.request_id, values)
        return schema.parse(values, self.options.limits)

    async def _begin(self, prepare: Callable[..., Job], *arguments: Any) -> Run:
        """Prepare in another thread, since long prompts and grammars take a while; then begin."""
        job = await asyncio.to_thread(prepare, *arguments)
        try:
            return Run(self.served.engine, job)
        except EngineClosedError:
            raise unavailable("the server is stopping", _RETRY_SECONDS) from None
        except EngineBusyError as error:
            raise too_many(str(error), _RETRY_SECONDS) from None

    async def _whole(self, request: Request, run: Run, work: Any) -> Response:
        try:
            return JSONResponse(await unless_gone(request, work))
        finally:
            await self._end(run)

    def _events(self, run: Run, events: AsyncIterator[bytes]) -> Response:
        return EventResponse(events, {}, HEARTBEAT_SECONDS, partial(self._end, run))

    async def _end(self, run: Run) -> None:
        await run.stream.aclose()
        self.metrics.answers(run.stream.answers)

    async def _text(self, work: Callable[..., Any], asked: Any) -> Response:
        if asked.model is not None:
            self.served.card(asked.model)
        return JSONResponse(await asyncio.to_thread(work, self.served.llm, asked))


def make_app(served: ServedModel) -> tuple[FastAPI, Endpoints]:
    """The ASGI application, and what answers its requests."""
    endpoints = Endpoints(served)

    app = FastAPI(title="ostro", version=__version__, redoc_url=None, telemetry=_TELEMETRY)
    schema = document(__version__, has_keys=served.options.keys is not None)
    # What is merely stored there is made anew when routes are added.
    app.openapi = lambda: schema  # type: ignore[method-assign]
    _add_routes(app, endpoints)
    app.add_exception_handler(OstroError, _on_error)
    app.add_exception_handler(ClientGoneError, _on_client_gone)
    app.add_exception_handler(HTTPException, _on_http_error)
    options = served.options
    app.add_middleware(
        Gate,
        keys=options.keys,
        rate=_rate(options.requests_per_minute),
        metrics=lambda: endpoints.metrics,
        is_draining=lambda: endpoints.is_draining,
    )
    if options.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=options.origins, allow_methods=["*"], allow_headers=["*"]
        )
    return app, endpoints


def _rate(per_minute: int | None) -> RateLimit | None:
    return None if per_minute is None else RateLimit(per_minute)


def _add_routes(app: FastAPI, endpoints: Endpoints) -> None:
    for operation in OPERATIONS:
        app.add_api_route(
            operation.path,
            getattr(endpoints, operation.endpoint),
            methods=[operation.method],
            include_in_schema=False,
        )


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404:
        return error_to_response(unknown_path(path))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "").split(", ")
        return error_to_response(wrong_method(request.method, path, allowed))
    return error_to_response(ApiError(error.status_code, error.detail, code="http_error"))


async def _on_client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # Nobody reads it, but it is counted.


async def _on_error(request: Request, error: Exception) -> Response:
    response = error_to_response(error)
    if response.status_code >= 500 and not isinstance(error, ApiError):
        logger.error("%s failed", request.state.request_id, exc_info=error)
    return response
