"What a ComfyUI says while it paints: told in words, heard again after a break, and never needed."

import json
import sys
import threading
import time
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.make.listening import TOLD_EVERY, Hearing, listening, message_words

KINDS = {"3": "KSampler", "8": "VAEDecode"}
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
DATA = st.dictionaries(st.sampled_from(("node", "value", "max", "status", "exec_info")), LEAVES)


def said(kind: str, **data) -> dict:
    return {"type": kind, "data": data}


def queued(count) -> dict:
    return said("status", status={"exec_info": {"queue_remaining": count}})


@pytest.mark.parametrize(
    "message, words",
    [
        (said("executing", node="8"), "VAEDecode"),
        (said("executing", node="77"), "a node"),
        (said("executing", node=None), None),
        (said("progress", node="3", value=3, max=8), "KSampler, step 3 of 8"),
        (said("progress", node="3", value=9, max=8), ""),
        (said("progress", node="3", value="x", max=8), ""),
        (queued(4), "4 pictures in its queue"),
        (queued(1), ""),
        (said("status", status=None), ""),
        (said("execution_cached", nodes=["4"]), ""),
        ([], ""),
        (None, ""),
    ],
)
def test_messages_are_told_in_words(message, words):
    assert message_words(message, KINDS) == words


@given(st.sampled_from(("executing", "progress", "status")), DATA | LEAVES)
def test_messages_of_any_form_are_read(kind, data):
    words = message_words({"type": kind, "data": data}, KINDS)
    assert words is None or isinstance(words, str)


def test_steps_are_told_now_and_then():
    told = []
    hearing = Hearing(told.append)
    for step in range(50):
        hearing.say(f"step {step}")
    assert told[0] == "step 0"
    assert len(told) < 50
    hearing.told -= 2 * TOLD_EVERY
    hearing.say("later")
    assert told[-1] == "later"


@contextmanager
def speaking(*scripts: list):
    "A server whose every connection says one script, and then breaks off; its URL, and the paths that were asked for."
    sockets = pytest.importorskip("websockets.sync.server", reason="websockets isn't installed")
    from websockets.exceptions import ConnectionClosed

    left, asked = list(scripts), []

    def speak(socket) -> None:
        asked.append(socket.request.path)
        for message in left.pop(0) if left else ():
            socket.send(message if isinstance(message, bytes) else json.dumps(message))
        if left:
            socket.socket.shutdown(SHUT_RDWR)  # as when the line breaks: without a word
        else:
            with suppress(ConnectionClosed):
                socket.recv()

    with sockets.serve(speak, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", asked
        server.shutdown()


class Told(list):
    "Words, and whether one of them has come."

    def __init__(self, wanted: str):
        self.wanted, self.came = wanted, threading.Event()

    def __call__(self, words: str) -> None:
        self.append(words)
        if self.wanted in words:
            self.came.set()


def test_a_connection_that_breaks_is_made_again():
    first = [said("executing", node="3"), b"\0\0\0\1\0\0\0\1preview", "no object"]
    with speaking(first, [said("progress", node="3", value=7, max=8)]) as (url, asked):
        told = Told("step 7 of 8")
        hearing = Hearing(told)
        with listening(url, "number", KINDS, hearing):
            assert told.came.wait(60)
    assert asked == ["/ws?clientId=number"] * 2
    assert any("connecting again" in words for words in told)
    assert not hearing.deaf


def test_the_end_of_a_picture_ends_the_waiting():
    with speaking([said("executing", node=None)]) as (url, _):
        with listening(url, "number", KINDS, Hearing(lambda words: None)) as wait:
            begun = time.monotonic()
            wait(120)
            assert time.monotonic() - begun < 120


def test_a_server_without_a_websocket_is_told_once(monkeypatch):
    sockets = pytest.importorskip("websockets.sync.server", reason="websockets isn't installed")

    def refuse(connection, request):
        return connection.respond(404, "no such page")

    with sockets.serve(lambda socket: None, "127.0.0.1", 0, process_request=refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        told = Told("404")
        hearing = Hearing(told)
        for _ in range(3):
            with listening(url, "number", KINDS, hearing):
                assert told.came.wait(60)
        server.shutdown()
    assert hearing.deaf
    assert len(told) == 1
    assert "queue and history are asked instead" in told[0]


def test_without_the_library_it_is_told_once_how_to_have_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "websockets.sync.client", None)
    told = []
    hearing = Hearing(told.append)
    for _ in range(2):
        with listening("http://127.0.0.1:9", "number", KINDS, hearing) as wait:
            wait(0)
    assert len(told) == 1
    assert "pip install 'artmint[comfyui]'" in told[0]


def test_where_nobody_is_told_nobody_listens():
    before = threading.active_count()
    with listening("http://127.0.0.1:9", "number", KINDS) as wait:
        wait(0)
        assert threading.active_count() == before
