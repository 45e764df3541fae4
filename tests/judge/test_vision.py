"Vision-language models: asked once more when an answer is none, never given a number that nobody said."

import http.server
import json
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.collection import ScorerChoice, example, read_collection
from artmint.ipfs.http import BadAnswer
from artmint.judge.plugins import BadScorerSettings, ScorerContext, make_scorer, practice, scorer_contract
from artmint.judge.vision import KeyRefused, UnusableAnswer, VisionSettings, read_answer

COLLECTION = read_collection(example() / "collection.toml")


def chat(text, **more) -> dict:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 900, "completion_tokens": 10}
    return {"choices": [{"message": message, "finish_reason": "stop"} | more], "usage": usage}


class Server(http.server.ThreadingHTTPServer):
    "Speaks chat completions on this machine; its answers are what a test wants to happen."

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.seen = answer, []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, address):
        pass  # a client that hung up

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        status, answer, headers = 200, self.server.answer(len(self.server.seen), body), {}
        if isinstance(answer, tuple):
            status, answer, headers = answer
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def asking(server, environment=None, **settings):
    table = {"url": server.url, "model": "m", "question": "Shows it {prompt}?"} | settings
    context = ScorerContext(COLLECTION, environment=environment or {})
    return make_scorer(ScorerChoice(name="shown", kind="vision", settings=table), context)


def measured(scorer, count: int = 1) -> list[float]:
    candidates, images = practice(count)
    return scorer.measure(candidates, images, np.zeros((count, 1)))


def brightness(number: int, body: dict) -> dict:
    "A model of a kind: it looks at the picture that it was sent."
    import base64
    import io

    from PIL import Image

    shown = body["messages"][0]["content"][1]["image_url"]["url"]
    image = Image.open(io.BytesIO(base64.b64decode(shown.split(",")[1])))
    mean = np.asarray(image.convert("L")).mean() / 255
    temperature = body.get("temperature", 0) or 0
    question = len(body["messages"][0]["content"][0]["text"]) % 7
    return chat(json.dumps({"score": round(1 + 8 * mean + 0.01 * temperature + 0.02 * question, 6)}))


@pytest.mark.slow
def test_it_keeps_the_contract(serve):
    server = serve(brightness)
    settings = {"url": server.url, "model": "m", "question": "How bright?", "picture": 64}
    others = {"question": "How very bright is it?", "seed": 3, "strict": False, "answer_tokens": 9}
    others |= {"price_in": 1.0, "price_out": 1.0, "temperature": 0.5, "picture": 48, "parallel": 2}
    fixed = ("url", "model", "scale", "extra", "key_variable")
    scorer = scorer_contract("vision", settings, others, fixed)
    assert scorer.range == (1.0, 10.0)
    assert not scorer.previews


def test_what_is_sent_is_what_servers_expect(serve):
    server = serve(lambda number, body: chat('{"score": 7}'))
    measured(asking(server, {"OPENAI_API_KEY": "abc123"}, picture=50, seed=4, extra={"top_p": 1}))
    path, headers, body = server.seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer abc123"
    assert (body["model"], body["seed"], body["top_p"], body["max_tokens"]) == ("m", 4, 1, 64)
    text, shown = body["messages"][0]["content"]
    assert "centred" in text["text"] and "from 1 to 10" in text["text"]
    assert shown["image_url"]["url"].startswith("data:image/png;base64,")
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["score"]


@pytest.mark.many(6)
@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (chat("I would say 7 out of 10."), "no JSON"),
        (chat('{"score": 70}'), "outside of 1 to 10"),
        (chat('{"score": "7"}'), "no number"),
        (chat('{"score": true}'), "no number"),
        (chat('{"score": 7, "why": "nice"}'), "no number"),
        (chat(None, finish_reason="content_filter"), "declines"),
        (chat('{"sco', finish_reason="length"), "cut off at 64 tokens"),
        (b'{"choices": [{"mess', "no JSON, or broke off"),
        ({"error": "none"}, "no message"),
        ((503, b"busy", {}), "status 503"),
        ((429, b"slow down", {"Retry-After": "1"}), "status 429"),
        ((200, b"{}", {"Content-Length": "50"}), "broke|longer|RemoteDisconnected|Incomplete"),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again_and_then_refused(serve, first, reason):
    server = serve(lambda number, body: first if number == 1 else chat('{"score": 6.5}'))
    assert measured(asking(server, timeout=3.0)) == [6.5]
    assert len(server.seen) == 2
    stubborn = serve(lambda number, body: first)
    with pytest.raises(UnusableAnswer, match=reason):
        measured(asking(stubborn, tries=1, timeout=3.0))


def test_a_late_answer_is_given_up(serve):
    def late(number, body):
        time.sleep(0.8)
        return chat("7")

    with pytest.raises(UnusableAnswer, match="longer than 0.2 s"):
        measured(asking(serve(late), timeout=0.2, tries=1))


def test_a_key_that_is_refused_or_missing_is_said_and_never_shown(serve):
    server = serve(lambda number, body: (401, b"no", {}))
    with pytest.raises(KeyRefused, match="OPENAI_API_KEY.*|isn't set"):
        measured(asking(server))
    with pytest.raises(KeyRefused, match="refuses the key") as refused:
        measured(asking(server, {"MY_KEY": "geheim77"}, key_variable="MY_KEY"))
    assert "geheim77" not in str(refused.value)
    for bad in ("geheim 77", "geheim\n77"):
        with pytest.raises(KeyRefused, match="characters") as refused:
            measured(asking(server, {"OPENAI_API_KEY": bad}))
        assert "geheim" not in str(refused.value)
    assert len(server.seen) == 2  # none of them was asked again
    missing = serve(lambda number, body: (404, b"no such model", {}))
    with pytest.raises(BadAnswer, match="404"):
        measured(asking(missing))


def test_a_key_does_not_travel_in_the_clear():
    context = ScorerContext(COLLECTION, environment={"OPENAI_API_KEY": "abc"})
    table = {"url": "http://example.org/v1", "model": "m", "question": "Good?"}
    scorer = make_scorer(ScorerChoice(name="shown", kind="vision", settings=table), context)
    with pytest.raises(KeyRefused, match="over http"):
        measured(scorer)


def test_the_key_is_nowhere_but_in_the_request(serve):
    server = serve(brightness)
    with_key, without = asking(server, {"OPENAI_API_KEY": "geheim77"}), asking(server)
    assert with_key.digest == without.digest
    measured(with_key)
    assert "geheim77" not in repr(with_key) + repr(with_key.own) + str(with_key.charges())
    assert "geheim77" in server.seen[0][1]["Authorization"]


def test_the_median_of_the_repeats_counts_and_all_of_them_are_paid(serve):
    server = serve(lambda number, body: chat(str((2, 9, 8)[number % 3])))
    scorer = asking(server, repeats=3, price_in=1000.0, price_out=10_000.0, parallel=1)
    assert measured(scorer) == [8.0]
    assert scorer.charges() == {
        "calls": 3,
        "tokens-in": 2700,
        "tokens-out": 30,
        "money": pytest.approx(2.7 + 0.3),
    }
    assert scorer.charges() == {}
    expected = scorer.expected(10)
    assert expected["calls"] == 30
    assert expected["money"] > 30 * 1000 * 1000 / 1e6


def test_answers_that_could_not_be_read_were_paid_for(serve):
    def answer(number, body):
        bare = chat("seven" if number < 3 else "7")
        return {"choices": bare["choices"]} if number == 2 else bare

    scorer = asking(serve(answer), price_in=1.0, price_out=1.0)
    assert measured(scorer) == [7.0]
    spent = scorer.charges()
    assert (spent["calls"], spent["calls-unmetered"], spent["tokens-in"]) == (3, 1, 1800)
    assert spent["money"] > 2 * 910 / 1e6  # what wasn't counted costs what was expected


def test_settings_that_make_no_sense_are_refused(serve):
    server = serve(brightness)
    for wrong in ({"scale": [9, 1]}, {"extra": {"stream": True}}, {"url": "ftp://a/v1"}, {"questoin": "?"}):
        with pytest.raises(BadScorerSettings):
            asking(server, **wrong)
    assert server.seen == []


def test_what_is_idle_is_not_in_the_digest(serve):
    server = serve(brightness)
    plain = asking(server)
    idle = {"price_in": 1.0, "timeout": 5.0, "tries": 2, "parallel": 9, "key_variable": "K"}
    for name, value in idle.items():
        assert asking(server, **{name: value}).digest == plain.digest
    loud = {"model": "n", "question": "?", "scale": [0, 1], "picture": 99, "seed": 1, "repeats": 2}
    assert len({asking(server, **{name: value}).digest for name, value in loud.items()} | {plain.digest}) == 7
    assert set(VisionSettings.model_fields) >= set(idle) | set(loud)


@given(st.floats(1, 10), st.sampled_from(["{}", ' {{"score": {}}}\n', '```json\n{{"score": {}}}\n```']))
def test_numbers_on_the_scale_are_read(value, form):
    assert read_answer(form.format(value), (1, 10)) == value


@given(st.text(max_size=40))
def test_text_is_a_number_on_the_scale_or_refused(text):
    try:
        assert 1 <= read_answer(text, (1, 10)) <= 10
    except ValueError:
        pass
