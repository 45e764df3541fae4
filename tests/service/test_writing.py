"What people and programs do over HTTP, and how it is refused."

import io
import shutil

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from PIL import Image

from artmint.core.collection import Approval, read_collection
from artmint.publish.approve import approved_by
from artmint.service.api import open_service
from artmint.studio.files import drop_folder
from artmint.studio.team import invite_member, revoke_member
from tests.served import TINY, batches_in, problem, serving


def attempts_of(client, slot: int) -> list[dict]:
    "Attempts at a slot."
    return client.get(f"/v1/collections/tiny/slots/{slot}/attempts").json()["items"]


def test_a_decision_is_made_by_the_person_of_the_key_once(minted_service, small, tmp_path):
    import sqlite3

    studio = shutil.copytree(small[0].folder, tmp_path / "studio")
    with sqlite3.connect(studio / "catalog.sqlite") as connection:
        connection.execute("delete from record where kind = 'drop'")
    with serving(open_service(studio, batches_in(tmp_path / "batches")), tmp_path) as served:
        ada = served.client("Ada", "read", "decide")
        one = attempts_of(ada, 2)[0]
        said = {"id": "a1", "dnas": [one["dna"]], "decision": "reject", "stars": 2, "note": "too pale"}
        for _ in range(2):
            changed = ada.post("/v1/collections/tiny/decisions", json=said).json()["items"]
        assert [(card["dna"], card["mine"]["by"], card["mine"]["stars"]) for card in changed] == [
            (one["dna"], "Ada", 2)
        ]
        rows = [row for row in served.service.catalog.history("decision", one["dna"]) if row["by"] == "Ada"]
        assert len(rows) == 1
        strange = {"id": "a2", "dnas": ["f" * 64], "decision": "accept"}
        problem(ada.post("/v1/collections/tiny/decisions", json=strange), 404, "NotAmongAttempts")
        invite_member(served.service.team, "Ada", "artist")
        revoke_member(served.service.team, "Ada")
        again = said | {"id": "a3"}
        problem(ada.post("/v1/collections/tiny/decisions", json=again), 403, "SeesOnly")


def test_what_is_packed_cannot_be_decided_on(judged_service):
    ada = judged_service.client("Eve", "read", "decide")
    one = attempts_of(ada, 1)[0]
    said = {"id": "b1", "dnas": [one["dna"]], "decision": "reject"}
    body = problem(ada.post("/v1/collections/tiny/decisions", json=said), 409, "AlreadyPacked")
    assert body["slots"] == [1]


@pytest.mark.parametrize(
    "said",
    [
        {"id": "", "dnas": ["0" * 64], "decision": "accept"},
        {"id": "a", "dnas": [], "decision": "accept"},
        {"id": "a", "dnas": ["0" * 64] * 1001, "decision": "accept"},
        {"id": "a", "dnas": ["0" * 63], "decision": "accept"},
        {"id": "a", "dnas": ["0" * 64], "decision": "maybe"},
        {"id": "a", "dnas": ["0" * 64], "stars": 6},
        {"id": "a\x1b[2J", "dnas": [None], "stars": 5},
        {"id": "a", "dnas": [None], "note": "pale\x07"},
        {"id": "a", "dnas": ["0" * 64], "stars": "5"},
        {"id": "a", "dnas": ["0" * 64], "by": "somebody else"},
    ],
)
def test_a_decision_that_is_none_is_refused(judged_service, said):
    ada = judged_service.client("Ada", "read", "decide")
    if said["dnas"] == [None]:  # of an attempt that is there
        said = said | {"dnas": [attempts_of(ada, 1)[0]["dna"]]}
    problem(ada.post("/v1/collections/tiny/decisions", json=said), 422, "BadBody")


def picture(size: int = 64) -> bytes:
    "A picture's file."
    packed = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((size, size)).save(packed, "PNG")
    return packed.getvalue()


def test_a_work_is_looked_at_entered_and_taken_back(empty_service):
    from artmint.seeds import frozen_slots

    service = empty_service.service
    tiny = service.shelf.collection("tiny")
    frozen_slots(service.catalog, tiny, tiny.salt)
    artist = empty_service.client("Ada", "read", "enter")
    form = {"slot": "2", "artist": "Ada", "medium": "ink"}
    file = {"picture": ("drawn.png", picture(), "image/png")}
    looked = artist.post("/v1/collections/tiny/works", params={"dry_run": True}, data=form, files=file)
    assert (looked.status_code, looked.json()["recorded"]) == (200, False)
    assert attempts_of(artist, 2) == []
    entered = artist.post("/v1/collections/tiny/works", data=form, files=file)
    assert (entered.status_code, entered.json()["dna"]) == (201, looked.json()["dna"])
    assert [one["attempt"] for one in attempts_of(artist, 2)] == [0]
    taken = artist.delete("/v1/collections/tiny/works/2")
    assert taken.json() == {"slot": 2, "dna": entered.json()["dna"]}
    problem(artist.delete("/v1/collections/tiny/works/2"), 409, "NothingToWithdraw")
    works = "/v1/collections/tiny/works"
    problem(artist.post(works, data=form), 415, "OtherContent")
    problem(artist.post(works, data=form | {"slot": "no"}, files=file), 422, "BadBody")
    problem(artist.post(works, data=form | {"price": "9"}, files=file), 422, "BadBody")
    problem(artist.post(works, data=form, files={"picture": ("a", b"no picture")}), 422, "UnreadablePicture")
    problem(artist.post(works, data=form | {"artist": "a\u202eb"}, files=file), 422, "UnfitWords")
    problem(artist.post(works, data=form | {"slot": "99"}, files=file), 409, "SlotTaken")


def test_a_wallets_signature_is_taken_and_a_strangers_is_not(minted_service, monkeypatch):
    service = minted_service.service
    signer, stranger = Account.from_key("0x" + "11" * 32), Account.from_key("0x" + "22" * 32)
    tiny = service.shelf.collection("tiny")
    strict = tiny.model_copy(update={"approval": Approval(signers=(signer.address,))})
    monkeypatch.setattr(service.shelf, "collection", lambda name: strict)
    client = minted_service.client("approver", "read", "approve")
    address = "/v1/collections/tiny/drops/1/approvals"
    told = client.get(address).json()
    assert (told["needed"], told["approved"]) == (1, [])

    def signed(by: Account, manifest: str = "") -> dict:
        message = encode_typed_data(full_message=told["typed_data"])
        signature = by.sign_message(message).signature.hex().removeprefix("0x")
        facts = {"signer": by.address, "manifest": manifest or told["manifest"]}
        return facts | {"signature": f"0x{signature}"}

    problem(client.post(address, json=signed(stranger)), 422, "StrangeApproval")
    problem(client.post(address, json=signed(signer, "0" * 64)), 422, "StrangeApproval")
    problem(client.post(address, json=signed(stranger) | {"signer": signer.address}), 422, "StrangeApproval")
    folder = drop_folder(service.catalog.folder, "tiny", 1)
    assert not approved_by(folder)
    assert client.post(address, json=signed(signer)).json()["approved"] == [signer.address]
    assert approved_by(folder) == {signer.address.lower()}


def test_minting_waits_for_the_step_that_is_missing(minted_service):
    minter = minted_service.client("minter", "read", "mint")
    address = "/v1/collections/tiny/drops/1/mint"
    body = problem(minter.post(address, json={"run": "m1"}), 409, "StepMissing")
    assert body["step"] == "pinned"
    problem(minter.post("/v1/collections/tiny/drops/7/mint", json={"run": "m1"}), 404, "NoSuchDrop")
    catalog = minted_service.service.catalog
    root = catalog.get("drop", "tiny/1")["root"]
    catalog.append("pin", "tiny/1", {"root": root, "stores": [{"store": "store", "sent": True}], "bytes": 1})
    problem(minter.post(address, json={"run": "m1", "batch": "making"}), 409, "NoBatchFor")
    problem(minter.post(address, json={"run": "../m1"}), 422, "BadBody")
    queued = minter.post(address, json={"run": "m1"})
    assert (queued.status_code, queued.headers["location"]) == (202, "/v1/runs/m1")
    assert (queued.json()["request"]["first"], queued.json()["request"]["last"]) == ("30_mint", "30_mint")
    assert minter.post(address, json={"run": "m1"}).json()["id"] == "m1"
    drop = minter.get("/v1/collections/tiny/drops/1").json()
    assert drop["missing"] == ""


def test_a_proof_is_queued(minted_service):
    prover = minted_service.client("prover", "verify")
    queued = prover.post("/v1/proofs", json={"run": "p1", "collection": "tiny", "drop": 1})
    assert (queued.status_code, queued.json()["request"]["first"]) == (202, "35_verify")
    problem(prover.post("/v1/proofs", json={"run": "p2", "collection": "none", "drop": 1}), 404)


def test_more_rounds_are_allowed_and_the_run_goes_on(tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "tiny")
    service = open_service(tmp_path / "studio", batches_in(tmp_path / "batches", folder))
    with serving(service, tmp_path) as served:
        writer = served.client("writer", "read", "runs:write")
        address = "/v1/collections/tiny/rounds"
        asked = {"run": "a", "batch": "making", "rounds": 5}
        problem(writer.post(address, json=asked | {"batch": "none"}), 422, "NoSuchBatch")
        problem(writer.post(address, json=asked | {"rounds": 1}), 422, "FewerRounds")
        assert read_collection(folder / "collection.toml").generation.rounds == 2
        for _ in range(2):
            assert writer.post(address, json=asked).status_code == 202
        assert read_collection(folder / "collection.toml").generation.rounds == 5
        problem(writer.post(address, json=asked | {"run": "b", "batch": "tiny"}), 403, "ScopeMissing")


@pytest.mark.slow
def test_rounds_stay_as_they_are_unless_the_run_goes_on(tmp_path):
    folder = shutil.copytree(TINY, tmp_path / "tiny")
    service = open_service(tmp_path / "studio", batches_in(tmp_path / "batches", folder))
    with serving(service, tmp_path) as served:
        writer = served.client("writer", "read", "runs:write")
        address = "/v1/collections/tiny/rounds"
        part = {"batch": "making", "last": "20_curate", "priority": 2}
        for run in ("a", "gone"):
            writer.put(f"/v1/runs/{run}", json=part)
        writer.post("/v1/runs/gone/cancel")
        asked = {"run": "gone", "batch": "making", "rounds": 5}
        problem(writer.post(address, json=asked), 409, "NotNow")
        problem(writer.post(address, json=asked | {"run": "a", "batch": "tiny"}), 422, "BadBody")
        assert read_collection(folder / "collection.toml").generation.rounds == 2
        service.queue.claim("w", 60)
        service.queue.settle("a", "w", "waiting", waiting=(1,))
        went_on = writer.post(address, json=asked | {"run": "a"}).json()
        assert (went_on["state"], went_on["priority"]) == ("queued", 2)
        assert read_collection(folder / "collection.toml").generation.rounds == 5
