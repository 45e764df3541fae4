"The application: described whole, healthy or not, with the board inside."

import re
import time

import pytest

from artmint.service.access import ROLE_SCOPES
from artmint.service.api import service_app
from artmint.service.door import Door
from artmint.service.keys import KEY_SCOPES
from artmint.studio.team import invite_member
from tests.served import problem

FREE = {"health", "ready", "metrics"}  # operations without a scope


def operations(document: dict) -> dict[str, dict]:
    "Every operation by its id."
    named = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["operationId"] not in named
            named[operation["operationId"]] = operation | {"path": path, "method": method}
    return named


def test_every_route_is_described_with_its_answers_and_refusals(minted_service):
    document = minted_service.client().get("/openapi.json").json()
    named = operations(document)
    assert len(named) >= 30
    for name, operation in named.items():
        assert operation["description"], name
        good = [code for code in operation["responses"] if code.startswith("2")]
        assert good, name
        for code in good:
            kinds = operation["responses"][code]["content"]
            assert all("schema" in kind or name == "metrics" for kind in kinds.values()), name
        wanted = {"400", "405", "421", "422", "431", "500", "503"}
        if name not in FREE:
            assert operation["x-scope"] in KEY_SCOPES
            assert operation["security"]
            wanted |= {"401", "403"}
        if operation.get("requestBody"):
            wanted |= {"408", "413", "415"}
        assert wanted <= set(operation["responses"]), name
        for code, response in operation["responses"].items():
            if int(code) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"], name


def test_the_document_leads_nowhere_that_is_not_in_it(minted_service):
    document = minted_service.client().get("/openapi.json").json()
    text = minted_service.client().get("/openapi.json").text
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names <= set(document["components"]["schemas"])


def test_every_route_of_the_application_is_in_the_document(minted_service):
    door = service_app(minted_service.service)
    document = minted_service.client().get("/openapi.json").json()
    described = set(document["paths"])
    apart = {"/openapi.json", "/join", "/join.js", "/join.css", "/icon.svg", "/board/{collection}"}
    paths = set()
    for route in door.app.app.routes:
        paths |= {one.path for one in getattr(route, "routes", None) or [route] if hasattr(one, "path")}
    assert {path for path in paths if path not in described} <= apart
    assert isinstance(door, Door)


def test_health_is_one_thing_and_readiness_another(empty_service):
    client = empty_service.client()
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").status_code == 200
    folder = empty_service.service.shelf.folder
    folder.rename(folder.with_name("gone"))
    body = problem(client.get("/readyz"), 503, "NotReady")
    assert "batches" in body["reason"]
    assert client.get("/healthz").status_code == 200


@pytest.mark.slow
def test_the_board_is_inside_for_people_who_were_invited(judged_service):
    service = judged_service.service
    secret = invite_member(service.team, "Mo", "artist")
    client = judged_service.client()
    own = {"Origin": judged_service.address}
    assert client.get("/board/tiny/").text.startswith("<!doctype html>")
    assert client.get("/board/tiny/me").status_code == 403
    assert "You are invited" in client.get("/join").text
    joined = client.post("/join", json={"invitation": secret}, headers=own)
    assert joined.json() == {"name": "Mo", "role": "artist"}
    assert client.get("/board/tiny/me").json()["name"] == "Mo"
    opened = client.post("/board/tiny/call", json={"verb": "open", "args": {}}, headers=own).json()
    assert len(opened["dnas"]) == 8
    assert client.get("/v1/runs").status_code == 200
    problem(client.get("/board/none/"), 404, "NoSuchCollection")
    assert set(ROLE_SCOPES) == {"guest", "artist", "lead"}


def test_the_log_has_a_line_for_each_request_and_no_secret(judged_service):
    import json

    client = judged_service.client("logged", "read", "runs:write")
    client.put("/v1/runs/logged-run", json={"batch": "making"})
    client.get("/v1/runs/logged-run", headers={"Cookie": "artmint-x=sesame"})
    own = []
    for _ in range(50):  # a line is written when its answer is on its way
        lines = [json.loads(line) for line in judged_service.log.read_text().splitlines()]
        own = [line for line in lines if line.get("run") == "logged-run"]
        if len(own) >= 2:
            break
        time.sleep(0.1)
    assert [(line["method"], line["status"], line["by"]) for line in own[:2]] == [
        ("PUT", 202, "logged"),
        ("GET", 200, "logged"),
    ]
    text = judged_service.log.read_text()
    assert not any(secret in text for secret in [*judged_service.secrets.values(), "sesame"])
