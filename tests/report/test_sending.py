"One post, wherever a process is killed, an answer is lost or a server forgets; and files to paste."

import hashlib
import json
from datetime import UTC, datetime

import pytest

from artmint.ipfs.http import BadAnswer, NoAnswer
from artmint.report import sending
from artmint.report.accounts import BlueskySettings, MastodonSettings
from artmint.report.approvals import NotApproved, edit_post, record_drafts
from artmint.report.bluesky import Bluesky, record_key
from artmint.report.mastodon import Mastodon
from artmint.report.sending import AlreadySending, FileTaken, export_post, one_sender, send_post
from artmint.studio.catalog import Catalog
from tests.posted import Broken, Posted, World
from tests.suites import some

# every request that a post takes, and both sides of it
STEPS = {
    "bluesky": ["server.createSession", "repo.getRecord", "repo.uploadBlob", "repo.putRecord"],
    "mastodon": [
        "/api/v1/accounts/verify_credentials",
        "/api/v2/instance",
        "/api/v1/accounts/7/statuses",
        "/api/v2/media",
        "/api/v1/statuses",
    ],
}


EVERY_STEP = [(name, step) for name, steps in STEPS.items() for step in steps]
QUICK_STEPS = [("bluesky", "repo.putRecord"), ("mastodon", "/api/v1/statuses")]


@pytest.fixture(scope="module")
def posted(tmp_path_factory):
    return Posted(tmp_path_factory.mktemp("posted"))


@pytest.fixture
def world():
    made = World()
    yield made
    made.end()


def channel(world: World, platform: str):
    "The account as a fresh process opens it; it tries once."
    if platform == "bluesky":
        return Bluesky(BlueskySettings(url=world.url, handle="ada.test"), world.password)
    return Mastodon(MastodonSettings(url=world.url), world.token, lambda seconds: None)


def there(world: World, platform: str) -> list[str]:
    "Texts of the posts that the platform has."
    if platform == "bluesky":
        return [record["text"] for record in world.records.values()]
    return [post["source"] for post in world.posts]


def fresh(posted: Posted, platform: str, text: str):
    "An approved post with a text that no other test has."
    from artmint.report.approvals import decide_post

    draft = posted.draft(platform).model_copy(update={"text": f"{text}\n\nMade with AI."})
    (key,) = record_drafts(posted.catalog, [draft])
    return decide_post(posted.catalog, key, "approve", "Ada", draft.digest)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    "Tries follow each other at once."
    from artmint.report import bluesky, mastodon

    for room in (bluesky, mastodon):
        real = room.with_retries
        monkeypatch.setattr(room, "with_retries", lambda work, tries, *more, real=real: real(work, 1))


def test_nothing_leaves_without_an_approval(posted, world):
    for platform in STEPS:
        draft = posted.draft(platform, 2)
        (key,) = record_drafts(posted.catalog, [draft])
        with pytest.raises(NotApproved):
            send_post(posted.catalog, key, channel(world, platform))
        with pytest.raises(NotApproved):
            export_post(posted.catalog, key, posted.catalog.folder / "out")
    assert world.asked == [] and not (posted.catalog.folder / "out").exists()


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("platform, step", some(EVERY_STEP, QUICK_STEPS))
def test_a_lost_request_or_answer_leaves_one_post(posted, world, platform, step, phase):
    post = fresh(posted, platform, f"Lost {phase} {step}")
    world.faults.append((step, phase))
    with pytest.raises(NoAnswer):
        send_post(posted.catalog, post.key, channel(world, platform))
    assert world.faults == []
    after = send_post(Catalog(posted.catalog.folder), post.key, channel(world, platform))
    assert (after.state, there(world, platform)) == ("sent", [post.draft.text])
    assert (
        send_post(posted.catalog, post.key, channel(world, platform)).sent == after.sent
    )  # once more: nothing
    assert there(world, platform) == [post.draft.text]


@pytest.mark.many(8)
@pytest.mark.parametrize("platform", STEPS)
@pytest.mark.parametrize("at", ["begin_sending", "find", "send", "record_sent"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_killed_process_leaves_one_post(posted, world, monkeypatch, platform, at, side):
    "Before and after each of the four steps; the server has forgotten the key of the request meanwhile."
    post = fresh(posted, platform, f"Killed {side} {at}")
    account = channel(world, platform)
    where = sending if hasattr(sending, at) else account
    real = getattr(where, at)

    def killed(*given):
        if side == "after":
            real(*given)
        raise Broken()

    with monkeypatch.context() as patched:
        patched.setattr(where, at, killed)
        with pytest.raises(Broken):
            send_post(posted.catalog, post.key, account)
    world.remembers = False
    for _ in range(2):
        after = send_post(Catalog(posted.catalog.folder), post.key, channel(world, platform))
        assert (after.state, there(world, platform)) == ("sent", [post.draft.text])


@pytest.mark.parametrize("platform", STEPS)
def test_what_is_sent_is_what_was_approved(posted, world, platform):
    "Text, alt text and the very bytes of the token's picture, under its own content address."
    post = fresh(posted, platform, "Sent whole")
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = send_post(posted.catalog, post.key, channel(world, platform))
    (picture,) = post.draft.pictures
    own = (posted.catalog.folder / "drops/demo-1/root/images/1.png").read_bytes()
    token = json.loads((posted.catalog.folder / "drops/demo-1/drop.json").read_bytes())["tokens"][0]
    assert world.blobs == {token["image_cid"]: own}
    assert picture.cid == token["image_cid"] and picture.own
    if platform == "bluesky":
        record = world.records[record_key(post.draft)]
        (image,) = record["embed"]["images"]
        assert record["text"] == post.draft.text
        assert before <= record["createdAt"] <= after.sent.at
        assert (image["alt"], image["image"]["ref"]["$link"]) == (picture.alt, picture.cid)
    else:
        (media,) = world.posts[0]["media_attachments"]
        assert (world.posts[0]["source"], media["description"]) == (post.draft.text, picture.alt)


@pytest.mark.parametrize("platform", STEPS)
def test_what_a_platform_refuses_for_good_can_be_edited_and_sent(posted, world, platform):
    post = fresh(posted, platform, "This is refused")
    with pytest.raises(BadAnswer, match="no such words"):
        send_post(posted.catalog, post.key, channel(world, platform))
    assert posted.standing(post.key).state == "approved"
    assert edit_post(posted.catalog, post.key, "This is fit.\n\nMade with AI.", {}, "Ben").state == "waiting"


@pytest.mark.parametrize("platform", STEPS)
def test_a_wrong_key_is_said_and_never_repeated(posted, world, platform):
    post = fresh(posted, platform, "Wrong key")
    account = channel(world, platform)
    account.key = "wrong-word-of-eve"
    with pytest.raises(BadAnswer, match="status 401") as refused:
        send_post(posted.catalog, post.key, account)
    assert "wrong-word" not in f"{refused.value!r} {refused.value} {account!r}"
    assert posted.standing(post.key).state == "approved"  # it hasn't begun


def test_a_place_that_holds_another_post_is_left_as_it_is(posted, world):
    from artmint.report.bluesky import PlaceTaken

    post = fresh(posted, "bluesky", "Mine")
    world.records[record_key(post.draft)] = {"text": "somebody else's"}
    with pytest.raises(PlaceTaken):
        send_post(posted.catalog, post.key, channel(world, "bluesky"))
    assert there(world, "bluesky") == ["somebody else's"]


def test_a_server_that_keeps_other_bytes_gets_no_post(posted, world, monkeypatch):
    from artmint.report.bluesky import OtherBlob

    post = fresh(posted, "bluesky", "Other bytes")
    real = World.repo_uploadBlob
    monkeypatch.setattr(
        World, "repo_uploadBlob", lambda self, query, body, headers: real(self, query, body + b"x", headers)
    )
    with pytest.raises(OtherBlob):
        send_post(posted.catalog, post.key, channel(world, "bluesky"))
    assert world.records == {}


def test_an_account_with_many_posts_is_looked_through(posted, world):
    "A hundred others came since, and pictures take the server a while."
    world.slow = 3
    post = fresh(posted, "mastodon", "Many")
    world.faults.append(("/api/v1/statuses", "after"))
    with pytest.raises(NoAnswer):
        send_post(posted.catalog, post.key, channel(world, "mastodon"))
    mine = world.posts[0]
    world.posts += [{**mine, "id": str(number), "source": f"other {number}"} for number in range(2, 102)]
    world.remembers = False
    after = send_post(posted.catalog, post.key, channel(world, "mastodon"))
    assert after.sent.uri == mine["uri"] and len(world.posts) == 101


@pytest.mark.parametrize("answer", some([b"{", b"[]", b"null", b'{"id": []}', b'"text"'], [b"[]"]))
@pytest.mark.parametrize("platform", STEPS)
def test_an_answer_of_another_form_is_a_refusal(posted, world, platform, answer, monkeypatch):
    digest = hashlib.sha256(answer).hexdigest()[:8]
    post = fresh(posted, platform, f"Odd {digest}")
    monkeypatch.setattr(World, "reply", lambda self, *given: (200, answer))
    with pytest.raises(BadAnswer):
        send_post(posted.catalog, post.key, channel(world, platform))
    assert posted.standing(post.key).state != "sent"


def test_one_process_sends_at_a_time(posted, world):
    post = fresh(posted, "bluesky", "One at a time")
    with one_sender(posted.catalog.folder), pytest.raises(AlreadySending):
        send_post(posted.catalog, post.key, channel(world, "bluesky"))
    assert world.asked == []


def test_a_server_with_smaller_limits_refuses_before_anything_goes_up(posted, world):
    from artmint.report.mastodon import ServerLimit

    world.limits = {"statuses": {"max_characters": 20}, "media_attachments": {"description_limit": 10}}
    post = fresh(posted, "mastodon", "A post that is longer than twenty characters")
    with pytest.raises(ServerLimit, match="20 are taken.*10 are taken"):
        send_post(posted.catalog, post.key, channel(world, "mastodon"))
    assert (world.media, posted.standing(post.key).state) == ({}, "approved")


# ---- files


def test_an_approved_post_is_written_as_it_was_approved(posted, tmp_path):
    post = posted.approved("x", 3)
    folder = export_post(posted.catalog, post.key, tmp_path)
    assert (folder / "text.txt").read_text() == post.draft.text
    assert (folder / "1-token-3.png").read_bytes() == (
        posted.catalog.folder / "drops/demo-1/root/images/3.png"
    ).read_bytes()
    assert post.draft.pictures[0].alt in (folder / "alt.txt").read_text()
    about = json.loads((folder / "post.json").read_text())
    assert (about["digest"], about["approved_by"]) == (post.draft.digest, "Ada")
    assert posted.standing(post.key).state == "sent"
    assert export_post(posted.catalog, post.key, tmp_path) == folder
    (folder / "text.txt").write_text("mine")
    with pytest.raises(FileTaken):
        export_post(posted.catalog, post.key, tmp_path)
    assert (folder / "text.txt").read_text() == "mine"


@pytest.mark.parametrize("there", ["file", "folder"])
def test_a_post_that_could_not_be_written_can_still_be_edited(posted, tmp_path, there):
    post = posted.approved("farcaster", {"file": 1, "folder": 2}[there])
    taken = sending.post_folder(post, tmp_path) / "text.txt"
    taken.mkdir(parents=True)
    if there == "file":
        taken.rmdir()
        taken.write_text("mine")
    with pytest.raises(FileTaken):
        export_post(posted.catalog, post.key, tmp_path)
    assert posted.standing(post.key).state == "approved"
    edited = edit_post(posted.catalog, post.key, post.draft.text + "\nMore.", {}, "Ada")
    assert edited.state == "waiting"
