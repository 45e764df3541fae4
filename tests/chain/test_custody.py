"Signers by role: named in studio.toml, asked through their makers' own clients, never trusted with what they give back."

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from eth_account import Account
from eth_keys import keys
from eth_utils import to_checksum_address

from artmint.chain import custody as room
from artmint.chain.signers import (
    BadSignature,
    BlockedByPolicy,
    KeyServiceBusy,
    KmsSigner,
    N,
    LabelTaken,
    NoModuleKey,
    new_keystore,
    new_module_key,
)
from artmint.mint import guarded_journal, mint
from artmint.studio.files import BadSettings
from tests.attacks.wire import dripping, raw_server
from tests.services import free_port, node, node_modules, stop
from tests.studios import FAST, PIN, Studio

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


def write(folder, role, **table):
    "studio.toml with one signer."
    lines = [f"[signers.{role}]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    (folder / "studio.toml").write_text("\n".join(lines))
    (folder / "keys").mkdir(exist_ok=True)


def der(signed):
    "An ECDSA-Sig-Value, with the high s that a service gives every other time."
    raws = [number.to_bytes(33, "big").lstrip(b"\0") for number in (signed.r, N - signed.s)]
    padded = [b"\0" * (raw[0] >> 7) + raw for raw in raws]
    parts = b"".join(b"\x02" + bytes([len(raw)]) + raw for raw in padded)
    return b"\x30" + bytes([len(parts)]) + parts


class Service(http.server.BaseHTTPRequestHandler):
    "Servers of several makers' protocols over one key, on this machine: what a client of theirs is told."

    def log_message(self, *_):
        pass

    def give(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def asked(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def do_GET(self):
        house = self.server.house
        if self.path.endswith("/publicKey") or "/publicKey?" in self.path:
            pem = base64.encodebytes(house.spki()).decode()
            return self.give({"pem": f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n"})
        if "public_key_info" in self.path:
            point = keys.PrivateKey(house.account.key).public_key.to_bytes()
            return self.give({"algorithm": "MPC_ECDSA_SECP256K1", "publicKey": (b"\x04" + point).hex()})
        name = self.path.rsplit("/", 1)[1]
        found = house.orders.get(name)
        return self.give(found, 200) if found else self.give({"message": "not found", "code": 1}, 404)

    def do_POST(self):
        house, body = self.server.house, self.asked()
        if house.status != 200:
            return self.give({"error": {"code": house.status, "message": "account 123456789"}}, house.status)
        if ":asymmetricSign" in self.path:
            signed = house.account.unsafe_sign_hash(base64.b64decode(body["digest"]["sha256"]))
            return self.give({"signature": base64.b64encode(der(signed)).decode()})
        if self.path.endswith("/transactions"):
            return self.give(house.order(body))
        return self.give(house.json_rpc(body))


class House:
    "The key, and what it has been asked for."

    def __init__(self):
        self.account = Account.create()
        self.asked, self.orders, self.status, self.seconds, self.approved, self.answer = (
            [],
            {},
            200,
            0,
            True,
            None,
        )
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        self.server.house = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spki(self):
        "The public key as X.509 writes it."
        head = "3056301006072a8648ce3d020106052b8104000a034200" + "04"
        return bytes.fromhex(head) + keys.PrivateKey(self.account.key).public_key.to_bytes()

    def json_rpc(self, body):
        "As Web3Signer answers."
        if body["method"] == "eth_accounts":
            return {"jsonrpc": "2.0", "id": 1, "result": [self.account.address.lower()]}
        fields = dict(body["params"][0])
        self.asked.append(dict(fields))
        time.sleep(self.seconds)
        if self.answer is not None:
            return {"jsonrpc": "2.0", "id": 1, **self.answer}
        fields.pop("from")
        if "to" in fields:
            fields["to"] = Account.create().address if self.approved is None else fields["to"]
            fields["to"] = to_checksum_address(fields["to"])
        raw = self.account.sign_transaction(fields).raw_transaction
        return {"jsonrpc": "2.0", "id": 1, "result": "0x" + raw.hex().removeprefix("0x")}

    def order(self, body):
        "As Fireblocks takes a request for a raw signature."
        self.asked.append(body)
        content = body["extraParameters"]["rawMessageData"]["messages"][0]["content"]
        signed = self.account.unsafe_sign_hash(bytes.fromhex(content))
        name = f"id-{len(self.asked)}"
        signature = {"r": f"{signed.r:064x}", "s": f"{signed.s:064x}", "v": signed.v - 27}
        done = {
            "id": name,
            "status": "COMPLETED",
            "signedMessages": [{"content": content, "signature": signature}],
        }
        waits = {"id": name, "status": "PENDING_AUTHORIZATION"}
        self.orders[name] = self.orders[body["externalTxId"]] = done if self.approved else waits
        self.done = done
        return {"id": name, "status": "SUBMITTED"}


@pytest.fixture
def house():
    found = House()
    yield found
    found.server.shutdown()


# studio.toml


def test_what_studio_toml_gets_wrong_is_named(tmp_path):
    for text, reason in (
        ('[signers.minters]\nkind = "keystore"', "minters is none of them"),
        ('[signers.minter]\nkind = "hsm"', "kind is one of"),
        ('[signers.minter]\nkind = "safe"\naddress = "0x' + "11" * 20 + '"', "the admin's"),
        (
            '[signers.minter]\nkind = "pkcs11"\nlibrary = "/x"\ntoken = "t"\nlabel = "l"\npin = "1234"',
            "pin: unknown key",
        ),
        ('[signers.minter]\nkind = "gcp-kms"\nkey = "minter"', "isn't written as it has to be"),
        ('[signers.minter]\nkind = "azure"\nvault = "http://v"\nkey = "k"', "isn't written as it has to be"),
        ("signers = 3", "[signers]"),
    ):
        (tmp_path / "studio.toml").write_text(text)
        with pytest.raises(BadSettings) as caught:
            room.custody_of(tmp_path, "minter")
        assert reason in str(caught.value)


def test_a_keystore_without_an_address_is_opened_or_asked_for(tmp_path):
    "Foundry's: with the passphrase it works, without one the refusal says what to write; an address in studio.toml is enough."
    new_keystore(tmp_path / "keys/minter.json", "word", FAST)
    stored = json.loads((tmp_path / "keys/minter.json").read_text())
    address = stored.pop("address").lower().removeprefix("0x")
    (tmp_path / "keys/minter.json").write_text(json.dumps(stored))
    found = room.address_of_role(tmp_path, "minter", {"ARTMINT_PASSPHRASE": "word"})
    assert found.lower() == "0x" + address
    for environment in ({}, {"ARTMINT_PASSPHRASE": "wrong"}):
        with pytest.raises(room.AddressUnknown, match=r"signers\.minter"):
            room.address_of_role(tmp_path, "minter", environment)
    write(tmp_path, "minter", kind="keystore", address=found)
    assert room.address_of_role(tmp_path, "minter", {}) == found
    with pytest.raises(room.NoSecret, match="ARTMINT_PASSPHRASE"):
        room.open_signer(tmp_path, "minter", {})


def test_a_module_by_its_name(tmp_path, softhsm):
    label = os.urandom(4).hex()
    new_module_key(softhsm, "artmint", PIN, label)
    with pytest.raises(LabelTaken):
        new_module_key(softhsm, "artmint", PIN, label)
    write(tmp_path, "minter", kind="pkcs11", library=softhsm, token="artmint", label=label)
    signer = room.open_signer(tmp_path, "minter", {"ARTMINT_PIN_MINTER": PIN, "ARTMINT_PIN": "0"})
    assert Account.recover_transaction(signer.sign(FIELDS)[1]) == signer.address
    for table, pin, words in (
        ({"label": "none"}, PIN, "no key of this label"),
        ({"token": "other"}, PIN, "no token of this label"),
        ({"library": "/nothing.so"}, PIN, "no such library"),
    ):
        write(
            tmp_path,
            "minter",
            **{"kind": "pkcs11", "library": softhsm, "token": "artmint", "label": label} | table,
        )
        with pytest.raises(NoModuleKey, match=words):
            room.open_signer(tmp_path, "minter", {"ARTMINT_PIN": pin})


def test_a_key_of_aws_by_its_name(tmp_path, monkeypatch):
    moto = pytest.importorskip("moto")
    boto3 = pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        made = boto3.client("kms", region_name="eu-central-1")
        key = made.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        made.create_alias(AliasName="alias/minter", TargetKeyId=key)
        write(tmp_path, "minter", kind="aws-kms", key="alias/minter", region="eu-central-1")
        signer = room.open_signer(tmp_path, "minter", {})
        assert signer.address.startswith("0x")
        with pytest.raises(BadSignature):  # moto hashes digests once more, and that is noticed
            signer.sign(FIELDS)
        made.schedule_key_deletion(KeyId=key)
        monkeypatch.setattr(signer._client, "sign", lambda **asked: made.sign(**asked))
        write(tmp_path, "minter", kind="aws-kms", key="alias/other", region="eu-central-1")
        with pytest.raises(NoModuleKey, match="no key of this name"):
            room.open_signer(tmp_path, "minter", {})


# A server that signs


def remote(folder, house, **more):
    "The signer behind the server, as studio.toml names it."
    write(folder, "minter", kind="web3signer", url=house.url, **more)
    return room.open_signer(folder, "minter", {})


def test_a_server_signs_what_was_asked_and_nothing_else(tmp_path, house):
    signer = remote(tmp_path, house)
    assert signer.address == house.account.address
    hash, raw = signer.sign(FIELDS)
    assert Account.recover_transaction(raw) == signer.address
    deployment = FIELDS | {"to": b"", "data": "0x6080", "nonce": 1}
    assert signer.sign(deployment)[1] and "to" not in house.asked[-1]
    house.approved = None  # it signs for another receiver
    with pytest.raises(room.SignatureDenied, match="isn't the transaction"):
        signer.sign(FIELDS | {"nonce": 2})
    for answer, words in (
        ({"error": {"code": -32000, "message": "policy: not today"}}, "not today"),
        ({"result": "0x00"}, "isn't the transaction"),
    ):
        house.answer = answer
        with pytest.raises(room.SignatureDenied, match=words):
            signer.sign(FIELDS | {"nonce": 2})
    assert signer.waiting() == {}
    with pytest.raises(room.SignatureDenied, match="bare digest"):
        signer.signature(b"d" * 32)
    house.server.shutdown()
    house.server.server_close()
    with pytest.raises(KeyServiceBusy):
        signer.sign(FIELDS | {"nonce": 2})


def test_an_answer_that_takes_long_is_waited_for_elsewhere(tmp_path, house):
    "The run ends with 4; the next one asks for the same bytes, though gas costs more by now."
    signer = remote(tmp_path, house, wait=1)
    house.seconds = 3
    with pytest.raises(room.SignatureAwaited) as caught:
        signer.sign(FIELDS)
    assert caught.value.exit_code == 4
    assert list(signer.waiting()) == ["31337/0"]
    house.seconds = 0
    again = room.open_signer(tmp_path, "minter", {})
    again.sign(FIELDS | {"maxFeePerGas": 9 * 10**9})
    assert house.asked[0] == house.asked[1]
    assert again.waiting() == {}
    again.sign(FIELDS | {"nonce": 1, "maxFeePerGas": 9 * 10**9})
    assert house.asked[2]["maxFeePerGas"] == hex(9 * 10**9)


# Clouds, through their own clients; the services themselves weren't asked


def test_google_s_client(tmp_path, house):
    kms = pytest.importorskip("google.cloud.kms")
    from google.auth.credentials import AnonymousCredentials

    from google.cloud.kms_v1.services.key_management_service.transports import (
        KeyManagementServiceRestTransport,
    )

    here = {
        "host": house.url.removeprefix("http://"),
        "url_scheme": "http",
        "credentials": AnonymousCredentials(),
    }
    client = kms.KeyManagementServiceClient(transport=KeyManagementServiceRestTransport(**here))
    name = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
    signer = room.GoogleSigner(client, name, tmp_path / "gcp")
    assert signer.address == house.account.address
    assert Account.recover_transaction(signer.sign(FIELDS)[1]) == signer.address
    for status, kind, words in ((403, NoModuleKey, "may not use"), (404, NoModuleKey, "no key of this name")):
        house.status = status
        with pytest.raises(kind, match=words) as caught:
            signer.sign(FIELDS)
        assert "123456789" not in str(caught.value)


def test_azure_s_client(tmp_path, house):
    "Azure's own models and errors; its pipeline wants HTTPS and a directory, which aren't here."
    azure = pytest.importorskip("azure.keyvault.keys")
    from azure.core.exceptions import HttpResponseError

    point = keys.PrivateKey(house.account.key).public_key.to_bytes()
    bundle = {"kty": "EC", "crv": "P-256K", "x": point[:32], "y": point[32:]}
    found = azure.KeyVaultKey("https://v.vault.azure.net/keys/minter/1", bundle)

    class Answer:
        def __init__(self, signature):
            self.signature = signature

    class Cryptography:
        def sign(self, algorithm, digest):
            assert str(algorithm.value) == "ES256K"
            if house.status != 200:
                error = HttpResponseError(
                    "Operation sign is not permitted: the key is disabled, tenant 123456789"
                )
                error.status_code = house.status
                raise error
            signed = house.account.unsafe_sign_hash(digest)
            return Answer(signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big"))

    class Client:
        def get_key(self, name, version):
            return found

        def get_cryptography_client(self, name, key_version):
            return Cryptography()

    signer = room.AzureSigner(Client(), "minter", None, tmp_path / "azure")
    assert signer.address == house.account.address
    assert Account.recover_transaction(signer.sign(FIELDS)[1]) == signer.address
    house.status = 403
    with pytest.raises(NoModuleKey, match="disabled") as caught:
        signer.sign(FIELDS)
    assert "123456789" not in str(caught.value)


@pytest.mark.slow
def test_fireblocks_client_asks_once_and_takes_the_answer_up_later(tmp_path, house):
    pytest.importorskip("fireblocks")
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    from cryptography.hazmat.primitives import serialization as form

    write(tmp_path, "minter", kind="fireblocks", account="0", api=house.url, wait=0.1)
    secret = rsa.generate_private_key(65537, 2048)
    pem = secret.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (tmp_path / "keys/fireblocks.key").write_bytes(pem)
    with pytest.raises(NoModuleKey, match="chmod 600"):
        room.open_signer(tmp_path, "minter", {"FIREBLOCKS_API_KEY": "k"})
    (tmp_path / "keys/fireblocks.key").chmod(0o600)
    signer = room.open_signer(tmp_path, "minter", {"FIREBLOCKS_API_KEY": "k"})
    signer._pause = 0.05
    assert signer.address == house.account.address
    house.approved = False
    for _ in range(2):
        with pytest.raises(room.SignatureAwaited, match="PENDING_AUTHORIZATION"):
            signer.sign(FIELDS)
    assert len(house.asked) == 1
    house.orders = dict.fromkeys(house.orders, house.done)
    _, raw = signer.sign(FIELDS | {"maxFeePerGas": 7 * 10**9})
    assert Account.recover_transaction(raw) == signer.address
    assert len(house.asked) == 1 and signer.waiting() == {}
    house.orders = {name: body | {"status": "REJECTED"} for name, body in house.orders.items()}
    with pytest.raises(room.SignatureDenied, match="REJECTED"):
        signer.sign(FIELDS)


# Services that never come to their end

ENDLESS = {
    "drips its headers": dripping(b"A: b\r\n", first=b"HTTP/1.1 200 OK\r\n"),
    "drips its body": dripping(b"x", first=b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_a_service_that_drips_is_given_up(tmp_path, monkeypatch, what):
    "boto3's own limit counts from byte to byte; and the program that gave up can end."
    boto3 = pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with raw_server(ENDLESS[what]) as server:
        client = boto3.client("kms", region_name="eu-central-1", endpoint_url=server.url)
        with pytest.raises(KeyServiceBusy, match="longer than 1 s") as caught:
            KmsSigner(client, "alias/minter", tmp_path / "kms", seconds=1)
    assert caught.value.exit_code == 3


@pytest.mark.slow
@pytest.mark.parametrize("what", ENDLESS)
def test_google_s_and_fireblocks_clients_are_given_up_as_well(tmp_path, what):
    "In an interpreter of its own: it ends, though its clients' threads still read."
    pytest.importorskip("google.cloud.kms")
    pytest.importorskip("fireblocks")
    with raw_server(ENDLESS[what]) as server:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.chain.given_up", server.url, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("longer than 1 s") == 2, ended.stdout


def test_what_a_service_says_besides_is_told_in_words(tmp_path):
    "Answers without a key, without a signature, without anything."

    class Client:
        def __init__(self, told):
            self.told = told

        def get_public_key(self, **_):
            return self.told

    for told in ({}, {"PublicKey": None}, None, [], {"PublicKey": 7}):
        with pytest.raises((KeyServiceBusy, NoModuleKey), match="can't be read"):
            KmsSigner(Client(told), "alias/minter", tmp_path / "kms")


@pytest.mark.slow
def test_a_signature_that_comes_too_late_is_nobody_s(tmp_path):
    "The minter's service is silent once, and signs after all when nobody listens: each token is there once, under one nonce each."
    studio = Studio(tmp_path).ready()
    late, signed = threading.Event(), []

    class Slow:
        "A key service over the minter's key, whose first signature is late."

        def get_public_key(self, KeyId):
            key = keys.PrivateKey(studio.who.minter._account.key)
            return {"PublicKey": key.public_key.to_bytes()}

        def sign(self, Message, **_):
            if not signed:
                signed.append(Message)
                late.wait(60)
            signed.append(Message)
            return {"Signature": der(studio.who.minter._account.unsafe_sign_hash(Message))}

    signer = KmsSigner(Slow(), "alias/minter", tmp_path / "kms", seconds=1)
    with pytest.raises(KeyServiceBusy):
        mint(guarded_journal(studio.catalog, studio.contract, signer), studio.contract, studio.drop, 5, 5)
    assert studio.supply() == 0
    late.set()
    patient = KmsSigner(Slow(), "alias/minter", tmp_path / "kms", seconds=60)
    sent = mint(guarded_journal(studio.catalog, studio.contract, patient), studio.contract, studio.drop, 5, 5)
    assert studio.supply() == 16
    assert [one.nonce for one in sent] == list(range(len(sent)))
    assert not any(one.state != "confirmed" for one in studio.minter.transactions())


# Several parties


@pytest.fixture
def parties():
    "Three parties, two of whom sign (DKLs23), behind a server of their own process."
    folder, port = node_modules("dkls"), free_port()
    command = [node(), "server.mjs", str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("0x"), "it ended before there was a key"
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


@pytest.mark.slow
def test_a_key_that_no_single_party_has_mints_a_drop_within_its_policy(tmp_path, parties):
    from artmint.chain.admin import authorize
    from artmint.mint import hot_journal, mint
    from tests.studios import Studio

    studio = Studio(tmp_path).ready()
    write(tmp_path, "minter", kind="web3signer", url=parties)
    journal = hot_journal(studio.catalog, studio.contract)
    minter = journal.signer.address
    assert isinstance(room.open_signer(tmp_path, "minter", {}), room.Web3Signer)
    studio.web3.provider.chain.fund(minter, 10**9)
    authorize(studio.admin, studio.contract, minter, 16)
    sent = mint(journal, studio.contract, studio.drop, 5, 5)
    assert [one.sender for one in sent] == [minter] * 4 and studio.supply() == 16
    asked = {"jsonrpc": "2.0", "id": 1, "method": "test_signers", "params": []}
    assert requests.post(parties, json=asked).json()["result"] == [[0, 1], [0, 2], [1, 2], [0, 1]]
    with pytest.raises(BlockedByPolicy, match="a transaction to"):
        journal.signer.sign({**FIELDS, "from": minter, "gas": 21_000})


def test_a_role_that_no_studio_has_is_named_and_no_file_of_its_name_is_looked_for(tmp_path):
    "Roles are typed (--by, --key, --signer): a path would lead out of keys/."
    new_keystore(tmp_path / "x.json", "word", FAST)
    for role in ("nobody", "../x", ""):
        for ask in (room.custody_of, room.has_key, room.lock_of_role):
            with pytest.raises(room.NoSuchRole, match="admin, deployer, minter"):
                ask(tmp_path, role)
        with pytest.raises(room.NoSuchRole):
            room.open_signer(tmp_path, role, {"ARTMINT_PASSPHRASE": "word"})
