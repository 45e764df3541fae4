"Bluesky: keys and marks of a post, and Bluesky's own server, killed against."

import json
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from artmint.ipfs.http import BadAnswer, Request, request
from artmint.report.accounts import BlueskySettings
from artmint.report.approvals import PostSent
from artmint.report.bluesky import COLLECTION, Bluesky, post_record, record_key
from artmint.report.drafts import PostDraft
from tests.posted import MOMENT, Posted, own_server
from tests.services import ROOT


def draft(text: str, made: str = MOMENT) -> PostDraft:
    facts = {"collection": "demo", "drop": 1, "tokens": (1,), "facts": (), "wording": "templates"}
    return PostDraft(platform="bluesky", text=text, made=made, **facts)


def read_tid(key: str) -> tuple[float, int]:
    "The seconds and the clock of a TID."
    number = 0
    for letter in key:
        number = number * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(letter)
    assert number < 2**63
    return (number >> 10) / 1e6, number & 1023


def test_a_key_is_the_digest_s_and_sorts_by_time():
    keys = [record_key(draft(f"Post {number}")) for number in range(200)]
    assert len(set(keys)) == 200 and all(len(key) == 13 for key in keys)
    moment = datetime.fromisoformat(MOMENT).timestamp()
    assert all(0 <= read_tid(key)[0] - moment < 1 for key in keys)
    later = record_key(draft("Post 1", "2026-11-29T18:00:01Z"))
    assert later > max(keys)
    assert record_key(draft("Post 1")) == keys[1]


def test_links_and_tags_are_marked_by_bytes():
    text = "Größe 🎨 https://art.example/a?b=1#c, (https://x.example) #art #日本 a#b https://y.example/z."
    begun = PostSent(state="begun", digest="0" * 64, at=MOMENT)
    record = post_record(draft(text), begun, [], "en")
    marked = [
        text.encode()[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode()
        for one in record["facets"]
    ]
    assert marked == [
        "https://art.example/a?b=1#c",
        "https://x.example",
        "#art",
        "#日本",
        "https://y.example/z",
    ]
    assert post_record(draft("Plain."), begun, [], "en").keys() == {"$type", "text", "createdAt", "langs"}


# ---- the real server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with own_server(tmp_path_factory.mktemp("server")) as facts:
        yield facts


def records(url: str, did: str) -> list[dict]:
    "All posts of an account, as anybody can read them."
    query = f"repo={did}&collection={COLLECTION}&limit=100"
    _, data = request(Request(f"{url}/xrpc/com.atproto.repo.listRecords?{query}"))
    return json.loads(data)["records"]


def send(posted: Posted, server, point: str = "") -> subprocess.CompletedProcess:
    "Send as a user does, in a process of its own that is killed at a point."
    program = f"""
import os, signal, sys
from artmint.report import sending
from artmint.report.bluesky import Bluesky
point, side = {point!r}.split() if {point!r} else ("", "")
where = Bluesky if point in ("find", "send", "_upload", "_post") else sending
if point:
    real = getattr(where, point)
    def killed(*given, **named):
        if side == "after":
            real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(where, point, killed)
from artmint.console.cli import main
main(["posts", "send", {str(posted.batch)!r}, "--studio", {str(posted.catalog.folder)!r}, "--json"])
"""
    environ = {"ARTMINT_POSTS_BLUESKY": server[2], "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.slow
def test_a_post_is_there_once_however_its_sender_is_killed(server, tmp_path):
    "Twelve killings of real processes, before and after each step, and then a process that isn't killed."
    url, handle, password = server
    posted = Posted(tmp_path)
    posted.settle(bluesky={"url": url, "handle": handle})
    post = posted.approved("bluesky", 3)
    account = Bluesky(BlueskySettings(url=url, handle=handle), password)
    before = len(records(url, account.session["did"]))
    points = ["begin_sending", "find", "_post", "_upload", "send", "record_sent"]
    killed = [
        send(posted, server, f"{point} {side}").returncode for point in points for side in ("before", "after")
    ]
    assert killed.count(-signal.SIGKILL) >= 11, killed
    done = send(posted, server)
    assert done.returncode == 0 or posted.standing(post.key).state == "sent", done.stderr
    there = records(url, account.session["did"])
    assert len(there) == before + 1
    (mine,) = [one for one in there if one["value"]["text"] == post.draft.text]
    assert mine["uri"].endswith(record_key(post.draft))
    assert posted.standing(post.key).sent.uri == mine["uri"]
    image = mine["value"]["embed"]["images"][0]
    token = json.loads((posted.catalog.folder / "drops/demo-1/drop.json").read_bytes())["tokens"][2]
    assert image["image"]["ref"]["$link"] == token["image_cid"]
    assert image["alt"] == post.draft.pictures[0].alt
    blob = f"did={account.session['did']}&cid={token['image_cid']}"
    _, data = request(Request(f"{url}/xrpc/com.atproto.sync.getBlob?{blob}"))
    assert data == (posted.catalog.folder / "drops/demo-1/root/images/3.png").read_bytes()
    assert password not in done.stdout + done.stderr


@pytest.mark.slow
def test_what_is_put_twice_is_one_record_and_nothing_is_overwritten(server, tmp_path):
    url, handle, password = server
    posted = Posted(tmp_path, 2)
    account = Bluesky(BlueskySettings(url=url, handle=handle), password)
    draft = posted.draft("bluesky", None)
    begun = PostSent(state="begun", digest=draft.digest, at=MOMENT)
    assert account.find(draft, begun) is None
    first = account.send(draft, begun, posted.catalog.blob)
    assert account.find(draft, begun)["uri"] == first["uri"]
    again = account.send(draft, begun, posted.catalog.blob)  # as a second process would, at the same moment
    assert again["uri"] == first["uri"]
    texts = [one["value"]["text"] for one in records(url, account.session["did"])]
    assert texts.count(draft.text) == 1


@pytest.mark.slow
def test_a_wrong_password_is_refused_without_being_repeated(server):
    account = Bluesky(BlueskySettings(url=server[0], handle=server[1]), "wrong-word-of-eve")
    with pytest.raises(BadAnswer) as refused:
        account.ready(draft("Hello."))
    assert refused.value.status == 401 and "wrong-word" not in str(refused.value)


def test_the_time_of_a_record_is_that_of_its_first_sending():
    begun = PostSent(state="begun", digest="0" * 64, at=MOMENT)
    assert post_record(draft("Hello."), begun, [], "en")["createdAt"] == MOMENT
