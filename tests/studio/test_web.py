"Pages for one person on one machine."

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from artmint.core.canon import Refusal
from artmint.studio import web as room
from artmint.studio.web import BODY_LIMIT, SAFE_HEADERS, guarded, kept_token, respond, web_app


class NothingThere(Refusal):
    "A refusal of a route."

    says = "There is nothing there."


@pytest.fixture
def client():
    def answer(request, body):
        if body:
            raise NothingThere()
        return respond("hello", "text/plain")

    routes = [Route("/", guarded("secret", answer), methods=["GET", "POST"])]
    return TestClient(web_app(routes), base_url="http://127.0.0.1")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}, {"Authorization": "secrets"}])
def test_nothing_is_answered_without_the_token(client, headers):
    for address in ("/", "/?token=", "/?token=Secret"):
        assert client.get(address, headers=headers).status_code == 403


def test_the_token_opens_in_the_address_and_in_the_header(client):
    assert client.get("/?token=secret").text == "hello"
    answer = client.get("/", headers={"Authorization": "Bearer secret"})
    assert {name: answer.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS


def test_a_refusal_is_a_sentence_in_json(client):
    answer = client.post("/?token=secret", content="x")
    assert (answer.status_code, answer.json()["message"]) == (400, "There is nothing there.")


def test_another_name_of_this_machine_is_refused(client):
    assert client.get("/?token=secret", headers={"Host": "evil.example"}).status_code == 400


def test_a_page_sends_no_more_than_pages_send():
    "A body of hundreds of megabytes isn't held, and nothing of it is recorded."
    got = []

    def answer(request, body):
        got.append(len(body))
        return respond("{}", "application/json")

    app = web_app([Route("/x", guarded("t" * 40, answer), methods=["POST"])])
    client = TestClient(app, base_url="http://127.0.0.1")
    headers = {"Authorization": "Bearer " + "t" * 40}
    assert client.post("/x", headers=headers, content=bytes(BODY_LIMIT)).status_code == 200
    assert client.post("/x", headers=headers, content=bytes(BODY_LIMIT + 1)).status_code == 413
    assert got == [BODY_LIMIT]


def test_a_token_that_is_kept_is_read_and_not_written_again(tmp_path, monkeypatch):
    token = kept_token(tmp_path / "keys" / "token")
    monkeypatch.setattr(room, "write_new", lambda *given: pytest.fail("it was written"))
    assert kept_token(tmp_path / "keys" / "token") == token
