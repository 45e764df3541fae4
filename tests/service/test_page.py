"The studio page: what it is given, what it shows of hostile words, by keyboard, on a phone, when the server goes away."

import json
import re
import shutil
import time

import pytest
from starlette.testclient import TestClient

from artmint.core.collection import example
from artmint.report.page import report_page
from artmint.run.sample import sample_studio
from artmint.seeds import load_collection
from artmint.service.api import open_service, service_app
from artmint.service.events import EVENT_TYPES, runs_at_work, stream_events
from artmint.service.keys import new_key
from artmint.service.page import Gallery, first_link, page_parts, studio_page, tell_the_way_in
from artmint.studio.catalog import Catalog
from artmint.studio.team import Team, admit_member, invite_member, revoke_member
from artmint.studio.web import SAFE_HEADERS
from tests.boards import browser
from tests.house.house import CHAPTERS
from tests.served import problem, serving
from tests.services import node_modules

assert browser  # a fixture
PARTS = page_parts()
SCRIPTS = {name: text for name, (kind, text) in PARTS.items() if kind == "text/javascript"}
TITLE = 'Light & "Shade" ${1} {{2}} < 3'
NASTY = '<img src=x onerror="document.title=1"> & "First" <b>Light</b>'
STAGES = ["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "35_verify"]
ORIGIN = "http://127.0.0.1"


def batch_file(folder, name: str, collection, **facts) -> None:
    "A batch's file."
    whole = {"name": name, "collection": str(collection), "quantity": 4, "stages": STAGES} | facts
    (folder / f"{name}.toml").write_text(
        "".join(f"{key} = {json.dumps(value)}\n" for key, value in whole.items())
    )


@pytest.fixture(scope="module")
def drawn_studio(tmp_path_factory):
    "A studio of four drawings under an odd title, and batches, one of which can't be read."
    place = tmp_path_factory.mktemp("page")
    shutil.copytree(example("collections/demo"), place / "demo")
    toml = place / "demo" / "collection.toml"
    toml.write_text(toml.read_text().replace('title = "First Light"', f"title = '{TITLE}'"))
    sample_studio(place / "studio", load_collection(place / "demo"), "packed", quantity=4, drawn=True)
    (place / "batches").mkdir()
    batch_file(place / "batches", "light", place / "demo")
    batch_file(
        place / "batches", "broken", place / "demo", stages=["<script>alert(1)</script>"], quantity="x"
    )
    return place


@pytest.fixture
def service(drawn_studio, tmp_path):
    "The service of a copy of that studio."
    shutil.copytree(drawn_studio / "studio", tmp_path / "studio")
    return open_service(tmp_path / "studio", drawn_studio / "batches")


def client_of(service, role: str = "", name: str = "mira") -> TestClient:
    "A browser, let in with a role."
    app = service_app(service, studio_page())
    client = TestClient(app, base_url=ORIGIN, headers={"Origin": ORIGIN})
    if role:
        body = {"invitation": invite_member(service.team, name, role)}
        assert client.post("/join", json=body).status_code == 200
    return client


def settled(service, state: str, **facts) -> None:
    "Take the next run, and let it come to a state."
    run = service.queue.claim("worker", 600)
    service.queue.settle(run, "worker", state, **facts)


def busy(service) -> None:
    "Runs in every state."
    asked = {"batch": "light"}
    for name in ("done-one", "asks", "refused", "working", "later", "held"):
        service.queue.submit(name, asked | ({"priority": 2} if name == "working" else {}))
        if name == "done-one":
            settled(service, "done", stages=[])
        elif name == "asks":
            settled(service, "waiting", waiting=[2, 3], error=error("WaitingForPeople", "2 slots wait", 4))
        elif name == "refused":
            settled(service, "failed", error=error("Unreachable", NASTY, 3))
        elif name == "working":
            service.queue.claim("worker", 600)
            service.queue.tell("working", "worker", 600, {"stage": "15_generate", "done": 3, "total": 12})
        elif name == "held":
            service.queue.pause("held")


def error(name: str, message: str, code: int) -> dict:
    return {"name": name, "message": message, "exit_code": code}


# What is sent


def test_the_page_asks_nobody_else_and_writes_no_markup():
    for name, (_, text) in PARTS.items():
        remote = set(re.findall(r"https?://[^\s\"')]+", text))
        assert remote <= {"http://www.w3.org/2000/svg"}, name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|new Function", text
        ), name
    page = PARTS["index.html"][1]
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=", page)
    for name, text in SCRIPTS.items():
        assert {f"{found}.js" for found in re.findall(r'from "\./(\w+)\.js"', text)} <= set(SCRIPTS), name


def test_the_page_knows_every_event_and_every_chapter():
    types = re.search(r"TYPES = \[(.*?)\]", SCRIPTS["live.js"], re.S)[1]
    assert re.findall(r'"([\w.]+)"', types) == list(EVENT_TYPES)
    named = set(re.findall(r'"(\d\d_\w+)":', SCRIPTS["words.js"]))
    assert set(CHAPTERS) - named <= {"60_serve"}


def test_strangers_get_the_shell_and_nothing_of_the_studio(service):
    client = client_of(service)
    shell = client.get("/")
    assert shell.headers["content-security-policy"] == SAFE_HEADERS["Content-Security-Policy"]
    assert shell.headers["content-type"].startswith("text/html")
    for name, (kind, text) in PARTS.items():
        if name != "index.html":
            part = client.get(f"/studio/{name}")
            assert part.text == text
            assert part.headers["content-type"].startswith(kind)
    assert "Shade" not in shell.text
    for place in ("me", "collections/demo/pictures", "runs/x/report"):
        problem(client.get(f"/v1/{place}"), 401, "NoKey")
    problem(client.post("/v1/plans", json={"batch": "light"}), 401, "NoKey")
    problem(client.get("/studio/../catalog.sqlite"), 404)
    problem(client.get("/studio/index.html"), 404)


@pytest.mark.parametrize(
    "role, scopes",
    [
        ("guest", ["read"]),
        ("artist", ["read", "decide"]),
        ("lead", ["read", "runs:write", "decide", "enter", "approve", "mint", "verify"]),
    ],
)
def test_people_are_told_what_they_may(service, role, scopes):
    told = client_of(service, role).get("/v1/me").json()
    assert told == {"name": "mira", "scopes": scopes, "studio": "studio"}


def test_a_key_is_told_what_it_may_as_well(service):
    secret = new_key(service.catalog, "night", ["read"])
    told = client_of(service).get("/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert told.json() == {"name": "night", "scopes": ["read"], "studio": "studio"}


# The latest pictures


def test_the_latest_pictures_come_newest_first_in_pages(service):
    client = client_of(service, "guest")
    first = client.get("/v1/collections/demo/pictures?limit=3").json()
    rest = client.get(f"/v1/collections/demo/pictures?limit=3&after={first['next']}").json()
    assert [one["slot"] for one in first["items"] + rest["items"]] == [4, 3, 2, 1]
    assert rest["next"] == ""
    assert client.get(first["items"][0]["thumbnail"]).status_code == 200
    assert {one["packed"] for one in first["items"]} == {1}
    problem(client.get("/v1/collections/none/pictures"), 404, "NoSuchCollection")
    problem(client.get("/v1/collections/demo/pictures?after=x"), 422, "BadBody")


def hang(catalog, slot: int, attempt: int, dna: str, **facts) -> None:
    catalog.append("attempt", f"rings/{slot}/{attempt}", {"dna": dna, **facts})


def test_the_wall_takes_pictures_and_attempts_in_any_order_and_forgets_what_was_withdrawn(tmp_path):
    catalog = Catalog(tmp_path)
    wall = Gallery(catalog, most=3)
    hang(catalog, 1, 1, "a")
    assert wall.latest("rings") == []
    catalog.append("artifact", "b", {})
    hang(catalog, 2, 0, "b")
    catalog.append("artifact", "a", {})
    assert [one[1:] for one in wall.latest("rings")] == [(1, 1, "a"), (2, 0, "b")]
    catalog.append("artifact", "c", {})
    hang(catalog, 2, 0, "c")
    assert [one[1:] for one in wall.latest("rings")] == [(2, 0, "c"), (1, 1, "a")]
    hang(catalog, 2, 0, "c", withdrawn=True)
    assert [one[3] for one in wall.latest("rings")] == ["a"]
    for number in range(5):
        hang(catalog, 9, number + 1, f"d{number}")
        catalog.append("artifact", f"d{number}", {})
    assert [one[3] for one in wall.latest("rings")] == ["d4", "d3", "d2"]
    newest = wall.latest("rings")[0][0]
    assert [one[3] for one in wall.latest("rings", newest)] == ["d3", "d2"]
    assert wall.latest("tides") == []


def test_the_wall_keeps_no_list_of_pictures_without_an_attempt_and_takes_back_what_was_withdrawn(tmp_path):
    catalog = Catalog(tmp_path)
    wall = Gallery(catalog)
    catalog.append_all("artifact", [(f"strange{n}", {}) for n in range(50)])
    hang(catalog, 1, 1, "a")
    catalog.append("artifact", "a", {})
    assert [one[3] for one in wall.latest("rings")] == ["a"]
    kept = [value for value in vars(wall).values() if isinstance(value, set | dict | list)]
    assert sum(map(len, kept)) == 1
    hang(catalog, 1, 1, "a", withdrawn=True)
    assert wall.latest("rings") == []
    hang(catalog, 1, 1, "a")
    assert [one[3] for one in wall.latest("rings")] == ["a"]


# Plans and reports


@pytest.mark.slow
def test_a_plan_is_of_the_very_request_and_records_nothing(service):
    client = client_of(service, "guest")
    before = service.catalog.news(0, ())[0]
    plan = client.post(
        "/v1/plans", json={"batch": "light", "last": "20_curate", "first_slot": 5, "quantity": 3}
    ).json()
    assert [(one["notebook"], one["slots"]) for one in plan["stages"]] == [(name, 3) for name in STAGES[:3]]
    assert plan["stages"][1]["pictures"] == [9, 36]
    for asked, name in [
        ({"batch": "none"}, "NoSuchBatch"),
        ({"batch": "light", "quantity": 400}, "SlotsBeyond"),
        ({"batch": "light", "parameters": {"15_generate": {"studio": "/elsewhere"}}}, "BadBody"),
        ({"batch": "light", "first": "35_verify", "last": "00_seeds"}, "NothingChosen"),
    ]:
        refused = client.post("/v1/plans", json=asked)
        body = problem(refused, refused.status_code, name)
        started = client_of(service, "lead", "ada").put("/v1/runs/plan", json=asked)
        assert (started.status_code, started.json()["detail"]) == (refused.status_code, body["detail"])
    assert service.catalog.news(0, ("run", "run-state"))[1] == []
    assert service.catalog.news(0, ())[0] == before


@pytest.mark.slow
def test_a_report_is_given_once_it_is_there_under_a_policy_without_scripts(service):
    client = client_of(service, "guest")
    service.queue.submit("one", {"batch": "light"})
    refused = problem(client.get("/v1/runs/one/report"), 404, "NoReport")
    assert "queued" in refused["detail"]
    folder = service.catalog.folder / "runs" / "light"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<!doctype html><p>It is here.")
    given = client.get("/v1/runs/one/report")
    assert given.text.endswith("It is here.")
    assert "script-src" not in given.headers["content-security-policy"]
    assert "default-src 'none'" in given.headers["content-security-policy"]
    problem(client.get("/v1/runs/two/report"), 404, "NoSuchRun")
    assert "<script" not in report_page.__doc__ and "http" not in given.headers["content-security-policy"]


# The way in


def test_the_first_link_is_given_until_a_lead_has_come_in(tmp_path):
    team = Team(tmp_path)
    links = {first_link(team, "http://127.0.0.1:1/", "mira") for _ in range(2)}
    assert len(links) == 2
    assert [member.role for member in team.members] == ["lead"]
    admit_member(team, first_link(team, "http://127.0.0.1:1/", "Mira").partition("#")[2])
    assert first_link(team, "http://127.0.0.1:1/", "mira") == ""
    revoke_member(team, "mira")
    assert first_link(team, "http://127.0.0.1:1/", "mira") == ""
    invite_member(team, "ada", "guest")
    assert first_link(team, "http://127.0.0.1:1/", "ada") == ""
    assert first_link(team, "http://127.0.0.1:1/", "machine\n") == ""


def test_the_way_in_is_told_for_the_address_that_people_use(service):
    said = []
    service.team.served_at("https://art.example/")
    tell_the_way_in(service, "", said.append)
    assert said == []
    tell_the_way_in(service, "mira", said.append)
    assert said[0].startswith("https://art.example/join#")


def test_the_studios_stream_tells_how_far_every_run_is(service):
    busy(service)
    assert runs_at_work(service.catalog) == {"working": {"stage": "15_generate", "done": 3, "total": 12}}
    assert runs_at_work(service.catalog, "asks") == {}

    async def frames() -> list[str]:
        stream = stream_events(service.catalog, after=service.catalog.news(0, ())[0])
        return [await anext(stream), await anext(stream)]

    import asyncio

    hello, progress = asyncio.run(frames())
    assert hello.startswith("retry: ")
    assert (
        progress
        == 'event: progress\ndata: {"run": "working", "stage": "15_generate", "done": 3, "total": 12}\n\n'
    )


# In a browser


class Opened:
    "The page in a browser that was let in."

    def __init__(self, browser, served, role: str = "lead", **options):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda line: self.wrong.append(line.text) if line.type == "error" else None)
        self.page.on("request", lambda one: one.url.startswith(served.address) or self.wrong.append(one.url))
        if role:
            self.page.goto(f"{served.address}/join#{invite_member(served.service.team, 'Mira', role)}")
            self.page.click("#enter")
            self.page.wait_for_url(f"{served.address}/")
            self.page.wait_for_selector("body[data-line=live] .legend")
            self.page.wait_for_selector(".sheet li, .empty")
            self.page.wait_for_selector(".rule, .cost .soft")
        else:
            self.page.goto(served.address)

    def findings(self) -> list:
        "What axe finds, the small things too."
        axe = node_modules("axe") / "node_modules" / "axe-core" / "axe.min.js"
        self.page.evaluate(axe.read_text())
        found = self.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
        return [[one["id"], [node["target"] for node in one["nodes"]][:3]] for one in found]

    def fits(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture
def served(service, tmp_path):
    "The service at an address, with runs in every state."
    busy(service)
    with serving(service, tmp_path) as at:
        yield at


def test_a_busy_studio_is_shown_to_its_lead_and_hostile_words_stay_words(browser, served):
    here = Opened(browser, served)
    page = here.page
    assert page.locator("h1").inner_text() == TITLE
    assert page.locator(".sheet li").count() == 4
    assert page.locator(".need h3").all_inner_texts() == [
        "2 slots of demo wait for people",
        "Run refused was refused",
    ]
    assert NASTY in page.locator(".need.failed").inner_text()
    assert page.locator(".need .button").get_attribute("href") == "/board/demo/"
    assert "3 of 12" in page.locator(".work").inner_text()
    assert page.locator("h1 img, .need img").count() == 0
    assert here.findings() == []
    assert here.fits()
    assert here.wrong == []
    here.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_axe_finds_nothing_in_the_page_nor_in_its_dialogs(browser, served, scheme):
    size = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    here = Opened(browser, served, color_scheme=scheme, **size)
    page = here.page
    assert (here.findings(), here.fits()) == ([], True)
    page.click(".sheet li:nth-child(2) button")
    assert (here.findings(), here.fits()) == ([], True)
    page.click(".look button:has-text('Close')")
    page.click("#start")
    page.wait_for_selector(".plan table, .plan [role=alert]")
    assert (here.findings(), here.fits()) == ([], True)
    small = page.evaluate("""() => [...document.querySelectorAll("button, a.button, input, select")].filter((one) => one.offsetParent)
        .map((one) => [one.textContent, one.getBoundingClientRect().height]).filter(([, height]) => height < 43.9)""")
    assert small == []
    assert here.wrong == []
    here.context.close()


@pytest.mark.slow
def test_a_run_is_started_by_keyboard_alone_after_its_plan_was_seen(browser, served):
    here = Opened(browser, served)
    page, keys = here.page, here.page.keyboard
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the studio"
    keys.press("n")
    assert page.locator("#begin").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.name") == "batch"
    page.wait_for_selector(".plan table")
    for _ in range(3):
        keys.press("Tab")
    keys.type("400")
    page.wait_for_selector(".plan [role=alert]")
    assert "Nothing was run" in page.locator(".plan").inner_text()
    assert page.locator("[data-key='begin start']").is_disabled()
    keys.press("Control+A")
    keys.type("2")
    page.wait_for_selector(".plan table")
    assert page.locator(".plan tbody tr").first.inner_text().split()[:2] == ["Seeds", "2"]
    assert "broken" in page.locator("#begin ul.words").inner_text()
    keys.press("Enter")
    page.wait_for_selector(".row b:has-text('light-')")
    run = next(view for view in served.service.queue.page()[0] if view.id.startswith("light-"))
    assert (run.request.batch, run.request.quantity, run.request.drop) == ("light", 2, None)
    assert here.wrong == [
        "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
    ] * len(here.wrong)
    here.context.close()


@pytest.mark.slow
def test_what_happens_is_seen_at_once_and_buttons_do_what_they_say(browser, served):
    here = Opened(browser, served)
    page, queue = here.page, served.service.queue
    queue.tell("working", "worker", 600, {"stage": "15_generate", "done": 11, "total": 12, "seconds_left": 4})
    page.wait_for_selector(".count:has-text('11 of 12, 4 s left')", timeout=3000)
    page.click("[data-key='Sooner later']")
    page.wait_for_selector("text=Run later has priority 1.")
    assert queue.view("later").priority == 1
    page.click("[data-key='resume held']")
    page.wait_for_selector(".row:has-text('held') .state.queued")
    page.click("[data-key='cancel held']")
    page.wait_for_selector(".row:has-text('held') .state.cancelled")
    page.click("[data-key='pause working']")
    page.wait_for_selector("text=It pauses at the next picture.")
    queue.settle("working", "worker", "paused")
    page.wait_for_selector(".row:has-text('working') .state.paused", timeout=3000)
    queue.cancel("later")
    page.wait_for_selector(".row:has-text('later') .state.cancelled", timeout=3000)
    assert here.wrong == []
    here.context.close()


@pytest.mark.slow
def test_a_guest_sees_everything_and_no_button_that_changes_anything(browser, served):
    here = Opened(browser, served, "guest")
    assert here.page.locator("#me").inner_text().split() == ["Mira", "guest"]
    assert here.page.locator("#start").is_hidden()
    words = here.page.locator("main button:visible").all_inner_texts()
    assert [word for word in words if word] == []
    assert here.page.locator(".need .button").inner_text() == "Open the board"
    here.context.close()


@pytest.mark.slow
def test_a_lost_server_is_said_and_comes_back_by_itself(browser, service, tmp_path):
    busy(service)
    with serving(service, tmp_path) as first:
        port = int(first.address.rpartition(":")[2])
        here = Opened(browser, first)
    page = here.page
    page.wait_for_selector("#lost:has-text('hasn\\'t answered since')")
    assert page.locator(".sheet li").count() == 4
    service.queue.submit("meanwhile", {"batch": "light"})
    with serving(service, tmp_path, port=port):
        page.wait_for_selector("body[data-line=live]", timeout=15_000)
        page.wait_for_selector(".row b:has-text('meanwhile')")
        assert page.locator("#lost").is_hidden()
        revoke_member(service.team, "Mira")
        page.click("[data-key='pause meanwhile']")
        page.wait_for_selector("#door h1:has-text('You aren\\'t in yet')", timeout=8000)
        assert page.locator("#studio").is_hidden()
        here.context.close()


@pytest.mark.slow
def test_who_is_not_in_and_what_is_empty_is_told_what_to_do(browser, tmp_path):
    (tmp_path / "batches").mkdir()
    service = open_service(tmp_path / "studio", tmp_path / "batches")
    with serving(service, tmp_path) as at:
        stranger = Opened(browser, at, "")
        assert (
            "artmint invite NAME --role lead"
            in stranger.page.locator("#door p:has-text('invite')").inner_text()
        )
        assert stranger.findings() == []
        stranger.context.close()
        inside = browser.new_context()
        inside_page = inside.new_page()
        inside_page.goto(f"{at.address}/join#{invite_member(service.team, 'Ada', 'lead')}")
        inside_page.click("#enter")
        inside_page.wait_for_selector("h1:has-text('A studio without a collection')")
        for place, words in [
            ("#title", "artmint init"),
            (".now", "Nothing is at work"),
            (".pictures", "Nothing is painted yet"),
            (".queue", "Nobody has asked for a run"),
            ("#drops", "Nothing is packed yet"),
        ]:
            inside_page.wait_for_selector(f"{place}:has-text('{words}')")
        inside.close()


@pytest.mark.slow
def test_the_wall_of_a_large_studio_is_read_once(tmp_path):
    catalog = Catalog(tmp_path)
    places = {f"rings/{n}/1": {"dna": f"{n:064x}", "recipe": {"prompt": "x" * 400}} for n in range(20_000)}
    catalog.put_all("attempt", places)
    catalog.put_all("artifact", {body["dna"]: {"recipe": {"prompt": "x" * 400}} for body in places.values()})
    wall = Gallery(catalog)
    begun = time.process_time()
    assert len(wall.latest("rings")) == 600
    read = time.process_time()
    assert wall.latest("rings")[0][1] == 19_999
    assert time.process_time() - read < (read - begun) / 5
