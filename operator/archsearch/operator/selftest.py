"""``helm test``: is this installation whole? Asked from inside the cluster, by a pod that may do nothing but this.

``python -m archsearch.operator.selftest --namespace NS --service NAME.NAMESPACE:PORT``

1. The API server takes a small search and refuses one with two search spaces, which only a rule of our definitions can
   see. Both are dry runs: nothing is made.
2. The operator answers through its Service that it is ready.

A line for each; the exit code is 0 when all hold, 1 with what to do when one does not, 2 for wrong usage.
"""

import argparse
import asyncio
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from archsearch.operator.port import SEARCH

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CALL = aiohttp.ClientTimeout(total=10)
PAUSE = 1.0
"""Seconds between two questions to an operator that is not ready yet."""
PROBE: dict[str, Any] = {
    "apiVersion": SEARCH.api_version,
    "kind": SEARCH.kind,
    "metadata": {"generateName": "selftest-"},
    "spec": {
        "searchSpace": {"choices": [{"name": "width", "values": [1, 2]}]},
        "trials": {"max": 1, "parallelism": 0},
        "trial": {"task": {"custom": {}}, "command": ["true"]},
    },
}
_CONVOLUTIONAL = {"depth": {"initial": 2}, "filterHeights": [1, 3], "filterWidths": [1, 3], "filters": [8, 16]}
WRONG: dict[str, Any] = {
    **PROBE,
    "spec": {**PROBE["spec"], "searchSpace": {**PROBE["spec"]["searchSpace"], "convolutional": _CONVOLUTIONAL}},
}


class Unwell(Exception):  # noqa: N818 - it says what is the matter
    """Something of the installation is not as it should be; the text says what, and what to do."""


@dataclass(frozen=True)
class Api:
    """Where the API server is, and who asks."""

    url: str
    token: str
    authority: Path


def api_of_pod(environment: Mapping[str, str], account: Path = ACCOUNT) -> Api:
    """The API server as a pod finds it.

    Raises:
        Unwell: this is not a pod, or it has no token.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise Unwell("KUBERNETES_SERVICE_HOST is not set: this program runs in a pod, by `helm test`")
    try:
        token = (account / "token").read_text().strip()
    except OSError as error:
        raise Unwell(
            f"{account / 'token'} cannot be read ({error.strerror}): the pod needs its account's token"
        ) from error
    host = f"[{host}]" if ":" in host else host
    return Api(f"https://{host}:{port}", token, account / "ca.crt")


def address_of(service: str, environment: Mapping[str, str]) -> str:
    """``host:port`` of ``NAME.NAMESPACE:PORT``: the address that the kubelet hands to pods of its namespace (no DNS is
    needed then), or else its name."""
    name, _, rest = service.partition(".")
    namespace, _, port = rest.partition(":")
    host = environment.get(f"{name.upper().replace('-', '_')}_SERVICE_HOST", f"{name}.{namespace}.svc")
    return f"{f'[{host}]' if ':' in host else host}:{port}"


async def check_definitions(session: aiohttp.ClientSession, api: Api, namespace: str) -> str:
    """Dry runs of a good and a wrong search; what was found.

    Raises:
        Unwell: the good one is refused, or the wrong one is not.
    """
    status, answer = await _dry_run(session, api, namespace, PROBE)
    if status != 201:
        raise Unwell(f"a search would be refused in namespace {namespace} ({status}: {answer}); {_remedy(status)}")
    status, answer = await _dry_run(session, api, namespace, WRONG)
    if status != 422:
        raise Unwell(
            f"a search with two search spaces was answered with {status}, not refused: the definitions are not those "
            "of this release; upgrade them"
        )
    return f"the API server takes a search in namespace {namespace} and refuses a wrong one"


async def check_operator(session: aiohttp.ClientSession, address: str, seconds: float) -> str:
    """Ask /readyz until it says yes; what it said.

    Raises:
        Unwell: not within ``seconds``; with its last answer.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            async with session.get(f"http://{address}/readyz", timeout=CALL) as response:
                said = (await response.text(errors="replace")).strip()[:500]
                if response.status == 200:
                    return f"the operator at {address} is ready: {said}"
                last = f"{response.status}: {said}"
        except (aiohttp.ClientError, TimeoutError) as error:
            last = f"{type(error).__name__}: {error}"
        if loop.time() + PAUSE > end:
            raise Unwell(
                f"the operator at {address} is not ready after {seconds:.0f} s ({last}); see what it says with "
                "`kubectl logs` of its Deployment, and whether a network policy stands between"
            )
        await asyncio.sleep(PAUSE)


async def check(api: Api, namespace: str, address: str, seconds: float) -> None:
    """Every check in turn, a line for each. Raises Unwell."""
    async with aiohttp.ClientSession() as session:
        print(await check_definitions(session, api, namespace), flush=True)
        print(await check_operator(session, address, seconds), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    given = _parser().parse_args(arguments)
    address = address_of(given.service, os.environ)
    try:
        asyncio.run(check(api_of_pod(os.environ), given.namespace, address, given.timeout))
    except Unwell as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    add = (parser := argparse.ArgumentParser("selftest", description="Checks an installation.")).add_argument
    add("--namespace", required=True, help="where the operator runs searches")
    add("--service", required=True, type=_service, metavar="NAME.NAMESPACE:PORT", help="its Service")
    add("--timeout", type=float, default=60.0, metavar="SECONDS", help="to wait for the operator (%(default)s)")
    return parser


def _service(text: str) -> str:
    name, dot, rest = text.partition(".")
    namespace, colon, port = rest.partition(":")
    if not (name and dot and namespace and colon and port.isascii() and port.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME.NAMESPACE:PORT")
    return text


def _remedy(status: int) -> str:
    return {
        404: "set crds.install=true, or apply the definitions of this release",
        401: "the pod's token is not accepted",
        403: "the account of this test lacks the right to create searches, or an admission policy forbids them",
        400: "the definitions are those of another release: upgrade them",
        422: "the definitions are those of another release: upgrade them",
    }.get(status, "ask the cluster's administrator")


async def _dry_run(
    session: aiohttp.ClientSession, api: Api, namespace: str, search: Mapping[str, Any]
) -> tuple[int, str]:
    """Status and message of a create that makes nothing; unknown fields are errors.

    Raises:
        Unwell: there was no answer.
    """
    path = f"/apis/{SEARCH.api_version}/namespaces/{namespace}/{SEARCH.plural}"
    url = f"{api.url}{path}?dryRun=All&fieldValidation=Strict"
    try:
        trust = ssl.create_default_context(cafile=str(api.authority))
        headers = {"Authorization": f"Bearer {api.token}"}
        async with session.post(url, json=search, headers=headers, ssl=trust, timeout=CALL) as response:
            text = await response.text(errors="replace")
            try:
                answer = await response.json(content_type=None)
            except ValueError:
                return response.status, text[:500]
            message = answer.get("message", "") if isinstance(answer, dict) else text
            return response.status, str(message)[:2000]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unwell(f"the API server at {api.url} does not answer ({type(error).__name__}: {error})") from error


if __name__ == "__main__":
    sys.exit(main())
