"Stores: kept whole, read back, never believed."

import os

import pytest

from artmint.core.manifest import Manifest, Weights
from artmint.ipfs.car import BadBlock, BadCar, write_car
from artmint.ipfs.cid import CID, ContentError, MissingBlock
from artmint.ipfs.stores import FolderStore, MissingContent
from artmint.pin import (
    BadStore,
    PublishedElsewise,
    TooFewStores,
    WeightsMissing,
    look_at_drop,
    open_stores,
    publish,
    publish_weights,
    read_back,
    repair_drop,
)
from artmint.publish.weights import weights_archive, write_weights
from artmint.studio.catalog import Catalog


@pytest.fixture
def drop(tmp_path):
    "A small archive, its tree and a store."
    built = write_car(
        tmp_path / "drop.car", {"1.json": b"{}", "images": {"1.png": b"a picture", "2.png": bytes(3 << 20)}}
    )
    return built, tmp_path / "drop.car", FolderStore(tmp_path / "store")


def sent(receipt: dict) -> list[bool]:
    "What a receipt says about each store."
    return [each["sent"] for each in receipt["stores"]]


def test_publishing_twice_sends_once(drop, tmp_path):
    built, car, store = drop
    receipt = publish(car, built.root, [store])
    assert sent(receipt) == [True]
    assert receipt["root"] == str(built.root)
    assert receipt["blocks"] == len(built.blocks)
    made = store.get(built.root).stat().st_mtime_ns
    assert sent(publish(car, built.root, [store, FolderStore(tmp_path / "other")])) == [False, True]
    assert store.get(built.root).stat().st_mtime_ns == made
    assert store.get(built.root).read_bytes() == car.read_bytes()
    assert read_back(store, built.root) == built.paths


@pytest.mark.parametrize(
    "hurt",
    [
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: b"",
        lambda data: data.replace(b"a picture", b"A picture"),
        lambda data: data + b"\0",
    ],
)
def test_a_damaged_copy_is_seen_and_replaced(drop, hurt):
    built, car, store = drop
    publish(car, built.root, [store])
    store.get(built.root).write_bytes(hurt(car.read_bytes()))
    with pytest.raises(PublishedElsewise):
        read_back(store, built.root)
    assert sent(publish(car, built.root, [store])) == [True]
    assert read_back(store, built.root) == built.paths


class Liar(FolderStore):
    "A store that changes what it is given, as a careless or hostile service would."

    def put(self, car, root, told=None):
        answered = super().put(car, root)
        path = self.folder / f"{root}.car"
        path.write_bytes(path.read_bytes().replace(b"a picture", b"B picture"))
        return answered


def test_a_store_that_lies_is_refused_and_the_block_named(drop, tmp_path):
    built, car, _ = drop
    with pytest.raises(PublishedElsewise) as refused:
        publish(car, built.root, [Liar(tmp_path / "liar")])
    assert refused.value.root == str(built.root)
    assert str(built.paths["images/1.png"]) in str(refused.value)
    assert isinstance(refused.value.__cause__, BadBlock)


def test_a_store_with_another_archive_under_the_name_is_refused(drop, tmp_path):
    built, car, store = drop
    other = write_car(tmp_path / "other.car", {"1.json": b"[]"})
    store.put(tmp_path / "other.car", built.root)
    with pytest.raises(PublishedElsewise, match=str(other.root)):
        read_back(store, built.root)
    (store.folder / f"{built.root}.car").write_bytes(
        (tmp_path / "other.car").read_bytes().replace(other.root.bytes, built.root.bytes, 1)
    )
    with pytest.raises(PublishedElsewise) as refused:
        read_back(store, built.root)
    assert isinstance(refused.value.__cause__, MissingBlock)


def test_an_archive_that_is_not_whole_here_is_sent_nowhere(drop):
    built, car, store = drop
    car.write_bytes(car.read_bytes()[:-1])
    with pytest.raises(BadCar):
        publish(car, built.root, [store])
    assert not store.folder.exists()


def test_what_a_store_lacks_is_named(drop):
    built, _, store = drop
    with pytest.raises(MissingContent) as refused:
        store.get(built.root)
    assert refused.value.root == str(built.root)
    assert store.name in str(refused.value)


def test_a_copy_that_is_cut_off_leaves_nothing(drop, tmp_path):
    built, car, store = drop
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "nowhere.car", built.root)
    assert os.listdir(store.folder) == []
    assert issubclass(BadCar, ContentError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on the size of files")
def test_a_full_disk_leaves_no_half_archive(drop):
    built, car, store = drop
    store.folder.mkdir()
    child = os.fork()
    if not child:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            store.put(car, built.root)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert os.listdir(store.folder) == []


@pytest.mark.parametrize("kind", ["pinata", "pinning"])
def test_a_service_that_nobody_could_read_back_is_refused_before_anything_is_sent(tmp_path, kind):
    key = tmp_path / "keys" / "stores" / "key"
    key.parent.mkdir(parents=True)
    key.write_text("secret")
    key.chmod(0o600)
    address = 'url = "https://pin.example"\n' if kind == "pinning" else ""
    table = f'[[stores]]\nkind = "{kind}"\nkey = "keys/stores/key"\n{address}'
    (tmp_path / "studio.toml").write_text(table)
    with pytest.raises(BadStore, match="none is named"):
        open_stores(tmp_path)
    (tmp_path / "studio.toml").write_text(table + 'gateway = "https://gateway.example"\n')
    assert len(open_stores(tmp_path)) == 2


@pytest.fixture
def published_base(tmp_path):
    "A catalog with a base's archive, and a manifest that names it."
    catalog = Catalog(tmp_path / "studio")
    place = write_weights(catalog.folder, "3f" * 32, {"unet/weights.safetensors": bytes(9)})
    entry = Weights(role="base", digest="3f" * 32, source="bundled", **place.model_dump())
    return catalog, Manifest.model_construct(weights=(entry,))


def test_a_base_is_sent_once_to_each_store(published_base, tmp_path):
    catalog, manifest = published_base
    near, far = FolderStore(tmp_path / "near"), FolderStore(tmp_path / "far")
    sent = []
    for stores in ([near], [near], [near, far], [far]):
        receipts = publish_weights(catalog, manifest, stores)
        sent.append([store["store"] for receipt in receipts for store in receipt["stores"]])
    assert sent == [["folder near"], [], ["folder far"], []]
    assert near.get(CID.parse(manifest.weights[0].cid)).is_file()


def test_a_base_that_was_damaged_here_is_not_sent(published_base, tmp_path):
    catalog, manifest = published_base
    archive = weights_archive(catalog.folder, "3f" * 32)
    archive.write_bytes(archive.read_bytes()[:-1] + b"!")
    with pytest.raises(BadBlock):
        publish_weights(catalog, manifest, [FolderStore(tmp_path / "near")])
    assert not (tmp_path / "near").exists()


def test_a_base_that_is_not_here_and_too_few_stores_are_refused_before_anything_is_sent(
    published_base, tmp_path
):
    catalog, manifest = published_base
    near = FolderStore(tmp_path / "near")
    with pytest.raises(TooFewStores):
        publish_weights(catalog, manifest, [near], copies=2)
    weights_archive(catalog.folder, "3f" * 32).unlink()
    with pytest.raises(WeightsMissing, match="run 25_metadata again"):
        publish_weights(catalog, manifest, [near])
    assert not (tmp_path / "near").exists()


def test_whether_a_base_is_still_there_is_asked_too_and_it_is_mended(published_base, tmp_path):
    catalog, manifest = published_base
    near = FolderStore(tmp_path / "near")
    publish_weights(catalog, manifest, [near])
    root = CID.parse(manifest.weights[0].cid)
    (key,) = catalog.all("pin")
    assert key == f"base/{'3f' * 32}"
    assert {row.status for row in look_at_drop(catalog, key, [near], [near.name], None).rows} == {"held"}
    near.get(root).unlink()
    look = look_at_drop(catalog, key, [near], [near.name], None)
    assert [(row.store, row.status) for row in look.rows] == [
        (f"{'3f' * 32}.car", "held"),
        ("folder near", "missing"),
    ]
    (mended,) = repair_drop(catalog, look, [near], [near.name])
    assert mended.outcome == "held"
    assert read_back(near, root)
