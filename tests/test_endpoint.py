"""The chat client against a real server on loopback: errors, broken answers, time-outs, rate limits, the cache, and the key."""

import logging
import traceback
from email.utils import formatdate

import pytest
from loopback_api import Api, serve

from nanovlms_hf.endpoint import ChatEndpoint, EndpointConfig, EndpointError, KeyRefused, parse_object

KEY = "sk-very-secret-0123456789"
MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def api():
    with serve(Api()) as running:
        yield running


def endpoint(api, waits=None, **options):
    options = {"api_key": KEY, "timeout": 0.3, "retries": 3} | options
    config = EndpointConfig(api.url, "judge-1", **options)
    return ChatEndpoint(config, sleep=(waits if waits is not None else []).append)


def test_one_answer_and_its_tokens(api):
    api.answer = lambda body: f"you said {body['messages'][0]['content']}"
    client = endpoint(api, price_in=1.0, price_out=10.0)
    assert client.ask(MESSAGES, seed=7) == "you said hello"
    assert api.bodies[0]["seed"] == 7 and api.bodies[0]["model"] == "judge-1" and api.keys == [f"Bearer {KEY}"]
    usage = client.usage
    assert (usage.requests, usage.prompt_tokens, usage.completion_tokens) == (1, 11, 3)
    assert usage.cost(client.config) == pytest.approx((11 + 30) / 1e6)
    assert "1 requests" in usage.sentence(client.config) and "cost 0.0000" in usage.sentence(client.config)


def test_answers_without_a_token_count_are_counted(api):
    api.usage = None
    client = endpoint(api)
    client.ask(MESSAGES)
    assert client.usage.uncounted == 1 and "without a token count" in client.usage.sentence(client.config)
    assert client.usage.cost(client.config) is None and "price not given" in client.usage.sentence(client.config)


@pytest.mark.parametrize("trouble", [500, 503, 429, "malformed", "no choices", "null", "hang"])
def test_what_may_pass_is_tried_again(api, trouble):
    api.script, waits = [trouble, trouble], []
    client = endpoint(api, waits)
    assert client.ask(MESSAGES) == '{"ok": true}'
    assert client.usage.requests == 3 and client.usage.retries == 2
    assert 0.75 <= waits[0] <= 1.25 and 1.5 <= waits[1] <= 2.5  # back-off doubles


@pytest.mark.parametrize("value, least, most", [("7", 7, 7), ("0.5", 0.5, 0.5), ("9999", 60, 60), ("soon", 0.7, 1.3)])
def test_retry_after_is_obeyed(api, value, least, most):
    api.script, waits = [("status", 429, {"Retry-After": value}, "slow down")], []
    endpoint(api, waits).ask(MESSAGES)
    assert least <= waits[0] <= most


def test_retry_after_may_be_a_date(api):
    import time

    api.script, waits = [("status", 429, {"Retry-After": formatdate(time.time() + 30, usegmt=True)}, "")], []
    endpoint(api, waits).ask(MESSAGES)
    assert 25 <= waits[0] <= 31


def test_what_does_not_pass_is_an_error(api):
    api.script = [500] * 10
    with pytest.raises(EndpointError, match="failed 4 times; the last time it answered HTTP 500"):
        endpoint(api).ask(MESSAGES)
    api.script = ["hang"] * 10
    with pytest.raises(EndpointError, match="did not answer within 0.3 s"):
        endpoint(api, retries=0).ask(MESSAGES)
    api.script = []
    with pytest.raises(EndpointError, match="HTTP 404"):
        ChatEndpoint(EndpointConfig(f"{api.url}/wrong", "m")).ask(MESSAGES)
    assert len(api.bodies) == 6


def test_nobody_listens():
    client = ChatEndpoint(EndpointConfig("http://127.0.0.1:9/v1", "m", KEY, retries=1), sleep=lambda seconds: None)
    with pytest.raises(EndpointError, match="could not be reached"):
        client.ask(MESSAGES)


def test_redirects_do_not_carry_the_key_away(api):
    api.script = [("status", 302, {"Location": "http://127.0.0.1:9/elsewhere"}, "")]
    with pytest.raises(EndpointError, match="redirects"):
        endpoint(api).ask(MESSAGES)
    assert len(api.keys) == 1


# the key --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 400, 429, 500])
def test_the_key_is_in_no_error_and_no_log(api, status, caplog, capsys, tmp_path):
    caplog.set_level(logging.DEBUG)
    api.script = [status] * 10  # this server echoes the key that it was sent
    client = endpoint(api, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(EndpointError) as error:
        client.ask(MESSAGES)
    trace = "".join(traceback.format_exception(error.value))
    printed = capsys.readouterr()
    seen = [str(error.value), trace, caplog.text, repr(client.config), str(vars(client)), printed.out, printed.err]
    seen += [path.read_text() for path in (tmp_path / "cache").iterdir()]
    assert not any(KEY in text for text in seen)
    assert isinstance(error.value, KeyRefused) == (status in (401, 403))


def test_a_refused_and_a_missing_key_are_told_apart(api):
    api.script = [401]
    with pytest.raises(KeyRefused, match="refused the key"):
        endpoint(api).ask(MESSAGES)
    api.script = [401]
    with pytest.raises(KeyRefused, match="none was given"):
        endpoint(api, api_key=None).ask(MESSAGES)
    assert api.keys[-1] is None


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "clé"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key):
    with pytest.raises(ValueError) as error:
        EndpointConfig("http://host/v1", "m", key)
    assert not key or key not in str(error.value)


@pytest.mark.parametrize(
    "url", ["", "host/v1", "ftp://host", "http://user:hidden@host/v1", "http://host/v1?key=hidden"]
)
def test_addresses_that_are_none_or_hold_a_password(url):
    with pytest.raises(ValueError) as error:
        EndpointConfig(url, "m")
    assert "hidden" not in str(error.value)


def test_environment(monkeypatch):
    for name in ("NANOVLMS_ENDPOINT_URL", "OPENAI_BASE_URL", "NANOVLMS_ENDPOINT_KEY", "NANOVLMS_ENDPOINT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert EndpointConfig.from_environment() is None
    monkeypatch.setenv("OPENAI_BASE_URL", "http://host/v1")
    with pytest.raises(ValueError, match="needs a `model`"):
        EndpointConfig.from_environment()
    monkeypatch.setenv("NANOVLMS_ENDPOINT_MODEL", "m")
    config = EndpointConfig.from_environment(timeout=3)
    assert (config.base_url, config.model, config.api_key, config.timeout) == ("http://host/v1", "m", KEY, 3)
    assert EndpointConfig.from_environment("http://other/v1", "n").base_url == "http://other/v1"


# the cache ------------------------------------------------------------------------------------------------------------


def test_the_cache_answers_and_survives_damage(api, tmp_path):
    first = endpoint(api, cache_dir=str(tmp_path))
    first.ask(MESSAGES)
    second = endpoint(api, cache_dir=str(tmp_path), api_key="another-key")
    second.ask(MESSAGES)
    assert len(api.bodies) == 1 and second.usage.from_cache == 1 and second.usage.requests == 0
    second.ask(MESSAGES, seed=1)
    assert len(api.bodies) == 2
    for path in tmp_path.iterdir():
        path.write_text('{"te')
    third = endpoint(api, cache_dir=str(tmp_path))
    assert third.ask(MESSAGES) == '{"ok": true}' and len(api.bodies) == 3


# strict JSON ----------------------------------------------------------------------------------------------------------


def test_json_is_asked_for_again_with_what_was_wrong(api):
    answers = ["Sure! Here it is", '{"a": 1} and more', "[1]", '```json\n{"a": 2}\n```']
    api.answer = lambda body: answers.pop(0)
    client = endpoint(api)
    assert client.ask_json(MESSAGES, attempts=4) == {"a": 2}
    assert "not JSON" in api.asked(1) and "JSON list" in api.asked(3)
    assert [len(body["messages"]) for body in api.bodies] == [1, 3, 3, 3]


def test_a_judge_that_never_returns_json(api):
    api.answer = lambda body: "I would rather chat."
    with pytest.raises(EndpointError, match="no usable JSON in 3 tries"):
        endpoint(api).ask_json(MESSAGES)
    assert len(api.bodies) == 3


def test_servers_without_json_mode(api):
    api.refuses_response_format = True
    client = endpoint(api)
    assert client.ask_json(MESSAGES) == {"ok": True} == client.ask_json(MESSAGES, seed=1)
    assert ["response_format" in body for body in api.bodies] == [True, False, False]


def test_parse_object():
    assert parse_object(' {"a": {"b": 1}}\n') == {"a": {"b": 1}}
    for text in ("", "{}{}", "null", '{"a": 1', "```json\n1\n```"):
        with pytest.raises(ValueError):
            parse_object(text)
