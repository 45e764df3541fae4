"What is fuzzed: for each gate valid inputs, how they are changed, and what takes them in."

import base64
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from artmint.core.canon import Refusal
from artmint.ipfs.cid import ContentError
from tests.fuzz.mutations import (
    changed_bytes,
    changed_json,
    changed_lines,
    changed_png,
    changed_safetensors,
    json_bytes,
)

Change = Callable[[random.Random, bytes], bytes]
Take = Callable[[bytes, Path], object]
OURS = (Refusal, ContentError)


@dataclass(frozen=True)
class Way:
    "A way in: what is valid, how it is changed, what takes it, and which further errors it names as its own."

    name: str
    seeds: Callable[[], list[bytes]]
    change: Change
    take: Take
    named: tuple[type[BaseException], ...] = ()
    weight: int = 1  # how often it is chosen; slow ones seldom


GATES: dict[str, list[Way]] = {}


def way(gate: str, name: str, seeds, change: Change, named=(), weight: int = 1):
    "Register what takes something in."

    def kept(take: Take) -> Take:
        GATES.setdefault(gate, []).append(Way(name, cache(seeds), change, take, tuple(named), weight))
        return take

    return kept


# Pictures


def drawing(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    "A small picture that isn't of one colour."
    image = Image.new("RGB", size, "#204060")
    ImageDraw.Draw(image).ellipse((2, 2, 15, 13), fill="#f0a020")
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image.convert(mode)


def saved(image: Image.Image, form: str, **more: object) -> bytes:
    "A file of a picture."
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def published() -> list[bytes]:
    "Pictures as they are published, with words and marks."
    from artmint.core.formats import encode_picture, marked_picture, worded_picture
    from artmint.publish.marks import PictureMark, mark_packet

    texts = {"artmint": '{"a":1}', "parameters": "a cat\nSteps: 2, Sampler: DDIM, CFG scale: 7"}
    packet = mark_packet(PictureMark("trainedAlgorithmicMedia", "Somebody", "notAllowed", "ask us"))
    found = []
    for name in ("png", "jpeg", "webp", "avif"):
        worded = worded_picture(encode_picture(drawing(), name), texts)
        found += [worded, marked_picture(worded, packet)]
    return found + [encode_picture(drawing(), "webp", lossless=True)]


@way(
    "pictures",
    "published pictures",
    published,
    lambda rng, data: changed_png(rng, data) if data[1:4] == b"PNG" else changed_bytes(rng, data),
)
def take_published(data: bytes, folder: Path) -> None:
    from artmint.core.formats import (
        bare_picture,
        is_lossless,
        is_signed,
        picture_texts,
        read_picture,
        unsigned_picture,
    )
    from artmint.publish.marks import mark_in

    for look in (is_signed, read_picture, unsigned_picture, bare_picture, is_lossless):
        try:
            look(data)
        except OURS as refusal:
            _words(refusal)
    mark_in(picture_texts(data))


def foreign() -> list[bytes]:
    "Pictures as people have them."
    from tests.foreign import ADOBE_RGB, cmyk_profile, deep_png, grey_profile, rgb_profile, tiff

    icc = {"icc_profile": rgb_profile(ADOBE_RGB, 2.2, "Adobe RGB")}
    exif = Image.Exif()
    exif[0x0112] = 6
    words = PngImagePlugin.PngInfo()
    words.add_text("parameters", "a cat")
    rows = np.arange(16 * 24 * 3).reshape(16, 24, 3).astype(np.uint16)
    return [
        saved(drawing(), "PNG", pnginfo=words, **icc),
        saved(drawing("RGBA"), "PNG"),
        saved(drawing("P"), "PNG", transparency=0),
        saved(drawing("L"), "PNG", icc_profile=grey_profile(1.8)),
        deep_png(2, rows),
        saved(drawing(), "JPEG", exif=exif, **icc),
        saved(drawing("CMYK"), "JPEG", icc_profile=cmyk_profile()),
        saved(drawing(), "JPEG", progressive=True),
        saved(drawing("RGBA"), "WEBP", exif=exif),
        saved(drawing(), "WEBP", **icc),
        saved(drawing(), "TIFF", compression="tiff_lzw", **icc),
        saved(drawing("RGBA"), "TIFF"),
        tiff(24, 16, 16, bytes(24 * 16 * 2), t262=0),
        saved(drawing(), "BMP"),
        saved(drawing("P"), "GIF", transparency=1),
        saved(drawing(), "AVIF"),
        saved(drawing("RGBA"), "AVIF", exif=exif),
    ]


@way(
    "pictures",
    "pictures from outside",
    foreign,
    lambda rng, data: changed_png(rng, data) if data[1:4] == b"PNG" else changed_bytes(rng, data),
    weight=2,
)
def take_foreign(data: bytes, folder: Path) -> None:
    from artmint.core.intake import keep_picture, take_picture

    path = folder / "work.png"
    path.write_bytes(data)
    ground = "" if len(data) % 2 else "#ffffff"
    try:
        keep_picture(path, ground)
    except OURS as refusal:
        _words(refusal)
    take_picture(path, ground)


def media() -> list[bytes]:
    "Files that are published beside pictures: the ending stands in the first byte."
    found = [(0, saved(drawing(), "PNG")), (1, saved(drawing(), "JPEG")), (2, saved(drawing("P"), "GIF"))]
    scene = {"asset": {"version": "2.0"}, "buffers": [{"uri": "data:;base64,AA=="}], "images": []}
    found += [(3, saved(drawing(), "WEBP")), (4, json_bytes(scene)), (5, b"\0\0\0\x18ftypmp42" + bytes(40))]
    return [bytes([kind]) + data for kind, data in found]


@way(
    "pictures", "media", media, lambda rng, data: data[:1] + changed_bytes(rng, data[1:]), named=(ValueError,)
)
def take_media(data: bytes, folder: Path) -> None:
    from artmint.core.media import ANIMATIONS, PAGE_PICTURES, read_media

    endings = ("png", "jpg", "gif", "webp", "gltf", "mp4")
    ending = endings[data[0] % len(endings)]
    path = folder / f"media.{ending}"
    path.write_bytes(data[1:])
    read_media(folder, path.name, PAGE_PICTURES if ending in PAGE_PICTURES else ANIMATIONS)


# Weights


def tensors() -> list[bytes]:
    "Adapters, words and heads, small."
    import torch

    from artmint.make.adapters import pack_tensors

    names = (
        "lora_unet_down_blocks_0_attentions_0_to_q.lora_down.weight",
        "clip_l",
        "layers.0.weight",
        "layers.0.bias",
    )
    shapes = ((2, 8), (1, 8), (1, 8), (1,))
    facts = {
        "ss_tag_frequency": '{"1_riso": {"cat": 3, "dog": 1}}',
        "ss_network_dim": "2",
        "modelspec.title": "Riso",
        "lora_adapter_metadata": '{"unet.r": 2, "unet.lora_alpha": 4, "unet.rank_pattern": {"to_q": 2}}',
        "artmint": json.dumps({"kind": "style", "judge": "0" * 64, "values": ["a", "b"], "accuracy": 0.9}),
    }
    parts = {name: torch.ones(shape) for name, shape in zip(names, shapes)}
    word = {"emb_params": torch.ones(2, 8)}
    bundle = {names[0]: torch.ones(2, 8), "bundle_emb.riso.emb_params": torch.ones(2, 8)}
    return [pack_tensors(parts, facts), pack_tensors(word, {}), pack_tensors(bundle, facts)]


@way("weights", "adapters", tensors, changed_safetensors)
def take_adapter(data: bytes, folder: Path) -> None:
    from artmint.make.adapters import (
        alpha_of,
        header_facts,
        header_of,
        lineage_of,
        read_adapter,
        unpack_tensors,
    )

    path = folder / "adapter.safetensors"
    path.write_bytes(data)
    for look in (lineage_of, unpack_tensors, lambda data: header_facts(header_of(data))):
        try:
            look(data)
        except OURS as refusal:
            _words(refusal)
    read_adapter(path)
    alpha_of(header_of(data), "unet", "to_q", 2)


@way("weights", "words", tensors, changed_safetensors)
def take_word(data: bytes, folder: Path) -> None:
    from artmint.make.embeddings import read_embedding, split_bundle

    path = folder / "word.safetensors"
    path.write_bytes(data)
    try:
        split_bundle(data)
    except OURS as refusal:
        _words(refusal)
    read_embedding(path, None if len(data) % 2 else "<riso>")


class _Judge:
    digest, width = "0" * 64, 8


@way("weights", "heads", tensors, changed_safetensors)
def take_head(data: bytes, folder: Path) -> None:
    from artmint.judge.heads import aesthetic_weights, read_head

    try:
        aesthetic_weights("aesthetic", data)
    except OURS as refusal:
        _words(refusal)
    read_head("style", data, "style", _Judge())


@cache
def _bundled() -> dict[str, bytes]:
    "The small files of the bundled base."
    from artmint.make.base import DATA_FOLDER

    root = DATA_FOLDER / "base"
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*.json"))
        if path.stat().st_size < 20_000
    }


def configurations() -> list[bytes]:
    "Configurations of the bundled base, each with its place before it."
    return [name.encode() + b"\n" + data for name, data in _bundled().items()]


def changed_place(rng: random.Random, data: bytes) -> bytes:
    "A configuration that says something else."
    name, _, body = data.partition(b"\n")
    return name + b"\n" + changed_json(rng, body)


@way("bases", "configurations of a base", configurations, changed_place)
def take_base(data: bytes, folder: Path) -> None:
    from artmint.make.base import DATA_FOLDER, load_base

    name, _, body = data.partition(b"\n")
    root = folder / "base"
    shutil.copytree(DATA_FOLDER / "base", root, symlinks=False, copy_function=_linked)
    path = root / name.decode()
    path.unlink()
    path.write_bytes(body)
    load_base(root).digest


def _linked(source: str, target: str) -> None:
    "A file of a copy that costs nothing."
    Path(target).symlink_to(source)


# TOML and other tables that people write


def _text(path: Path) -> bytes:
    return path.read_bytes()


ROOT = Path(__file__).parents[2]


def collections() -> list[bytes]:
    "collection.toml of the examples, and one that uses more of what there is."
    paths = [ROOT / "collections/demo/collection.toml", ROOT / "tests/data/tiny/collection.toml"]
    rich = _text(paths[1]) + (
        b'[weights.mood]\ncalm = 3\nloud = "25%"\n[market]\ntoken_name = "{title} #{id}"\nexternal_link = "https://example.com/a"\n'
        b'[marks]\ntraining = "notAllowed"\n[royalty]\nbasis_points = 500\n'
        b'[judge]\nmodel = "bundled"\nprecision = "float64"\n'
        b'[one_of_ones.gold]\nprompt = "a gold coin"\n[people]\naudit_share = 0.1\n[picture]\nformat = "webp"\nlossless = true\n'
    )
    return [*map(_text, paths), rich]


@way("toml", "collections", collections, changed_lines)
def take_collection(data: bytes, folder: Path) -> None:
    from artmint.seeds import load_collection

    place = folder / ("demo" if b'name = "demo"' in data else "tiny")
    place.mkdir()
    (place / "collection.toml").write_bytes(data)
    load_collection(place)


def batches() -> list[bytes]:
    return [_text(ROOT / "batches/demo.toml"), _text(ROOT / "batches/demo-lora.toml")]


@way("toml", "batches", batches, changed_lines)
def take_batch(data: bytes, folder: Path) -> None:
    from artmint.run.batch import load_batch, plan

    path = folder / "batch.toml"
    path.write_bytes(data)
    plan(load_batch(path), folder / "studio")


STUDIO = b"""currency = "EUR"
months = 1
[rates]
cpu = [{since = 2026-01-01, price = 0.05}]
[stores_of]
[ceilings]
token = 100000.0
day = 2000000
above = "wait"
[chains.mine]
chain_id = 4242
gas = "ethereum"
[signers.minter]
kind = "web3signer"
url = "https://signer.example/key"
address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
wait = 3.0
[webhooks]
networks = ["10.0.0.0/8"]
[policy]
[workers]
[service]
[contracts]
demo = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
[credentials]
key = "keys/c2pa.pem"
[[stores]]
kind = "kubo"
url = "http://127.0.0.1:5001"
[[stores]]
kind = "pinata"
key = "keys/stores/pinata"
gateway = "https://gateway.example"
[[stores]]
kind = "s3"
endpoint = "https://s3.example"
bucket = "b"
"""


def studios() -> list[bytes]:
    return [
        STUDIO.replace(b"[stores_of]\n", b""),
        STUDIO.replace(b"[stores_of]\n", b"").split(b"[[stores]]")[0],
    ]


@way("toml", "studio.toml", studios, changed_lines, weight=2)
def take_studio(data: bytes, folder: Path) -> None:
    from artmint.chain.custody import SIGNER_ROLES, custody_of
    from artmint.chain.networks import ceilings_of, networks_of
    from artmint.pin import open_stores
    from artmint.publish.credentials import open_identity
    from artmint.service.webhooks import own_networks
    from artmint.studio.ledger import load_money

    (folder / "studio.toml").write_bytes(data)
    keys = folder / "keys" / "stores"
    keys.mkdir(parents=True)
    (keys / "pinata").write_text("k")
    (keys / "pinata").chmod(0o600)
    looks = [open_stores, networks_of, ceilings_of, own_networks, open_identity, load_money]
    looks += [lambda studio, role=role: custody_of(studio, role) for role in SIGNER_ROLES]
    for look in looks:
        try:
            look(folder)
        except OURS as refusal:
            _words(refusal)


FOREIGN_SETTINGS = (
    (
        ".toml",
        b'pretrained_model_name_or_path = "a"\nlearning_rate = 1e-4\nnetwork_dim = 16\noptimizer_args = ["weight_decay=0.01"]\nresolution = "512,512"\n',
    ),
    (
        ".yaml",
        b"job: extension\nconfig:\n  name: a\n  process:\n  - type: sd_trainer\n    network: {type: lora, linear: 16, linear_alpha: 16}\n    train: {steps: 2000, lr: 1.0e-4, optimizer: adamw8bit}\n    datasets:\n    - {folder_path: /a, resolution: [512, 768]}\n",
    ),
    (
        ".json",
        json_bytes(
            {
                "training_method": "LORA",
                "learning_rate": 0.0003,
                "epochs": 10,
                "optimizer": {"optimizer": "ADAMW"},
                "lora_rank": 16,
            }
        ),
    ),
)


def trainers() -> list[bytes]:
    return [suffix.encode() + b"\0" + data for suffix, data in FOREIGN_SETTINGS]


def changed_trainer(rng: random.Random, data: bytes) -> bytes:
    suffix, _, body = data.partition(b"\0")
    return suffix + b"\0" + (changed_json(rng, body) if suffix == b".json" else changed_lines(rng, body))


@way("toml", "other trainers' settings", trainers, changed_trainer)
def take_trainer(data: bytes, folder: Path) -> None:
    from artmint.train.settings import read_foreign

    suffix, _, body = data.partition(b"\0")
    path = folder / f"settings{suffix.decode()}"
    path.write_bytes(body)
    read_foreign(path)


STYLE = b'name = "riso"\ntrigger = "riso style"\n[rights.default]\nauthor = "me"\nlicence = "CC0-1.0"\nconsent = "own"\n'


def styles() -> list[bytes]:
    rows = b'{"file_name": "a.png", "text": "a cat"}\n{"file_name": "b.png", "text": "a dog"}\n'
    return [
        b"style.toml\0" + STYLE,
        b"metadata.jsonl\0" + rows,
        b"metadata.csv\0file_name,text\na.png,a cat\n",
        b"a.txt\0a cat\n",
    ]


@way(
    "toml",
    "style sets",
    styles,
    lambda rng, data: data.partition(b"\0")[0] + b"\0" + changed_lines(rng, data.partition(b"\0")[2]),
)
def take_style(data: bytes, folder: Path) -> None:
    from artmint.train.style import load_style

    name, _, body = data.partition(b"\0")
    (folder / "style.toml").write_bytes(STYLE)
    (folder / "a.png").write_bytes(saved(drawing(size=(64, 64)), "PNG"))
    (folder / name.decode()).write_bytes(body)
    load_style(folder, 8)


# JSON


@cache
def token_files() -> tuple[bytes, bytes, bytes, bytes]:
    "A token's JSON and picture, its drop's manifest and page, as they are published."
    import tempfile

    from tests.packed import pack_demo

    with tempfile.TemporaryDirectory() as folder:
        drop = pack_demo(Path(folder)) / "drops" / "demo-1"
        root = drop / "root"
        return (
            (root / "1.json").read_bytes(),
            (root / "images" / "1.png").read_bytes(),
            (drop / "drop.json").read_bytes(),
            (root / "contract.json").read_bytes() if (root / "contract.json").exists() else b"{}",
        )


def jsons() -> list[bytes]:
    token, _, manifest, page = token_files()
    opening = json_bytes(
        {
            "collection": "demo",
            "layout": 1,
            "tokens": {"1": {"dna_salt": "0" * 64, "fields": {"seed": {"salt": "0" * 64, "value": 1}}}},
        }
    )
    weights = json_bytes({"bases": {"0" * 64: {"bytes": 1, "cid": "b" + "a" * 58}}})
    return [token, manifest, page, opening, weights]


@way("json", "published JSON", jsons, changed_json)
def take_json(data: bytes, folder: Path) -> None:
    from artmint.core.canon import canonical, read_json
    from artmint.core.manifest import read_manifest
    from artmint.prove.opening import read_opening
    from artmint.publish.tokens import read_contract, read_token
    from artmint.publish.weights import read_weights

    path = folder / "opening.json"
    path.write_bytes(data)
    for look in (read_token, read_manifest, read_contract, read_weights, lambda _: read_opening(path)):
        try:
            look(data)
        except OURS as refusal:
            _words(refusal)
    again = canonical(read_json(data))
    assert canonical(read_json(again)) == again


def tokens() -> list[bytes]:
    token, picture, *_ = token_files()
    return [len(token).to_bytes(4, "big") + token + picture]


def changed_token(rng: random.Random, data: bytes) -> bytes:
    "A token whose JSON or picture is changed, and whose JSON then agrees with the picture."
    size = int.from_bytes(data[:4], "big")
    token, picture = data[4 : 4 + size], data[4 + size :]
    if rng.randrange(3):
        token = changed_json(rng, token)
    else:
        picture = changed_png(rng, picture)
        from artmint.ipfs.cid import cid

        facts = json.loads(token)
        facts["image"] = f"ipfs://{cid(picture)}"
        facts["artmint"]["file_digest"] = hashlib.sha256(picture).hexdigest()
        token = json_bytes(facts)
    return len(token).to_bytes(4, "big") + token + picture


@way("proof", "tokens of a hostile studio", tokens, changed_token)
def take_token(data: bytes, folder: Path) -> None:
    from artmint.core.canon import shown_text
    from artmint.ipfs.car import open_car, write_car
    from artmint.ipfs.sources import Sources
    from artmint.prove.collection import (
        check_files,
        check_media,
        check_together,
        check_traits,
        unchecked_words,
    )
    from artmint.prove.evidence import Archive, ChainClaim, ChainDrop, _paths
    from artmint.prove.proof import Proof, proof_page
    from artmint.prove.tokens import check_credentials, check_marks, check_token_files, check_tokens

    size = int.from_bytes(data[:4], "big")
    tree = {"1.json": data[4 : 4 + size], "images": {"1.png": data[4 + size :]}, "schema.json": b"{}"}
    built = write_car(folder / "a.car", tree)
    drop = ChainDrop(1, 1, bytes(32), built.root)
    sources = Sources(folder, [("a store", open_car(folder / "a.car"))])
    archive = Archive(drop, sources, _paths(built.root, sources))
    report = check_token_files(archive, 1)
    steps = [*check_tokens([report]), *check_marks([report]), *check_credentials([report])]
    checked = [(archive, [report] if report.metadata else [])]
    claim = ChainClaim(31337, "0x" + "11" * 20, [1], {1: f"ipfs://{built.root}/1.json"}, (drop,), 1)
    steps += [*check_files(checked)] if report.metadata else []
    proof = Proof(f"31337:{claim.contract}", tuple(steps))
    for line in proof.text().splitlines():
        assert shown_text(line) == line and line[:1] in "✓✗–", line
    assert "<script" not in proof_page(proof).lower()
    json.dumps(proof.to_dict())
    del check_media, check_together, check_traits, unchecked_words


# Archives


@cache
def _cars() -> tuple[bytes, ...]:
    import tempfile

    from artmint.ipfs.car import write_car

    many = {f"{number}.json": b"%d" % number for number in range(6)}
    trees = [{"a": b"1", "b": {"c": b"", "d": b"22"}}, many | {"images": {"1.png": b"p" * 3000}}, b"one file"]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for tree in trees:
            write_car(Path(folder) / "a.car", tree)
            found.append((Path(folder) / "a.car").read_bytes())
        large = {f"entry-{number:06}-{'x' * 60}": b"" for number in range(2600)}
        write_car(Path(folder) / "a.car", large)
        found.append((Path(folder) / "a.car").read_bytes())
    return tuple(found)


def cars() -> list[bytes]:
    return [
        *_cars()[:3],
        b"\x0a\xa1\x67version\x02"
        + bytes(16)
        + (51).to_bytes(8, "little")
        + len(_cars()[0]).to_bytes(8, "little")
        + bytes(8)
        + _cars()[0],
        _cars()[3],
    ]


def changed_car(rng: random.Random, data: bytes) -> bytes:
    "An archive, changed; half of the time its blocks have the right CIDs for what they hold now."
    changed = changed_bytes(rng, data)
    if rng.randrange(2):
        return changed
    return rehashed(changed)


def rehashed(data: bytes) -> bytes:
    "An archive whose CIDs say what its blocks hold."
    from artmint.ipfs.cid import read_varint

    out, at = bytearray(data), 0
    try:
        size, at = read_varint(data, 0)
        at += size
        last = b""
        while at < len(data):
            size, at = read_varint(data, at)
            digest = hashlib.sha256(bytes(out[at + 36 : at + size])).digest()
            if size < 36 or at + size > len(data):
                break
            out[at + 4 : at + 36] = digest
            last = bytes(out[at : at + 36])
            at += size
        place = out.find(b"\xd8\x2a\x58\x25\x00", 0, 80)
        if last and place >= 0:
            out[place + 5 : place + 41] = last
    except ValueError:
        pass
    return bytes(out)


@way("archives", "CAR files", cars, changed_car, named=(ValueError,))
def take_car(data: bytes, folder: Path) -> None:
    from artmint.ipfs.car import archive_fault, check_car, open_car, read_file, resolve, walk
    from artmint.ipfs.sources import salvage_car

    path = folder / "a.car"
    path.write_bytes(data)
    archive_fault(path)
    car, _ = salvage_car(path)
    opened = open_car(path)
    for root in opened.roots:
        for look in (
            lambda: check_car(opened, root),
            lambda: [visit.path for visit in walk(root, car.unchecked, 5000)],
            lambda: read_file(root, car.unchecked, 1 << 20),
            lambda: read_file(resolve(root, "b/d", car.unchecked), car.unchecked, 1 << 20),
        ):
            try:
                look()
            except OURS as refusal:
                _words(refusal)


def nodes() -> list[bytes]:
    from artmint.ipfs.cid import CID, Link, Node, encode

    cid = CID.of(0x55, b"")
    directory = Node("directory", (Link("a", cid, 0), Link("b.json", cid, 3)))
    file = Node("file", (Link("", cid, 0), Link("", cid, 5)), (0, 5))
    return [
        encode(directory),
        encode(file),
        str(cid).encode(),
        b"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
    ]


@way("archives", "nodes and CIDs", nodes, changed_bytes, named=(ValueError,))
def take_node(data: bytes, folder: Path) -> None:
    from artmint.ipfs.cid import decode, encode, read_cid

    try:
        read_cid(data.decode("latin-1"))
    except OURS as refusal:
        _words(refusal)
    assert encode(decode(data)) == data


# Decisions that come back from other programs


def decisions() -> list[bytes]:
    table = b'slot,attempt,decision,stars,note,by,at\r\n1,2,accept,4,good,Ann,2026-03-01T09:30:00+00:00\r\n2,1,reject,,"a, b",Ben,\r\n'
    from artmint.judge.sidecars import xmp_packet

    fiftyone = {
        "name": "a",
        "samples": [
            {
                "filepath": "data/1-2-abcdef012345.png",
                "slot": 1,
                "attempt": 2,
                "tags": ["accept"],
                "stars": 3,
                "note": "x",
                "decision": {"label": "accept"},
                "exported": {"stars": None, "note": "", "decision": "", "tags": []},
            }
        ],
    }
    studio = [
        {
            "id": 7,
            "data": {"dna": "0" * 64, "slot": 1, "attempt": 2, "image": "/a.png", "exported": []},
            "annotations": [
                {
                    "completed_by": {"id": 1, "email": "a@b"},
                    "updated_at": "2026-03-01T09:30:00+00:00",
                    "result": [
                        {
                            "id": "1",
                            "from_name": "decision",
                            "type": "choices",
                            "value": {"choices": ["accept"]},
                        },
                        {"id": "2", "from_name": "stars", "type": "rating", "value": {"rating": 4}},
                    ],
                }
            ],
        }
    ]
    packet = xmp_packet({"rating": "4", "label": "Green", "note": "a", "dna": "0" * 64}, ["a"])
    return [
        b"csv\0" + table,
        b"csv\0" + table.decode().encode("utf-16"),
        b"fiftyone\0" + json_bytes(fiftyone),
        b"labelstudio\0" + json_bytes(studio),
        b"xmp\0" + packet,
    ]


def changed_decisions(rng: random.Random, data: bytes) -> bytes:
    kind, _, body = data.partition(b"\0")
    change = changed_json if kind in (b"fiftyone", b"labelstudio") else changed_lines
    return kind + b"\0" + change(rng, body)


@way("decisions", "decisions of other programs", decisions, changed_decisions)
def take_decisions(data: bytes, folder: Path) -> None:
    from datetime import UTC, datetime

    from artmint.judge.datasets import read_fiftyone, read_labelstudio
    from artmint.judge.exchange import _words as spoken
    from artmint.judge.exchange import read_csv
    from artmint.judge.sidecars import read_sidecars

    kind, _, body = data.partition(b"\0")
    path = folder / {b"xmp": "1-2-abcdef012345.png.xmp", b"csv": "a.csv"}.get(kind, "samples.json")
    path.write_bytes(body)
    read = {b"csv": lambda: read_csv("a.csv", body), b"fiftyone": lambda: read_fiftyone(path)}
    read |= {b"labelstudio": lambda: read_labelstudio(path), b"xmp": lambda: read_sidecars(folder, {}, {})}
    reading = read[kind]()
    spoken({}, reading, "", datetime.now(UTC))


# Text that is printed


def texts() -> list[bytes]:
    return [
        "token 1: artmint.dna should be 00, found 11".encode(),
        "\x1b[2J\x1b[H✓ pixels 4 of 4\r\n‮".encode(),
        b"\x9b31m\x85",
    ]


@way("text", "printed text", texts, changed_bytes)
def take_text(data: bytes, folder: Path) -> None:
    import contextlib

    from artmint.core.canon import shown_text
    from artmint.core.records import Finding
    from artmint.prove.proof import Proof, ProofCard, Step, proof_page
    from artmint.run.console import console_words, hanging_text, plain_streams, print_json, show_steps

    text = data.decode("utf-8", "surrogateescape" if len(data) % 2 else "replace")
    out = io.StringIO()
    finding = Finding(1, text, text, text)
    proof = Proof(
        text,
        (Step(text[:30], "failed", str(finding), 1),),
        (ProofCard(1, text, {text: text}, "0", "0", b"\x89PNG\r\n\x1a\n"),),
    )
    with contextlib.redirect_stdout(out), plain_streams():
        show_steps([vars(step) for step in proof.steps])
        print_json(proof.to_dict())
        print(hanging_text(console_words(_Told(text))[0]))
    shown = out.getvalue()
    assert shown_text(shown) == shown, ascii(shown)
    lines = shown.splitlines()
    assert sum(line.startswith(("✓", "✗", "–")) for line in lines) == 1, lines
    page = proof_page(proof)
    assert "<script" not in page.lower() and "\x1b" not in page
    page.encode()


class _Told(Refusal):
    "A refusal with a stranger's word in it."

    what: str
    says = "It says {what}. Nothing was done; name another."


# Keys and addresses


def keys() -> list[bytes]:
    return [
        b"abc",
        b"key=1\nsecret=2\njwt=eyJhbGciOiJIUzI1NiJ9",
        b"https://user:pw@host/v3/KEY",
        b"https://[::1]:8545/",
        b"31337:0x5FbDB2315678afecb367f032d93F642f64180aa3/7",
    ]


@way("keys", "keys and addresses", keys, changed_bytes)
def take_key(data: bytes, folder: Path) -> None:
    from artmint.chain.connect import redact_url
    from artmint.chain.networks import resolve_nodes
    from artmint.ipfs.http import holds_key, public_url
    from artmint.pin import _read_key
    from artmint.prove.evidence import parse_address
    from artmint.service.webhooks import check_endpoint
    from artmint.studio.team import public_address

    path = folder / "keys" / "stores" / "k"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    path.chmod(0o600)
    text = data.decode("utf-8", "replace")
    looks = [
        lambda: _read_key(folder, 1, "keys/stores/k"),
        lambda: _read_key(folder, 1, text),
        lambda: parse_address(text),
        lambda: resolve_nodes(text, {}),
        lambda: public_address(text),
        lambda: (public_url(text), holds_key(text), redact_url(text)),
    ]
    if not any(part in text for part in ("example", "host")):
        looks.append(
            lambda: check_endpoint(text if text.startswith("http") else "https://127.0.0.1/" + text, ())
        )
    for look in looks:
        try:
            look()
        except OURS as refusal:
            _words(refusal)
            assert "CANARY" not in str(refusal)


# Names and paths


def names() -> list[bytes]:
    return [b"a/b.json", b"images/1.png", "é東".encode(), b"..", b"demo-1"]


@way("paths", "names", names, changed_bytes)
def take_name(data: bytes, folder: Path) -> None:
    from artmint.ipfs.car import check_car, open_car, write_car
    from artmint.ipfs.cid import BadName

    name = data.decode("utf-8", "surrogateescape")
    try:
        built = write_car(folder / "a.car", {name: b"1", "z": {name: b"2"}})
    except BadName as refusal:
        _words(refusal)
        return
    found = check_car(open_car(folder / "a.car"), built.root)
    assert name in found and not name.startswith("/") and name not in (".", "..") and "\0" not in name


def _words(refusal: BaseException) -> None:
    "Hold a refusal's words: there are some, nothing in them moves a cursor, and they end."
    from artmint.core.canon import shown_text

    words = str(refusal)
    assert len(words) > 20, f"{type(refusal).__name__} says nothing: {words!r}"
    assert len(words) < 17000, f"{type(refusal).__name__} says {len(words)} characters"
    if isinstance(refusal, Refusal):
        assert shown_text(words) == words, f"{type(refusal).__name__} says control characters: {words!a:.300}"
    assert "object at 0x" not in words and "Traceback" not in words, words


def check_words(refusal: BaseException) -> None:
    "As above, for those who run gates."
    _words(refusal)


del base64, field
