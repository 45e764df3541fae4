"Buckets: ETags that are no digests, uploads that are gone, checksums, answers that are lost; on moto in this process."

import random

import pytest

from artmint.ipfs.car import write_car
from artmint.ipfs.http import BadAnswer, NoAnswer
from artmint.ipfs.services import S3Store
from artmint.ipfs.stores import MissingContent
from artmint.pin import publish, read_back
from tests.attacks.wire import dripping, raw_server, saying, silent
from tests.attacks.wires import head
from tests.stores import MIB, contract
from tests.suites import some

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")
from botocore.exceptions import ClientError  # noqa: E402 botocore comes with boto3

PLACE = "https://s3.us-east-1.amazonaws.com"
SECRET = "wJalrXUtnFEMI"


def refusal(code: str, status: int, message: str = "") -> ClientError:
    "What boto3 raises when a service refuses."
    facts = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(facts, "anything")


class Bucket(S3Store):
    "A bucket on moto, and what it was sent. `hooks` go into boto3's own events: they inject a fault."

    hooks: list = []

    def __init__(self, **facts):
        super().__init__("drops", PLACE, f"AKIA:{SECRET}", part=5 * MIB, **facts)
        self.sent = []

    def client(self):
        client = super().client()
        for event, hook in self.hooks:
            client.meta.events.register(event, hook)
        client.meta.events.register("before-parameter-build.s3.UploadPart", self._count)
        return client

    def _count(self, params, **_):
        self.sent.append(params["PartNumber"])


def masked(etag: str) -> str:
    "An ETag as a service answers it that encrypts with a key of the customer's: 32 digits that are no MD5."
    return f'"{etag[-2:0:-1]}"'


def mask_answer(parsed, **_):
    for facts in (parsed, *parsed.get("Parts", [])):
        if "ETag" in facts:
            facts["ETag"] = masked(facts["ETag"])


def unmask_parts(params, **_):
    for part in params["MultipartUpload"]["Parts"]:
        part["ETag"] = masked(part["ETag"] if part["ETag"][0] == '"' else f'"{part["ETag"]}"')


def without_checksums(params, **_):
    if "ChecksumAlgorithm" in params:
        raise refusal("NotImplemented", 501, "A header you provided implies functionality that isn't there")


ENCRYPTED = [
    ("after-call.s3.UploadPart", mask_answer),
    ("after-call.s3.ListParts", mask_answer),
    ("before-parameter-build.s3.CompleteMultipartUpload", unmask_parts),
]
PLAIN = [("before-parameter-build.s3.CreateMultipartUpload", without_checksums)]
KINDS = {"plain": PLAIN, "checked": [], "encrypted": [*ENCRYPTED, *PLAIN], "encrypted, checked": ENCRYPTED}


@pytest.fixture(params=some(KINDS, ["plain", "encrypted, checked"]))
def store(request, monkeypatch):
    monkeypatch.setattr(Bucket, "hooks", KINDS[request.param])
    with moto.mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="drops")
        yield Bucket()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    "An archive of three parts."
    folder = tmp_path_factory.mktemp("large")
    rng = random.Random(12)
    built = write_car(folder / "drop.car", {f"{i}.bin": rng.randbytes(MIB) for i in range(12)})
    return folder / "drop.car", built


def cut_off(store, car, root, after: int):
    "Upload some parts, and be interrupted."

    def stop(done, total):
        if len(store.sent) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.put(car, root, stop)
    store.sent.clear()


@pytest.mark.slow
@pytest.mark.parametrize("store", some(KINDS, ["encrypted, checked"]), indirect=True)
def test_a_bucket_keeps_the_contract_whatever_its_etags_are(store, large, tmp_path):
    contract(store, *large, tmp_path)


@pytest.mark.slow
def test_an_upload_goes_on_by_what_the_bucket_answered(store, large):
    car, built = large
    cut_off(store, car, built.root, after=2)
    assert store.put(car, built.root) == built.root
    assert store.sent == [3]
    assert read_back(store, built.root) == built.paths
    assert not list(car.parent.glob(".*.upload"))


@pytest.mark.slow
@pytest.mark.parametrize("store", some(KINDS, ["plain"]), indirect=True)
def test_a_part_that_somebody_changed_is_sent_again(store, large):
    car, built = large
    cut_off(store, car, built.root, after=2)
    client = boto3.client("s3", region_name="us-east-1")
    upload = client.list_multipart_uploads(Bucket="drops")["Uploads"][0]
    place = {"Bucket": "drops", "Key": upload["Key"], "UploadId": upload["UploadId"]}
    client.upload_part(**place, PartNumber=1, Body=bytes(5 * MIB))
    assert store.put(car, built.root) == built.root
    assert store.sent == [1, 3]
    assert read_back(store, built.root) == built.paths


@pytest.mark.slow
@pytest.mark.parametrize("store", some(KINDS, ["plain"]), indirect=True)
def test_a_bucket_that_was_emptied_meanwhile_gets_everything(store, large):
    car, built = large
    cut_off(store, car, built.root, after=2)
    client = boto3.client("s3", region_name="us-east-1")
    for upload in client.list_multipart_uploads(Bucket="drops")["Uploads"]:
        client.abort_multipart_upload(Bucket="drops", Key=upload["Key"], UploadId=upload["UploadId"])
    assert publish(car, built.root, [store])["stores"][0]["sent"]
    assert store.sent == [1, 2, 3]
    client.delete_object(Bucket="drops", Key=f"{built.root}.car")
    with pytest.raises(MissingContent):
        read_back(store, built.root)
    assert publish(car, built.root, [store])["stores"][0]["sent"]


@pytest.mark.many(1)
@pytest.mark.parametrize("error", [("NoSuchUpload", 404), ("500", 500)])
def test_completing_twice_is_completing_once(store, large, monkeypatch, error):
    "The answer to the first request is lost, boto3 asks again, and the upload is gone because it is done: whatever the service says."
    car, built = large
    client = store.client()
    real = client.complete_multipart_upload

    def twice(**facts):
        real(**facts)
        raise refusal(*error)

    monkeypatch.setattr(client, "complete_multipart_upload", twice)
    monkeypatch.setattr(store, "client", lambda: client)
    assert store.put(car, built.root) == built.root
    assert store.sent == [1, 2, 3]
    assert read_back(store, built.root) == built.paths


def test_parts_that_the_bucket_no_longer_knows_are_sent_once_more_and_not_for_ever(store, large, monkeypatch):
    car, built = large
    client = store.client()
    real = client.complete_multipart_upload
    refusals = [refusal("InvalidPart", 400, "One or more of the specified parts could not be found.")]

    def strict(**facts):
        if refusals:
            raise refusals.pop()
        return real(**facts)

    monkeypatch.setattr(client, "complete_multipart_upload", strict)
    monkeypatch.setattr(store, "client", lambda: client)
    assert store.put(car, built.root) == built.root
    assert store.sent == [1, 2, 3] * 2
    assert "Uploads" not in client.list_multipart_uploads(Bucket="drops")
    refusals += [refusal("InvalidPart", 400, "not found")] * 2
    with pytest.raises(BadAnswer, match="InvalidPart: not found"):
        store.put(car, built.root)
    assert len(store.sent) == 12


@pytest.mark.parametrize(
    "error, kind",
    [
        (refusal("AccessDenied", 403, f"the key {SECRET} \x1b[2J may not"), BadAnswer),
        (refusal("SlowDown", 503, "Reduce your request rate"), NoAnswer),
        (refusal("NoSuchBucket", 404, "no such bucket"), BadAnswer),
    ],
)
def test_a_bucket_s_own_words_are_passed_on_without_the_key(large, monkeypatch, error, kind):
    def refuse(**_):
        raise error

    monkeypatch.setattr(Bucket, "hooks", [("before-parameter-build.s3", refuse)])
    with moto.mock_aws(), pytest.raises(kind) as refused:
        Bucket().put(*(large[0], large[1].root))
    assert error.response["Error"]["Code"] in str(refused.value)
    assert SECRET not in str(refused.value) + repr(refused.value)
    assert "\x1b" not in str(refused.value)


def test_ten_thousand_parts_are_the_limit(tmp_path):
    "A part grows with the archive: 200 GB go up in parts of 20 MB."
    from artmint.ipfs.cid import CID, RAW
    from artmint.ipfs.services import PART_COUNT, _S3Upload

    sparse = tmp_path / "drop.car"
    with open(sparse, "wb") as file:
        file.truncate(200 << 30)
    upload = _S3Upload(Bucket(), None, sparse, CID.of(RAW, b""), print)
    assert PART_COUNT * upload.part >= 200 << 30 > (PART_COUNT - 1) * upload.part


@pytest.mark.parametrize("facts", [{"part": 1 << 20}, {"token": "no-colon"}])
def test_settings_that_no_service_takes_are_refused_at_once(facts):
    with pytest.raises(ValueError, match="5 MiB|colon"):
        S3Store(**{"bucket": "drops", "endpoint": PLACE, "token": "a:b", **facts})


SLOW = {
    "says nothing": silent,
    "drips its headers": dripping(b"A: b\r\n", first=b"HTTP/1.1 200 OK\r\n"),
    "drips its body": dripping(b"x", first=head(Content_Length=1 << 20, ETag='"x"')),
    "drips an error": dripping(b"x", first=head("500 Bad")),
}


def test_an_answer_without_its_length_is_no_riddle(large, tmp_path):
    with raw_server(saying(head(ETag='"x"', Connection="close"))) as server:
        with pytest.raises(BadAnswer, match="doesn't say its ContentLength"):
            S3Store("drops", server.url, f"AKIA:{SECRET}").get(large[1].root, tmp_path)


@pytest.mark.many(1)
@pytest.mark.parametrize("what", SLOW)
def test_a_bucket_that_never_comes_to_its_end_is_given_up(large, tmp_path, what):
    "Not for its silence: a byte comes every now and then. An act has a time, boto3's further tries included."
    car, built = large
    acts = {
        "sending": lambda store: store.put(car, built.root),
        "fetching": lambda store: store.get(built.root, tmp_path),
        "looking": lambda store: store.reader(built.root, None, tmp_path),
    }
    for act in acts.values():
        with raw_server(SLOW[what]) as server:
            store = S3Store("drops", server.url, f"AKIA:{SECRET}", seconds=1)
            with pytest.raises(NoAnswer, match="longer than 1 s"):
                act(store)
            assert store.clock.over


def test_an_act_in_its_time_is_left_alone(large, tmp_path):
    "And the next one has a time of its own."
    with moto.mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="drops")
        bucket = Bucket(seconds=600)
        assert bucket.put(*(large[0], large[1].root)) == large[1].root
        assert not bucket.clock.over
