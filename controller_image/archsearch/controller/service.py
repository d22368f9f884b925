"""The controller contract over HTTP: authentication, strict bodies, deadlines; one thread of its own does the work."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from pydantic import ValidationError

from archsearch.api.base import Model
from archsearch.controller.fold import Refused
from archsearch.controller.session import Session
from archsearch.controller_contract import ObserveRequest, Problem, ProposeRequest, ReplayRequest

log = logging.getLogger(__name__)

_Body = TypeVar("_Body", bound=Model)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Largest bodies in bytes, and seconds that an answer may take.

    A replay of 100,000 observations of 180 tokens each, told and asked, is about 110 MiB.
    """

    propose_bytes: int = 1 << 16
    observe_bytes: int = 128 * MEBIBYTE
    replay_bytes: int = 512 * MEBIBYTE
    propose_seconds: float = 30.0
    observe_seconds: float = 110.0
    policy_seconds: float = 50.0
    replay_seconds: float = 3500.0


class Service:
    """The routes of one session."""

    def __init__(self, session: Session, token: str, limits: Limits | None = None) -> None:
        self._session = session
        self._token = token.encode()
        self._limits = limits or Limits()
        # One thread: strategies are not made for two, and the event loop stays free to answer /healthz.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="strategy")

    def application(self) -> web.Application:
        """The aiohttp application; closing it ends the worker thread."""
        application = web.Application(middlewares=[_problems, self._authorised])
        application.router.add_get("/healthz", self._health)
        application.router.add_post("/v1/propose", self._propose)
        application.router.add_post("/v1/observe", self._observe)
        application.router.add_post("/v1/replay", self._replay)
        application.router.add_get("/v1/policy", self._policy)
        application.on_cleanup.append(self._close)
        return application

    async def _close(self, _: web.Application) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    @web.middleware
    async def _authorised(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path != "/healthz":
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), b"Bearer " + self._token):
                raise Refused(401, "Unauthorised", "Authorization must be 'Bearer <this controller's token>'")
        return await handler(request)

    async def _health(self, _: web.Request) -> web.Response:
        return _answer(self._session.health())

    async def _propose(self, request: web.Request) -> web.Response:
        data = await _read(request, self._limits.propose_bytes)

        def work() -> Model:
            body = _parse(ProposeRequest, data)
            return self._session.propose(body.index, body.version)

        return _answer(await self._run(work, self._limits.propose_seconds, 503))

    async def _observe(self, request: web.Request) -> web.Response:
        data = await _read(request, self._limits.observe_bytes)

        def work() -> Model:
            return self._session.observe(_parse(ObserveRequest, data).observations)

        return _answer(await self._run(work, self._limits.observe_seconds, 500))

    async def _replay(self, request: web.Request) -> web.Response:
        data = await _read(request, self._limits.replay_bytes)

        def work() -> Model:
            body = _parse(ReplayRequest, data)
            return self._session.replay(body.log, body.verify)

        return _answer(await self._run(work, self._limits.replay_seconds, 500))

    async def _policy(self, _: web.Request) -> web.Response:
        return _answer(await self._run(self._session.policy, self._limits.policy_seconds, 500))

    async def _run(self, work: Callable[[], Model], deadline: float, status: int) -> Model:
        """Do ``work`` in the worker thread.

        After the deadline the caller is answered; work that has begun goes on to its end, so that the state stays a
        fold over whole entries, and the same request asked again finds it done (callers of propose do so on a 503).
        """
        future = self._worker.submit(work)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), deadline)
        except TimeoutError as error:
            message = f"no answer within {deadline:g} s: the controller is at work on this or an earlier request"
            raise Refused(status, "DeadlineExceeded", message) from error


async def _read(request: web.Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.content.iter_chunked(1 << 18):
        data += chunk
        if len(data) > limit:
            raise Refused(413, "BodyTooLarge", f"the body is longer than the {limit} bytes allowed on {request.path}")
    return bytes(data)


def _parse(model: type[_Body], data: bytes) -> _Body:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Refused(400, "BadBody", _explain(error)) from error


def _explain(error: ValidationError, shown: int = 5) -> str:
    errors = error.errors(include_url=False)
    lines = [f"{_path(found['loc'])}: {found['msg']} (got {repr(found['input'])[:80]})" for found in errors[:shown]]
    if len(errors) > shown:
        lines.append(f"and {len(errors) - shown} more")
    return "; ".join(lines)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


def _answer(model: Model, status: int = 200) -> web.Response:
    return web.Response(body=model.model_dump_json().encode(), status=status, content_type="application/json")


@web.middleware
async def _problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every error leaves as a ``Problem``."""
    try:
        return await handler(request)
    except Refused as refused:
        return _answer(Problem(reason=refused.reason, message=refused.message), refused.status)
    except web.HTTPException as error:
        message = f"{request.method} {request.path}: {error.reason}"
        if isinstance(error, web.HTTPMethodNotAllowed):
            message += f"; allowed: {', '.join(sorted(error.allowed_methods))}"
        return _answer(Problem(reason=error.reason.title().replace(" ", ""), message=message), error.status)
    except Exception as error:
        log.exception("%s %s", request.method, request.path)
        return _answer(Problem(reason="InternalError", message=f"{type(error).__name__}: {error}"), 500)
