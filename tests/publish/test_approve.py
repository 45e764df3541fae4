"Approval: enough of the right people, under this very manifest; and a batch that waits for people goes on when they are done."

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.collection import Approval, InconsistentCollection, example
from artmint.core.manifest import Manifest, Token
from artmint.publish.approve import Unapproved, approval_data, approved_by, require_approval, sign_approval
from artmint.seeds import load_collection

DATA = Path(__file__).parents[1] / "data"
DEMO = load_collection(example())
TOKEN = Token(
    id=1,
    dna="0" * 64,
    pixel_digest="1" * 64,
    file_digest="2" * 64,
    image_cid="b" + "a" * 58,
    metadata_digest="4" * 64,
    metadata_cid="b" + "a" * 58,
)
MANIFEST = Manifest(
    schema=1,
    collection="demo",
    collection_digest=DEMO.digest,
    drop=1,
    first=1,
    quantity=1,
    profile="unixfs-v1-2025",
    root="b" + "a" * 58,
    schema_digest="5" * 64,
    weights=(),
    tokens=(TOKEN,),
)


class Key:
    "A key in memory."

    def __init__(self, secret: int):
        from eth_account import Account

        self.account = Account.from_key(secret.to_bytes(32, "big"))
        self.address = self.account.address

    def sign_typed(self, data: dict) -> str:
        return self.account.sign_typed_data(full_message=data).signature.to_0x_hex()


ADA, BEN, EVE = (Key(n) for n in (11, 12, 13))


def dropped(folder: Path, manifest: Manifest = MANIFEST) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "drop.json").write_bytes(manifest.data)
    return folder


def asking(needed: int, *signers: Key):
    return DEMO.model_copy(
        update={"approval": Approval(signers=tuple(key.address for key in signers), needed=needed)}
    )


def test_enough_of_the_right_people(tmp_path):
    drop = dropped(tmp_path / "demo-1")
    asks = asking(2, ADA, BEN)
    sign_approval(EVE, drop)
    sign_approval(ADA, drop)
    with pytest.raises(Unapproved) as refusal:
        require_approval(asks, drop)
    assert refusal.value.missing == [BEN.address]
    assert refusal.value.exit_code == 4
    assert "1 of 2" in str(refusal.value)
    sign_approval(BEN, drop)
    assert set(require_approval(asks, drop)) == {ADA.address, BEN.address}
    assert require_approval(DEMO, tmp_path / "nowhere") == []


def test_any_change_of_the_manifest_voids_every_signature(tmp_path):
    drop = dropped(tmp_path / "d")
    sign_approval(ADA, drop)
    for change in (
        {"root": "b" + "c" * 58},
        {"drop": 2},
        {"collection_digest": "9" * 64},
        {"tokens": (TOKEN.model_copy(update={"file_digest": "9" * 64}),)},
    ):
        assert approved_by(dropped(drop, MANIFEST.model_copy(update=change))) == set()
    assert approved_by(dropped(drop)) == {ADA.address.lower()}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 64), st.integers(1, 255))
def test_a_signature_with_another_byte_is_none(tmp_path_factory, at, by):
    drop = dropped(tmp_path_factory.mktemp("d"))
    sign_approval(ADA, drop)
    path = drop / f"approval-{ADA.address.lower()}.json"
    body = json.loads(path.read_text())
    raw = bytearray.fromhex(body["signature"][2:])
    raw[at] ^= by
    path.write_text(json.dumps(body | {"signature": "0x" + raw.hex()}))
    assert approved_by(drop) <= (
        {ADA.address.lower()} if at == 64 else set()
    )  # the last byte may say the same in another way (0 and 27)


def test_somebody_elses_name_over_a_signature_counts_for_nothing(tmp_path):
    drop = dropped(tmp_path / "d")
    body = json.loads((drop / f"approval-{sign_approval(EVE, drop).signer.lower()}.json").read_text())
    (drop / f"approval-{ADA.address.lower()}.json").write_text(json.dumps(body | {"signer": ADA.address}))
    (drop / "approval-none.json").write_text("{")
    assert approved_by(drop) == {EVE.address.lower()}


def test_the_typed_data_is_what_wallets_show():
    from eth_account.messages import encode_typed_data

    data = approval_data(MANIFEST.data)
    assert data["message"]["statement"] == "I approve this drop for publication."
    assert data["message"]["root"] == MANIFEST.root
    assert "chainId" not in data["domain"]
    assert len(encode_typed_data(full_message=data).body) == 32


def test_more_signatures_than_signers_is_refused(tmp_path):
    shutil.copytree(DATA / "tiny", tmp_path / "tiny")
    with open(tmp_path / "tiny" / "collection.toml", "a") as file:
        file.write(f'\n[approval]\nsigners = ["{ADA.address}", "{ADA.address.lower()}"]\nneeded = 2\n')
    with pytest.raises(InconsistentCollection, match="approval: 2 signatures"):
        load_collection(tmp_path / "tiny")


@pytest.mark.slow
def test_a_batch_waits_for_people_and_goes_on(tmp_path):
    "Rules send everything to people; they decide; somebody signs; only then is it minted. Each stop is exit code 4."
    from artmint.studio.catalog import Catalog
    from artmint.chain.signers import new_keystore
    from artmint.judge.decisions import Action, ReviewSession, record_action

    shutil.copytree(DATA / "tiny", tmp_path / "tiny")
    shutil.copy(DATA / "tiny.toml", tmp_path)
    new_keystore(tmp_path / "ada.json", "secret", 2**10)
    signer = "0x" + json.loads((tmp_path / "ada.json").read_text())["address"].removeprefix("0x")
    path = tmp_path / "tiny" / "collection.toml"
    path.write_text(
        path.read_text().replace("unique = true", "unique = true\nask_people = true")
        + f'\n[approval]\nsigners = ["{signer}"]\n'
    )

    def artmint(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [Path(sys.executable).with_name("artmint"), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            env=os.environ | {"ARTMINT_PASSPHRASE": "secret"},
        )

    done = artmint("run", "tiny.toml")
    assert done.returncode == 4, done.stderr
    assert "[1, 2, 3, 4] are open after 1 rounds" in done.stderr, done.stderr
    look = ReviewSession(Catalog(tmp_path / "studio"), load_collection(tmp_path / "tiny"), "ada")
    record_action(
        look,
        Action(
            id="1",
            dnas=tuple(dna for dna, c in look.candidates().items() if c.attempt == 2),
            decision="accept",
        ),
    )
    done = artmint("run", "tiny.toml")
    assert done.returncode == 4, done.stderr
    assert "0 of 1 signatures" in done.stderr, done.stderr
    assert {edition["attempt"] for edition in look.catalog.all("edition").values()} == {2}
    assert artmint("approve", "tiny.toml", "--key", "ada.json").returncode == 0
    done = artmint("run", "tiny.toml")
    assert done.returncode == 0, done.stderr
    assert len(look.catalog.all("token")) == 4
