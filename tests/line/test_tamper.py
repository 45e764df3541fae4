"""The tamper matrix: one random change somewhere in what a stranger reads, and the proof has to fail and to name the right thing.

Two kinds of change. In an archive on its way (header, block, link), where every byte is bound by the root on chain. And in content that a studio itself
would have committed (a picture, a JSON file, a recipe, a manifest), where roots and addresses are computed again and agree with the lie as far as they can."""

import hashlib
import random
import re
import shutil
import struct
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import artmint.verify
from artmint.chain.contract import content_root
from artmint.core.canon import canonical, read_json
from artmint.core.picture import pixel_digest, png_bytes, read_png
from artmint.core.records import Recipe
from artmint.ipfs.car import check_car, open_car, read_file, write_car
from artmint.ipfs.cid import CID, DAG_PB, cid
from artmint.ipfs.stores import FolderStore
from artmint.prove.evidence import ChainClaim, ChainDrop, Leaf, check_uris
from artmint.verify import verify
from tests.lies import restate, tree

CONTRACT = "0x" + "ab" * 20


# changes of each kind: in the short suite, in the long one
SEED = 8


SHORT = 4


LONG = 44


class World:
    "A studio's files, and a chain that says whatever was committed."

    def __init__(self, files: dict[str, bytes], manifest: bytes, folder: Path, monkeypatch):
        self.files = files
        self.manifest = manifest
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.ids = [1, 2]
        (folder / "store").mkdir(parents=True)

    def publish(self, files: dict[str, bytes] | None = None) -> tuple[Path, ChainClaim]:
        "Pack the files and let the chain say that they were committed."
        files = files or self.files
        nested = {}
        for path, data in files.items():
            place = nested
            for name in path.split("/")[:-1]:
                place = place.setdefault(name, {})
            place[path.split("/")[-1]] = data
        built = write_car(self.folder / "new.car", nested)
        path = (self.folder / "new.car").replace(self.folder / "store" / f"{built.root}.car")
        digests = [
            [hashlib.sha256(files.get(name, b"")).hexdigest() for name in (f"images/{i}.png", f"{i}.json")]
            for i in self.ids
        ]
        drop = ChainDrop(
            1,
            2,
            content_root(1, CONTRACT, [Leaf(i, *each) for i, each in zip(self.ids, digests)])[0],
            built.root,
        )
        return path, ChainClaim(
            1, CONTRACT, range(1, 3), {i: f"ipfs://{built.root}/{i}.json" for i in self.ids}, (drop,)
        )

    def prove(self, claim: ChainClaim):
        "The proof of what the chain says."
        self.monkeypatch.setattr(artmint.verify, "ask_chain", lambda *_: claim)
        return verify(f"1:{CONTRACT}", self.folder, stores=[FolderStore(self.folder / "store")])


@pytest.fixture
def world(minted, tmp_path, monkeypatch):
    folder = minted[0] / "drops" / "tiny-1"
    return World(
        tree(folder / "root"),
        (folder / "drop.json").read_bytes(),
        tmp_path,
        monkeypatch,
    )


# -- changes: each takes the world and chance, and gives a claim and what the proof must say: (step, pattern of its evidence)


def flip(data: bytes, at: int, rng: random.Random) -> bytes:
    "One bit turned."
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def on_the_way(world: World, change) -> tuple[ChainClaim, str, str]:
    "A change of the archive's bytes after it was committed."
    path, claim = world.publish()
    data, pattern = change(path.read_bytes(), open_car(path))
    path.write_bytes(data)
    return claim, "archive", pattern


def car_header(world, rng):
    "One bit of the archive's header."
    return on_the_way(world, lambda data, car: (flip(data, rng.randrange(59), rng), r"CAR|archive|block"))


def inside(car, rng, codec):
    "A place in a random block of this codec, and its CID."
    name = rng.choice([each for each in car.index if (each.codec == DAG_PB) == codec])
    start, size = car.index[name]
    return start + rng.randrange(size), name


def _in_block(world, rng, codec):
    def change(data, car):
        at, name = inside(car, rng, codec)
        return flip(data, at, rng), f"block {name} of"

    return on_the_way(world, change)


def car_block(world, rng):
    "One bit of a file's block."
    return _in_block(world, rng, False)


def car_link(world, rng):
    "One bit of a directory's block: a link, its name, its size."
    return _in_block(world, rng, True)


def car_frame(world, rng):
    "One bit of the length or the CID in front of a block; or a block left out, moved to its end twice, or a stranger's put in."

    def change(data, car):
        name, (start, size) = rng.choice([*car.index.items()])
        head = start - 36 - (1 if size + 36 < 128 else 2 if size + 36 < 16384 else 3)
        whole = data[head : start + size]
        kind = rng.randrange(5)
        flipped = flip(data, rng.randrange(head, start), rng)
        foreign = b"\x27\x01\x55\x12\x20" + hashlib.sha256(b"one").digest() + b"one"
        cut = data[: -rng.randrange(1, 40)]
        changed = [flipped, data[:head] + data[start + size :], data + whole, data + foreign, cut][kind]
        return changed, r"block|archive"

    return on_the_way(world, change)


def recommitted(world, change) -> ChainClaim:
    "Files that were changed and committed as if they were the truth."
    files = dict(world.files)
    change(files)
    assert files != world.files
    return world.publish(files)[1]


def repaint(files: dict, token: int, picture: bytes, **changes) -> None:
    "Another picture, and JSON that agrees as far as addresses and file digests go."
    files[f"images/{token}.png"] = picture
    restate(
        files,
        token,
        image=f"ipfs://{cid(picture)}",
        artmint__file_digest=hashlib.sha256(picture).hexdigest(),
        **changes,
    )


def chunks(data: bytes) -> list[tuple[int, bytes, bytes]]:
    "Place, type and content of each chunk."
    found, at = [], 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append((at, kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def chunk(kind: bytes, body: bytes) -> bytes:
    "A chunk with the right checksum."
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def put_chunk(data: bytes, at: int, body: bytes) -> bytes:
    "A PNG with the content of one chunk replaced, checksum and all."
    old = next(each for each in chunks(data) if each[0] == at)
    return data[:at] + chunk(old[1], body) + data[at + 12 + len(old[2]) :]


def png_header(world, rng):
    "The signature or one bit of the header, with a right or a wrong checksum."
    token = rng.choice(world.ids)

    def change(files):
        data = files[f"images/{token}.png"]
        if rng.random() < 0.3:
            return repaint(files, token, flip(data, rng.randrange(33), rng))
        at, _, body = chunks(data)[0]
        repaint(files, token, put_chunk(data, at, flip(body, rng.randrange(13), rng)))

    return recommitted(world, change), "picture", rf"token {token}: picture"


def png_pixels(world, rng):
    "One value of one pixel, saved as a sound PNG with its old texts."
    token = rng.choice(world.ids)

    def change(files):
        image, _ = read_png(files[f"images/{token}.png"])
        spot = (rng.randrange(image.width), rng.randrange(image.height))
        channel = rng.randrange(3)
        image.putpixel(
            spot,
            tuple(
                value ^ ((i == channel) << rng.randrange(8)) for i, value in enumerate(image.getpixel(spot))
            ),
        )
        repaint(
            files,
            token,
            png_bytes(
                image, Recipe.parse(read_json(files[f"{token}.json"])["artmint"]["recipe"]), "artmint bundled"
            ),
        )

    return recommitted(world, change), "pixels", rf"token {token}: artmint\.pixel_digest"


def png_data(world, rng):
    "One bit of the packed pixels, with a right checksum: they can't be read, or are others."
    token = rng.choice(world.ids)

    def change(files):
        data = files[f"images/{token}.png"]
        at, _, body = rng.choice([each for each in chunks(data) if each[1] == b"IDAT"])
        repaint(files, token, put_chunk(data, at, flip(body, rng.randrange(len(body)), rng)))

    return recommitted(world, change), "picture|pixels", rf"token {token}: (picture|artmint\.pixel_digest)"


def png_text(world, rng):
    "One letter of a text chunk, or one more chunk, with right checksums."
    token = rng.choice(world.ids)

    def change(files):
        data = files[f"images/{token}.png"]
        at, _, body = rng.choice([each for each in chunks(data) if each[1] == b"tEXt"])
        if rng.random() < 0.3:
            kind = rng.choice([b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME"])
            words = [b"parameters\0\0\0\0\0other", b"note\0\0\0\0\0hello", rng.randbytes(30)]
            more = chunk(kind, rng.choice(words))
            return repaint(files, token, data[:at] + more + data[at:])
        place = rng.randrange(len(body))
        letter = bytes([(body[place] + rng.randrange(1, 90)) % 128])
        repaint(files, token, put_chunk(data, at, body[:place] + letter + body[place + 1 :]))

    return recommitted(world, change), "picture|pixels", rf"token {token}: picture"


def png_mark(world, rng):
    "One letter of what the picture says of itself (XMP), or of the chunk that it stands in."
    token = rng.choice(world.ids)

    def change(files):
        data = files[f"images/{token}.png"]
        at, _, body = next(each for each in chunks(data) if each[1] == b"iTXt")
        place = rng.randrange(len(body))
        letter = bytes([(body[place] + rng.randrange(1, 90)) % 128])
        repaint(files, token, put_chunk(data, at, body[:place] + letter + body[place + 1 :]))

    return recommitted(world, change), "marks|picture|pixels", rf"token {token}: picture"


def png_tail(world, rng):
    "Something after the picture's end."
    token = rng.choice(world.ids)
    tail = rng.choice([b"\0", b"<html>", b"PK\x03\x04", rng.randbytes(rng.randrange(1, 99))])

    def change(files):
        repaint(files, token, files[f"images/{token}.png"] + tail)

    pattern = rf"token {token}: picture .* bytes follow its end|token {token}: picture"
    return recommitted(world, change), "picture", pattern


def json_bytes(world, rng):
    "One byte of a JSON file."
    token = rng.choice(world.ids)

    def change(files):
        data = files[f"{token}.json"]
        at = rng.randrange(len(data))
        other = bytes([(data[at] + rng.randrange(1, 255)) % 256])
        files[f"{token}.json"] = data[:at] + other + data[at + 1 :]

    return recommitted(world, change), "metadata|recipe|picture|pixels|manifest", rf"token {token}: "


def json_facts(world, rng):
    "A statement of a JSON file, told otherwise and well formed."
    token = rng.choice(world.ids)
    said = [
        ("metadata", "slot", {"artmint__slot": token + 1}),
        ("recipe", "dna", {"artmint__dna": rng.randbytes(32).hex()}),
        ("picture", "image", {"image": f"ipfs://{cid(rng.randbytes(8))}"}),
    ]
    said += [
        ("pixels", "pixel_digest", {"artmint__pixel_digest": rng.randbytes(32).hex()}),
    ]
    said += [
        ("picture", "file_digest", {"artmint__file_digest": rng.randbytes(32).hex()}),
        ("recipe", "attributes", {"attributes__0__value": rng.choice(["golden", "spirals", "x" * 30])}),
    ]
    said += [
        ("recipe", "base.digest", {"artmint__base__digest": rng.randbytes(32).hex()}),
        ("metadata", "name", {"name": rng.choice(["<b>Tiny</b>", "Ti\u202eny", "Tiny\u200b #1"])}),
        ("metadata", "json", {"artmint__attempt": 0}),
    ]
    said += [
        ("manifest", "metadata_digest", {"description": f"Words {rng.random()}"}),
    ]
    step, field, changes = rng.choice(said)
    return (
        recommitted(world, lambda files: restate(files, token, **changes)),
        step,
        rf"token {token}: .*{re.escape(field)}",
    )


def recipe(world, rng):
    "A field of the recipe, with the dna that belongs to it: what the picture says is another thing."
    token = rng.choice(world.ids)

    def change(files):
        facts = dict(read_json(files[f"{token}.json"])["artmint"]["recipe"])
        changes = [
            {"seed": rng.randrange(2**32)},
            {"prompt": facts["prompt"] + rng.choice([",", " at dusk", " "])},
            {"guidance": 0.5 + rng.randrange(1, 99)},
        ]
        changes += [{"steps": facts.get("steps", 20) + rng.randrange(1, 99)}, {"negative_prompt": "blue"}]
        facts |= rng.choice(changes)
        restate(files, token, artmint__recipe=facts, artmint__dna=Recipe.parse(facts).dna)

    return recommitted(world, change), "pixels", rf"token {token}: picture's (recipe|infotext)"


def another(value, rng):
    "Another value of the same kind."
    if isinstance(value, int):
        return value + rng.randrange(1, 9)
    if isinstance(value, list):
        return []
    if value.startswith("baf"):
        return str(cid(rng.randbytes(4)))
    return rng.randbytes(32).hex() if len(value) == 64 else value + "x"


def manifest(world, rng):
    "A value of the manifest."
    claim = world.publish()[1]
    said = read_json(world.manifest)
    said["root"] = str(claim.drops[0].root)
    names = ("root", "quantity", "first", "schema_digest", "collection", "weights")
    places = [(said, key) for key in names] + [(each, key) for each in said["tokens"] for key in each]
    place, key = rng.choice(places)
    place[key] = another(place[key], rng)
    (world.folder / "drops" / "tiny-1").mkdir(parents=True, exist_ok=True)
    (world.folder / "drops" / "tiny-1" / "drop.json").write_bytes(canonical(said))
    return claim, "manifest", rf"manifest's {key}|drop\.json should be a manifest"


def uri(world, rng):
    "What tokenURI answers."
    claim = world.publish()[1]
    token = rng.choice(world.ids)
    text = claim.uris[token]
    at = rng.randrange(len(text))
    others = [
        text[:at] + rng.choice("abcxyz0237/.") + text[at + 1 :],
        text.replace("ipfs://", "https://gateway.example/ipfs/"),
        text + "?",
    ]
    others += [f"ipfs://{cid(rng.randbytes(4))}/{token}.json"]
    others += [text.replace(f"/{token}.json", f"/{3 - token}.json"), ""]
    other = rng.choice(others)
    if other == text:
        other = text + "x"
    return replace(claim, uris=claim.uris | {token: other}), "tokenURI", rf"token {token}: tokenURI"


KINDS = [
    png_header,
    png_pixels,
    png_data,
    png_text,
    png_mark,
    png_tail,
    json_bytes,
    json_facts,
    car_header,
    car_block,
    car_link,
    car_frame,
    manifest,
    uri,
    recipe,
]


CARRIED = (
    car_header,
    car_block,
    car_link,
    car_frame,
)  # what a bearer did on the way: never the token's fault


SAID = (json_bytes, json_facts)  # words that nothing but the studio's own manifest can give the lie


def agree(world) -> None:
    "Put the studio's manifest where a stranger may find it."
    (world.folder / "drops" / "tiny-1").mkdir(parents=True, exist_ok=True)
    (world.folder / "drops" / "tiny-1" / "drop.json").write_bytes(world.manifest)


def blamed(proof, step: str, pattern: str, name: str, must: bool) -> list[str]:
    "What is wrong with a proof from a spoilt archive: its bearer is named, or the change touched no content."
    told = [each for each in proof.steps if each.status == "unchecked" and each.name == step]
    named = any(re.search(pattern, each.evidence) for each in told)
    right = proof.exit_code == 3 and named or proof.exit_code == 0 and not must and not told
    return [] if right else [f"{name}: exit {proof.exit_code}, wanted {step} / {pattern}: {proof.text()}"]


def undetected(world, kind, count: int) -> tuple[list[str], Counter]:
    "What became of so many changes of a kind: those not found or not named, and how many failed at each step."
    missed = []
    seen = Counter()
    for number in range(count):
        rng = random.Random(f"{SEED}/{kind.__name__}/{number}")
        for path in (world.folder / "store").iterdir():
            path.unlink()
        shutil.rmtree(world.folder / "drops", ignore_errors=True)
        if kind in SAID:
            agree(world)
        claim, step, pattern = kind(world, rng)
        proof = world.prove(claim)
        failures = [each for each in proof.steps if each.status == "failed"]
        if kind in CARRIED:
            missed += blamed(proof, step, pattern, f"{kind.__name__} {number}", kind in (car_block, car_link))
            seen.update(["told"] if proof.exit_code else ["harmless"])
            continue
        seen.update({each.name for each in failures})
        named = any(re.fullmatch(step, each.name) and re.search(pattern, each.evidence) for each in failures)
        if proof.exit_code != 1 or not named:
            got = [(each.name, each.evidence[:150]) for each in failures]
            missed.append(
                f"{kind.__name__} {number}: exit {proof.exit_code}, wanted {step} / {pattern}, got {got}"
            )
    return missed, seen


def test_the_world_as_it_is_holds(world):
    agree(world)
    path, claim = world.publish()
    said = read_json(world.manifest) | {"root": str(claim.drops[0].root)}
    (world.folder / "drops" / "tiny-1" / "drop.json").write_bytes(canonical(said))
    proof = world.prove(claim)
    assert proof.exit_code == 0, proof.text()
    assert [step.status for step in check_uris(claim)] == ["held"]
    paths = check_car(open_car(path), claim.drops[0].root)
    assert (
        pixel_digest(read_png(read_file(paths["images/1.png"], open_car(path).block, 10**7))[0])
        == read_json(world.files["1.json"])["artmint"]["pixel_digest"]
    )
    assert isinstance(claim.drops[0].root, CID)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_change_goes_undetected(world, kind):
    missed, seen = undetected(world, kind, SHORT)
    assert missed == []
    assert sum(seen.values()) >= SHORT


@pytest.mark.slow
def test_the_whole_matrix(world, capsys):
    "At least 500 changes, none undetected, each named."
    rows = {kind.__name__: undetected(world, kind, LONG) for kind in KINDS}
    assert [each for missed, _ in rows.values() for each in missed] == []
    assert LONG * len(KINDS) >= 500
    with capsys.disabled():
        print()
        for name, (_, seen) in rows.items():
            print(
                f"{name:12} {LONG} of {LONG} found, at {', '.join(f'{step} {count}' for step, count in seen.most_common())}"
            )
