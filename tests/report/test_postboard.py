"The board's tab for posts: its interface, and the page in a browser, on a desktop and a phone."

import json

import pytest

from artmint.judge.decisions import ReviewSession
from artmint.report.approvals import edit_post, list_posts, record_drafts
from artmint.report.postboard import answer_posts, post_routes, post_view
from artmint.review import BadRequest, BoardApi, SeesOnly, board_app
from artmint.studio.team import invite_member, Team
from tests.boards import Served, browser
from tests.posted import Posted
from tests.services import node_modules

assert browser  # a fixture


def with_drafts(folder) -> Posted:
    "A studio whose posts wait: a token's for two platforms, and the drop's."
    posted = Posted(folder)
    drafts = [
        posted.draft("bluesky", 3),
        posted.draft("mastodon", None),
        posted.draft("x", 2),
        posted.draft("press", None),
    ]
    record_drafts(posted.catalog, drafts)
    return posted


@pytest.fixture
def posted(tmp_path):
    return with_drafts(tmp_path)


def api_of(posted: Posted, by: str = "Ada") -> BoardApi:
    return BoardApi(ReviewSession(posted.catalog, posted.collection, by), posts=True)


def call(posted: Posted, verb: str, by: str = "Ada", **args) -> dict:
    return answer_posts(api_of(posted, by), json.dumps({"verb": verb, "args": args}).encode())


def test_what_is_read_is_edited_approved_and_waits_again(posted):
    told = call(posted, "list")
    assert (told["by"], told["decides"], len(told["posts"])) == ("Ada", True, 4)
    post = told["posts"][0]
    after = call(posted, "decide", id=post["id"], digest=post["digest"], decision="approve")
    assert (after["state"], after["word"]["by"]) == ("approved", "Ada")
    text = post["text"].replace("Made with", "Seven left. Made with")
    look = call(posted, "look", id=post["id"], text=text)
    assert look["claims"] == ["Seven"] and look["length"] == post["length"] + 12
    edited = call(
        posted, "edit", by="Ben", id=post["id"], digest=post["digest"], text=text, alts={"3": "Rings."}
    )
    assert (edited["state"], edited["by"], edited["pictures"][0]["alt"]) == ("waiting", "Ben", "Rings.")
    assert edited["claims"] == ["Seven"]


def test_a_guest_reads_and_does_not_decide(posted):
    invite_member(Team(posted.catalog.folder), "Gus", "guest")
    told = call(posted, "list", by="Gus")
    assert told["decides"] is False
    post = told["posts"][0]
    for verb, args in (("decide", {"decision": "approve"}), ("edit", {"text": "x"})):
        with pytest.raises(SeesOnly):
            call(posted, verb, by="Gus", id=post["id"], digest=post["digest"], **args)
    assert list_posts(posted.catalog, "demo")[0].state == "waiting"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"verb": "send"}',
        b'{"verb": "decide", "args": {"id": 1}}',
        b'{"verb": "edit", "args": []}',
    ],
)
def test_what_the_page_can_not_ask_for_is_refused(posted, body):
    with pytest.raises(BadRequest):
        answer_posts(api_of(posted), body)


def test_routes_want_the_token_and_give_pictures_of_posts_alone(posted):
    from starlette.testclient import TestClient

    client = TestClient(board_app(api_of(posted), "word", post_routes), base_url="http://127.0.0.1")
    for path in ("/posts.html", "/posts/picture/" + "0" * 64):
        assert client.get(path).status_code == 403
    assert client.post("/posts/call", content=b'{"verb": "list"}').status_code == 403
    page = client.get("/posts.html?token=word")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    picture = list_posts(posted.catalog, "demo")[0].draft.pictures[0]
    given = client.get(f"/posts/picture/{picture.file_digest}?token=word")
    assert given.content == posted.catalog.blob(picture.file_digest)
    other = next(iter(posted.catalog.all("artifact").values()))["file_digest"]
    shown = {one.file_digest for post in list_posts(posted.catalog, "demo") for one in post.draft.pictures}
    wanted = client.get(f"/posts/picture/{other}?token=word")
    assert (wanted.status_code == 200) == (other in shown)
    script = client.get("/posts.js").text
    assert "innerHTML" not in script and "http://" not in script and "https://" not in script
    opened = client.post("/call?token=word", json={"verb": "open", "args": {}}).json()
    assert opened["posts"] is True


def test_a_board_without_posts_leads_to_none(tmp_path):
    posted = Posted(tmp_path, 2)
    from artmint.review import _opening, BoardOpening

    assert _opening(api_of(posted), BoardOpening())["posts"] is False


def test_a_view_is_plain_json(posted):
    for post in list_posts(posted.catalog, "demo"):
        assert json.loads(json.dumps(post_view(post)))["id"] == post.id


# ---- in a browser


class ServedPosts(Served):
    "The review board of the studio with posts, as `artmint review` serves it."

    def __init__(self, posted: Posted):
        self.folder, self.batch, self.whose, self.process = (
            posted.catalog.folder,
            posted.batch,
            ["--by", "ada"],
            None,
        )
        self.start()


@pytest.fixture(scope="module")
def desk(browser, tmp_path_factory):
    posted = with_drafts(tmp_path_factory.mktemp("desk"))
    served = ServedPosts(posted)
    yield posted, served
    served.kill()


def opened(browser, served, **options):
    "The page of posts, reached from the board."
    page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
    page.goto(served.address)
    page.wait_for_selector(".board[data-ready]")
    page.get_by_role("link", name="Posts").click()
    page.wait_for_selector("body[data-ready] article")
    return page


@pytest.mark.slow
def test_a_person_edits_and_approves_in_the_browser(browser, desk):
    posted, served = desk
    page = opened(browser, served)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    first = list_posts(posted.catalog, "demo")[0]
    card = page.locator(f'article[data-id="{first.id}"]')
    box = card.get_by_label("Text", exact=True)
    box.fill(first.draft.text.replace("Made with", "Only 7 left. Made with"))
    card.locator(".claims", has_text="No record backs: 7").wait_for()
    assert card.get_by_role("button", name="Approve").is_disabled()
    card.get_by_role("button", name="Discard").click()
    assert box.input_value() == first.draft.text
    box.fill("x" * 301)
    card.locator(".over", has_text="too long").wait_for()
    assert card.get_by_role("button", name="Save the edit").is_disabled()
    box.fill(first.draft.text.replace("Made with", "Look closely. Made with"))
    card.get_by_role("button", name="Save the edit").click()
    page.get_by_role("status").filter(has_text="Saved").wait_for()
    assert list_posts(posted.catalog, "demo")[0].draft.by == "ada"
    card.get_by_role("button", name="Approve").click()
    card.locator(".state", has_text="approved").wait_for()
    assert list_posts(posted.catalog, "demo")[0].state == "approved"
    page.get_by_role("button", name="approved (1)").click()
    assert page.locator("article").count() == 1
    page.get_by_role("button", name="all (4)").click()
    edit_post(posted.catalog, first.key, first.draft.text, {}, "Ben")  # meanwhile, elsewhere
    card.get_by_role("button", name="Refuse").click()
    page.get_by_role("status").filter(has_text="was edited since").wait_for()
    assert list_posts(posted.catalog, "demo")[0].word.decision == "approve"
    assert errors == []
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_and_fingers_find_everything(browser, desk, width, scheme):
    axe = node_modules("axe") / "node_modules" / "axe-core" / "axe.min.js"
    page = opened(
        browser, desk[1], color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 900}
    )
    page.add_script_tag(path=str(axe))
    for summary in page.locator("summary").all():
        summary.click()
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    assert [[each["id"], [node["target"] for node in each["nodes"]][:3]] for each in found] == []
    small = page.evaluate("""() => [...document.querySelectorAll('button, nav a, summary')].filter(b => b.offsetParent)
        .map(b => [b.textContent, b.getBoundingClientRect().height]).filter(([, height]) => height < 43.9)""")
    assert small == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.close()
