"""One request by one client: ``python client.py CLIENT WHEN URL [CAFILE]``.

WHEN is ``plain`` (no injection here), ``first`` (before the client is imported) or ``late`` (after
it was, and after it made whatever it keeps). Prints what became of the request.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

Request = Callable[[str], object]


def of_urllib(cafile: str | None) -> Request:
    import ssl
    import urllib.request

    context = ssl.create_default_context(cafile=cafile) if cafile else None

    def get(url: str) -> object:
        with urllib.request.urlopen(url, timeout=20, context=context) as answer:
            return answer.read()

    return get


def of_urllib3(cafile: str | None) -> Request:
    import urllib3

    pool = urllib3.PoolManager(retries=False, timeout=20, ca_certs=cafile)
    return lambda url: pool.request("GET", url).data


def of_requests(cafile: str | None) -> Request:
    import requests

    session = requests.Session()
    return lambda url: session.get(url, timeout=20, verify=cafile or True).content


def of_httpx(cafile: str | None) -> Request:
    import httpx

    # It would heed SSL_CERT_FILE by itself: here only we do, and it has certifi's bundle.
    client = httpx.Client(verify=cafile or True, timeout=20, trust_env=False)
    return lambda url: client.get(url).content


def of_httpx_per_request(cafile: str | None) -> Request:
    import httpx

    def get(url: str) -> object:
        with httpx.Client(verify=cafile or True, timeout=20, trust_env=False) as client:
            return client.get(url).content

    return get


def of_aiohttp(cafile: str | None) -> Request:
    import ssl

    import aiohttp

    async def get(url: str) -> object:
        keywords = {"ssl": ssl.create_default_context(cafile=cafile)} if cafile else {}
        timeout = aiohttp.ClientTimeout(20)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, **keywords) as answer,
        ):
            return await answer.read()

    return lambda url: asyncio.run(get(url))


def of_botocore(cafile: str | None) -> Request:
    import botocore.config
    import botocore.session
    from botocore import UNSIGNED

    config = botocore.config.Config(
        signature_version=UNSIGNED,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    session = botocore.session.get_session()

    def head(url: str) -> object:
        client = session.create_client(
            "s3", "us-east-1", endpoint_url=url, config=config, verify=cafile or None
        )
        return client.head_bucket(Bucket="bucket") and b"ok"

    return head


CLIENTS: dict[str, Callable[[str | None], Request]] = {
    "urllib": of_urllib,
    "urllib3": of_urllib3,
    "requests": of_requests,
    "httpx": of_httpx,
    "httpx-per-request": of_httpx_per_request,
    "aiohttp": of_aiohttp,
    "botocore": of_botocore,
}


def main() -> None:
    name, when, url, *cafile = sys.argv[1:]
    if when == "first":
        inject()
    request = CLIENTS[name](cafile[0] if cafile else None)
    if when == "late":
        inject()
    try:
        answer = request(url)
    except Exception as error:
        print(f"refused {code_in(error)}")
        if code_in(error) is None:
            raise
    else:
        print("accepted" if answer == b"ok" else f"answered {answer!r}")


def inject() -> None:
    import fasttrust

    fasttrust.inject_into_ssl()


def code_in(error: BaseException | None) -> Any:
    """Return the code of the refusal that is somewhere below a client's own error."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            if hasattr(each, "verify_code"):
                return each.verify_code
            more = (getattr(each, "reason", None), getattr(each, "error", None), *each.args)
            waiting += [each.__cause__, each.__context__, *more]
            waiting += list(getattr(each, "kwargs", {}).values())
    return None


if __name__ == "__main__":
    main()
