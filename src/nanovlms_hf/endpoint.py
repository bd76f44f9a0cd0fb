"""A chat endpoint that speaks OpenAI's API, asked politely: retries, back-off, a cache on disk, counted tokens and cost.

    endpoint = ChatEndpoint(EndpointConfig.from_environment(base_url="http://127.0.0.1:8000/v1", model="some-model"))
    answer = endpoint.ask_json(messages, seed=0, check=check)

The key is in no log, cache file, `repr` or error text: whatever a server or a library says is cleaned of it before it is shown,
and redirects, which would carry it elsewhere, are not followed.
"""

import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

_LONGEST_WAIT = 60.0
_SHOWN = 200  # characters of a server's own words in an error


class EndpointError(ValueError):
    """The endpoint gave no usable answer; the message says what was asked of whom, what came back and what to do."""


class KeyRefused(EndpointError):
    """The endpoint does not accept the key, so no request will succeed."""


@dataclass
class EndpointConfig:
    """Where a judge or a writer is found.

    Args:
        base_url: such as "https://host/v1"; "/chat/completions" is added.
        model: name of the model there.
        api_key: sent as a bearer token; None sends none.
        temperature, max_tokens: of every request.
        timeout: seconds to wait for an answer.
        retries: further tries after a time-out, a broken answer, HTTP 429 or 5xx.
        backoff: seconds before the first retry, doubled each time; a server's Retry-After counts more.
        workers: requests in flight at once.
        cache_dir: folder that keeps answers; None keeps nothing.
        price_in, price_out: price of a million prompt and completion tokens, in any currency; None: unknown.

    Raises:
        ValueError: no address or model, an address that is none or holds a password, or a key that cannot be sent.
    """

    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    temperature: float = 0.0
    max_tokens: int = 512
    timeout: float = 60.0
    retries: int = 5
    backoff: float = 1.0
    workers: int = 4
    cache_dir: str | None = None
    price_in: float | None = None
    price_out: float | None = None

    def __post_init__(self):
        address = urlsplit(self.base_url or "")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("the endpoint's base_url is no http(s) address; give one such as https://host/v1.")
        if address.username or address.password or address.query:
            raise ValueError("the endpoint's base_url holds a password or a query; give the key as the key instead.")
        if not self.model:
            raise ValueError("the endpoint needs a `model`: give the name under which it serves one.")
        if self.api_key is not None and not re.fullmatch(r"[\x21-\x7e]+", self.api_key):
            raise ValueError("the endpoint's key is empty or holds blanks or line breaks; check how it was copied.")

    @classmethod
    def from_environment(
        cls, base_url: str | None = None, model: str | None = None, **options
    ) -> "EndpointConfig | None":
        """Flags first, then NANOVLMS_ENDPOINT_URL or OPENAI_BASE_URL, NANOVLMS_ENDPOINT_MODEL, and the key from
        NANOVLMS_ENDPOINT_KEY or OPENAI_API_KEY; None where no address is given anywhere."""
        base_url = base_url or os.environ.get("NANOVLMS_ENDPOINT_URL") or os.environ.get("OPENAI_BASE_URL")
        if not base_url:
            return None
        model = model or os.environ.get("NANOVLMS_ENDPOINT_MODEL") or ""
        key = os.environ.get("NANOVLMS_ENDPOINT_KEY") or os.environ.get("OPENAI_API_KEY") or None
        return cls(base_url, model, key, **options)


@dataclass
class Usage:
    """What was spent: requests sent, answers read from the cache, tokens as the server counted them."""

    requests: int = 0
    retries: int = 0
    from_cache: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0

    def cost(self, config: EndpointConfig) -> float | None:
        """Price of the tokens sent and received, None where a price is not known."""
        if config.price_in is None or config.price_out is None:
            return None
        return (self.prompt_tokens * config.price_in + self.completion_tokens * config.price_out) / 1e6

    def sentence(self, config: EndpointConfig) -> str:
        """One line for people."""
        cost = self.cost(config)
        price = "price not given" if cost is None else f"cost {cost:.4f}"
        return (
            f"{config.model}: {self.requests} requests ({self.retries} retries), {self.from_cache} answers from the cache, "
            f"{self.prompt_tokens} prompt and {self.completion_tokens} completion tokens, {price}"
            + (f"; {self.uncounted} answers came without a token count" if self.uncounted else "")
        )


class _Again(Exception):
    """A failure that may pass."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class ChatEndpoint:
    """Asks a chat endpoint.

    Args:
        config (`EndpointConfig`): whom.
        sleep (`Callable`): waits between retries; replaced in tests.
    """

    def __init__(self, config: EndpointConfig, sleep: Callable[[float], None] = time.sleep):
        self.config = config
        self.usage = Usage()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._json_mode = True
        if config.cache_dir:
            Path(config.cache_dir).mkdir(parents=True, exist_ok=True)

    def ask(self, messages: list[dict], seed: int = 0, json_mode: bool = False) -> str:
        """The text of one answer, from the cache where the same was asked before.

        Raises:
            EndpointError: the endpoint cannot be reached, refuses, or keeps failing.
        """
        body = {
            "model": self.config.model,
            "messages": messages,
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
            "seed": seed,
        }
        path = self._cache_path(body, json_mode)
        if path and path.is_file():
            try:
                text = json.loads(path.read_text(encoding="utf-8"))["text"]
            except (ValueError, KeyError, TypeError):
                text = None  # cut off by a kill: ask again
            if isinstance(text, str):
                self._count(from_cache=1)
                return text
        text = self._with_retries(body, json_mode)
        if path:
            temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
            temporary.write_text(json.dumps({"text": text}), encoding="utf-8")
            os.replace(temporary, path)
        return text

    def ask_json(
        self,
        messages: list[dict],
        seed: int = 0,
        check: Callable[[dict], Any] = lambda answer: answer,
        attempts: int = 3,
    ) -> Any:
        """An answer that is one JSON object and passes a check; asked again, with what was wrong, where it is not.

        Args:
            messages, seed: as in `ask`.
            check (`Callable`): returns what is wanted of the object, or raises ValueError with what is wrong.
            attempts (`int`, defaults to 3): how often it is asked.

        Raises:
            EndpointError: no answer passed, or what `ask` raises.
        """
        asked, wrong = list(messages), ""
        for _ in range(attempts):
            text = self.ask(asked, seed, json_mode=True)
            try:
                return check(parse_object(text))
            except ValueError as error:
                wrong = self._clean(str(error))
                asked = [
                    *messages,
                    {"role": "assistant", "content": text[:2000]},
                    {"role": "user", "content": f"That cannot be used: {wrong} Answer with the JSON object alone."},
                ]
        raise EndpointError(f"{self.config.model} gave no usable JSON in {attempts} tries; the last time: {wrong}")

    def _cache_path(self, body: dict, json_mode: bool) -> Path | None:
        if not self.config.cache_dir:
            return None
        asked = json.dumps([self.config.base_url, json_mode, body], sort_keys=True)
        return Path(self.config.cache_dir) / f"{hashlib.sha256(asked.encode()).hexdigest()}.json"

    def _count(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                setattr(self.usage, name, getattr(self.usage, name) + amount)

    def _with_retries(self, body: dict, json_mode: bool) -> str:
        wait, rng = self.config.backoff, random.Random(body["seed"])
        for attempt in range(self.config.retries + 1):
            try:
                return self._once(body, json_mode)
            except _Again as again:
                if attempt == self.config.retries:
                    raise EndpointError(
                        f"the endpoint failed {attempt + 1} times; the last time {again}. Try later, or raise `retries` or "
                        "`timeout`."
                    ) from None
                self._count(retries=1)
                pause = again.wait if again.wait is not None else wait * rng.uniform(0.75, 1.25)
                self._sleep(min(_LONGEST_WAIT, pause))
                wait *= 2
        raise AssertionError("the loop returns or raises")

    def _once(self, body: dict, json_mode: bool) -> str:
        sent = body | ({"response_format": {"type": "json_object"}} if json_mode and self._json_mode else {})
        headers = {"Authorization": f"Bearer {self.config.api_key}"} if self.config.api_key else {}
        self._count(requests=1)
        try:
            response = requests.post(
                f"{self.config.base_url.rstrip('/')}/chat/completions",
                json=sent,
                headers=headers,
                timeout=self.config.timeout,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise _Again(f"it did not answer within {self.config.timeout:g} s") from None
        except requests.RequestException as error:
            raise _Again(f"it could not be reached ({type(error).__name__})") from None
        if response.status_code == 400 and "response_format" in sent and "response_format" in response.text:
            self._json_mode = False  # an older server: the prompt asks for JSON in words anyway
            return self._once(body, json_mode)
        self._check_status(response)
        return self._text_of(response)

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        said = self._clean(" ".join(response.text.split()))[:_SHOWN]
        if status in (401, 403):
            with_key = "refused the key" if self.config.api_key else "wants a key and none was given"
            raise KeyRefused(
                f"the endpoint {with_key} (HTTP {status}); set NANOVLMS_ENDPOINT_KEY or OPENAI_API_KEY to a valid one."
            )
        if status == 429 or status >= 500:
            raise _Again(f"it answered HTTP {status}: {said}", _retry_after(response.headers.get("Retry-After")))
        if 300 <= status < 400:
            raise EndpointError(
                f"the endpoint redirects (HTTP {status}), which is not followed; give its final base_url."
            )
        raise EndpointError(f"the endpoint answered HTTP {status}: {said}; check base_url and model.")

    def _text_of(self, response: requests.Response) -> str:
        try:
            answer = response.json()
            text = answer["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            said = self._clean(" ".join(response.text.split()))[:_SHOWN]
            raise _Again(f"its answer was not in the form of the API: {said!r}") from None
        if not isinstance(text, str):
            raise _Again("its answer held no text")
        usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        if all(isinstance(count, int) for count in counts):
            self._count(prompt_tokens=counts[0], completion_tokens=counts[1])
        else:
            self._count(uncounted=1)
        return text

    def _clean(self, text: str) -> str:
        """A text without the key, whatever the server echoed."""
        return text.replace(self.config.api_key, "[key]") if self.config.api_key else text


def parse_object(text: str) -> dict:
    """The JSON object that a text is, or is the only content of a fenced block.

    Raises:
        ValueError: it is something else.
    """
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    try:
        found = json.loads(fenced.group(1) if fenced else text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos}).") from None
    if not isinstance(found, dict):
        raise ValueError(f"it is a JSON {type(found).__name__}, expected an object.")
    return found


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which holds a number or a date; None for anything else."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


__all__ = ["ChatEndpoint", "EndpointConfig", "EndpointError", "KeyRefused", "Usage", "parse_object"]
