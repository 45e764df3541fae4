"Accounts and their keys: what is refused, and that no refusal repeats a key."

import os

import pytest

from artmint.report.accounts import (
    BadAccount,
    BlueskySettings,
    NoAccountKey,
    account_key,
    account_settings,
)

KEY = "app-word-of-nobody"


def settle(studio, text: str) -> None:
    (studio / "studio.toml").write_text(text)


def test_an_account_is_read_as_it_is_written(tmp_path):
    settle(tmp_path, '[posts.bluesky]\nhandle = "ada.example"\n')
    assert account_settings(tmp_path, "bluesky") == BlueskySettings(handle="ada.example")


@pytest.mark.parametrize(
    "text, table, reason",
    [
        ("", "bluesky", "it isn't there"),
        ('[posts.bluesky]\nhandel = "ada"\n', "bluesky", "handle"),
        ('[posts.blusky]\nhandle = "ada"\n', "bluesky", "there are"),
        ('[posts.mastodon]\nurl = "http://mastodon.example"\n', "mastodon", "plain http"),
        ('[posts.mastodon]\nurl = "https://ada:word@mastodon.example"\n', "mastodon", "a user"),
        ('[posts.mastodon]\nurl = "mastodon.example"\n', "mastodon", "no address"),
        ('[posts.mastodon]\nurl = "https://m.example"\nvisibility = "direct"\n', "mastodon", "visibility"),
        ('[posts.writer]\nmodel = "m"\n', "writer", "url, or weights"),
        ('[posts.writer]\nurl = "https://m.example"\nweights = "a.gguf"\n', "writer", "one of them"),
        ('[posts.writer]\nurl = "https://m.example/v1?key=x"\n', "writer", "a query"),
        ('[posts.writer]\nurl = "https://m.example/v1"\nadapter = "a.gguf"\n', "writer", "goes with weights"),
    ],
)
def test_what_can_not_be_used_is_refused(tmp_path, text, table, reason):
    settle(tmp_path, text)
    with pytest.raises(BadAccount, match=reason) as refused:
        account_settings(tmp_path, table)
    assert "word@" not in str(refused.value)


def key_file(tmp_path, text: str = KEY, mode: int = 0o600):
    path = tmp_path / "keys" / "posts" / "bluesky"
    path.parent.mkdir(parents=True)
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def test_the_environment_goes_before_the_file(tmp_path):
    key_file(tmp_path)
    assert account_key(tmp_path, "bluesky", {}) == KEY
    assert account_key(tmp_path, "bluesky", {"ARTMINT_POSTS_BLUESKY": "other"}) == "other"


def test_a_file_that_others_can_read_is_refused(tmp_path):
    key_file(tmp_path, mode=0o640)
    with pytest.raises(NoAccountKey, match="others can read") as refused:
        account_key(tmp_path, "bluesky", {})
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("text", ["two words", "", "line\nline", "ключ"])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path, text):
    key_file(tmp_path, text)
    with pytest.raises(NoAccountKey) as refused:
        account_key(tmp_path, "bluesky", {})
    assert not text.strip() or text not in str(refused.value)


def test_a_link_and_nothing_at_all_are_refused(tmp_path):
    with pytest.raises(NoAccountKey, match="ARTMINT_POSTS_BLUESKY"):
        account_key(tmp_path, "bluesky", {})
    assert account_key(tmp_path, "writer", {}, needed=False) == ""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(KEY)
    (tmp_path / "keys" / "posts").mkdir(parents=True)
    os.symlink(elsewhere, tmp_path / "keys" / "posts" / "bluesky")
    with pytest.raises(NoAccountKey, match="a link"):
        account_key(tmp_path, "bluesky", {})
