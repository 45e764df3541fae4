"A team's boards over HTTP: who is let in, under which name they decide, and what others get."

import json
import re

import pytest
from starlette.testclient import TestClient

from artmint.judge.boards import TeamBoards, team_app
from artmint.judge.decisions import ReviewSession
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from artmint.studio.team import (
    PublicAddress,
    Team,
    TeamGate,
    invitation_link,
    invite_member,
    public_address,
    revoke_member,
)
from tests.boards import Served, browser
from tests.drawn import DEMO, studio, table

assert browser  # a fixture

ORIGIN = "https://art.example"


class House:
    "A team's boards behind a proxy's address."

    def __init__(self, folder, address: PublicAddress, public: bool = True):
        self.catalog = studio(folder, {1: "oba", 2: "oba"})
        frozen_slots(self.catalog, DEMO, DEMO.salt)
        self.team = Team(self.catalog.folder)
        self.gate = TeamGate(self.team, address, public)
        self.app = team_app(TeamBoards(ReviewSession(self.catalog, DEMO, "server")), self.gate)

    def browser(self) -> TestClient:
        "A browser that came from nowhere."
        return TestClient(self.app, base_url=self.gate.address.origin, follow_redirects=False)

    def inside(self, name: str, role: str) -> TestClient:
        "A browser that somebody let in."
        browser = self.browser()
        answer = join(browser, invite_member(self.team, name, role))
        assert answer.status_code == 200, answer.text
        return browser

    def words(self, dna: str) -> list[dict]:
        "What people said of a picture."
        return [row for row in self.catalog.history("decision", dna) if "at" in row]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, public_address(f"{ORIGIN}/review"))


def join(browser, secret, origin: str = ORIGIN):
    "Exchange a link's secret."
    return browser.post("/review/join", json={"invitation": secret}, headers={"Origin": origin})


def call(browser, verb: str, origin: str = ORIGIN, **args):
    "A board's request."
    return browser.post("/review/call", json={"verb": verb, "args": args}, headers={"Origin": origin})


def dna_of(house) -> str:
    "A picture that is on the table."
    return next(iter(ReviewSession(house.catalog, DEMO, "server").candidates()))


def test_a_link_becomes_a_cookie_that_no_script_reads_and_no_other_site_sends(house):
    browser = house.browser()
    answer = join(browser, invite_member(house.team, "Ada", "artist"))
    cookie = answer.headers["set-cookie"]
    assert re.match(r"artmint-[0-9a-f]{12}=", cookie)
    for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/review/", "Max-Age="):
        assert part.lower() in cookie.lower()
    assert answer.json() == {"name": "Ada", "role": "artist"}


def test_without_a_session_nothing_is_given(house):
    stranger = house.browser()
    for path in ("/review/me", f"/review/picture/{dna_of(house)}", f"/review/thumbnail/{dna_of(house)}"):
        assert stranger.get(path).status_code == 403, path
    assert call(stranger, "open").status_code == 403
    assert call(stranger, "act", id="1", dnas=[dna_of(house)], decision="reject").status_code == 403
    assert house.words(dna_of(house)) == []


def test_an_artist_decides_under_the_name_of_their_link(house):
    ada = house.inside("Ada", "artist")
    opened = call(ada, "open").json()
    assert (opened["by"], opened["role"]) == ("Ada", "artist")
    dna = opened["dnas"][0]
    act = {"id": "1", "dnas": [dna], "decision": "reject", "board": opened["board"]}
    assert call(ada, "act", **act).status_code == 200
    assert [row["by"] for row in house.words(dna)] == ["Ada"]
    forged = call(ada, "act", **act | {"id": "2", "by": "Ben"})
    assert forged.status_code == 400
    assert [row["by"] for row in house.words(dna)] == ["Ada"]


def test_a_guest_sees_and_the_server_refuses_what_they_decide(house):
    guest = house.inside("Gus", "guest")
    opened = call(guest, "open").json()
    assert opened["can"] == ["see"]
    dna = opened["dnas"][0]
    assert guest.get(f"/review/picture/{dna}").status_code == 200
    for verb, args in (("act", {"decision": "accept"}), ("undo", {"undone": "0"})):
        answer = call(guest, verb, id="1", dnas=[dna], board=opened["board"], **args)
        assert answer.status_code == 403
    assert house.words(dna) == []


def test_two_people_see_each_other_and_neither_speaks_for_the_other(house):
    ada, ben = house.inside("Ada", "artist"), house.inside("Ben", "artist")
    boards = {name: call(browser, "open").json() for name, browser in (("Ada", ada), ("Ben", ben))}
    dna = boards["Ada"]["dnas"][0]
    since = boards["Ben"]["now"]
    call(ada, "act", id="1", dnas=[dna], decision="accept", board=boards["Ada"]["board"])
    news = call(ben, "news", since=since).json()
    assert [card["dna"] for card in news["cards"]] == [dna]
    call(ben, "act", id="2", dnas=[dna], decision="reject", board=boards["Ben"]["board"])
    (card,) = call(ada, "cards", dnas=[dna]).json()
    assert card["disputed"] is True
    assert {row["by"]: row["decision"] for row in card["people"]} == {"Ada": "accept", "Ben": "reject"}
    wrong = call(ben, "act", id="3", dnas=[dna], decision="accept", board=boards["Ada"]["board"])
    assert wrong.status_code >= 400
    assert len(house.words(dna)) == 2


def test_who_is_shut_out_is_out_in_the_middle_of_it(house):
    ada = house.inside("Ada", "artist")
    assert call(ada, "open").status_code == 200
    revoke_member(house.team, "Ada")
    assert call(ada, "open").status_code == 403
    assert ada.get("/review/me").json()["message"].startswith("You aren't in")


@pytest.mark.parametrize(
    "origin", ["", "null", "https://evil.example", "http://art.example", f"{ORIGIN}:8443"]
)
def test_another_sites_page_changes_nothing(house, origin):
    ada = house.inside("Ada", "artist")
    dna = dna_of(house)
    assert call(ada, "act", origin, id="1", dnas=[dna], decision="reject").status_code == 403
    assert join(house.browser(), invite_member(house.team, "Ben", "lead"), origin).status_code == 403
    assert house.words(dna) == []


def test_a_page_of_another_site_is_told_by_the_browser_too(house):
    ada = house.inside("Ada", "artist")
    headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    body = {"verb": "open", "args": {}}
    assert ada.post("/review/call", json=body, headers=headers).status_code == 403


def test_requests_for_other_hosts_are_refused(house):
    browser = TestClient(house.app, base_url="https://rebound.example", follow_redirects=False)
    assert browser.get("/review/").status_code >= 400


@pytest.mark.parametrize("secret", ["", "x", 7, None, ["x"]])
def test_what_is_no_invitation_opens_nothing(house, secret):
    assert join(house.browser(), secret).status_code in (400, 403)


def test_a_link_that_was_used_opens_nothing_and_many_wrong_ones_are_slowed(house):
    secret = invite_member(house.team, "Ada", "artist")
    assert join(house.browser(), secret).status_code == 200
    answers = [join(house.browser(), secret).status_code for _ in range(25)]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert join(house.browser(), invite_member(house.team, "Ben", "guest")).status_code == 429


def test_only_a_lead_invites_and_the_link_works(house):
    def invited(browser, **body):
        return browser.post("/review/invite", json=body, headers={"Origin": ORIGIN})

    lead, artist = house.inside("Lea", "lead"), house.inside("Ada", "artist")
    assert invited(artist, name="Eve", role="lead").status_code == 403
    for wrong in (
        {"name": "machine", "role": "guest"},
        {"name": "Eve", "role": "god"},
        {"name": "lea", "role": "guest"},
    ):
        assert invited(lead, **wrong).status_code >= 400
    link = invited(lead, name="Eve", role="guest").json()["link"]
    assert link.startswith(f"{ORIGIN}/review/join#")
    again = invited(lead, name="Eve", role="artist").json()
    assert again["was"] == "guest"
    link = again["link"]
    assert join(house.browser(), link.partition("#")[2]).json()["name"] == "Eve"


def test_pages_and_scripts_need_no_session_and_hold_no_secret(house):
    stranger = house.browser()
    secret = invite_member(house.team, "Ada", "artist")
    for path in ("", "join", "join.js", "page.js", "board.js"):
        answer = stranger.get(f"/review/{path}")
        assert answer.status_code == 200, path
        assert secret not in answer.text
    assert stranger.get("/review").headers["location"] == f"{ORIGIN}/review/"


def test_on_this_machine_the_addresss_own_origin_counts(tmp_path):
    house = House(tmp_path, PublicAddress("http://127.0.0.1:8123", "127.0.0.1"), public=False)
    browser = TestClient(house.app, base_url="http://127.0.0.1:8123", follow_redirects=False)
    secret = invite_member(house.team, "Ada", "artist")
    body = {"invitation": secret}
    foreign = browser.post("/join", json=body, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    answer = browser.post("/join", json=body, headers={"Origin": "http://127.0.0.1:8123"})
    assert answer.status_code == 200
    assert "secure" not in answer.headers["set-cookie"].lower()


def test_a_body_beyond_measure_is_not_read(house):
    ada = house.inside("Ada", "artist")
    data = json.dumps({"verb": "act", "args": {"id": "1", "dnas": ["x" * (9 << 20)]}})
    headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
    assert ada.post("/review/call", content=data, headers=headers).status_code == 413


def test_the_batchs_report_is_opened_from_the_board_and_holds_no_script(tmp_path):
    house = House(tmp_path / "one", public_address(f"{ORIGIN}/review"))
    ada = house.inside("Ada", "artist")
    assert call(ada, "open").json()["report"] is False
    assert ada.get("/review/report.html").status_code == 400
    report = tmp_path / "report.html"
    report.write_text("<!doctype html><title>report</title>")
    look = ReviewSession(house.catalog, DEMO, "server")
    house.app = team_app(TeamBoards(look, report=report), house.gate)
    ben = house.inside("Ben", "artist")
    assert call(ben, "open").json()["report"] is True
    answer = ben.get("/review/report.html")
    assert "<title>report</title>" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert house.browser().get("/review/report.html").status_code == 403
    blind = ReviewSession(house.catalog, DEMO, "server", blind=True)
    house.app = team_app(TeamBoards(blind, report=report), house.gate)
    cem = house.inside("Cem", "artist")
    assert call(cem, "open").json()["report"] is False
    assert cem.get("/review/report.html").status_code == 400


@pytest.mark.slow
def test_a_lead_invites_from_the_board_and_others_see_no_such_button(browser, tmp_path):
    table(tmp_path)
    served = Served(tmp_path, team=True)

    def inside(link: str):
        page = browser.new_context().new_page()
        page.goto(link)
        page.click("#enter")
        page.wait_for_selector(".board[data-ready]")
        return page

    def link_for(name: str, role: str) -> str:
        return invitation_link(served.address, invite_member(Team(tmp_path), name, role))

    try:
        assert inside(link_for("Ada", "artist")).get_by_role("button", name="Invite").count() == 0
        page = inside(link_for("Lea", "lead"))
        page.get_by_role("button", name="Invite").click()
        page.keyboard.type("px 3")  # letters of a name decide nothing
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog.invite .link")
        assert "for px 3 as guest" in page.locator("dialog.invite [role=status]").inner_text()
        guest = inside(page.locator("dialog.invite .link").input_value())
        assert "looking as px 3 (guest)" in guest.locator(".who").inner_text()
        page.get_by_label("role").select_option("artist")
        page.get_by_role("button", name="Make a link").click()
        page.get_by_text("px 3 was guest and is artist from now on").wait_for()
        page.get_by_label("name").fill("machine")
        page.get_by_role("button", name="Make a link").click()
        page.get_by_text("can't be a person's name").wait_for()
        assert not [row for row in Catalog(tmp_path).rows("decision") if '"at"' in row.body]
    finally:
        served.kill()
