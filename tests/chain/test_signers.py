"Keys: every signer does the same, a policy blocks, a Safe decides, and a thief gets nowhere."

import json
import os
import random
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys import keys
from eth_utils import keccak
from web3 import Web3

from artmint.chain import signers as room
from artmint.chain.admin import authorize, commit_drop, deploy
from artmint.chain.connect import connect
from artmint.chain.contract import artifact
from artmint.chain.journal import Journal
from artmint.chain.signers import (
    MINT_BATCH,
    BadSignature,
    BlockedByPolicy,
    Guarded,
    KeystoreSigner,
    KmsSigner,
    Limits,
    MissingKey,
    ModuleSigner,
    N,
    NoModuleKey,
    Policy,
    Signed,
    WrongPassphrase,
    address_of_key,
    load_limits,
    new_keystore,
    recovered,
    tokens_of,
)
from artmint.core.canon import Refusal
from artmint.mint import mint
from artmint.studio.catalog import Catalog
from artmint.studio.files import BadSettings
from tests.studios import DEMO, FAST, PIN, Drop

ROOT = Path(__file__).resolve().parents[2]


FIELDS = {
    "chainId": 31337,
    "nonce": 0,
    "to": "0x" + "11" * 20,
    "data": "0x12345678",
    "value": 0,
    "gas": 10**5,
    "maxFeePerGas": 10**9,
    "maxPriorityFeePerGas": 1,
}


# One contract for all signers


@pytest.fixture
def kms_signer(kms, tmp_path):
    key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    return KmsSigner(kms, key, tmp_path / "kms")


@pytest.fixture
def keystore_signer(tmp_path):
    new_keystore(tmp_path / "key.json", "word", FAST)
    return KeystoreSigner(tmp_path / "key.json", "word")


@pytest.fixture
def guarded_signer(keystore_signer):
    policy = Policy(
        chains=(31337,),
        contracts=(FIELDS["to"],),
        selectors=("0x12345678",),
        most=10**18,
        most_in_a_day=10**18,
    )
    return Guarded(keystore_signer, policy).beside(lambda nonce: [])


@pytest.fixture(params=["keystore", "module", "kms", "guarded"])
def signer(request):
    return request.getfixturevalue(f"{request.param}_signer")


def test_every_signer_signs_transactions_that_nodes_take(signer):
    for nonce in range(12):
        fields = {**FIELDS, "nonce": nonce}
        hash, raw = signer.sign(fields)
        assert Account.recover_transaction(raw) == signer.address
        assert hash == "0x" + keccak(hexstr=raw).hex()
    assert signer.address == Account.recover_transaction(raw)
    assert signer.address in repr(signer)
    assert signer.lock.parent.exists()


@pytest.mark.parametrize("kind", ["keystore", "module", "kms"])
def test_signers_of_digests_give_what_contracts_check(request, kind):
    signer = request.getfixturevalue(f"{kind}_signer")
    digest = keccak(text="what is signed")
    found = signer.signature(digest)
    assert len(found) == 65
    assert found[64] in (27, 28)
    assert int.from_bytes(found[32:64], "big") <= N // 2
    assert (
        keys.Signature(found[:64] + bytes([found[64] - 27]))
        .recover_public_key_from_msg_hash(digest)
        .to_checksum_address()
        == signer.address
    )


def test_a_transaction_of_a_module_is_mined(module_signer, node):
    node.fund(module_signer.address)
    web3 = connect(node.url, Path())
    _, raw = module_signer.sign({**FIELDS, "data": "0x", "gas": 21000, "maxFeePerGas": 10**10, "value": 7})
    assert (
        web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(raw), 20, 0.01)["from"]
        == module_signer.address
    )


def test_the_module_never_gives_its_key(module_signer):
    import pkcs11

    assert module_signer._key[pkcs11.Attribute.EXTRACTABLE] is False
    assert module_signer._key[pkcs11.Attribute.SENSITIVE] is True
    with pytest.raises(pkcs11.PKCS11Error):
        module_signer._key[pkcs11.Attribute.VALUE]


def test_what_a_module_or_service_refuses(softhsm, kms, tmp_path):
    for values in (("artmint", PIN, "none"), ("artmint", "0000", "none"), ("other", PIN, "none")):
        with pytest.raises(NoModuleKey) as caught:
            ModuleSigner(softhsm, *values, tmp_path / "x")
        assert "0000" not in str(caught.value)
    with pytest.raises(NoModuleKey):
        KmsSigner(kms, "none", tmp_path / "x")


def test_a_service_that_hashes_again_is_noticed(kms_signer, monkeypatch):
    "What moto does without our patch: it signs the hash of the digest. The signature is by the right key, and of something else."
    import moto.kms.utils as inside
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    monkeypatch.setattr(
        inside.ECDSAPrivateKey,
        "sign",
        lambda self, message, _: self.private_key.sign(message, ec.ECDSA(SHA256())),
    )
    with pytest.raises(BadSignature):
        kms_signer.sign(FIELDS)


def many(count: int) -> None:
    "Signatures of one key with s forced high, as numbers in ASN.1, short ones among them; all have to recover."
    cryptography = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from cryptography.hazmat.primitives.asymmetric.utils import (
        Prehashed,
        decode_dss_signature,
        encode_dss_signature,
    )
    from cryptography.hazmat.primitives.hashes import SHA256

    secret = cryptography.derive_private_key(
        int.from_bytes(keccak(text="many"), "big") % N, cryptography.SECP256K1()
    )
    rng = random.Random(1)
    short = set()
    point = secret.public_key().public_numbers()
    address = address_of_key(point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big"))
    for _ in range(count):
        digest = rng.randbytes(32)
        r, s = decode_dss_signature(secret.sign(digest, cryptography.ECDSA(Prehashed(SHA256()))))
        forced = max(s, N - s)
        short |= {name for name, value in (("r", r), ("s", min(s, N - s))) if value < 1 << 247}
        parity, r2, s2 = recovered(digest, *room.two_numbers(encode_dss_signature(r, forced)), address)
        assert r2 == r
        assert s2 == N - forced <= N // 2
        assert parity in (0, 1)
    if count >= 2000:
        assert short == {"r", "s"}


def test_high_s_and_short_numbers_recover():
    many(100)


@pytest.mark.slow
def test_two_thousand_signatures_recover():
    many(2000)


def test_a_signature_by_another_key_is_refused(keystore_signer):
    other = Account.create()
    signed = other.unsafe_sign_hash(b"d" * 32)
    with pytest.raises(BadSignature):
        recovered(b"d" * 32, signed.r, signed.s, keystore_signer.address)
    for r, s in ((0, 1), (1, 0), (N, 1), (2**256 - 1, 2**256 - 1)):
        with pytest.raises(BadSignature):
            recovered(b"d" * 32, r, s, keystore_signer.address)


# The policy


@pytest.mark.parametrize(
    "change, word",
    [
        ({"chainId": 1}, "chain 1"),
        ({"to": "0x" + "22" * 20}, "0x2222"),
        ({"to": ""}, "a deployment"),
        ({"data": "0x12345679"}, "0x12345679"),
        ({"data": "0x"}, "the call 0x"),
        ({"data": b"\x12\x34"}, "0x1234"),
        ({"value": 1}, "1 wei"),
        ({"value": None}, "value"),
        ({"gas": 2**24 + 1}, "units of gas"),
        ({"gas": 0}, "0 units"),
        ({"maxFeePerGas": 10**14}, "one transaction"),
        ({"accessList": []}, "accessList"),
        ({"authorizationList": []}, "authorizationList"),
    ],
)
def test_the_policy_blocks_all_else(guarded_signer, change, word):
    with pytest.raises(BlockedByPolicy, match=word):
        guarded_signer.sign({**FIELDS, **change})
    assert guarded_signer.sign(FIELDS)
    with pytest.raises(BlockedByPolicy, match="bare digest"):
        guarded_signer.signature(b"d" * 32)


def policy_of(**limits):
    "A policy for the fields of these tests, which cost up to 10^14 wei."
    facts = {"chains": (31337,), "contracts": (FIELDS["to"],), "selectors": (FIELDS["data"][:10],)}
    return Policy(**facts | {"most": 10**18, "most_in_a_day": 10**18} | limits)


def test_the_policy_counts_a_day():
    policy = policy_of(most_in_a_day=3 * 10**14)
    most = FIELDS["gas"] * FIELDS["maxFeePerGas"]
    paid = [Signed(most, 0, age) for age in (0, 40_000, 86_399)]
    assert "24 hours" in policy.violations(FIELDS, paid)[0]
    assert policy.violations(FIELDS, paid[:2]) == []
    assert policy.violations(FIELDS, [*paid[:2], Signed(most, 0, 86_400)]) == []
    assert (
        policy.violations(FIELDS, [Signed(most // 3, 0, 0)] * 6) == []
    )  # what was paid, not what it might have cost


def test_the_policy_counts_tokens_and_looks_at_the_price():
    contract = Web3().eth.contract(abi=artifact()["abi"])
    call = {**FIELDS, "data": contract.encode_abi("mintBatch", [17, 30, 20])}
    assert call["data"][:10] == MINT_BATCH
    assert (tokens_of(call), tokens_of(FIELDS), tokens_of({"data": bytes.fromhex(call["data"][2:])})) == (
        30,
        0,
        30,
    )
    policy = policy_of(selectors=(MINT_BATCH,), tokens=100, window=600)
    assert policy.violations(call, [Signed(0, 70, 599)]) == []
    assert policy.violations(call, [Signed(0, 71, 599)]) == ["101 tokens in 600 s, above 100"]
    assert policy.violations(call, [Signed(0, 71, 600)]) == []
    dear = policy_of(price=FIELDS["maxFeePerGas"] - 1)
    assert "a unit of gas" in dear.violations(FIELDS, [])[0]


def test_every_policy_lets_a_key_take_its_own_nonce_within_its_limits(guarded_signer):
    "Empty, to itself; nothing in it, and to nobody else."
    here = guarded_signer.address
    empty = {**FIELDS, "from": here, "to": here, "data": "0x"}
    assert guarded_signer.sign(empty)
    for change, word in (
        ({"data": "0x12345678"}, "a transaction to"),
        ({"value": 1}, "a value"),
        ({"to": "0x" + "22" * 20}, "a transaction to"),
        ({"from": "0x" + "22" * 20, "to": "0x" + "22" * 20}, "it is from"),
        ({"maxFeePerGas": 10**18}, "above"),
    ):
        with pytest.raises(BlockedByPolicy, match=word):
            guarded_signer.sign(empty | change)


def test_a_policy_without_a_book_lets_nothing_go(keystore_signer):
    "That nobody has noted anything doesn't say that nothing was signed."
    guarded = Guarded(keystore_signer, policy_of())
    with pytest.raises(BlockedByPolicy, match="keeps a book"):
        guarded.sign(FIELDS)
    asked = []
    guarded.beside(lambda nonce: asked.append(nonce) or []).sign(FIELDS)
    assert asked == [FIELDS["nonce"]]


@pytest.mark.parametrize(
    "said, word",
    [
        ("token = 3", "is it tokens"),
        ("tokens = -1", "tokens"),
        ("window = 0", "window"),
        ("day = 0", "day"),
        ('tokens = "many"', "tokens"),
    ],
)
def test_limits_in_studio_toml_are_refused_by_name(tmp_path, said, word):
    (tmp_path / "studio.toml").write_text(f"[policy]\n{said}\n")
    with pytest.raises(BadSettings, match=word):
        load_limits(tmp_path)


def test_limits_in_studio_toml_are_exact(tmp_path):
    assert load_limits(tmp_path) == Limits()
    (tmp_path / "studio.toml").write_text("[policy]\ntokens = 300\nday = 0.3\ntransaction = 1\n")
    limits = load_limits(tmp_path)
    assert int(limits.day * 10**18) == 3 * 10**17
    assert (limits.tokens, limits.window, limits.transaction) == (300, 86400, 1)


# Who can read what


MINTS = """
import os, sys
from eth_account import Account
from artmint.chain.signers import KeystoreSigner
Account.decrypt(Account.encrypt(b"1" * 32, "x", "scrypt", 16), "x")  # loads what is loaded late: the other user may not read this Python
os.setuid(int(sys.argv[2]))
print(KeystoreSigner(sys.argv[1] + "/minter/key.json", "minter's word").address)
for path in ("/admin/key.json", "/admin"):
    try: open(sys.argv[1] + path) if path.endswith("json") else os.listdir(sys.argv[1] + path)
    except PermissionError: print("denied")
"""


def test_the_process_that_mints_cannot_read_the_admins_key(tmp_path):
    "As docs/keys.md sets it up: two users, a folder each. The minter's process opens its own key and is denied the other."
    if os.name != "posix" or os.geteuid():
        pytest.skip("needs the right to act as another user")
    place = Path("/tmp") / f"artmint-{os.urandom(6).hex()}"
    try:
        for name, user in (("admin", 0), ("minter", 12345)):
            new_keystore(place / name / "key.json", f"{name}'s word", FAST)
            for path in (place / name / "key.json", place / name):
                os.chown(path, user, user)
            (place / name).chmod(0o700)
        place.chmod(0o755)
        got = subprocess.run(
            [sys.executable, "-c", MINTS, str(place), "12345"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert got.stdout.split()[1:] == ["denied", "denied"], got.stderr
        assert got.stdout.startswith("0x"), got.stderr
    finally:
        shutil.rmtree(place)


CANARY = "canary7f3a9"


def without_this_file(text: str) -> str:
    "Lines that aren't lines of this file, which tracebacks quote."
    code = {line.strip() for line in Path(__file__).read_text().splitlines()}
    return "\n".join(line for line in text.splitlines() if line.strip() not in code)


def test_no_secret_is_written_or_said(tmp_path, monkeypatch, capfd, softhsm, node):
    "A canary in every passphrase, PIN and address of a node: nothing that is written, printed or raised repeats it. The keys themselves neither."
    folder = tmp_path / "studio"
    word = f"pass-{CANARY}"
    monkeypatch.setenv("ARTMINT_PASSPHRASE", word)
    for name in ("admin", "minter"):
        new_keystore(folder / "keys" / f"{name}.json", word, FAST)
    admin, minter = (KeystoreSigner(folder / "keys" / f"{name}.json", word) for name in ("admin", "minter"))
    for signer in (admin, minter):
        node.fund(signer.address)
    secrets = [CANARY, admin._account.key.hex(), minter._account.key.hex()]
    texts = []
    url = f"{node.url}/?key={CANARY}"
    web3 = connect(url, folder)
    catalog = Catalog(folder)
    boss = Journal(catalog, web3, admin)
    hand = Journal(catalog, web3, minter)
    contract = deploy(boss, DEMO, Account.create().address)
    commit_drop(boss, contract, Drop(1, 3))
    authorize(boss, contract, minter.address, 3)
    mint(hand, contract, Drop(1, 3))
    for attempt in (
        lambda: KeystoreSigner(folder / "keys/admin.json", f"wrong-{CANARY}"),
        lambda: ModuleSigner(softhsm, "artmint", CANARY, "none", folder / "x"),
        lambda: mint(hand, contract, Drop(9, 3)),
        lambda: boss.send(contract.functions.mintBatch(9, 1, 0), {"verb": "x"}),
        lambda: boss.send(contract.functions.cancelDrop(1), {"verb": "x"}),
        lambda: connect(f"{node.url}/v3/{CANARY}", folder, 1),
        lambda: connect(f"http://127.0.0.1:9/v3/{CANARY}", folder, 1),
        lambda: connect(f"{url},{url}", folder, 1),
    ):
        with pytest.raises(Refusal) as caught:
            attempt()
        texts.append("".join(traceback.format_exception(caught.value, chain=True)))
    texts += [repr(admin) + str(admin), repr(minter) + str(minter)]
    texts += [str(catalog.costs()), *capfd.readouterr()]
    texts += [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    lines = without_this_file("\n".join(texts))
    assert [secret for secret in secrets if secret in lines] == []


def test_keys_cost_what_wallets_take(tmp_path):
    new_keystore(tmp_path / "key.json", "word")
    assert json.loads((tmp_path / "key.json").read_text())["crypto"]["kdfparams"]["n"] == 2**18


def test_a_wrong_passphrase_and_a_missing_key(tmp_path):
    new_keystore(tmp_path / "key.json", "canary-word", FAST)
    with pytest.raises(WrongPassphrase) as caught:
        KeystoreSigner(tmp_path / "key.json", "canary-wrong")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    (tmp_path / "junk.json").write_text("{}")
    with pytest.raises(WrongPassphrase):
        KeystoreSigner(tmp_path / "junk.json", "x")
    with pytest.raises(MissingKey):
        KeystoreSigner(tmp_path / "none.json", "x")
