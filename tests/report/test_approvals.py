"People's words on posts: of exactly what was read, in order, and of two at once one is second."

import threading

import pytest

from artmint.report.approvals import (
    AlreadyLeft,
    BadEdit,
    EditedMeanwhile,
    NoSuchPost,
    NotApproved,
    begin_sending,
    decide_post,
    edit_post,
    find_post,
    list_posts,
    record_drafts,
    record_sent,
    standing_of,
)
from artmint.report.drafts import PostDraft, TooLong
from artmint.report.facts import PostFact
from artmint.studio.catalog import Catalog

TEXT = "Ring #3, from Rings.\n\nMade with AI."
FACTS = tuple(
    PostFact(name=name, words=words, kind="name", source="3.json", record="0" * 64)
    for name, words in (("token", "Ring #3"), ("title", "Rings"))
)


def draft(text: str = TEXT, platform: str = "bluesky", **more) -> PostDraft:
    facts = {"collection": "demo", "drop": 1, "tokens": (3,), "facts": FACTS, "wording": "templates"}
    facts |= {"made": "2026-11-29T18:00:00Z"} | more
    return PostDraft(platform=platform, text=text, **facts)


@pytest.fixture
def studio(tmp_path):
    return Catalog(tmp_path)


@pytest.fixture
def key(studio):
    return record_drafts(studio, [draft()])[0]


def test_a_draft_is_recorded_once_and_reads_back_as_it_was(studio, key):
    assert record_drafts(studio, [draft(), draft(made="2027-01-01T00:00:00Z")]) == [key]
    assert standing_of(studio, key).draft == draft()
    assert len(list_posts(studio, "demo", 1)) == 1
    assert list_posts(studio, "demo", 2) == []


def test_an_approval_is_of_one_digest_and_says_who_and_when(studio, key):
    after = decide_post(studio, key, "approve", "Ada", draft().digest, "fine")
    assert (after.state, after.word.by, after.word.digest, after.word.note) == (
        "approved",
        "Ada",
        draft().digest,
        "fine",
    )
    assert after.word.at.endswith("Z")


def test_an_edit_after_an_approval_waits_again_and_cannot_be_sent(studio, key):
    decide_post(studio, key, "approve", "Ada", draft().digest)
    after = edit_post(studio, key, TEXT.replace("from", "out of"), {}, "Ben")
    assert (after.state, after.versions, after.draft.by) == ("waiting", 2, "Ben")
    with pytest.raises(NotApproved) as refused:
        begin_sending(studio, key)
    assert refused.value.exit_code == 4
    back = edit_post(studio, key, TEXT, {}, "Ben")
    assert back.state == "approved"  # it says again exactly what was approved


def test_who_read_an_earlier_text_can_neither_approve_nor_edit_the_later(studio, key):
    edit_post(studio, key, "Ring #3.\n\nMade with AI.", {}, "Ben", draft().digest)
    with pytest.raises(EditedMeanwhile):
        decide_post(studio, key, "approve", "Ada", draft().digest)
    with pytest.raises(EditedMeanwhile):
        edit_post(studio, key, "Ring.\n\nMade with AI.", {}, "Ada", draft().digest)
    assert standing_of(studio, key).word is None


def test_a_refused_post_is_not_sent_and_may_be_approved_later(studio, key):
    decide_post(studio, key, "refuse", "Ada", draft().digest)
    with pytest.raises(NotApproved):
        begin_sending(studio, key)
    decide_post(studio, key, "approve", "Ben", draft().digest)
    assert begin_sending(studio, key).state == "sending"


def test_what_is_leaving_cannot_be_changed(studio, key):
    decide_post(studio, key, "approve", "Ada", draft().digest)
    begun = begin_sending(studio, key)
    assert begin_sending(studio, key).sent == begun.sent  # once
    for change in (
        lambda: edit_post(studio, key, "Late.\n\nMade with AI.", {}, "Ben"),
        lambda: decide_post(studio, key, "refuse", "Ben", draft().digest),
    ):
        with pytest.raises(AlreadyLeft):
            change()
    after = record_sent(studio, key, "sent", {"uri": "at://x"})
    assert (after.state, after.sent.uri, after.sent.by) == ("sent", "at://x", "Ada")
    assert record_sent(studio, key, "sent", {"uri": "at://y"}).sent.uri == "at://x"


def test_what_a_platform_refused_for_good_may_be_edited_again(studio, key):
    decide_post(studio, key, "approve", "Ada", draft().digest)
    begin_sending(studio, key)
    assert record_sent(studio, key, "failed", {}).state == "approved"
    assert edit_post(studio, key, "Ring #3.\n\nMade with AI.", {}, "Ben").state == "waiting"


@pytest.mark.parametrize(
    "text, error",
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("Ring #3, from Rings.", "AI was at work"),
        ("Ring \u202e#3.\n\nMade with AI.", "invisible"),
        ("<b>Ring</b>\n\nMade with AI.", "markup"),
    ],
)
def test_an_edit_that_can_be_no_post_is_refused(studio, key, text, error):
    with pytest.raises(BadEdit, match=error):
        edit_post(studio, key, text, {}, "Ben")
    assert standing_of(studio, key).versions == 1


def test_an_edit_is_held_to_the_platform(studio, key):
    with pytest.raises(TooLong, match="takes 300"):
        edit_post(studio, key, "x" * 290 + "\n\nMade with AI.", {}, "Ben")
    with pytest.raises(BadEdit, match="no picture of token 9"):
        edit_post(studio, key, TEXT, {9: "alt"}, "Ben")


def test_claims_are_what_no_record_backs(studio, key):
    assert standing_of(studio, key).claims == []
    after = edit_post(studio, key, "Ring #3: only 5 left, says Picasso.\n\nMade with AI.", {}, "Ben")
    assert after.claims == ["5", "Picasso"]


def test_a_post_is_called_by_the_beginning_of_its_id(studio, key):
    other = record_drafts(studio, [draft("Rings.\n\nMade with AI.")])[0]
    posts = list_posts(studio, "demo")
    assert find_post(posts, key.rsplit("/", 1)[1][:8]).key == key
    assert find_post(posts, other.rsplit("/", 1)[1]).key == other
    for id in ("", "zz", key):
        with pytest.raises(NoSuchPost):
            find_post(posts, id)
    with pytest.raises(NoSuchPost):
        standing_of(studio, "demo/1/none")


def test_of_two_who_begin_at_once_one_began(studio, key):
    "And of two edits of the same reading one is refused."
    decide_post(studio, key, "approve", "Ada", draft().digest)
    outcomes = []

    def edit(number: int) -> None:
        try:
            edit_post(
                Catalog(studio.folder),
                key,
                f"Ring #3, {'so ' * number}.\n\nMade with AI.",
                {},
                "Ben",
                draft().digest,
            )
            outcomes.append("edited")
        except EditedMeanwhile:
            outcomes.append("refused")

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["edited", "refused", "refused", "refused"]
    assert standing_of(studio, key).versions == 2
