"Who is let in, for what, and what the service answers about."

import shutil
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request

from artmint.core.canon import Refusal
from artmint.service.access import Shelf, TwoCollections, place_after
from artmint.service.api import BoardDoor, open_service
from artmint.service.keys import revoke_key
from artmint.service.problems import BadBody
from artmint.studio.team import Team, admit_member, invite_member, revoke_member
from tests.served import TINY, batches_in, problem


def test_a_key_does_what_its_scopes_say_and_no_more(empty_service):
    reader = empty_service.client("reader", "read")
    assert reader.get("/v1/runs").status_code == 200
    body = problem(reader.put("/v1/runs/a", json={"batch": "making"}), 403, "ScopeMissing")
    assert (body["scope"], body["scopes"]) == ("runs:write", ["read"])
    refused = empty_service.service.catalog.rows("key-refused")
    assert len(refused) == 1
    writer = empty_service.client("writer", "runs:write")
    problem(writer.get("/v1/runs"), 403, "ScopeMissing")
    assert writer.put("/v1/runs/a", json={"batch": "making"}).status_code == 202


def test_a_key_that_starts_runs_does_not_mint_by_that(empty_service):
    writer = empty_service.client("writer", "read", "runs:write")
    body = problem(writer.put("/v1/runs/a", json={"batch": "tiny"}), 403, "ScopeMissing")
    assert body["scope"] == "mint"
    assert writer.put("/v1/runs/a", json={"batch": "tiny", "last": "27_pin"}).status_code == 202
    minter = empty_service.client("minter", "read", "runs:write", "mint")
    assert minter.put("/v1/runs/b", json={"batch": "tiny"}).status_code == 202
    assert writer.post("/v1/runs/b/cancel").status_code == 202
    problem(writer.post("/v1/runs/b/resume"), 403, "ScopeMissing")
    assert minter.post("/v1/runs/b/resume").status_code == 202


@pytest.mark.many(3)
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer am_x", "Basic YTpi", "bearer", "Bearer " + "a" * 5000]
)
def test_what_is_no_key_opens_nothing(empty_service, header):
    answer = empty_service.client().get("/v1/runs", headers={"Authorization": header})
    problem(answer, 401, "WrongKey")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_without_a_key_nothing_is_told_and_a_revoked_one_opens_nothing(empty_service):
    problem(empty_service.client().get("/v1/runs"), 401, "NoKey")
    reader = empty_service.client("reader", "read")
    reader.get("/v1/runs")
    revoke_key(empty_service.service.catalog, "reader")
    empty_service.service.keys.seconds = 0.0
    problem(reader.get("/v1/runs"), 401, "WrongKey")


def test_people_come_in_by_their_session_and_change_things_from_this_page_only(empty_service):
    service = empty_service.service
    host = empty_service.address.removeprefix("http://")
    cookie = service.gate(host).cookie
    clients = {}
    for name, role in (("Gus", "guest"), ("Ada", "artist"), ("Lea", "lead")):
        _, session = admit_member(service.team, invite_member(service.team, name, role))
        clients[name] = empty_service.client()
        clients[name].cookies.set(cookie, session)
    own = {"Origin": empty_service.address}
    start = {"batch": "tiny"}
    assert clients["Gus"].get("/v1/runs").status_code == 200
    for name in ("Gus", "Ada"):
        problem(clients[name].put("/v1/runs/a", json=start, headers=own), 403, "ScopeMissing")
    foreign = {"Origin": "https://evil.example"}
    problem(clients["Lea"].put("/v1/runs/a", json=start, headers=foreign), 403, "ForeignOrigin")
    problem(clients["Lea"].put("/v1/runs/a", json=start), 403, "ForeignOrigin")
    assert clients["Lea"].put("/v1/runs/a", json=start, headers=own).status_code == 202
    revoke_member(service.team, "Lea")
    problem(clients["Lea"].get("/v1/runs"), 401, "NotOnTeam")


def test_a_mended_file_counts_at_once_and_a_name_means_one_folder(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    shelf = Shelf(batches_in(tmp_path / "batches", tmp_path / "tiny"))
    first = shelf.collection("tiny")
    assert shelf.collection("tiny") is first
    file = tmp_path / "tiny" / "collection.toml"
    file.write_text(file.read_text().replace('title = "Tiny"', 'title = "Small"'))
    assert shelf.collection("tiny").title == "Small"
    shutil.copytree(TINY, tmp_path / "other" / "tiny")
    batches_in(tmp_path / "batches2", tmp_path / "other" / "tiny")
    (tmp_path / "batches" / "third.toml").write_text((tmp_path / "batches2" / "tiny.toml").read_text())
    with pytest.raises(TwoCollections):
        shelf.collection("tiny")


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "9" * 20, "١"])
def test_a_place_that_no_page_ended_at_is_refused(after):
    with pytest.raises(BadBody):
        place_after(after)


def test_wrong_links_are_counted_for_all_hosts_and_ports_together(empty_service):
    client = empty_service.client()
    port = empty_service.address.rpartition(":")[2]
    statuses = []
    for number in range(21):
        host = ("127.0.0.1", "localhost")[number % 2] + f":{port}"
        headers = {"Host": host, "Origin": f"http://{host}"}
        answer = client.post("/join", json={"invitation": f"guess-{number}"}, headers=headers)
        statuses.append(answer.status_code)
    assert statuses == [403] * 20 + [429]


def test_a_public_page_is_its_own_at_the_port_that_is_asked(tmp_path):
    service = open_service(tmp_path / "studio", batches_in(tmp_path / "batches"), ("art.example",))
    gate = service.gate("art.example:8443")
    head = {"type": "http", "headers": [(b"host", b"art.example:8443")]}
    assert gate.own_origin(Request(head)) == "https://art.example:8443"
    assert gate.address == service.gate("art.example").address


def test_the_board_of_a_host_is_one_whatever_port_is_asked(tmp_path):
    service = open_service(tmp_path / "studio", batches_in(tmp_path / "batches"))
    door = BoardDoor(service)
    assert len({id(door.app_of("tiny", f"localhost:{port}")) for port in range(60)}) == 1


def test_a_refusal_that_is_kept_grows_no_longer_however_often_it_is_raised(tmp_path):
    folder = batches_in(tmp_path / "batches")
    (folder / "tiny.toml").write_text("stages = 7")
    shelf = Shelf(folder)
    lengths = []
    for _ in range(3):
        with pytest.raises(Refusal) as refused:
            shelf.batch("tiny")
        lengths.append(len(list(traceback.walk_tb(refused.value.__traceback__))))
    assert len(set(lengths)) == 1


def test_nobody_waits_while_a_strange_key_or_a_session_is_looked_up(empty_service, monkeypatch):
    "Who is known already is let in by the event loop; everybody else is looked up in a thread."
    service = empty_service.service
    threads = []
    for place, name in ((service.keys, "find"), (Team, "member_of")):
        asked = getattr(place, name)

        def noted(*given, asked=asked):
            threads.append(threading.current_thread().name)
            return asked(*given)

        monkeypatch.setattr(place, name, noted)
    reader = empty_service.client("reader", "read")
    service.queue.submit("a", {"batch": "making"})
    for _ in range(4):
        assert reader.get("/v1/runs/a").status_code == 200
    _, session = admit_member(service.team, invite_member(service.team, "Ada", "artist"))
    ada = empty_service.client()
    ada.cookies.set(service.team.cookie, session)
    assert ada.get("/v1/runs").status_code == 200
    assert len(threads) >= 2 and all(name.startswith("AnyIO worker") for name in threads)


def test_a_write_that_takes_long_holds_up_no_other_request(empty_service):
    "The first use of a key is written down, and waits for whoever writes."
    late = empty_service.client("late", "read")
    with ThreadPoolExecutor(1) as aside:
        with empty_service.service.catalog.together():
            waiting = aside.submit(late.get, "/v1/runs")
            time.sleep(0.2)
            began = time.monotonic()
            assert empty_service.client().get("/healthz").status_code == 200
            assert time.monotonic() - began < 30 and not waiting.done()
        assert waiting.result().status_code == 200
