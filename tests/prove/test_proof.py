"The proof's page: what was proven, and nothing that runs."

import json
import re

import pytest

from artmint.prove.proof import Proof, ProofCard, Step, proof_page
from artmint.verify import verify


def test_the_page_shows_what_was_proven_and_needs_nothing(minted):
    proof = verify(f"embedded:{minted[1]}", minted[0])
    page = proof_page(proof, "artmint verify here", "today")
    assert page.count("<article") == 4
    assert page.count("data:image/png;base64,") == 4
    assert "Tiny #4" in page
    assert all(level in page for level in proof.levels)
    assert not re.search(r"<script|<link|<iframe|\son\w+=|(?:src|href)=[\"'](?!data:)|url\(|@import", page)
    assert "default-src 'none'" in page
    assert len(page) < 400_000


def test_the_page_is_inert():
    evil = "<svg onload=alert(1)>\"'`{{7*7}}<script>alert(1)</script>\u202e"
    proof = Proof(
        evil,
        (Step("metadata", "failed", evil, 1), Step("archive", "unchecked", evil)),
        (ProofCard(1, evil, {evil: evil}, evil, evil, b"\x89PNG"),),
    )
    page = proof_page(proof, evil, evil)
    assert "<svg" not in page
    assert "<script" not in page
    assert "49" not in re.sub(r"[0-9a-f]{2,}%|rem|\d+px", "", page.split("<main>")[1])
    assert "alert(1)&gt;" in page
    assert "Not true" in page


@pytest.mark.slow
def test_nothing_runs_in_a_real_browser(tmp_path):
    "Chromium opens the page of a hostile collection without a net: nothing runs, nothing is asked for, nothing is refused by the policy because nothing is tried."
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    evil = "<img src=x onerror=alert(1)><svg onload=alert(2)>"
    (tmp_path / "proof.html").write_text(
        proof_page(
            Proof(
                evil,
                (Step("metadata", "failed", evil, 1),),
                (ProofCard(1, evil, {evil: evil}, evil, evil, b"\x89PNG"),),
            ),
            evil,
        )
    )
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch()
        except Exception as error:
            pytest.skip(f"no browser: {type(error).__name__}")
        page = browser.new_page()
        seen = []
        page.on("dialog", lambda dialog: seen.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                seen.append(request.url) if not request.url.startswith(("file:", "data:")) else None
            ),
        )
        page.goto((tmp_path / "proof.html").as_uri())
        page.wait_for_timeout(300)
        assert seen == []
        assert evil in page.inner_text("main")
        browser.close()


def test_a_node_s_key_is_on_nothing_that_is_handed_on():
    "The page, its command and the JSON name the host, and not what may be a key."
    from artmint.console.cli import _command

    target = "http://user:CANARY@node.example:8545/v3/CANARY:0x" + "ab" * 20 + "/1"
    proof = Proof(target, (Step("chain", "held", "there"),))
    command = _command(target, True, ["http://user:CANARY@gateway.example/CANARY"])
    page = proof_page(proof, command, "today")
    for text in (page, command, json.dumps(proof.to_dict()), repr(proof)):
        assert "CANARY" not in text
    assert "node.example:8545" in page and "gateway.example" in page
    assert Proof("embedded:0xAb/1", ()).address == "embedded:0xAb/1"
