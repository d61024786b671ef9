"""One exchange with a server, limited in time and size whatever the server does.

The official client limits each read, so a server that sends a byte now and then never times out, and it decompresses
replies of any size. Here one deadline covers an exchange from the first byte to the last, and bytes are counted
before and after decompression. Cancelling needs an event loop, which runs in its own thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import zlib
from typing import Any

from rootfruit_checks.engines.served.api_key import Secret

# The log-probs of one token take 80 to 150 bytes, so this is enough for a text of 100,000 tokens.
LONGEST_REPLY = 16 * 2**20
# A deadline for the event loop itself; never reached unless the machine hangs.
_SLACK_S = 10.0


class MalformedError(Exception):
    """A reply that violates the API; raised by the code that parses replies, and retried."""


class Client:
    """The official client for one server.

    Args:
        address: the server's base address.
        secret: the key, which is sent to this address only.
        timeout: seconds for one exchange: connecting, sending and the whole reply.

    """

    def __init__(self, address: str, secret: Secret, timeout: float) -> None:
        import openai

        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="rootfruit-server")
        self._thread.start()
        self._made = openai.AsyncOpenAI(
            base_url=address,
            api_key=secret.reveal(),
            max_retries=0,
            timeout=openai.Timeout(timeout, connect=min(timeout, 10.0)),
            default_headers={"Accept-Encoding": "identity"},
            http_client=_bounded(timeout),
        )

    def get(self, path: str) -> str:
        """Return the text of a reply; raise the official client's errors, TimeoutError or MalformedError."""
        return str(self._wait(self._made.get(path, cast_to=str)))

    def post(self, path: str, body: dict[str, object]) -> str:
        """Return the text of a reply; raise the same errors as `get`."""
        return str(self._wait(self._made.post(path, cast_to=str, body=body)))

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._wait(self._made.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SLACK_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _wait(self, exchange: Any) -> Any:
        import openai

        future = asyncio.run_coroutine_threadsafe(exchange, self._loop)
        try:
            return future.result(self._timeout + _SLACK_S)
        except concurrent.futures.CancelledError:
            raise TimeoutError from None
        except (openai.OpenAIError, TimeoutError, MalformedError):
            raise
        except Exception as error:
            # The layers below the client have their own errors, which it does not always wrap.
            raise MalformedError(f"the client cannot read it: {type(error).__name__}") from None
        finally:
            future.cancel()


def _bounded(timeout: float) -> Any:
    """Return the HTTP client for the official client, with limits."""
    import openai

    class Bounded(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]
        async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            async with asyncio.timeout(timeout):
                response = await super().send(request, stream=True, **options)
                try:
                    content = await _content(response)
                finally:
                    await response.aclose()
            # No other headers of the server are used, so all others are dropped, even the charset.
            kept = {key: response.headers[key] for key in ("retry-after",) if key in response.headers}
            return type(response)(response.status_code, headers=kept, content=content, request=request)

    # Redirects are not followed: the key is sent only to the address that the user named.
    return Bounded(follow_redirects=False)


async def _content(response: Any) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > LONGEST_REPLY:
            raise _too_long()
        parts.append(part)
    return unpacked(b"".join(parts), response.headers.get("content-encoding", ""))


def unpacked(raw: bytes, encoding: str) -> bytes:
    """Return the decompressed bytes of a reply; a proxy may have compressed it although we asked for no compression.

    Raises:
        MalformedError: they exceed `LONGEST_REPLY`, are damaged, or are compressed otherwise than by gzip or deflate.

    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return raw
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise MalformedError(f"it is compressed by {encoding!r}, although no compression was requested")
    # Some servers say deflate and leave out the zlib header.
    bare = encoding == "deflate" and (len(raw) < 2 or raw[0] & 15 != 8 or int.from_bytes(raw[:2], "big") % 31 != 0)
    made = zlib.decompressobj(-15 if bare else 47)
    try:
        content = made.decompress(raw, LONGEST_REPLY + 1)
    except zlib.error:
        raise MalformedError(f"it is damaged, or not compressed by {encoding}") from None
    if len(content) > LONGEST_REPLY:
        raise _too_long()
    if not made.eof or made.unused_data:
        raise MalformedError("it is compressed and truncated, or continues after its end")
    return content


def _too_long() -> MalformedError:
    return MalformedError(f"it is longer than {LONGEST_REPLY // 2**20} MiB, more than any log-probs take")
