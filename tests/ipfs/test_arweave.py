"Data items signed the same way every time, a drop of them, and a store that knows its price."

import hashlib
import json
import random
import subprocess
import sys
from base64 import urlsafe_b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.ipfs.arweave import (
    ArweaveStore,
    ItemKey,
    TooDear,
    base64_of,
    blob_hash,
    deep_hash,
    drop_items,
    encode_tags,
    picture_item,
    sign_item,
)
from artmint.ipfs.car import open_car, outline, write_car
from artmint.ipfs.health import draw_blocks, examine
from artmint.ipfs.http import BadAnswer, NoAnswer, with_retries
from artmint.ipfs.stores import Budget, BudgetSpent, MissingContent
from artmint.pin import BadStore, PublishedElsewise, open_stores, publish, read_back

KEY = "11" * 32
TAGS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=60), max_size=12)
# By arbundles 0.6.23 (createData, EthereumSigner): b"{}", Content-Type application/json, this key.
KNOWN_ID = "QWjkRWXfrNjanGRB5Lp3HQ59s2BknWb4iTxHucOP6p0"
KNOWN_SHA256 = "df99577c387aa72fe9355f2a90ca4f6306872505099f3609dd791fba2aec1faf"


def item_of(data: bytes, tags: dict[str, str], key: str = KEY):
    return sign_item(ItemKey(key), "x", lambda: iter([data[:7], data[7:]]), tags)


def whole(item) -> bytes:
    return b"".join(item.body())


# -- the format


def test_an_item_is_byte_for_byte_what_arbundles_makes():
    item = item_of(b"{}", {"Content-Type": "application/json"})
    assert item.id == KNOWN_ID
    assert hashlib.sha256(whole(item)).hexdigest() == KNOWN_SHA256


def read_tags(data: bytes) -> list[tuple[str, str]]:
    "Avro's array of tags, read on its own."
    at = 0

    def long() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (number >> 1) ^ -(number & 1)

    def text() -> str:
        nonlocal at
        size = long()
        at += size
        return data[at - size : at].decode()

    tags = []
    while count := long():
        tags += [(text(), text()) for _ in range(count)]
    assert at == len(data)
    return tags


@settings(max_examples=30)
@given(TAGS)
def test_tags_are_read_back(tags):
    encoded = encode_tags(tags)
    assert (read_tags(encoded) if encoded else []) == list(tags.items())


def nested_hash(value) -> bytes:
    "Arweave's deep hash as its definition has it, over whole values."
    if isinstance(value, bytes):
        tag = hashlib.sha384(b"blob" + str(len(value)).encode()).digest()
        return hashlib.sha384(tag + hashlib.sha384(value).digest()).digest()
    digest = hashlib.sha384(b"list" + str(len(value)).encode()).digest()
    for member in value:
        digest = hashlib.sha384(digest + nested_hash(member)).digest()
    return digest


@given(st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=5))
def test_the_deep_hash_of_pieces_is_that_of_the_whole(blobs):
    hashes = [blob_hash(pieces)[0] for pieces in blobs]
    assert deep_hash(hashes) == nested_hash([b"".join(pieces) for pieces in blobs])


@settings(max_examples=20)
@given(data=st.binary(max_size=300), tags=TAGS)
def test_an_item_is_the_same_twice_and_its_signature_is_the_keys(data, tags):
    item = item_of(data, tags)
    assert whole(item) == whole(item_of(data, tags))
    raw = whole(item)
    signature, owner, encoded = raw[2:67], raw[67:132], encode_tags(tags)
    message = nested_hash([b"dataitem", b"1", b"3", owner, b"", b"", encoded, data])
    signer = Account.recover_message(encode_defunct(message), signature=signature)
    assert signer == Account.from_key(KEY).address == ItemKey(KEY).address
    assert item.id == base64_of(hashlib.sha256(signature).digest())
    assert (item.size, raw[-len(data) :] if data else b"") == (len(raw), data)


def test_another_key_other_data_or_tags_give_another_id():
    ids = {
        item_of(data, tags, key).id
        for data in (b"1", b"2")
        for tags in ({}, {"a": "b"})
        for key in (KEY, "22" * 32)
    }
    assert len(ids) == 8


@pytest.mark.parametrize("tags", [{"": "x"}, {"x": ""}, {"x": "y" * 4100}, {str(i): "y" for i in range(129)}])
def test_tags_that_ans_104_does_not_allow_are_refused(tags):
    with pytest.raises(ValueError):
        encode_tags(tags)


@pytest.mark.parametrize("text", ["", "sesame", "11" * 31, "00" * 32, "zz" * 32, "ff" * 32])
def test_a_bad_key_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError) as refused:
        ItemKey(text)
    assert not text or text not in str(refused.value)


# -- a drop


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "A small archive, and its tree."
    folder = tmp_path_factory.mktemp("drop")
    pictures = {f"{i}.png": random.Random(i).randbytes(40_000 * i) for i in range(1, 4)}
    pictures["4.png"] = random.Random(4).randbytes(2_500_000)
    tree = {f"{i}.json": b"%d" % i for i in range(1, 5)} | {"contract.json": b"{}", "images": pictures}
    built = write_car(folder / "drop.car", tree | {"same.json": b"{}"})
    return folder / "drop.car", built, tree


def test_ids_are_equal_in_another_process(drop):
    program = (
        "import sys; from artmint.ipfs.arweave import *; from artmint.ipfs.car import *; c = open_car(__import__('pathlib')"
        ".Path(sys.argv[1])); print(drop_items(c, c.roots[0], ItemKey('11' * 32)).manifest.id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, drop[0]], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY)).manifest.id


def test_a_pictures_id_is_known_before_the_drop_is_packed(drop):
    items = drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY))
    data = drop[2]["images"]["2.png"]
    alone = picture_item(ItemKey(KEY), "images/2.png", data, drop[1].paths["images/2.png"])
    assert alone.id == items.ids["images/2.png"]
    manifest = json.loads(b"".join(items.manifest.pieces()))
    assert manifest["paths"]["images/2.png"]["id"] == alone.id
    assert manifest["index"]["path"] == "contract.json"
    assert items.ids["same.json"] == items.ids["contract.json"]
    assert len({item.id for item in items.every}) == len(items.every) == len(items.ids)


# -- the store


class Bundler(ThreadingHTTPServer):
    "Takes items, shows their data, and names a price."

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Calls)
        self.data, self.taken, self.faults, self.winc = {}, [], [], "50000000000"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Calls(BaseHTTPRequestHandler):
    def do_POST(self):
        item = self.rfile.read(int(self.headers["Content-Length"]))
        name = base64_of(hashlib.sha256(item[2:67]).digest())
        if self.server.faults:
            return self.say(self.server.faults.pop(0), b"busy")
        fresh = name not in self.server.data
        self.server.data[name] = item[150 + int.from_bytes(item[142:150], "little") :]
        self.server.taken.append(name)
        self.say(*((200, json.dumps({"id": name}).encode()) if fresh else (202, b"Accepted")))

    def do_GET(self):
        if self.path.startswith("/price/"):
            plain = self.path.count("/") == 2
            return self.say(200 if plain else 404, self.server.winc.encode())
        head, *rest = self.path.strip("/").removeprefix("raw/").split("/", 1)
        if rest:
            head = json.loads(self.server.data[head])["paths"].get(rest[0], {}).get("id")
        data = self.server.data.get(head)
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if data is not None and last:
            return self.say(206, data[int(first) : int(last) + 1])
        self.say(404 if data is None else 200, data or b"")

    do_HEAD = do_GET

    def say(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def bundler(monkeypatch):
    def at_once(work, tries=6):
        return with_retries(work, tries, sleep=lambda seconds: None)

    monkeypatch.setattr("artmint.ipfs.arweave.with_retries", at_once)
    with Bundler() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def store_at(bundler, tmp_path, **facts) -> ArweaveStore:
    given = {"limit": 1, "patience": 1, "folder": tmp_path / "arweave"} | facts
    return ArweaveStore(KEY, bundler.url, bundler.url, **given)


def test_a_drop_is_given_read_back_and_sampled(bundler, drop, tmp_path):
    store = store_at(bundler, tmp_path)
    with pytest.raises(MissingContent):
        read_back(store, drop[1].root)
    receipt = publish(drop[0], drop[1].root, [store])
    manifest = drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY)).manifest.id
    assert receipt["stores"] == [{"store": store.name, "sent": True, "address": f"ar://{manifest}"}]
    assert read_back(store, drop[1].root) == drop[1].paths
    taken = len(bundler.taken)
    assert publish(drop[0], drop[1].root, [store])["stores"][0]["sent"] is False
    assert len(bundler.taken) == taken == 10
    draw = draw_blocks(outline(drop[1].root, open_car(drop[0]).unchecked), None)
    row, _ = examine(store, drop[1].root, draw, open_car(drop[0]))
    assert (row.status, row.asked) == ("held", len(drop[1].blocks))
    row, _ = examine(store, drop[1].root, draw, None)
    assert (row.status, "mend the archive first" in row.words) == ("no answer", True)
    assert (
        KEY
        not in repr(store) + str(vars(store)) + (tmp_path / "arweave" / f"{drop[1].root}.json").read_text()
    )


def test_what_the_gateway_lost_or_changed_is_seen_and_sent_again(bundler, drop, tmp_path, monkeypatch):
    store = store_at(bundler, tmp_path)
    store.put(drop[0], drop[1].root)
    ids = drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY)).ids
    draw = draw_blocks(outline(drop[1].root, open_car(drop[0]).unchecked), None)
    changed = bundler.data[ids["images/4.png"]]
    bundler.data[ids["images/4.png"]] = changed[:1_200_000] + b"?" + changed[1_200_001:]
    row, damaged = examine(store, drop[1].root, draw, open_car(drop[0]))
    assert (row.status, len(damaged)) == ("damaged", 1)
    with pytest.raises(PublishedElsewise):
        read_back(store, drop[1].root)
    bundler.data[ids["images/4.png"]] = changed
    del bundler.data[ids["1.json"]]
    row, _ = examine(store, drop[1].root, draw, open_car(drop[0]))
    assert (row.status, row.missing, "'/1.json' is missing" in row.words) == ("missing", 1, True)
    monkeypatch.setattr("artmint.ipfs.arweave.FRESH", -1)  # an hour later
    bundler.taken.clear()
    assert publish(drop[0], drop[1].root, [store])["stores"][0]["sent"]
    assert bundler.taken == [ids["1.json"]]


def test_the_price_is_asked_first_and_nothing_is_sent_above_the_limit(bundler, drop, tmp_path):
    store = store_at(bundler, tmp_path, limit=0.049)
    assert store.cost_words(drop[0], drop[1].root).startswith("0.050000 AR for 2,7")
    with pytest.raises(TooDear) as refused:
        publish(drop[0], drop[1].root, [store])
    assert (refused.value.winston, refused.value.exit_code, bundler.taken) == (50_000_000_000, 2, [])
    free = store_at(bundler, tmp_path, limit=0, free=3_000_000)
    assert free.put(drop[0], drop[1].root) == drop[1].root


def test_what_was_sent_is_paid_for_also_when_it_was_cut_off(bundler, drop, tmp_path):
    "Winston at the price asked; an item that the bundler has already costs nothing, one that may be there by a retry does."
    from artmint.pin import charged
    from artmint.studio.catalog import Catalog
    from artmint.studio.ledger import bill, ledger_lines, load_money, metered

    (tmp_path / "studio.toml").write_text('currency = "EUR"\n[[rates]]\nsince = 2020-01-01\nar = 20\n')
    catalog = Catalog(tmp_path)
    store = store_at(bundler, tmp_path)
    sizes = {item.id: item.size for item in drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY)).every}
    with pytest.raises(BudgetSpent), metered(catalog, "pin", ["demo/1-4"]) as line, charged([store], line):
        store.put(drop[0], drop[1].root, Budget(size=max(sizes.values()) - 1))
    paid = bill(ledger_lines(catalog, "pin"), load_money(tmp_path))
    share = sum(sizes[item] for item in bundler.taken) / sum(sizes.values())
    assert paid.of("winston") == pytest.approx(5e10 * share) == pytest.approx(store.spent)
    assert paid.stages["pin"] == pytest.approx(0.05 * share * 20)
    bundler.faults += [503]
    with metered(catalog, "pin", ["demo/1-4"]) as line, charged([store], line):
        store.put(drop[0], drop[1].root)
    before = store.spent  # the price is asked for what lacks, and the same for it as for all
    assert before == pytest.approx(5e10 * share + 5e10)
    (tmp_path / "arweave" / f"{drop[1].root}.sent").unlink()
    bundler_has = store_at(bundler, tmp_path / "again")
    bundler_has._shows = lambda item: len(bundler.taken) > 19  # its gateway is late
    bundler_has.put(drop[0], drop[1].root)
    assert bundler_has.spent == 0


@pytest.mark.parametrize("winc", ["", "-1", "free", "1e9", "9" * 40])
def test_a_price_that_is_no_number_is_refused(bundler, drop, tmp_path, winc):
    bundler.winc = winc
    with pytest.raises(BadAnswer):
        store_at(bundler, tmp_path).put(drop[0], drop[1].root)
    assert bundler.taken == []


def test_an_upload_that_was_cut_off_goes_on_by_what_was_sent(bundler, drop, tmp_path):
    store = store_at(bundler, tmp_path)
    sizes = sorted(item.size for item in drop_items(open_car(drop[0]), drop[1].root, ItemKey(KEY)).every)
    with pytest.raises(BudgetSpent):
        store.put(drop[0], drop[1].root, Budget(size=sizes[-1] - 1))
    before = list(bundler.taken)
    assert 0 < len(before) < 10
    assert store.put(drop[0], drop[1].root) == drop[1].root
    assert len(bundler.taken) == len(set(bundler.taken)) == 10
    (tmp_path / "arweave" / f"{drop[1].root}.sent").unlink()
    store.put(drop[0], drop[1].root)  # the note is lost, and the gateway has everything
    assert len(bundler.taken) == 10


def test_a_busy_bundler_is_asked_again_and_one_that_refuses_is_not(bundler, drop, tmp_path):
    bundler.faults += [503, 429]
    assert store_at(bundler, tmp_path).put(drop[0], drop[1].root) == drop[1].root
    bundler.data.clear()
    bundler.faults += [402, 402]
    with pytest.raises(BadAnswer, match="402"):
        store_at(bundler, tmp_path / "again").put(drop[0], drop[1].root)
    assert len(bundler.faults) == 1


def test_a_gateway_that_does_not_show_what_was_sent_is_left_in_time(bundler, drop, tmp_path):
    with Bundler() as blind:
        Thread(target=blind.serve_forever, args=(0.02,), daemon=True).start()
        store = store_at(bundler, tmp_path, patience=0.2)
        store.gateway = blind.url
        with pytest.raises(NoAnswer, match="doesn't show"):
            store.put(drop[0], drop[1].root)
        blind.shutdown()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('gateway = "https://h"\nkey = "key"', "64 hex digits"),
        ('key = "key"', "none is named"),
        ('gateway = "https://h"', "'key'"),
        ('gateway = "https://h"\nkey = "good"\nlimit = "much"', "much"),
    ],
)
def test_a_table_that_cannot_work_is_refused(tmp_path, table, reason):
    for name, text in (("key", "secret"), ("good", KEY)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "studio.toml").write_text(f'[[stores]]\nkind = "arweave"\n{table}\n')
    with pytest.raises(BadStore, match=reason):
        open_stores(tmp_path)
    (tmp_path / "studio.toml").write_text(
        '[[stores]]\nkind = "arweave"\ngateway = "https://h"\nkey = "good"\n'
    )
    assert open_stores(tmp_path)[1].folder == tmp_path / "arweave"


def test_base64_has_no_padding():
    assert urlsafe_b64decode(base64_of(b"\xff" * 32) + "=") == b"\xff" * 32
