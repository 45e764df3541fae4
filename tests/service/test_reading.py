"What is told of a studio: pages, slots, attempts, pictures, decisions, drops, tokens, transactions, KPIs, proofs."

import hashlib
import io
import shutil

import pytest
from PIL import Image

from artmint.core.canon import canonical
from artmint.core.collection import Approval
from artmint.service.answers import Answer
from artmint.service.reading import StepMissing, list_page, require_mintable
from artmint.studio.editions import editions_of
from artmint.studio.files import drop_folder
from artmint.studio.thumbnails import thumbnail
from tests.served import TINY, problem


class Number(Answer):
    n: int


def test_pages_follow_each_other_to_the_end_whatever_came_since():
    places, seen, after = list(range(1, 8)), [], 0
    while True:
        page = list_page(Number, places, after, 3, lambda n: Number(n=n))
        seen += [one.n for one in page.items]
        if not page.next:
            break
        after = int(page.next)
        places = sorted({*places, 5, 9} - {after})  # the place itself may be gone
    assert seen == [1, 2, 3, 4, 5, 6, 7, 9]


def test_slots_and_their_tokens_are_told(minted_service):
    reader = minted_service.client("reader", "read")
    slots = reader.get("/v1/collections/tiny/slots", params={"limit": 3}).json()
    assert [one["state"] for one in slots["items"]] == ["minted"] * 3
    assert slots["next"] == "3"
    rest = reader.get("/v1/collections/tiny/slots", params={"after": slots["next"]}).json()
    assert [one["slot"] for one in rest["items"]] == [4]
    assert rest["next"] == ""
    one = reader.get("/v1/collections/tiny/slots/2").json()
    edition = editions_of(minted_service.service.catalog, "tiny")[2]
    assert one["edition"]["dna"] == edition["dna"]
    assert one["drop"] == 1
    tokens = reader.get("/v1/collections/tiny/tokens").json()["items"]
    assert [one["id"] for one in tokens] == [1, 2, 3, 4]
    told = reader.get("/v1/collections/tiny").json()
    assert (told["filled"], told["packed"], told["minted"], told["supply"]) == (4, 4, 4, 4)
    problem(reader.get("/v1/collections/tiny/slots/99"), 404, "MissingRecord")
    problem(reader.get("/v1/collections/none"), 404, "NoSuchCollection")


def test_drops_say_which_step_they_wait_for(minted_service):
    reader = minted_service.client("reader", "read")
    drops = reader.get("/v1/collections/tiny/drops").json()["items"]
    assert [(one["drop"], one["tokens"], one["audited"]) for one in drops] == [(1, 2, True), (2, 2, True)]
    assert {one["missing"] for one in drops} == {"pinned"}  # the fixture writes no receipt
    problem(reader.get("/v1/collections/tiny/drops/9"), 404, "NoSuchDrop")
    data = reader.get("/v1/collections/tiny/drops/1/drop.json")
    folder = drop_folder(minted_service.service.catalog.folder, "tiny", 1)
    assert data.content == (folder / "drop.json").read_bytes()


def test_what_keys_have_sent_is_told_without_the_signed_bytes(minted_service):
    reader = minted_service.client("reader", "read")
    sent = reader.get("/v1/transactions").json()["items"]
    assert {one["purpose"]["verb"] for one in sent} >= {"deploy", "mintBatch"}
    assert all("raw" not in one for one in sent)
    assert reader.get("/v1/transactions", params={"limit": 1}).json()["next"]


def test_attempts_come_with_verdicts_reasons_and_words(judged_service):
    reader = judged_service.client("Ada", "read", "decide")
    attempts = reader.get("/v1/collections/tiny/slots/1/attempts").json()["items"]
    assert [one["attempt"] for one in attempts] == [1, 2]
    words = [one["people"] for one in attempts]
    assert any(word["by"] == "mira" and word["decision"] == "reject" for people in words for word in people)
    refused = [one for one in attempts if one["machine"]["decision"] == "reject"]
    assert all(one["machine"]["reasons"] for one in refused)
    assert sum(one["chosen"] for one in attempts) == 1
    page = reader.get("/v1/collections/tiny/slots/1/attempts", params={"limit": 1}).json()
    after = reader.get("/v1/collections/tiny/slots/1/attempts", params={"after": page["next"]}).json()
    assert [one["attempt"] for one in page["items"] + after["items"]] == [1, 2]


def test_a_picture_is_kept_by_its_tag(judged_service):
    reader = judged_service.client("reader", "read")
    attempt = reader.get("/v1/collections/tiny/slots/1/attempts").json()["items"][0]
    picture = reader.get(attempt["picture"])
    assert hashlib.sha256(picture.content).hexdigest() == attempt["file_digest"]
    assert picture.headers["etag"] == f'"{attempt["file_digest"]}"'
    assert "immutable" in picture.headers["cache-control"]
    again = reader.get(attempt["picture"], headers={"If-None-Match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    small = reader.get(attempt["thumbnail"])
    assert small.content == thumbnail(judged_service.service.catalog, attempt["file_digest"])
    assert Image.open(io.BytesIO(small.content)).size == (64, 64)
    assert small.headers["etag"] != picture.headers["etag"]
    assert reader.head(attempt["picture"]).content == b""


def test_blobs_that_are_no_pictures_stay_in_the_studio(judged_service):
    reader = judged_service.client("reader", "read")
    secret = judged_service.service.catalog.put_blob(b'{"weights": 1}')
    problem(reader.get(f"/v1/pictures/{secret}"), 404, "NoSuchPicture")
    problem(reader.get(f"/v1/pictures/{'0' * 64}"), 404, "NoSuchPicture")
    problem(reader.get("/v1/pictures/..%2f..%2fkeys"), 400, "BadPath")


def test_the_log_of_decisions_comes_in_pages_and_whole(judged_service):
    reader = judged_service.client("reader", "read")
    seen, after = [], ""
    while True:
        page = reader.get("/v1/collections/tiny/decisions", params={"after": after, "limit": 5}).json()
        seen += [one["record"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    rows = [row.id for row in judged_service.service.catalog.rows("decision")]
    assert seen == rows


def test_kpis_are_those_of_the_report(judged_service):
    from artmint.metrics import batch_history, kpis
    from artmint.studio.ledger import load_money

    reader = judged_service.client("reader", "read")
    told = reader.get("/v1/collections/tiny/kpis", params={"first": 1, "quantity": 4}).json()
    catalog = judged_service.service.catalog
    tiny = judged_service.service.shelf.collection("tiny")
    own = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(catalog.folder)).to_dict()
    assert {name: told[name] for name in ("attempts", "fates", "editions", "seconds", "rur")} == {
        name: own[name] for name in ("attempts", "fates", "editions", "seconds", "rur")
    }
    assert (told["revenue_per_token"], told["currency"]) == (3.0, "EUR")


def test_pages_of_batches_hold_each_once(empty_service):
    folder = empty_service.service.shelf.folder
    for name in ("a", "a-b", "a0"):
        (folder / f"{name}.toml").write_text("no batch")
    reader, seen, after = empty_service.client("reader", "read"), [], ""
    while True:
        page = reader.get("/v1/batches", params={"limit": 1, "after": after}).json()
        seen += [one["name"] for one in page["items"]]
        if not (after := page["next"]):
            break
    assert seen == ["a", "a-b", "a0", "making", "tiny"]


def test_batches_and_their_plans_are_told(empty_service):
    reader = empty_service.client("reader", "read")
    (empty_service.service.shelf.folder / "torn.toml").write_text("name = ")
    batches = {one["name"]: one for one in reader.get("/v1/batches").json()["items"]}
    assert batches["tiny"]["collection"] == "tiny"
    assert "torn.toml is no batch" in batches["torn"]["problem"]
    plan = reader.get("/v1/batches/making/plan").json()
    assert [one["notebook"] for one in plan["stages"]][:2] == ["00_seeds", "15_generate"]
    assert plan["stages"][1]["pictures"] == [4, 8]
    problem(reader.get("/v1/batches/none/plan"), 404, "UnknownBatch")
    problem(reader.get("/v1/batches/torn/plan"), 422, "BadBatch")


def test_proofs_are_told_newest_last(minted_service):
    body = {"address": "embedded:0x" + "1" * 40, "exit_code": 0, "levels": {"chain": "held"}}
    step = {"name": "chain", "status": "held", "evidence": "there", "token": None, "asked": True}
    minted_service.service.catalog.append("proof", "tiny/1-2", body | {"steps": [step]})
    reader = minted_service.client("reader", "read")
    proofs = reader.get("/v1/collections/tiny/proofs").json()["items"]
    assert [(one["first"], one["last"], one["exit_code"]) for one in proofs] == [(1, 2, 0)]


def test_the_steps_before_minting_are_asked_in_order(small, tmp_path):
    import shutil

    from artmint.studio.catalog import Catalog

    studio = shutil.copytree(small[0].folder, tmp_path / "studio")
    catalog, tiny = Catalog(studio), small[1]
    root = catalog.get("drop", "tiny/1")["root"]

    def step(collection=tiny) -> str:
        with pytest.raises(Exception) as caught:
            require_mintable(catalog, collection, 1)
        return getattr(caught.value, "step", type(caught.value).__name__)

    audit = catalog.get("audit", "tiny/1")
    catalog.append("audit", "tiny/1", audit | {"fields": {"traits": 1}})
    assert step() == "audited"
    catalog.append("audit", "tiny/1", audit)
    assert step() == "pinned"
    catalog.append("pin", "tiny/1", {"root": root, "stores": [{"store": "vault", "sent": True}], "bytes": 1})
    row = {"store": "vault", "status": "missing"}
    catalog.append("health", "tiny/1", {"root": root, "named": ["vault"], "stores": [row]})
    assert step() == "read back"
    catalog.append(
        "health", "tiny/1", {"root": root, "named": ["vault"], "stores": [row | {"status": "held"}]}
    )
    signer = "0x" + "ab" * 20
    strict = tiny.model_copy(update={"approval": Approval(signers=(signer,))})
    assert step(strict) == "Unapproved"
    require_mintable(catalog, tiny, 1)
    manifest = drop_folder(studio, "tiny", 1) / "drop.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert step() == "packed"
    assert StepMissing.status == 409
    assert canonical(audit)


def test_a_collection_that_cannot_be_read_says_why_beside_those_that_can(empty_service, tmp_path):
    for name in ("torn", "whole"):
        shutil.copytree(TINY, tmp_path / name)
        file = tmp_path / name / "collection.toml"
        file.write_text(file.read_text().replace('name = "tiny"', f'name = "{name}"'))
        text = (tmp_path / "batches" / "tiny.toml").read_text()
        (tmp_path / "batches" / f"{name}.toml").write_text(text.replace(str(TINY), str(tmp_path / name)))
    (tmp_path / "torn" / "collection.toml").write_text("name = ")
    reader = empty_service.client("reader", "read")
    told = {one["name"]: one for one in reader.get("/v1/collections").json()["items"]}
    assert {name: bool(one["problem"]) for name, one in told.items()} == {
        "tiny": False,
        "torn": True,
        "whole": False,
    }
    assert "torn" in told["torn"]["problem"]
    assert told["whole"]["supply"] == 4
    assert reader.get("/v1/collections/torn").json()["detail"] == told["torn"]["problem"]
