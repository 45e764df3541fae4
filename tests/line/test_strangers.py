"Hostile gateways, and a page for people: what a stranger meets."

import re
import time

import pytest
from tests.doubles import drip, flood, packed, running, sent_to, stall, status
from tests.test_verify import failed, studio  # noqa: F401
from tests.test_verify import status as statuses

from artmint.ipfs.car import open_car, write_car
from artmint.core.picture import png_bytes, read_png
from artmint.prove.proof import Proof, ProofCard, Step, proof_page
from artmint.core.records import Recipe
from artmint.ipfs.stores import FolderStore, Gateway
from artmint.prove.regenerate import _difference
from artmint.verify import verify


@pytest.fixture
def gateway(minted, tmp_path):
    "A gateway that serves both drops of the minted studio, and the address of the collection's first token."
    with running(tmp_path / "gateway") as double:
        for path in sorted((minted[0] / "store").glob("*.car")):
            double.cars[path.stem] = path.read_bytes()

        def on_ipfs(self, given, data):
            name = self.path.split("/")[2].split("?")[0]
            car = double.cars.get(name)
            if car:
                self.say(200, double.spoil(car))
            else:
                self.say(404)

        double.RequestHandlerClass = type("Serving", (double.RequestHandlerClass,), {"on_ipfs": on_ipfs})
        yield double


def prove(minted, gateway, **more):
    "Prove one token through the gateway alone."
    stores = [Gateway(gateway.url, **{"seconds": 1, "limit": 40 << 20, "tries": 1, **more})]
    return verify(f"embedded:{minted[1]}/1", minted[0], stores=stores)


def root_of(minted) -> str:
    "The root of the first token's drop, as the chain has it."
    from artmint.prove.evidence import ask_chain, parse_address

    return str(ask_chain(parse_address(f"embedded:{minted[1]}/1"), minted[0], "", []).drops[0].root)


def test_an_honest_gateway_is_enough(minted, gateway):
    proof = prove(minted, gateway, seconds=30)
    assert proof.exit_code == 0, proof.text()
    assert proof.levels == {
        "chain": "held",
        "content": "held",
        "metadata": "held",
        "recipe": "held",
        "regenerated": "unchecked",
    }


LIES = {
    "a flipped byte": lambda car: (
        car[: len(car) // 2] + bytes([car[len(car) // 2] ^ 1]) + car[len(car) // 2 + 1 :]
    ),
    "a missing block": lambda car: car[: car.rindex(b"\x01\x70\x12\x20") - 2],
    "cut short": lambda car: car[:-100],
    "something after it": lambda car: car + b"<html>",
    "a page": lambda car: b"<html>please log in</html>",
    "nothing": lambda car: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_gateway_that_lies_is_named(minted, gateway, lie):
    gateway.spoil = LIES[lie]
    proof = prove(minted, gateway)
    assert proof.exit_code == 1
    assert set(failed(proof)) == {"archive"}
    assert gateway.url.removeprefix("http://") in failed(proof)["archive"]
    if lie == "a flipped byte":
        assert re.search("block baf[yk]", failed(proof)["archive"])
    assert proof.levels["content"] == "failed"
    assert proof.levels["metadata"] == "unchecked"


def test_a_gateway_with_an_archive_of_something_else(minted, gateway, tmp_path):
    root = root_of(minted)
    other = write_car(tmp_path / "other.car", {"1.json": b"{}"})
    gateway.spoil = lambda car: (tmp_path / "other.car").read_bytes()
    assert root in failed(prove(minted, gateway))["archive"]
    assert str(other.root) in failed(prove(minted, gateway))["archive"]
    lied = (
        (tmp_path / "other.car")
        .read_bytes()
        .replace(
            other.root.bytes, open_car(next((minted[0] / "store").glob(f"{root}.car"))).roots[0].bytes, 1
        )
    )
    gateway.spoil = lambda car: lied
    assert f"block {root} of '/' is missing" in failed(prove(minted, gateway))["archive"]


@pytest.mark.parametrize(
    "fault",
    [
        stall,
        drip,
        flood,
        packed,
        sent_to("http://169.254.169.254/latest/"),
        sent_to("http://127.0.0.1:1/"),
        sent_to("file:///etc/passwd"),
        status(500),
        status(403),
    ],
    ids=[
        "stall",
        "drip",
        "flood",
        "packed",
        "to a cloud's secrets",
        "to this machine",
        "to a file",
        "broken",
        "forbidden",
    ],
)
def test_a_gateway_that_misbehaves_leaves_the_proof_unchecked_in_time(minted, gateway, fault):
    gateway.faults.append(fault)
    started = time.monotonic()
    proof = prove(minted, gateway)
    assert proof.exit_code == 3, proof.text()
    assert not failed(proof), proof.text()
    assert statuses(proof, "archive") == {"unchecked"}, proof.text()
    assert root_of(minted) in proof.text() or "127.0.0.1" in proof.text()
    assert time.monotonic() - started < 10


def test_one_honest_among_many_proves_and_the_liars_are_told(minted, gateway, tmp_path):
    gateway.spoil = LIES["a flipped byte"]
    stores = [
        Gateway("http://127.0.0.1:9", seconds=1, tries=1),
        Gateway(gateway.url, seconds=5),
        FolderStore(minted[0] / "store"),
    ]
    proof = verify(f"embedded:{minted[1]}/1", minted[0], stores=stores)
    assert proof.exit_code == 0
    assert "not believed" in proof.text()
    assert gateway.url.removeprefix("http://") in proof.text()


# -- the page


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


# -- how far apart


def test_a_difference_is_measured():
    pytest.importorskip("skimage")
    from artmint.train.drawings import Subject, draw

    image = draw(Subject("rings", "ocean", "night", "dense", "centred"), 3, 64)
    near = image.copy()
    far = draw(Subject("waves", "ember", "paper", "sparse", "offset"), 4, 64)
    near.putpixel((3, 3), tuple(value ^ 1 for value in near.getpixel((3, 3))))
    assert _difference(image, near).startswith("largest difference 1 of 255, PSNR ")
    assert _difference(image, near).endswith("similarity 1.0000")
    found = re.fullmatch(
        r"largest difference (\d+) of 255, PSNR ([\d.]+) dB, similarity (-?[\d.]+)", _difference(image, far)
    )
    assert int(found[1]) > 100
    assert float(found[2]) < 20
    assert float(found[3]) < 0.8
    assert _difference(image, image.resize((32, 32))) == "sizes (64, 64) and (32, 32)"
    assert (
        read_png(png_bytes(near, Recipe(base="0" * 64, prompt="x", seed=1, width=64, height=64), "m"))[
            0
        ].tobytes()
        == near.tobytes()
    )
