"""Client of the controller (core/archsearch/controller_contract.py): one typed call per route, each with a deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from pydantic import ValidationError

from archsearch.api.base import Model
from archsearch.controller_contract import (
    Ask,
    Health,
    Observation,
    ObserveRequest,
    PolicyState,
    Problem,
    Proposal,
    ProposeRequest,
    ReplayRequest,
    Tell,
)

_Answer = TypeVar("_Answer", bound=Model)


class ControllerError(Exception):
    """A call to the controller had no usable answer."""


class ControllerUnreachable(ControllerError):  # noqa: N818 - it says what is the matter
    """No answer: refused connection, cut connection, deadline passed, or an answer that is not of the contract."""


class ControllerRefused(ControllerError):  # noqa: N818 - it says what is the matter
    """The controller answered with a ``Problem``.

    ``status`` is the HTTP status: 409 means that the controller's state is not the ledger's (replay), 401 that the
    token is wrong, 422 that no proposal can be given, 503 that one is not ready yet, 400 and 413 that the request
    itself is bad.
    """

    def __init__(self, reason: str, message: str, status: int) -> None:
        super().__init__(f"controller refused ({status} {reason}): {message}")
        self.reason = reason
        self.message = message
        self.status = status

    @property
    def comes_later(self) -> bool:
        """Whether the controller is still at work on a proposal: the same request asked again finds it done."""
        # 422 is how earlier controllers said it; a search keeps the image that it began with.
        return self.reason == "DeadlineExceeded" and self.status in (422, 503)


@dataclass(frozen=True)
class Timeouts:
    """Seconds that a call may take, from its start to the last byte of its answer."""

    propose: float = 60.0
    observe: float = 120.0
    replay: float = 3600.0
    policy: float = 60.0
    health: float = 10.0


class ControllerClient:
    """Speaks to one controller; ``async with`` it, or call :meth:`close`.

    ``base_url`` is ``http://host:port``. Every call raises ControllerUnreachable or ControllerRefused, nothing else.
    """

    def __init__(self, base_url: str, token: str, *, timeouts: Timeouts | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeouts = timeouts or Timeouts()
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def propose(self, index: int, version: int | None = None) -> Proposal:
        """Ask for child ``index``; ``version``: only if exactly so many observations have been taught."""
        request = ProposeRequest(index=index, version=version)
        return await self._call("POST", "/v1/propose", request, Proposal, self.timeouts.propose)

    async def observe(self, observations: Sequence[Observation]) -> PolicyState:
        """Teach consecutive observations; ones taught before are passed over."""
        request = ObserveRequest(observations=tuple(observations))
        return await self._call("POST", "/v1/observe", request, PolicyState, self.timeouts.observe)

    async def replay(self, log: Sequence[Ask | Tell], verify: bool = False) -> PolicyState:
        """Have it forget everything and fold ``log``; ``verify``: derive each ask anew and report mismatches."""
        request = ReplayRequest(log=tuple(log), verify=verify)
        return await self._call("POST", "/v1/replay", request, PolicyState, self.timeouts.replay)

    async def policy(self) -> PolicyState:
        """The policy as it stands, with its decision distributions."""
        return await self._call("GET", "/v1/policy", None, PolicyState, self.timeouts.policy)

    async def health(self) -> Health:
        """Whether it is up; answers also while a replay runs."""
        return await self._call("GET", "/healthz", None, Health, self.timeouts.health)

    async def _call(
        self, verb: str, path: str, request: Model | None, answer: type[_Answer], deadline: float
    ) -> _Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        body = None if request is None else request.model_dump_json().encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        what = f"controller at {self.base_url}: {verb} {path}"
        try:
            async with self._session.request(
                verb, self.base_url + path, data=body, headers=headers, timeout=aiohttp.ClientTimeout(total=deadline)
            ) as response:
                status, data = response.status, await response.read()
        except TimeoutError as error:
            raise ControllerUnreachable(f"{what}: no answer within {deadline:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ControllerUnreachable(f"{what}: {str(error) or type(error).__name__}") from error
        return _read(what, status, data, answer)


def _read(what: str, status: int, data: bytes, answer: type[_Answer]) -> _Answer:
    try:
        if status == 200:
            return answer.model_validate_json(data)
        problem = Problem.model_validate_json(data)
    except ValidationError as error:
        shown = data[:200].decode("utf-8", "replace")
        raise ControllerUnreachable(f"{what}: status {status}, not of the contract: {shown!r}") from error
    raise ControllerRefused(problem.reason, problem.message, status)
