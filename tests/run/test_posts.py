"The command posts: its verbs, their exit codes, and what they never print."

import json

import pytest

from artmint.console import cli
from artmint.report.approvals import list_posts
from tests.posted import Posted, World


def run(capsys, *words) -> tuple[int, str, str]:
    "A command's exit code and what it says."
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    told = capsys.readouterr()
    return end.value.code or 0, told.out, told.err


@pytest.fixture
def posted(tmp_path):
    return Posted(tmp_path)


def asked(posted, *words) -> list:
    "The words of a command about this studio's posts."
    verb, *rest = words
    return [
        "posts",
        verb,
        *([posted.batch] if verb != posted.batch else []),
        *rest,
        "--studio",
        posted.catalog.folder,
    ]


def test_a_batch_is_drafted_for_and_nothing_is_recorded_in_a_dry_run(posted, capsys):
    code, out, _ = run(capsys, *asked(posted, posted.batch, "--platform", "x", "--count", 2, "--dry-run"))
    assert code == 0 and "2 drafts; nothing was recorded" in out and "Made with AI." in out
    assert list_posts(posted.catalog, "demo") == []
    code, out, _ = run(capsys, *asked(posted, posted.batch, "--platform", "x", "--count", 2, "--json"))
    assert code == 0 and [post["state"] for post in json.loads(out)["posts"]] == ["waiting", "waiting"]
    code, out, _ = run(capsys, *asked(posted, posted.batch, "--platform", "x", "--count", 2))
    assert "2 drafts; they wait for approval" in out
    assert len(list_posts(posted.catalog, "demo")) == 2  # the same ones


def test_from_a_draft_to_a_post(posted, capsys, monkeypatch, tmp_path):
    world = World()
    try:
        posted.settle(bluesky={"url": world.url, "handle": "ada.test"})
        monkeypatch.setenv("ARTMINT_POSTS_BLUESKY", world.password)
        run(capsys, *asked(posted, posted.batch, "--platform", "bluesky", "--platform", "x", "--count", 1))
        first, second = (post.id for post in list_posts(posted.catalog, "demo"))
        code, _, err = run(capsys, *asked(posted, "send"))
        assert code == 4 and "wait for people" in err
        code, _, err = run(capsys, *asked(posted, "send", second))
        assert code == 4 and "nobody approved" in err
        code, out, _ = run(capsys, *asked(posted, "approve", first, second, "--by", "Ada"))
        assert code == 0 and f"{second}  approved by Ada" in out
        code, out, _ = run(capsys, *asked(posted, "send", "--dry-run"))
        assert code == 0 and "1 would be sent; nothing was" in out and world.asked == []
        code, out, err = run(capsys, *asked(posted, "send"))
        assert code == 0 and "sent to bluesky: https://bsky.app/profile/did:plc:ada/post/" in out
        assert len(world.records) == 1 and world.password not in out + err
        code, out, _ = run(capsys, *asked(posted, "export", "--to", tmp_path / "out", "--dry-run"))
        assert code == 0 and out.startswith("would write") and not (tmp_path / "out").exists()
        code, _, err = run(capsys, *asked(posted, "export", "--to", "/proc/x"))
        assert code == 2 and "takes no files" in err
        code, out, _ = run(capsys, *asked(posted, "export", "--to", tmp_path / "out"))
        assert code == 0 and (tmp_path / "out" / out.strip().rsplit("/", 1)[1] / "text.txt").exists()
        code, out, _ = run(capsys, *asked(posted, "list", "--json"))
        assert [post["state"] for post in json.loads(out)["posts"]] == ["sent", "sent"]
        code, out, _ = run(capsys, *asked(posted, "list"))
        assert code == 0 and out.count(" sent ") == 2
        code, _, err = run(capsys, *asked(posted, "refuse", first))
        assert code == 2 and "can't be changed any more" in err
        code, _, err = run(capsys, *asked(posted, "send"))
        assert code == 0 and "0 wait for people" in err
    finally:
        world.end()


@pytest.mark.slow
def test_an_edit_from_a_file_waits_again(posted, capsys, tmp_path):
    run(capsys, *asked(posted, posted.batch, "--platform", "bluesky", "--count", 1))
    (post,) = list_posts(posted.catalog, "demo")
    run(capsys, *asked(posted, "approve", post.id))
    (tmp_path / "text.txt").write_text("Only 7 left.\n\nMade with AI.\n")
    code, out, _ = run(
        capsys, *asked(posted, "edit", post.id, "--text", tmp_path / "text.txt", "--by", "Ben")
    )
    assert code == 0 and "waiting" in out and "no record backs: 7" in out
    code, _, err = run(capsys, *asked(posted, "edit", post.id, "--text", tmp_path / "none.txt"))
    assert code == 2 and "can't be read" in err
    code, out, _ = run(capsys, *asked(posted, "show"))
    assert "Only 7 left." in out


@pytest.mark.parametrize(
    "words, code, why",
    [
        (["--platform", "myspace"], 2, "There is no platform"),
        (["--count", "99"], 2, "at most 13"),
        (["--model"], 2, "isn't there"),
    ],
)
def test_what_can_not_be_drafted_is_said(posted, capsys, words, code, why):
    ended, _, err = run(capsys, *asked(posted, posted.batch, *words))
    assert ended == code and why in " ".join(err.split())
    assert list_posts(posted.catalog, "demo") == []


def test_a_post_that_there_is_not_is_refused(posted, capsys):
    code, _, err = run(capsys, *asked(posted, "approve", "abc"))
    assert code == 2 and "No single post" in err


def test_the_group_says_its_verbs(capsys):
    code, out, _ = run(capsys, "posts", "--help")
    assert code == 0 and "approve" in out and "export" in out
    assert "artmint posts BATCH drafts" in " ".join(out.split())


def test_a_verb_that_was_mistyped_is_no_batch(posted, capsys):
    code, _, err = run(capsys, *asked(posted, "aprove", "abc"))
    assert code == 2 and "No such command 'aprove'" in err


def test_programs_are_told_that_nothing_may_leave_yet(posted, capsys):
    code, out, _ = run(capsys, *asked(posted, "send", "--json"))
    assert code == 0 and json.loads(out) == {"posts": [], "waiting": 0, "exit_code": 0}
    run(capsys, *asked(posted, posted.batch, "--platform", "bluesky", "--count", 1))
    code, out, _ = run(capsys, *asked(posted, "send", "--json"))
    assert code == 4 and json.loads(out) == {"posts": [], "waiting": 1, "exit_code": 4}
    (one,) = list_posts(posted.catalog, "demo")
    run(capsys, *asked(posted, "approve", one.id, "--by", "Ada"))
    code, out, _ = run(capsys, *asked(posted, "send", "--dry-run", "--json"))
    assert code == 0 and [post["id"] for post in json.loads(out)["would_send"]] == [one.id]


def test_a_word_that_nobody_can_have_said_is_refused_in_words(posted, capsys):
    code, _, _ = run(capsys, *asked(posted, "draft", "--platform", "press", "--count", "1"))
    assert code == 0
    post = list_posts(posted.catalog, "demo")[-1].id
    for name in ("machine", "x" * 2000):
        code, _, err = run(capsys, *asked(posted, "approve", post, "--by", name))
        assert code == 2 and "Nothing was recorded" in err
    code, _, err = run(capsys, *asked(posted, "approve", post, "--by", "Ada", "--note", "x" * 600))
    assert code == 2 and "500" in err


@pytest.mark.slow
def test_a_voice_is_taught_by_a_command_and_stands_then(capsys, tmp_path):
    from tests.voiced import EARLIER, small_model

    (tmp_path / "earlier.txt").write_text("\n\n".join([*EARLIER, "https://shop.example #gm"]))
    words = ("posts", "voice", tmp_path / "earlier.txt", "--base", small_model(tmp_path / "small"), "--to")
    words = (*words, tmp_path / "voices/house", "--steps", 10, "--rate", 0.01)
    code, out, _ = run(capsys, *words, "--dry-run")
    assert code == 0 and "13 posts are learnt, 3 held back" in out and "post 17: links, names" in out
    assert not (tmp_path / "voices").exists()
    code, out, err = run(capsys, *words)
    assert code == 0 and "step 10 of 10 was the best" in out, err
    assert "voices/house/voice.gguf  sha256 " in out
    code, again, _ = run(capsys, *words, "--json")
    voice = json.loads(again)["voice"]
    assert voice["sha256"] in out and voice["after"] < voice["before"]
    code, _, err = run(capsys, *words, "--seed", 2)
    assert code == 2 and "a voice of other posts, settings or weights" in err
    code, _, err = run(capsys, *words, "--rate", 0)
    assert code == 2 and "--rate is above 0" in err
    code, _, err = run(capsys, *words[:4], tmp_path / "nowhere", "--to", tmp_path / "b")
    assert code == 2 and "config.json can't be read" in err and not (tmp_path / "b").exists()
