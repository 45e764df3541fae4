"Posts of a drop: which there are, what a model may say in them, and that each is approved and sent once."

import pytest

from artmint.posts import (
    NoSuchPlatform,
    TooManyPosts,
    channel_of,
    chosen_platforms,
    draft_posts,
    leaving,
    send_posts,
)
from artmint.report.accounts import BadAccount, NoAccountKey, WriterSettings
from artmint.report.approvals import decide_post, list_posts, record_drafts
from artmint.report.wording import Writer
from tests.backed import Records
from tests.posted import MOMENT, Posted, World, chat, endpoint


@pytest.fixture
def posted(tmp_path):
    return Posted(tmp_path)


def test_the_first_is_about_the_drop_and_the_others_about_tokens(posted):
    drafts = draft_posts(posted.catalog, posted.collection, 1, ["x", "press"], 6, MOMENT)
    found = [(one.platform, one.tokens) for one in drafts]
    assert found == [
        ("x", ()),
        ("x", (1,)),
        ("x", (2,)),
        ("x", (3,)),
        ("x", (4,)),
        ("x", (1,)),
        ("press", ()),
    ]
    assert len({one.digest for one in drafts}) == 7


def test_all_that_templates_can_word_differ_and_more_is_refused(posted):
    drafts = draft_posts(posted.catalog, posted.collection, 1, ["mastodon"], 13, MOMENT)
    assert len({one.digest for one in drafts}) == 13
    with pytest.raises(TooManyPosts, match="at most 13"):
        draft_posts(posted.catalog, posted.collection, 1, ["mastodon"], 14, MOMENT)


def test_a_platform_that_there_is_not_is_refused():
    assert [one.name for one in chosen_platforms([])] == ["x", "bluesky", "mastodon", "farcaster", "press"]
    assert [one.name for one in chosen_platforms(["x", "x"])] == ["x"]
    with pytest.raises(NoSuchPlatform, match="mastodont"):
        chosen_platforms(["mastodont"])


def test_a_model_s_words_stand_before_what_records_say(posted):
    records = Records(posted.catalog.folder, posted.place)
    answers = [chat("look closely at {title}, and stay."), chat("something calm holds {palette} within.")]
    with endpoint(*answers) as (_, url):
        model = Writer(WriterSettings(url=url, model="small"), url)
        drafts = draft_posts(posted.catalog, posted.collection, 1, ["bluesky"], 2, MOMENT, model)
    assert drafts[0].text.startswith("Look closely at First Light, and stay.")
    assert drafts[1].text.startswith("Something calm holds ") and records.tokens[1]["name"] in drafts[1].text
    assert {one.wording for one in drafts} == {"the model small"}
    for one in drafts:
        assert records.unknown(one.text, list(one.tokens) or [1, 2, 3, 4]) == []


def test_approved_ones_leave_and_no_others(posted):
    world = World()
    try:
        drafts = draft_posts(posted.catalog, posted.collection, 1, ["bluesky", "mastodon", "x"], 2, MOMENT)
        keys = record_drafts(posted.catalog, drafts)
        for key, draft in list(zip(keys, drafts))[::2]:
            decide_post(posted.catalog, key, "approve", "Ada", draft.digest)
        posts = list_posts(posted.catalog, "demo")
        assert [one.draft.platform for one in leaving(posts)] == ["bluesky", "mastodon"]
        posted.settle(bluesky={"url": world.url, "handle": "ada.test"}, mastodon={"url": world.url})
        keys = {"ARTMINT_POSTS_BLUESKY": world.password, "ARTMINT_POSTS_MASTODON": world.token}
        assert [one.state for one in send_posts(posted.catalog, posts, keys)] == ["sent", "sent"]
        assert (len(world.records), len(world.posts)) == (1, 1)
        assert leaving(list_posts(posted.catalog, "demo")) == []
    finally:
        world.end()


def test_an_account_that_is_not_set_up_is_said(posted):
    with pytest.raises(BadAccount, match="isn't there"):
        channel_of(posted.catalog.folder, "bluesky", {})
    posted.settle(bluesky={"handle": "ada.test"})
    with pytest.raises(NoAccountKey, match="ARTMINT_POSTS_BLUESKY"):
        channel_of(posted.catalog.folder, "bluesky", {})
