"Content credentials: signed once, read by a validator, held against everything else that a drop says."

import os
import random
import shutil
import subprocess
import sys
import threading
import time
import zlib
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import pytest

pytest.importorskip(
    "c2pa",
    reason="c2pa-python isn't installed (pip install 'artmint[c2pa]'), and it is what signs and validates",
)

import c2pa
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from artmint.core.collection import Marks
from artmint.core.picture import (
    CREDENTIALS,
    MARK,
    BadPicture,
    _chunks,
    _joined,
    bare_png,
    marked_png,
    pixel_digest,
    png_bytes,
    public_png,
    read_png,
    unmarked_png,
)
from artmint.core.records import Recipe, Work
from artmint.metadata import AuditFailed, pack
from artmint.publish.audit import accuracy, audit
from artmint.publish.credentials import (
    UNREADABLE,
    BadIdentity,
    Identity,
    KmsKey,
    SigningModule,
    _certificate,
    disagreements,
    inspect,
    new_identity,
    open_identity,
    sign,
    signed_once,
)
from artmint.publish.marks import SOURCE_TYPES, mark_of, mark_packet, source_type
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.packed import BASE, DEMO, WEIGHTS, drop_of, fill, known, manifest_of
from tests.studios import PIN, drawing

TOML = '[credentials]\ncertificate = "keys/c2pa.pem"\nkey = "keys/c2pa.key"\n'


def signing(studio: Path) -> Identity:
    "A studio that signs."
    (studio / "keys").mkdir(parents=True, exist_ok=True)
    (studio / "studio.toml").write_text(TOML)
    return new_identity(studio / "keys", "Test studio")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the whole demo packed and signed; not to be changed."
    catalog = fill(tmp_path_factory.mktemp("made"), 16)
    signing(catalog.folder)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    catalog.close()
    return catalog.folder


@pytest.fixture
def studio(made, tmp_path) -> Path:
    "A copy of it."
    shutil.copytree(made, tmp_path / "studio")
    return tmp_path / "studio"


def published(studio: Path, token: int) -> bytes:
    return (studio / f"drops/demo-1/root/images/{token}.png").read_bytes()


def repainted(data: bytes) -> bytes:
    "The same file with one value of one pixel changed, and every checksum right."
    chunks = _chunks(data)
    raw = bytearray(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")))
    raw[len(raw) // 2 + 7] ^= 1
    first = next(i for i, (kind, _) in enumerate(chunks) if kind == b"IDAT")
    rest = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return _joined([*chunks[:first], (b"IDAT", zlib.compress(bytes(raw))), *rest])


# -- what is signed


def test_a_signed_picture_is_the_picture_with_one_box_more(made):
    catalog = Catalog(made)
    authority = (made / "keys/authority.pem").read_bytes()
    for token in (1, 16):
        data = published(made, token)
        edition = catalog.get("edition", f"demo/{token}")
        assert unmarked_png(data) == catalog.blob(edition["file_digest"])
        assert pixel_digest(read_png(data)[0]) == edition["pixel_digest"]
        assert [kind for kind, _ in _chunks(data)].count(CREDENTIALS) == 1
        assert read_png(data)[1] == read_png(bare_png(data))[1]
        said = inspect(data)
        assert (said.title, said.source, said.signer, said.trusted, said.problems) == (
            f"First Light #{token}",
            "trainedAlgorithmicMedia",
            "Test studio (Test studio)",
            False,
            (),
        )
        assert inspect(data, authority).trusted
        assert inspect(data, authority).problems == ()


def test_anybody_can_sign_and_only_whom_one_trusts_is_trusted(made, tmp_path):
    other = new_identity(tmp_path, "Test studio")
    data = sign(bare_png(published(made, 1)), "First Light #1", {"base": "0" * 64}, other)
    said = inspect(data, (made / "keys/authority.pem").read_bytes())
    assert inspect(data).problems == ()
    assert not said.trusted
    assert said.problems == ("signingCredential.untrusted",)


@settings(max_examples=30, deadline=None)
@given(at=st.integers(8), bit=st.integers(0, 7), token=st.integers(1, 16))
def test_a_flipped_bit_anywhere_is_refused(made, at, bit, token):
    data = published(made, token)
    at = 8 + at % (len(data) - 8)
    with pytest.raises(BadPicture):
        read_png(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


def test_a_changed_pixel_is_noticed_by_the_validator(made):
    for token in range(1, 17):
        wrong = repainted(published(made, token))
        assert read_png(wrong)
        assert inspect(wrong).problems == ("assertion.dataHash.mismatch",)


def test_words_that_were_changed_are_noticed_and_so_are_credentials_of_another_picture(made):
    one = published(made, 1)
    other = published(made, 2)
    words = _joined([(kind, body.replace(b'"seed":', b'"Seed":')) for kind, body in _chunks(one)])
    foreign = _joined([*_chunks(one)[:1], _chunks(other)[1], *_chunks(one)[2:]])
    assert all(
        "assertion.dataHash.mismatch" in inspect(wrong).problems and read_png(wrong)
        for wrong in (words, foreign)
    )
    rng = random.Random(1)
    box = _chunks(one)[1][1]
    for _ in range(40):
        at = rng.randrange(8, len(box))
        changed = bytearray(box)
        changed[at] ^= 1 << rng.randrange(8)
        spoiled = _joined([_chunks(one)[0], (CREDENTIALS, bytes(changed)), *_chunks(one)[2:]])
        read_png(spoiled)
        said = inspect(spoiled)
        assert said is None or said.problems or said == inspect(one)  # padding is in nobody's name


def test_a_picture_without_credentials_says_so(made):
    assert inspect(bare_png(published(made, 1))) is None


@pytest.mark.parametrize("place", [0, 2, -1])
def test_credentials_stand_in_their_place_or_nowhere(made, place):
    header, box, *rest = _chunks(published(made, 1))
    chunks = [header, *rest]
    chunks.insert(len(chunks) - 1 if place == -1 else place, box)
    with pytest.raises(BadPicture):
        read_png(_joined(chunks))


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\0\0\0\x08html", b"\0\0\0\x10jumb", b"\0\x10\0\x01jumb" + bytes((1 << 20) - 7)]
)
def test_only_a_box_is_taken_for_credentials(made, body):
    header, box, *rest = _chunks(published(made, 1))
    for boxes in ([(CREDENTIALS, body)], [box, box]):
        with pytest.raises(BadPicture, match="content credentials"):
            read_png(_joined([header, *boxes, *rest]))


WORK = {"made": "by hand", "artist": "Ada", "medium": "charcoal", "pixel_digest": "1" * 64}


@pytest.mark.parametrize(
    "facts, kind, ingredient, steps",
    [
        ({"base": "2" * 64}, "trainedAlgorithmicMedia", "", ["created"]),
        (
            {"base": "2" * 64, "init": "0" * 64},
            "compositeWithTrainedAlgorithmicMedia",
            "sha256:" + "0" * 64,
            ["opened", "edited"],
        ),
        (WORK | {"source": "digitalCapture", "declared_by": "Grace"}, "digitalCapture", "", ["created"]),
        (WORK, "", "pixels-sha256:" + "1" * 64, ["opened"]),
    ],
)
def test_what_was_done_follows_from_the_recipe(made, facts, kind, ingredient, steps, tmp_path):
    "Read with c2pa-python's own reader: the model is named where one painted, and the artist where one did."
    marks = Marks(training="constrained", terms="https://art.example/terms")
    bare = unmarked_png(published(made, 1))
    marked = marked_png(bare, mark_packet(mark_of(facts, marks)))
    signed = sign(marked, "x", facts, new_identity(tmp_path, "S"), "artmint bundled", marks)
    said = inspect(signed)
    assert source_type(facts) == said.source == kind
    assert (said.model, said.ingredient, said.problems) == (facts.get("base", ""), ingredient, ())
    assert said.training == "constrained"
    assert disagreements(signed, "x", facts) == {}
    with c2pa.Reader("image/png", BytesIO(signed)) as reader:
        active = reader.get_active_manifest()
    told = {entry["label"]: entry["data"] for entry in active["assertions"]}
    actions = told["c2pa.actions.v2"]["actions"]
    assert [action["action"] for action in actions] == [f"c2pa.{step}" for step in steps]
    assert "thumbnail" not in active and not any(
        "thumbnail" in each for each in active.get("ingredients", [])
    )
    if "made" in facts:
        declared = facts.get("declared_by", "the studio")
        assert actions[0]["description"] == f"made by hand by Ada (charcoal); declared by {declared}"
        assert told["cawg.metadata"]["dc:creator"] == ["Ada"]
        assert "softwareAgent" not in actions[0]
    else:
        assert actions[-1]["softwareAgent"]["model"] == "artmint bundled"
    uses = told["cawg.training-mining"]["entries"]
    assert uses["cawg.ai_training"] == {"use": "constrained", "constraint_info": "https://art.example/terms"}


def test_credentials_that_name_another_model_or_rights_than_the_token_are_found(made, tmp_path):
    identity = new_identity(tmp_path, "S")
    facts = {"base": "2" * 64, "init": "0" * 64}
    marked = published(made, 1)
    bare = bare_png(marked)
    signed = sign(bare, "x", facts, identity, "m", Marks(training="allowed"))
    wrong = disagreements(signed, "x", {"base": "3" * 64, "init": "1" * 64})
    assert set(wrong) == {"credentials' model", "credentials' ingredient", "credentials' training"}
    assert set(disagreements(signed, "x", {"base": "2" * 64})) == {
        "credentials' source",
        "credentials' ingredient",
        "credentials' training",
    }


def test_credentials_of_another_form_are_a_problem_and_no_crash(made, monkeypatch, tmp_path):
    "A stranger signs whatever there is to sign; the studio itself refuses to."
    told = {"label": "cawg.training-mining", "data": {"entries": ["all of it"]}}
    monkeypatch.setattr("artmint.publish.credentials._training", lambda marks: told)
    identity = new_identity(tmp_path, "S")
    with pytest.raises(BadIdentity, match=UNREADABLE):
        sign(bare_png(published(made, 1)), "x", {"base": "2" * 64}, identity, "m", Marks(training="allowed"))


def test_credentials_of_earlier_versions_hold(made, monkeypatch, tmp_path):
    "They named neither model nor ingredient, and called every work made by hand a digital creation."
    action = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPES + "digitalCreation"}
    monkeypatch.setattr("artmint.publish.credentials._actions", lambda facts, model: [action])
    monkeypatch.setattr("artmint.publish.credentials.ingredient_of", lambda facts: "")
    signed = sign(unmarked_png(published(made, 1)), "x", WORK, new_identity(tmp_path, "S"))
    monkeypatch.undo()
    assert (inspect(signed).source, inspect(signed).model) == ("digitalCreation", "")
    assert disagreements(signed, "x", WORK) == {}
    assert set(disagreements(signed, "x", WORK | {"source": "print"})) == {"credentials' source"}


# -- once


@pytest.mark.slow
def test_packing_again_gives_the_same_bytes_though_signing_does_not(studio, tmp_path):
    catalog = Catalog(studio)
    before = (studio / "drops/demo-1/drop.car").read_bytes()
    bare = bare_png(published(studio, 1))
    identity = open_identity(studio)
    assert sign(bare, "x", {}, identity) != sign(bare, "x", {}, identity)
    shutil.rmtree(studio / "drops")
    identity.key.unlink()  # what was signed needs no key any more
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert (studio / "drops/demo-1/drop.car").read_bytes() == before
    assert len(catalog.all("drop")) == 1
    assert catalog.check() == []
    with pytest.raises(BadIdentity, match="c2pa.key can't be read"):
        signed_once(catalog, public_png(bare, {}), "x", {}, identity)


def test_of_two_that_sign_at_once_the_first_stays(studio):
    catalog = Catalog(studio)
    identity = open_identity(studio)
    data = public_png(published(studio, 1), {"note": "new"})
    first = signed_once(catalog, data, "x", {}, identity)
    key = next(key for key, body in catalog.all("credential").items() if body["file_digest"] == first)
    racing = Catalog(studio)
    # as seen by one who looked before the other wrote
    real = racing.history
    answers = [[]]
    racing.history = lambda *of: answers.pop() if answers else real(*of)
    assert (
        signed_once(racing, data, "x", {}, identity) == first == signed_once(catalog, data, "x", {}, identity)
    )
    assert not answers
    assert len(catalog.history("credential", key)) == 2


# -- keys that never leave where they are kept


class Held:
    "A key that is elsewhere, as far as a certificate needs it."

    def __init__(self, public):
        self.public_key = lambda: public


def certified(folder: Path, public, key) -> Identity:
    "An identity for a key that is elsewhere, certified by an authority of its own."
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding

    root = generate_private_key(SECP256R1())
    own = _certificate("S", "A", Held(public), root, False, 9).public_bytes(Encoding.PEM)
    authority = _certificate("A", "A", root, root, True, 9).public_bytes(Encoding.PEM)
    (folder / "held.pem").write_bytes(own + authority)
    return Identity(folder / "held.pem", key)


def in_module(library: str, folder: Path, curve: str) -> Identity:
    "An identity whose key was made in a PKCS#11 module."
    pkcs11 = pytest.importorskip("pkcs11")
    from cryptography.hazmat.primitives.asymmetric import ec
    from pkcs11.util.ec import encode_named_curve_parameters

    label = os.urandom(4).hex()
    with pkcs11.lib(library).get_token(token_label="artmint").open(user_pin=PIN, rw=True) as session:
        facts = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
        domain = session.create_domain_parameters(pkcs11.KeyType.EC, facts, local=True)
        inside = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        public, _ = domain.generate_keypair(store=True, label=label, private_template=inside)
        point = public[pkcs11.Attribute.EC_POINT]
    kind = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}[curve]
    size = 2 * kind.key_size // 8 + 1
    (folder / "pin").write_text(PIN + "\n")
    (folder / "pin").chmod(0o600)
    known = ec.EllipticCurvePublicKey.from_encoded_point(kind, point[-size:])
    return certified(folder, known, SigningModule(library, "artmint", label, folder / "pin"))


@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1"])
def test_a_key_in_a_module_signs_and_its_pin_is_told_nobody(made, softhsm, tmp_path, curve):
    identity = in_module(softhsm, tmp_path, curve)
    bare = bare_png(published(made, 1))
    signed = sign(bare, "x", {"base": "0" * 64}, identity)
    assert (inspect(signed).signer, inspect(signed).problems) == ("S (S)", ())
    assert bare_png(signed) == bare
    (tmp_path / "other").mkdir()
    other = in_module(softhsm, tmp_path / "other", curve)
    refusals = {
        "not the key's": replace(identity, certificate=other.certificate),
        "the key none: NoSuchKey": replace(identity, key=replace(identity.key, label="none")),
        "the token none doesn't open": replace(identity, key=replace(identity.key, token="none")),
        "missing can't be read": replace(identity, key=replace(identity.key, pin=tmp_path / "missing")),
    }
    for why, wrong in refusals.items():
        with pytest.raises(BadIdentity, match=why) as refused:
            sign(bare, "x", {}, wrong)
        assert PIN not in str(refused.value) + repr(wrong)
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(BadIdentity, match="others can read pin"):
        sign(bare, "x", {}, identity)


def test_a_key_in_a_cloud_signs(made, kms, tmp_path, monkeypatch):
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    bare = bare_png(published(made, 1))
    keys = [
        kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        for _ in range(2)
    ]
    public = load_der_public_key(kms.get_public_key(KeyId=keys[0])["PublicKey"])
    identity = certified(tmp_path, public, KmsKey(keys[0]))
    assert inspect(sign(bare, "x", {"base": "0" * 64}, identity)).problems == ()
    for name, why in ((keys[1], "not the key's"), ("alias/none", "KMS gives no key")):
        with pytest.raises(BadIdentity, match=why):
            sign(bare, "x", {}, replace(identity, key=KmsKey(name)))


# -- when the certificate has run out


@contextmanager
def attesting(folder: Path):
    "A server that attests the time (RFC 3161), by openssl: its address and the certificate of its authority."
    if not shutil.which("openssl"):
        pytest.skip("openssl isn't installed, and it attests the time")

    def openssl(*words):
        return subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    (folder / "tsa.conf").write_text(TSA)
    (folder / "serial").write_text("01\n")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-config",
        "tsa.conf",
        "-extensions",
        "authority",
        "-days",
        "3",
    )
    openssl(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "tsa.key",
        "-out",
        "tsa.csr",
        "-config",
        "tsa.conf",
        "-subj",
        "/CN=time",
    )
    openssl(
        "x509",
        "-req",
        "-in",
        "tsa.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-out",
        "tsa.pem",
        "-extfile",
        "tsa.conf",
        "-extensions",
        "time",
        "-days",
        "3",
    )

    class Time(BaseHTTPRequestHandler):
        def do_POST(self):
            (folder / "question").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            openssl(
                "ts",
                "-reply",
                "-config",
                "tsa.conf",
                "-section",
                "server",
                "-queryfile",
                "question",
                "-out",
                "answer",
            )
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write((folder / "answer").read_bytes())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Time)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", (folder / "ca.pem").read_bytes()
    finally:
        server.shutdown()
        server.server_close()


TSA = """
[req]
distinguished_name = name
prompt = no
[name]
CN = authority of time
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[time]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
authorityKeyIdentifier = keyid
[server]
serial = serial
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256,sha384,sha512
ess_cert_id_alg = sha256
"""


@pytest.mark.slow
def test_what_was_signed_stays_valid_after_the_certificate_when_the_time_is_attested(made, tmp_path):
    data = bare_png(published(made, 1))
    identity = new_identity(tmp_path, "S", days=8 / 86400)
    trusted = identity.certificate.with_name("authority.pem").read_bytes()
    with attesting(tmp_path) as (url, authority):
        signed = [sign(data, "x", {}, replace(identity, timestamp=place)) for place in ("", url)]
    while not (bare := inspect(signed[0])).expired:
        time.sleep(0.5)
    assert bare.problems == ()
    assert inspect(repainted(signed[0])).problems == ("assertion.dataHash.mismatch",)
    assert not inspect(signed[0], trusted).trusted
    said = inspect(signed[1], trusted + authority)
    assert (said.trusted, said.expired, said.problems) == (True, False, ())
    with pytest.raises(BadIdentity, match="not valid at time of signing"):
        sign(data, "x", {}, identity)


def test_a_server_of_time_that_gives_none_is_said(made, tmp_path):
    with pytest.raises(BadIdentity, match="C2PA refuses it"):
        sign(
            bare_png(published(made, 1)),
            "x",
            {},
            replace(new_identity(tmp_path, "S"), timestamp="http://127.0.0.1:9"),
        )


@pytest.mark.slow
def test_a_certificate_that_ran_out_holds_up_neither_packing_nor_proof(tmp_path):
    catalog = fill(tmp_path, 2)
    signing(tmp_path)
    new_identity(tmp_path / "keys", "Test studio", days=8 / 86400)
    first = pack(catalog, DEMO, 1, 1, 2, BASE, WEIGHTS)
    while not inspect(published(tmp_path, 1)).expired:
        time.sleep(0.5)
    shutil.rmtree(tmp_path / "drops")
    assert pack(catalog, DEMO, 1, 1, 2, BASE, WEIGHTS) == first
    assert disagreements(published(tmp_path, 1), "First Light #1", {"base": BASE.digest}) == {}


@pytest.mark.slow
def test_a_studio_without_a_certificate_packs_as_ever(made, tmp_path):
    catalog = fill(tmp_path, 16)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    root = drop_of(catalog) / "root"
    assert all((root / f"images/{i}.png").read_bytes() == bare_png(published(made, i)) for i in range(1, 17))
    assert catalog.all("credential") == {}


# -- held against the rest


def stripped(data: bytes, other: bytes) -> bytes:
    return bare_png(data)


def changed(data: bytes, other: bytes) -> bytes:
    return repainted(data)


def borrowed(data: bytes, other: bytes) -> bytes:
    return _joined([*_chunks(data)[:1], _chunks(other)[1], *_chunks(data)[2:]])


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "change, fields",
    [
        (stripped, {"picture's credentials", "credentials"}),
        (changed, {"credentials", "edition's file_digest", "artmint.pixel_digest"}),
        (borrowed, {"credentials", "credentials' title"}),
    ],
)
def test_the_audit_finds_credentials_that_do_not_hold(studio, change, fields):
    catalog = Catalog(studio)
    drop = known(catalog)
    manifest = manifest_of(drop_of(catalog))
    root = drop_of(catalog) / "root"
    assert drop.signed
    assert audit(drop, manifest, root) == []
    assert accuracy(16, [])["mia"] == 1
    (root / "images/3.png").write_bytes(change(published(studio, 3), published(studio, 4)))
    found = audit(drop, manifest, root)
    assert {each.token for each in found} <= {3, None}
    assert fields <= {each.field for each in found}


def test_a_false_statement_is_not_packed(studio, monkeypatch):
    "A generated picture that would be published as made by hand."
    monkeypatch.setattr("artmint.publish.credentials.source_type", lambda facts: "digitalCreation")
    catalog = Catalog(studio)
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM record WHERE kind = 'credential'")
    made = signed_once(
        catalog, bare_png(published(studio, 1)), "First Light #1", {"prompt": "x"}, open_identity(studio)
    )
    monkeypatch.undo()
    assert inspect(catalog.blob(made)).source == "digitalCreation"
    with pytest.raises(AuditFailed) as refused:
        pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert {(each.token, each.field) for each in refused.value.findings} == {(1, "credentials' source")}


def test_what_is_withheld_is_not_in_what_is_signed(tmp_path):
    quiet = DEMO.model_copy(update={"withheld": ("prompt", "negative_prompt")})
    catalog = fill(tmp_path, 4, quiet)
    signing(tmp_path)
    first = pack(catalog, quiet, 1, 1, 4, BASE, WEIGHTS)
    for token in range(1, 5):
        data = published(tmp_path, token)
        prompt = catalog.get("artifact", catalog.get("edition", f"demo/{token}")["dna"])["recipe"]["prompt"]
        assert prompt.encode() not in data
        assert prompt[:20].encode() not in data
        assert inspect(data).problems == ()
        assert set(read_png(data)[1]) == {"artmint", MARK}
    shutil.rmtree(tmp_path / "drops")
    assert pack(catalog, quiet, 1, 1, 4, BASE, WEIGHTS) == first


def test_a_work_made_by_hand_is_no_model_s(tmp_path):
    from artmint.curate import choose
    from artmint.generate import enter
    from artmint.judge.decisions import Action, ReviewSession, record_action
    from artmint.make.base import load_judge
    from artmint.publish.tokens import BaseFacts
    from artmint.seeds import load_collection

    tiny = load_collection(TINY)
    catalog = Catalog(tmp_path / "studio")
    signing(catalog.folder)
    slots = frozen_slots(catalog, tiny, tiny.salt)
    work = enter(
        catalog,
        tiny,
        2,
        drawing(tmp_path / "work.png"),
        "Ada",
        "linocut, scanned",
        source="digitalCapture",
    )
    record_action(ReviewSession(catalog, tiny, "Grace"), Action(id="1", dnas=(work.dna,), decision="accept"))
    choose(catalog, tiny, load_judge(), slots[1:2], 1)
    pack(catalog, tiny, 1, 2, 1, BaseFacts(digest="0" * 64, source="bundled"), {})
    said = inspect((catalog.folder / "drops/tiny-1/root/images/2.png").read_bytes())
    assert (said.source, said.problems, said.model) == ("digitalCapture", (), "")
    assert "#2" in said.title


# -- for strangers


@pytest.fixture(scope="module")
def minted(made, tmp_path_factory):
    "That studio with its drop on a chain: (folder, address)."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.ipfs.cid import CID
    from artmint.ipfs.stores import FolderStore
    from artmint.mint import mint
    from artmint.pin import publish

    folder = tmp_path_factory.mktemp("minted") / "studio"
    shutil.copytree(made, folder)
    catalog = Catalog(folder)
    web3 = connect("embedded", folder / "chain")
    who = parties(web3, folder / "keys", rounds=2**10)
    manifest = manifest_of(drop_of(catalog))
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
    contract = deploy(admin, DEMO, who.treasury)
    authorize(admin, contract, who.minter.address, 16)
    publish(drop_of(catalog) / "drop.car", CID.parse(manifest.root), [FolderStore(folder / "store")])
    commit_drop(admin, contract, manifest)
    mint(minter, contract, manifest)
    return folder, f"embedded:{contract.address}"


def test_the_proof_holds_and_says_what_the_pictures_carry(minted):
    from artmint.verify import verify

    proof = verify(minted[1], minted[0])
    assert proof.exit_code == 0, proof.text()
    assert [
        (step.status, step.evidence.split(" ", 3)[:3]) for step in proof.steps if step.name == "credentials"
    ] == [("held", ["16", "of", "16"])]


@pytest.mark.slow
def test_without_the_library_the_proof_says_that_it_did_not_look(minted):
    program = "import sys; sys.modules['c2pa'] = None; from pathlib import Path; from artmint.verify import verify; p = verify(sys.argv[1], Path(sys.argv[2])); print(p.exit_code, *[s.status + ' ' + s.evidence for s in p.steps if s.name == 'credentials'])"
    done = subprocess.run(
        [sys.executable, "-c", program, minted[1], str(minted[0])],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("0 unchecked 16 of 16 pictures carry content credentials; pip install"), (
        done.stdout + done.stderr
    )


# -- refusals


@pytest.mark.parametrize(
    "text, why",
    [
        ('[credentials]\ncertificate = "keys/c2pa.pem"\n', "key is amiss"),
        (TOML + 'password = "sesame"\n', "password is amiss"),
        ("[credentials]\n", "certificate is amiss"),
        ("[credentials]\nkey = 7\ncertificate = 'a'\n", "key is amiss"),
        ("[credentials]\nmodule = 'm.so'\ntoken = 't'\nlabel = 'l'\ncertificate = 'a'\n", "pin is amiss"),
        ("[credentials]\nmodule = 'm'\nkey = 'k'\ncertificate = 'a'\n", "module is amiss"),
        ("[credentials]\nkms = 'alias/a'\npin = 'p'\ncertificate = 'a'\n", "pin is amiss"),
    ],
)
def test_an_identity_that_makes_no_sense_is_refused(tmp_path, text, why):
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadIdentity, match=why) as refused:
        open_identity(tmp_path)
    assert refused.value.exit_code == 2
    assert "sesame" not in str(refused.value)


def unreadable(keys: Path) -> None:
    (keys / "c2pa.key").chmod(0o644)


def no_key(keys: Path) -> None:
    (keys / "c2pa.key").unlink()


def no_certificate(keys: Path) -> None:
    (keys / "c2pa.pem").unlink()


def nonsense(keys: Path) -> None:
    (keys / "c2pa.pem").write_text("sesame")


def another_key(keys: Path) -> None:
    "The key of somebody else."
    (keys / "other").mkdir()
    shutil.copy(new_identity(keys / "other", "x").key, keys / "c2pa.key")
    (keys / "c2pa.key").chmod(0o600)


def its_own_curve(keys: Path) -> None:
    "A key of the curve of wallets, which C2PA doesn't know, and one that is encrypted."
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from artmint.publish.credentials import _certificate

    key = generate_private_key(SECP256K1())
    (keys / "c2pa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (keys / "c2pa.pem").write_bytes(_certificate("x", "x", key, key, False, 1).public_bytes(Encoding.PEM))


def encrypted(keys: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key((keys / "c2pa.key").read_bytes(), None)
    (keys / "c2pa.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"sesame"))
    )


def unfit(keys: Path) -> None:
    "A certificate that vouches for others, and signs nothing itself."
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    from artmint.publish.credentials import _certificate

    key = load_pem_private_key((keys / "c2pa.key").read_bytes(), None)
    (keys / "c2pa.pem").write_bytes(_certificate("x", "x", key, key, True, 1).public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    "spoil, why",
    [
        (unreadable, "others can read c2pa.key"),
        (no_key, "c2pa.key can't be read"),
        (no_certificate, "c2pa.pem can't be read"),
        (nonsense, "no PEM"),
        (another_key, "not the key's"),
        (its_own_curve, "none that C2PA knows"),
        (encrypted, "the key is encrypted"),
        (unfit, "C2PA refuses|doesn't hold"),
    ],
)
def test_what_can_not_sign_is_refused_before_anything_is_packed_and_tells_no_secret(tmp_path, spoil, why):
    catalog = fill(tmp_path, 1)
    secret = signing(tmp_path).key.read_text().splitlines()[1]
    spoil(tmp_path / "keys")
    with pytest.raises(BadIdentity, match=why) as refused:
        pack(catalog, DEMO, 1, 1, 1, BASE, WEIGHTS)
    said = str(refused.value) + repr(refused.value) + repr(refused.value.__dict__)
    assert secret not in said
    assert str(tmp_path) not in said
    assert not (tmp_path / "drops").exists()
    assert catalog.all("credential") == {}


def test_the_key_is_in_no_record_and_in_no_published_file(made):
    secret = (made / "keys/c2pa.key").read_bytes().splitlines()[1]
    files = [path for path in made.rglob("*") if path.is_file() and path.name != "c2pa.key"]
    assert len(files) > 40
    assert not [path for path in files if secret in path.read_bytes()]
    assert secret.decode() not in repr(open_identity(made))
    assert (made / "keys/c2pa.key").stat().st_mode & 0o077 == 0


PACK_WITHOUT_C2PA = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
sys.modules["c2pa"] = None
from tests.packed import *

pack(Catalog(Path(sys.argv[1])), DEMO, 1, 1, 1, BASE, WEIGHTS)
"""


def test_without_the_library_nothing_is_packed_and_the_refusal_says_what_to_do(tmp_path):
    fill(tmp_path, 1).close()
    signing(tmp_path)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PACK_WITHOUT_C2PA, str(tmp_path), root],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode
    assert "NotInstalled" in done.stderr
    assert "pip install 'artmint[c2pa]'" in done.stderr
    assert not (tmp_path / "drops").exists()


def test_what_is_no_picture_is_not_signed(made, tmp_path):
    with pytest.raises(BadPicture):
        sign(b"GIF89a", "x", {}, new_identity(tmp_path, "S"))
    with pytest.raises(BadPicture):
        sign(published(made, 1)[:-1], "x", {}, Identity(made / "keys/c2pa.pem", made / "keys/c2pa.key"))


def test_a_credential_that_names_another_artist_is_named(tmp_path):
    "What credentials say of the author (cawg.metadata) is held against the token, to the last field."
    identity = new_identity(tmp_path, "Studio")
    image = Image.new("RGB", (16, 16), "teal")
    work = Work(artist="Ada", source="digitalCapture", pixel_digest=pixel_digest(image), width=16, height=16)
    signed = sign(png_bytes(image, work), "One", work.facts(), identity)
    assert inspect(signed).creator == "Ada" and disagreements(signed, "One", work.facts()) == {}
    named = disagreements(signed, "One", work.facts() | {"artist": "Ben"})
    assert named == {"credentials' creator": ("Ben", "Ada")}
    generated = Recipe(base="0" * 64, prompt="rings", seed=1, width=16, height=16).facts()
    assert "credentials' creator" in disagreements(signed, "One", generated)


def test_more_in_the_author_s_assertion_than_the_author_is_named(tmp_path, monkeypatch):
    from artmint.publish import credentials as room

    identity = new_identity(tmp_path, "Studio")
    image = Image.new("RGB", (16, 16), "teal")
    work = Work(artist="Ada", source="digitalCapture", pixel_digest=pixel_digest(image), width=16, height=16)
    honest = room._statement

    def claims(*args):
        statement = honest(*args)
        statement["assertions"][-1]["data"] |= {"dc:rights": "All yours"}
        return statement

    monkeypatch.setattr(room, "_statement", claims)
    signed = sign(png_bytes(image, work), "One", work.facts(), identity)
    found = disagreements(signed, "One", work.facts())
    assert found == {"credentials' creator": ("Ada", "Ada; dc:rights: All yours")}
