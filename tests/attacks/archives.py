"Archives: what isn't one, what isn't the one that was asked for, what is small and takes hours."

import struct
from functools import cache, partial
from pathlib import Path

from artmint.ipfs.cid import CID, DAG_PB, RAW, ContentError, Link, MissingBlock, Node, encode, varint
from tests.attacks.attack import HARMLESS, Attack

GATE = "archives"


def block(codec: int, data: bytes) -> tuple[CID, bytes]:
    return CID.of(codec, data), data


def raw_node(links: list[tuple[bytes, bytes, int]], facts: bytes) -> bytes:
    "A dag-pb node spelled by hand: (CID, name, size) of each link, and its data."
    from artmint.ipfs.cid import _field

    parts = [_field(2, _field(1, cid) + _field(2, name) + _field(3, size)) for cid, name, size in links]
    return b"".join([*parts, _field(1, facts)])


DIRECTORY = b"\x08\x01"


def car(root: CID, blocks: list[tuple[CID, bytes]], head: bytes = b"") -> bytes:
    from artmint.ipfs.car import car_header

    header = head or car_header((root,))
    sections = [varint(36 + len(data)) + cid.bytes + data for cid, data in blocks]
    return varint(len(header)) + header + b"".join(sections)


@cache
def sound() -> tuple[CID, tuple[tuple[CID, bytes], ...]]:
    "A small tree: its root and its blocks."
    leaf, other = block(RAW, b"one"), block(RAW, b"two")
    inner = block(DAG_PB, encode(Node("directory", (Link("c", leaf[0], 3), Link("d", other[0], 3)))))
    root = block(
        DAG_PB, encode(Node("directory", (Link("a", leaf[0], 3), Link("b", inner[0], len(inner[1]) + 6))))
    )
    return root[0], (root, leaf, inner, other)


def _checked(data: bytes, folder: Path, root: CID | None = None) -> None:
    "As a studio checks an archive."
    from artmint.ipfs.car import check_car, open_car

    path = folder / "a.car"
    path.write_bytes(data)
    opened = open_car(path)
    check_car(opened, root or sound()[0])


def _salvaged(data: bytes, folder: Path) -> None:
    "As a stranger reads one: nothing that isn't the root's is believed, whatever else is in it."
    from artmint.ipfs.car import walk
    from artmint.ipfs.sources import salvage_car

    path = folder / "a.car"
    path.write_bytes(data)
    found, _ = salvage_car(path)
    for cid in found.index:
        if CID.of(cid.codec, found.unchecked(cid)) != cid:
            continue
    try:
        seen = [visit.block for visit in walk(sound()[0], found.unchecked)]
    except ContentError:
        return
    root, leaf, inner, other = (data for _, data in sound()[1])
    assert seen == [root, leaf, inner, leaf, other]


def _walked(root: tuple[CID, bytes], others: list[tuple[CID, bytes]], folder: Path) -> None:
    from artmint.ipfs.car import walk

    blocks = dict([root, *others])
    for _ in walk(root[0], lambda cid: blocks[cid]):
        pass


def _decoded(data: bytes, folder: Path) -> None:
    from artmint.ipfs.car import walk

    root = block(DAG_PB, data)

    def found(cid: CID) -> bytes:
        if cid != root[0]:
            raise MissingBlock(cid)
        return data

    list(walk(root[0], found))


def _read(text: str, folder: Path) -> None:
    from artmint.ipfs.cid import read_cid

    read_cid(text)


def _built(name: str, folder: Path) -> None:
    from artmint.ipfs.cid import build

    build({name: b"1"})


def _linked(target: str, folder: Path) -> None:
    from artmint.ipfs.cid import build

    tree = folder / "tree"
    tree.mkdir()
    (tree / "a").symlink_to(target)
    build(tree)


def _resolved(path: str, folder: Path) -> None:
    from artmint.ipfs.car import read_file, resolve

    blocks = dict(sound()[1])
    read_file(resolve(sound()[0], path, lambda cid: blocks[cid]), lambda cid: blocks[cid], 1 << 20)


NAMES = ["", ".", "..", "a/b", "/etc/passwd", "a\0b"] + [
    f"a{sign}b"
    for sign in "\x01\x07\x08\x09\x0a\x0d\x1b\x7f\x80\x85\x9b\xad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202d\u202e\u2066\u2069\ufeff\ufff9\U000e0041"
]


def _files() -> list[Attack]:
    root, blocks = sound()
    whole = car(root, list(blocks))
    heads = {
        "nothing": b"",
        "a page": b"<html>not found</html>",
        "JSON": b'{"error":"no"}',
        "zeros": bytes(200),
        "an archive of another kind": b"PK\3\4" + bytes(60),
        "tar": b"a.json" + bytes(251) + b"ustar" + bytes(250),
        "version 2 of nothing": bytes.fromhex("0aa16776657273696f6e02") + bytes(40),
        "version 2 beyond its end": bytes.fromhex("0aa16776657273696f6e02")
        + bytes(16)
        + struct.pack("<QQ", 1 << 60, 1 << 60)
        + bytes(8),
        "a header of 2^60 bytes": varint(1 << 60) + b"\xa2",
        "a header spelled long": b"\x80\x80\x00",
        "a header without roots": varint(11) + b"\xa1gversion\x01",
        "a header with a root of another hash": car(
            root,
            [],
            b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x71\x12\x20" + bytes(32) + b"\x67version\x01",
        ),
        "a header of version 7": car(
            root, [], b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + root.bytes + b"\x67version\x07"
        ),
        "a header with two roots": car(root, list(blocks), _two_roots(root, blocks[1][0])),
        "no blocks": car(root, []),
        "a block of no bytes": whole + b"\x00",
        "a block of 2^40 bytes": whole + varint(1 << 40),
        "a block that breaks off": whole + varint(100) + bytes(20),
        "a block with another hash": whole + varint(40) + b"\x01\x55\x11\x20" + bytes(36),
        "a block twice": car(root, [*blocks, blocks[1]]),
        "a block that nobody reaches": car(root, [*blocks, block(RAW, b"evil")]),
        "another tree": car(blocks[2][0], [blocks[2], blocks[1], blocks[3]]),
        "another tree under this root": car(root, [blocks[2], blocks[1], blocks[3]]),
    }
    found = []
    for what, data in heads.items():
        found.append(Attack(GATE, f"an archive: {what}", partial(_checked, data), ContentError))
        found.append(Attack(GATE, f"from a store: {what}", partial(_salvaged, data), HARMLESS))
    for at, (cid, data) in enumerate(blocks):
        others = [one for one in blocks if one[0] != cid]
        for what, changed in {
            "missing": others,
            "emptied": [*others, (cid, b"")],
            "changed": [*others, (cid, data[:-1] + bytes([data[-1] ^ 1]))],
            "longer": [*others, (cid, data + b"\0")],
            "another's": [*others, (cid, blocks[at - 1][1])],
        }.items():
            found.append(
                Attack(GATE, f"block {at} is {what}", partial(_checked, car(root, changed)), ContentError)
            )
            found.append(
                Attack(
                    GATE,
                    f"from a store, block {at} is {what}",
                    partial(_salvaged, car(root, changed)),
                    HARMLESS,
                )
            )
    for part in range(1, 20):
        cut = whole[: len(whole) * part // 20]
        found.append(Attack(GATE, f"an archive cut at {part}/20", partial(_checked, cut), ContentError))
        found.append(Attack(GATE, f"from a store, cut at {part}/20", partial(_salvaged, cut), HARMLESS))
    return found


def _two_roots(one: CID, two: CID) -> bytes:
    from artmint.ipfs.car import car_header

    return car_header((one, two))


def _nodes() -> list[Attack]:
    leaf = block(RAW, b"x" * (1 << 20))
    small = block(RAW, b"")
    link = small[0].bytes
    found = []
    for name in NAMES:
        node = raw_node([(link, name.encode("utf-8", "surrogatepass"), 0)], DIRECTORY)
        found.append(Attack(GATE, f"a folder with {name!a}", partial(_decoded, node), ContentError))
        found.append(Attack(GATE, f"a name to publish {name!a}", partial(_built, name), ContentError))
    found.append(Attack(GATE, "a name that is no text", partial(_built, "a\udcffb"), ContentError))
    nodes = {
        "names twice": raw_node([(link, b"a", 0), (link, b"a", 0)], DIRECTORY),
        "names in disorder": raw_node([(link, b"b", 0), (link, b"a", 0)], DIRECTORY),
        "a name that is no UTF-8": raw_node([(link, b"\xff", 0)], DIRECTORY),
        "a link without a CID": raw_node([(b"", b"a", 0)], DIRECTORY),
        "a link of another hash": raw_node([(b"\x01\x55\x13\x40" + bytes(64), b"a", 0)], DIRECTORY),
        "a symbolic link of UnixFS": raw_node([], b"\x08\x04\x12\x0b/etc/passwd"),
        "raw data of UnixFS": raw_node([], b"\x08\x00\x12\x01x"),
        "metadata of UnixFS": raw_node([], b"\x08\x03"),
        "an unknown kind": raw_node([], b"\x08\x63"),
        "data inside of a directory": raw_node([], b"\x08\x01\x12\x01x"),
        "a mode of UnixFS 1.5": raw_node([], b"\x08\x01\x38\xff\x03"),
        "nothing": b"",
        "an open field": b"\x0a\xff",
        "a field of groups": b"\x0b\x0c",
        "a number of 2^70": b"\x08" + b"\xff" * 10,
        "fields in disorder": b"\x0a\x02\x08\x01" + b"\x12\x00",
        "a file without pieces": raw_node([], b"\x08\x02\x18\x00"),
        "a file with a named piece": raw_node([(link, b"a", 0)], b"\x08\x02\x18\x00\x20\x00"),
        "a file with sizes that lie": raw_node([(link, b"", 0)], b"\x08\x02\x18\x07\x20\x07"),
        "a file of 2^62 bytes": raw_node(
            [(link, b"", 0)], b"\x08\x02\x18" + varint(1 << 62) + b"\x20" + varint(1 << 62)
        ),
        "a shard with a wrong hash": raw_node(
            [(link, b"00evil", 0)], b"\x08\x05\x12\x01\x01\x28\x22\x30\x80\x02"
        ),
        "a shard of another fanout": raw_node([], b"\x08\x05\x12\x00\x28\x22\x30\x10"),
        "a shard whose place is none": raw_node(
            [(link, b"ZZa", 0)], b"\x08\x05\x12\x01\x01\x28\x22\x30\x80\x02"
        ),
        "pickled junk": b"\x80\x04cposix\nsystem\n.",
    }
    found += [
        Attack(GATE, f"a node of {what}", partial(_decoded, data), ContentError)
        for what, data in nodes.items()
    ]
    deep = [small]
    for _ in range(40):
        deep.append(block(DAG_PB, encode(Node("directory", (Link("a", deep[-1][0], 1),)))))
    found.append(
        Attack(GATE, "folders 40 deep", partial(_walked, deep[-1], deep[:-1]), ContentError, "deeper")
    )
    bombs = [leaf]
    for _ in range(8):
        last, size = bombs[-1][0], (1 << 20) * 1024 ** (len(bombs) - 1)
        if size > 1 << 40:
            break
        bombs.append(
            block(
                DAG_PB, encode(Node("file", tuple(Link("", last, size) for _ in range(1024)), (size,) * 1024))
            )
        )
    found.append(
        Attack(
            GATE,
            "a file of a million pieces that are one",
            partial(_walked, bombs[2], bombs[:2]),
            ContentError,
        )
    )
    found.append(
        Attack(
            GATE, "a file of 2^50 bytes that is one MiB", partial(_walked, bombs[3], bombs[:3]), ContentError
        )
    )
    wide = [small]
    for _ in range(3):
        wide.append(
            block(
                DAG_PB, encode(Node("directory", tuple(Link(f"{n:04}", wide[-1][0], 1) for n in range(1000))))
            )
        )
    found.append(
        Attack(
            GATE, "a folder of 10^9 entries that are one", partial(_walked, wide[3], wide[:3]), ContentError
        )
    )
    big = block(RAW, bytes((2 << 20) + 1))
    found.append(Attack(GATE, "a block above its limit", partial(_walked, big, []), ContentError))
    for path in (
        "",
        "b",
        "b/",
        "/a",
        "a/",
        "a/c",
        "..",
        "../a",
        "b/../a",
        "b//c",
        "b/./c",
        "nothing",
        "b/nothing",
        "A",
        "a\0",
        "b/c/d",
    ):
        found.append(Attack(GATE, f"the path {path!a} in a tree", partial(_resolved, path), ContentError))
    for target in ("/etc/passwd", "/dev/zero", "nowhere", "..", "a"):
        found.append(
            Attack(
                GATE, f"a folder to publish with a link to {target}", partial(_linked, target), ContentError
            )
        )
    return found


CIDS = {
    "nothing": "",
    "one letter": "b",
    "another hash": "bafkrgqj" + "a" * 60,
    "stray bits": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zz",
    "a path behind": "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy/../x",
    "an escape in it": "bafkrei\x1b[2J",
    "a URL": "ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    "base58 of nothing": "z",
    "base58 of too much": "z" + "1" * 5000,
    "Qm of junk": "Qm" + "0" * 44,
    "base16 of too little": "f0155",
    "a megabyte": "b" + "a" * (1 << 20),
    "another base": "u" + "A" * 48,
    "another codec": "bafyrei" + "a" * 52,
    "version 0 in base32": "baaaaa" + "a" * 53,
    "full-width letters": "ｂafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
}


def attacks() -> list[Attack]:
    "All of this gate."
    return (
        _files()
        + _nodes()
        + [Attack(GATE, f"a CID: {what}", partial(_read, text), ContentError) for what, text in CIDS.items()]
    )
