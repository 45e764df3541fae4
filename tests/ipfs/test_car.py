"Names, trees and archives: golden CIDs, round trips, and everything that must be refused."

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.ipfs.car import (
    BLOCK_LIMIT,
    BadBlock,
    BadCar,
    BadNode,
    ContentTooLarge,
    ExtraBlocks,
    MissingPath,
    WrongRoot,
    check_car,
    open_car,
    read_file,
    resolve,
    walk,
    write_car,
)
from artmint.ipfs.cid import (
    DAG_PB,
    DIRECTORY_LIMIT,
    RAW,
    CID,
    BadCID,
    BadName,
    ContentError,
    Link,
    MissingBlock,
    Node,
    build,
    cid,
    decode,
    encode,
    name_hash,
    read_varint,
    varint,
)
from artmint.studio.files import replacing

MIB = 1 << 20


def pattern(size: int) -> bytes:
    "Bytes that count to 250 and begin again."
    return (bytes(range(251)) * (size // 251 + 1))[:size]


# Computed with npm ipfs-unixfs-importer 17.1.1, profile "unixfs-v1-2025".
FILES = {
    0: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    1: "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
    251: "bafkreihpm7qhemrq63ctl72vnzc4uilu4hux33wta3u6q7y3mvlza5xmay",
    262144: "bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy",
    MIB - 1: "bafkreielkxdkfu2eicjkgfuykayoada6n6dar2xzclejnxxhyn2niqhnce",
    MIB: "bafkreidddocae7lltzjlkooe5a3tmiwsgazn7logjvqk7bzttsidpzhxne",
    MIB + 1: "bafybeidjogjfwuhbzwopgd4bn3skcf5m6oz72xshywcndzxgqb623nfclu",
    5 * MIB: "bafybeif3cqzr34eco3pr3jiypjq5j5ine35czekpyoa6q5uvwecywczeem",
    5 * MIB + 1: "bafybeidrtwvgjli53k2hykax4ov2tpcboudbaqlrmg4erqdgerfm7cfqei",
}
ZEROS = (
    1024 * MIB + 1,
    "bafybeigx4uyebjbq65346xh6cjrt6yshbdudzudhnqecwbzvymslxj7gje",
)  # a sparse file: one level more
TREES = {
    "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354": {},
    "bafybeidss4ygl4z2zset4jrvwrgjgmw7pu56db4a4lny5foue4f6x2racm": {"a.txt": b"hello world"},
    "bafybeifknwhkutjxus67ovkefzzvvqbjiingkq3aqm24m7ykq7hkjmn6q4": {
        f"{i}.json": b'{"id":%d}' % i for i in range(1, 17)
    },
    "bafybeiarxdnudatwtaasdtfenqgowoenna4kstkfs4kekszpgelnenk5ii": {
        "1.json": b"{}",
        "2.json": b"{}",
        "images": {"1.png": pattern(70000), "2.png": pattern(MIB + 1)},
        "schema.json": b'{"type":"object"}',
        "weights": {"ab": {"unet": {"config.json": b"{}"}}},
    },
    "bafybeic7tn7esxz7ok76wlnxlus7vhb6vsa7emdylvj4qwrg4jamneegnm": {  # order of bytes, not of UTF-16
        name: b"%d" % i
        for i, name in enumerate(
            ["é.txt", "z.txt", "日本.txt", "🦊.txt", "～.txt", "A.txt", "a.txt", "a b.txt", "a"], 1
        )
    },
    "bafybeieaj2egmwgstsybfgzgttu7vtdy7bcnt2mo3463du5br7xqpmm6gm": {"empty": {}, "a.txt": b"a"},
    "bafybeih2mp4l3r5rbesokunnkdmo6n2pqzs23wfk3yps4ocpmhjfs4vg3m": {
        "a": {"b": {"c": {"d": {"e": {"f.txt": b"deep"}}}}}
    },
    "bafybeifgcmejdsww2snaocgdk2lfc7jd3e3663qvsham7p4qv5xamfjuga": {
        f"{i + 1}.png": pattern(i) for i in range(1000)
    },
}


def chacha20(seed: str, size: int, first: int = 0) -> bytes:
    "The key stream (RFC 8439, zero nonce) from which Kubo's own test vectors are made, from 64-byte block `first` on."
    state = np.zeros((16, -(-size // 64)), np.uint32)
    state[:4] = np.frombuffer(b"expand 32-byte k", "<u4")[:, None]
    state[4:12] = np.frombuffer(hashlib.sha256(seed.encode()).digest(), "<u4")[:, None]
    state[12] = np.arange(first, first + state.shape[1])
    x = state.copy()
    for _ in range(10):
        for a, b, c, d in [(i, 4 + i, 8 + i, 12 + i) for i in range(4)] + [
            (i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)
        ]:
            for to, other, turned, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[to] += x[other]
                mixed = x[turned] ^ x[to]
                x[turned] = mixed << np.uint32(by) | mixed >> np.uint32(32 - by)
    return (x + state).T.astype("<u4").tobytes()[:size]


def kubo_names(last: int) -> list[str]:
    "4766 names, the last one of the given length: a directory at its limit."
    letters = "abcdefghijklmnopqrstuvwxyz01234567890-_"
    stream = chacha20("hamt-unixfs-v1-2025", MIB)
    at = 0
    names = []
    for i in range(4766):
        size = last if i == 4765 else 11
        names.append("".join(letters[byte % len(letters)] for byte in stream[at : at + size]))
        at += size
    return names


@pytest.mark.parametrize("size", FILES)
def test_files_have_the_importer_s_cids(size, tmp_path):
    (tmp_path / "file").write_bytes(pattern(size))
    assert str(cid(pattern(size))) == str(cid(tmp_path / "file")) == FILES[size]


@pytest.mark.slow
def test_a_file_of_more_than_1024_pieces_has_the_importer_s_cid(tmp_path):
    with open(tmp_path / "zeros", "wb") as file:
        file.truncate(ZEROS[0])
    assert str(cid(tmp_path / "zeros")) == ZEROS[1]


@pytest.mark.parametrize("root", TREES)
def test_trees_have_the_importer_s_cids(root):
    assert str(build(TREES[root]).root) == root


def test_kubo_s_own_vectors():
    "From test/cli/cid_profiles_test.go and add_test.go of Kubo, and the vectors derived from them."
    assert str(cid(b"hello world")) == "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    assert (
        str(cid(chacha20("chunk-v1-seed", MIB)))
        == "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta"
    )
    assert (
        str(cid(chacha20("chunk-v1-seed", MIB + 1)))
        == "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64"
    )


@pytest.mark.slow
def test_kubo_s_vectors_of_a_gibibyte(tmp_path):
    "1024 full pieces, and one byte more."
    with open(tmp_path / "stream", "wb") as file:
        for first in range(0, 1 << 24, 1 << 16):
            file.write(chacha20("v1-2025-seed", 4 * MIB, first))
        file.flush()
        assert str(cid(tmp_path / "stream")) == "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm"
        file.write(chacha20("v1-2025-seed", 1, 1 << 24))
    assert str(cid(tmp_path / "stream")) == "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe"


@pytest.mark.slow
def test_a_directory_at_the_limit_and_one_byte_more_are_kubo_s():
    built = build(dict.fromkeys(kubo_names(21), b"x"))
    assert (str(built.root), len(built.block(built.root))) == (
        "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4",
        DIRECTORY_LIMIT,
    )
    built = build(dict.fromkeys(kubo_names(22), b"x"))
    assert str(built.root) == "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu"
    assert decode(built.block(built.root)).kind == "shard"


# Computed with npm @multiformats/murmur3 2.2.8, murmur3128.
@pytest.mark.parametrize(
    "name, place",
    [
        ("", "0000000000000000"),
        ("a", "85555565f6597889"),
        ("7.json", "7f78311a4ef7c2de"),
        ("日本.txt", "e5b642d60a63865a"),
        ("0123456789abcdef", "4be06d94cf4ad1a7"),
        ("0123456789abcdef.", "30e92cea1f96ef3e"),
        ("x" * 255, "d1a161d018039a7e"),
    ],
)
def test_names_have_the_places_of_the_reference(name, place):
    assert name_hash(name).hex() == place


@pytest.fixture(scope="module")
def sharded():
    "A directory beyond the limit, as blocks."
    return build({"images": {f"{i}.png": b"%d" % i for i in range(1, 5501)}, "a.txt": b"a"})


def test_a_sharded_directory_is_walked_and_resolved(sharded, tmp_path):
    paths = {visit.path: visit.cid for visit in walk(sharded.root, sharded.block) if visit.kind != "piece"}
    assert paths == sharded.paths
    assert len(paths) == 5503
    assert sum(visit.kind == "directory" for visit in walk(sharded.root, sharded.block)) == 2
    read = []

    def get_block(cid):
        read.append(cid)
        return sharded.block(cid)

    assert resolve(sharded.root, "images/777.png", get_block) == cid(b"777")
    assert len(read) <= 4
    for path in ("images/5501.png", "images/00", "images/777.png/x"):
        with pytest.raises(MissingPath):
            resolve(sharded.root, path, sharded.block)


def moved(built, change) -> tuple[dict, CID]:
    "Blocks of a sharded tree whose first shard's links were changed, and its new root."
    root = decode(built.block(built.root))
    shard = decode(built.block(built.paths["images"]))
    blocks = {each: built.block(each) for each in built.blocks}

    def keep(node: Node) -> CID:
        name = CID.of(DAG_PB, encode(node))
        blocks[name] = encode(node)
        return name

    links = tuple(sorted(change(list(shard.links)), key=lambda each: each.name[:2]))
    return blocks, keep(
        Node(
            "directory",
            tuple(
                Link("images", keep(Node("shard", links)), each.size) if each.name == "images" else each
                for each in root.links
            ),
        )
    )


def test_a_name_in_a_wrong_place_is_refused(sharded):
    "Else a walk would find what a look-up doesn't."

    def shifted(links):
        first, second = links[:2]
        one = replace(second, name=first.name[:2] + second.name[2:])
        other = replace(first, name=second.name[:2] + first.name[2:])
        return [one, other, *links[2:]]

    def plain(links):
        return [Link(links[0].name[:2] + "1.png", cid(b"1"), 1), *links[1:]]

    def inner_file(links):
        return [Link(links[0].name[:2], cid(b"1"), 1), *links[1:]]

    def itself(links):
        return [Link(links[0].name[:2], sharded.paths["images"], 1), *links[1:]]

    for change in (shifted, plain, inner_file, itself):
        blocks, root = moved(sharded, change)
        with pytest.raises(BadNode):
            list(walk(root, blocks.__getitem__))
    blocks, root = moved(sharded, lambda links: links)
    assert root == sharded.root


def test_names_that_no_shard_can_part_are_refused(monkeypatch):
    monkeypatch.setattr("artmint.ipfs.cid.name_hash", lambda name: bytes(8))
    with pytest.raises(BadName, match="same place"):
        build({f"{i:0200}": b"" for i in range(2000)})


names = st.text(min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..") and not set(name) & set("/\0") and name.isprintable()
)
trees = st.recursive(
    st.binary(max_size=80), lambda below: st.dictionaries(names, below, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


def flat(tree, path: str = "") -> dict[str, bytes]:
    "The files of a tree by path."
    if isinstance(tree, bytes):
        return {path: tree}
    return {
        where: data
        for name, below in tree.items()
        for where, data in flat(below, f"{path}/{name}".lstrip("/")).items()
    }


@pytest.mark.slow
@settings(deadline=None)
@given(trees)
def test_a_tree_comes_back_from_its_archive(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("car") / "a.car"
    built = build(tree)
    assert write_car(path, tree).root == built.root
    car = open_car(path)
    assert check_car(car, built.root) == built.paths
    assert set(car.index) == set(built.blocks)
    for where, data in flat(tree).items():
        assert read_file(resolve(car.roots[0], where, car.block), car.block, limit=80) == data
    write_car(path.with_name("again.car"), tree)
    assert path.read_bytes() == path.with_name("again.car").read_bytes()


@given(st.integers(0, 2**63 - 1))
def test_numbers_have_one_spelling(number):
    spelled = varint(number)
    assert read_varint(spelled + b"!", 0) == (number, len(spelled))
    with pytest.raises(ValueError):
        read_varint(spelled[:-1] + bytes([spelled[-1] | 128]) + b"\0", 0)


@settings(max_examples=400)
@given(st.binary(max_size=120), st.integers(0, 200), st.integers(0, 255))
def test_a_node_has_one_spelling_and_noise_is_refused(noise, at, byte):
    block = encode(
        Node("directory", (Link("a", CID(RAW, bytes(32)), 3), Link("b", CID(DAG_PB, bytes(32)), 9)))
    )
    hurt = bytearray(block)
    hurt[at % len(block)] = byte
    for data in (noise, bytes(hurt), block[:at], block + noise):
        try:
            node = decode(data)
        except ValueError:
            continue
        assert encode(node) == data


def test_other_spellings_of_a_node_are_refused():
    leaf = Link("a", CID(RAW, bytes(32)), 3)
    directory = encode(Node("directory", (leaf,)))
    reversed_fields = directory[-4:] + directory[:-4]
    extra_field = directory[:-4] + b"\x0a\x04\x08\x01\x50\x01"
    shard = b"\x0a\x02\x08\x05"
    symlink = b"\x0a\x05\x08\x04\x12\x01a"
    for block in (
        b"",
        reversed_fields,
        extra_field,
        shard,
        symlink,
        encode(Node("file", ())),
        encode(Node("file", (leaf,), (3,))),
        encode(Node("file", (Link("", leaf.cid, 3),), (3, 4))),
    ):
        with pytest.raises(ValueError):
            decode(block)
    for links in [("b", "a"), ("a", "a"), ("..",), ("",), ("a/b",), ("a\0",)]:
        with pytest.raises(ValueError, match="names"):
            decode(encode(Node("directory", tuple(Link(name, leaf.cid, 3) for name in links))))
    for links in [
        ("FFa", "00b"),
        ("00a", "00b"),
        ("0aa",),
        ("00..",),
        ("00a/b",),
        ("+1a",),
        ("g0a",),
        ("0",),
        ("",),
    ]:
        with pytest.raises(ValueError):
            decode(encode(Node("shard", tuple(Link(name, leaf.cid, 3) for name in links))))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD",
        "BAFKREIFZJUT3TE2NHYEKKLSS27NH3K72YSCO7Y32KOAO5EEI66WOF36N5E",
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5f",  # stray bits
        "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e\n",
        "bafyreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",  # dag-cbor
    ],
)
def test_other_cids_are_refused(text):
    with pytest.raises(BadCID):
        CID.parse(text)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "\ud800"])
def test_unsafe_names_are_refused(name):
    with pytest.raises(BadName):
        build({name: b""})


def test_links_in_a_folder_are_refused(tmp_path):
    (tmp_path / "secret").write_text("not for you")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(BadName, match="link"):
        build(tmp_path / "folder")
    (tmp_path / "folder" / "link").unlink()
    os.mkfifo(tmp_path / "folder" / "pipe")
    with pytest.raises(BadName, match="no file"):
        build(tmp_path / "folder")


def test_a_folder_and_a_mapping_have_one_cid(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(pattern(3 * MIB))
    (tmp_path / ".hidden").write_bytes(b"h")
    assert build(tmp_path).root == build({"images": {"1.png": pattern(3 * MIB)}, ".hidden": b"h"}).root


# -- archives


@pytest.fixture
def drop(tmp_path):
    "A small tree, its archive, and a way to write and check other bytes."
    built = write_car(
        tmp_path / "drop.car", {"1.json": b"{}", "images": {"1.png": b"picture", "2.png": pattern(MIB + 1)}}
    )

    def check(data: bytes) -> dict:
        (tmp_path / "other.car").write_bytes(data)
        return check_car(open_car(tmp_path / "other.car"), built.root)

    return built, (tmp_path / "drop.car").read_bytes(), check


def test_every_flipped_byte_is_refused_and_named(tmp_path):
    built = write_car(tmp_path / "a.car", {"1.json": b'{"name": "One"}', "images": {"1.png": b"picture"}})
    whole = (tmp_path / "a.car").read_bytes()
    car = open_car(tmp_path / "a.car")
    owners = {at: each for each, (start, size) in car.index.items() for at in range(start, start + size)}
    for at in range(len(whole)):
        for bit in (1, 128):
            hurt = bytearray(whole)
            hurt[at] ^= bit
            (tmp_path / "b.car").write_bytes(hurt)
            with pytest.raises(ContentError) as refused:
                check_car(open_car(tmp_path / "b.car"), built.root)
            if at in owners:
                assert isinstance(refused.value, BadBlock)
                assert refused.value.cid == owners[at]
                assert str(owners[at]) in str(refused.value)


def test_the_file_of_a_bad_block_is_named(drop):
    built, whole, check = drop
    with pytest.raises(BadBlock) as refused:
        check(whole.replace(b"picture", b"pictureX"[1:]))
    assert refused.value.path == "images/1.png"
    assert refused.value.cid == built.paths["images/1.png"]
    with pytest.raises(BadBlock) as refused:
        check(whole.replace(pattern(1000), b"\x07" + pattern(1000)[1:], 1))
    assert refused.value.path == "images/2.png"


def section(block: bytes, name: CID | None = None) -> bytes:
    "A block as it stands in an archive."
    return varint(36 + len(block)) + (name or CID.of(RAW, block)).bytes + block


def test_missing_extra_and_doubled_blocks_are_refused(drop):
    built, whole, check = drop
    picture = section(b"picture")
    with pytest.raises(MissingBlock, match="images/1.png") as missing:
        check(whole.replace(picture, b""))
    assert missing.value.cid == built.paths["images/1.png"]
    with pytest.raises(ExtraBlocks) as extra:
        check(whole + section(b"stowaway"))
    assert extra.value.cids == [cid(b"stowaway")]
    with pytest.raises(BadCar, match="twice"):
        check(whole + picture)
    with pytest.raises(BadCar):
        check(whole + b"\0")
    with pytest.raises(BadCar):
        check(whole + b"<html>")


def test_an_archive_of_something_else_is_refused(drop, tmp_path):
    built, whole, check = drop
    other = write_car(tmp_path / "else.car", {"1.json": b"{}"})
    with pytest.raises(WrongRoot) as refused:
        check((tmp_path / "else.car").read_bytes())
    assert (refused.value.expected, refused.value.roots) == (built.root, (other.root,))
    forged = (
        (tmp_path / "else.car").read_bytes().replace(other.root.bytes, built.root.bytes, 1)
    )  # the header lies
    with pytest.raises(MissingBlock):
        check(forged)


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x00",
        b"\xff" * 9,
        b"\x80\x00",
        varint(10) + b"\xa1gversion\x01",
        varint(1 << 40),
        b"PK\x03\x04" + bytes(60),
        varint(17) + b"\xa2\x65roots\x80\x67version\x02",
        varint(17) + b"\xa2\x65roots\x98\x67version\x01",
    ],
    ids=lambda data: data[:6].hex() or "empty",
)
def test_hostile_headers_are_refused(drop, hostile):
    with pytest.raises(BadCar):
        drop[2](hostile)


def test_hostile_sizes_are_refused(drop):
    built, whole, check = drop
    for tail in (
        varint(1 << 62),
        varint(36 + BLOCK_LIMIT + 1) + bytes(100),
        varint(35) + bytes(35),
        section(b"cut off")[:-1],
        b"\x80" * 20,
    ):
        with pytest.raises(BadCar) as refused:
            check(whole + tail)
        assert refused.value.offset == len(whole)


def kept(*nodes: Node) -> tuple[dict, CID]:
    "Blocks of some nodes by CID, and the last one's CID."
    blocks = {CID.of(DAG_PB, encode(node)): encode(node) for node in nodes}
    return blocks, list(blocks)[-1]


def test_a_tree_that_explodes_is_refused():
    "Sixty blocks with 2^30 paths, and a chain deeper than any collection."
    nodes = []
    below = CID.of(RAW, b"")
    for _ in range(30):
        nodes.append(Node("directory", (Link("a", below, 1), Link("b", below, 1))))
        below = CID.of(DAG_PB, encode(nodes[-1]))
    blocks, root = kept(*nodes)
    blocks[CID.of(RAW, b"")] = b""
    with pytest.raises(ContentTooLarge):
        list(walk(root, blocks.__getitem__, limit=10_000))
    for _ in range(5):
        nodes.append(Node("directory", (Link("a", below, 1),)))
        below = CID.of(DAG_PB, encode(nodes[-1]))
    with pytest.raises(BadNode, match="deeper"):
        list(walk(kept(*nodes)[1], {**kept(*nodes)[0], **blocks}.__getitem__))


def test_a_file_that_explodes_is_refused():
    "A gigabyte in two blocks."
    piece = bytes(MIB)
    blocks, root = kept(Node("file", (Link("", CID.of(RAW, piece), MIB),) * 1024, (MIB,) * 1024))
    blocks[CID.of(RAW, piece)] = piece
    with pytest.raises(ContentTooLarge):
        read_file(root, blocks.__getitem__, limit=10 * MIB)


def test_a_file_that_lies_about_sizes_is_refused():
    piece = CID.of(RAW, b"abc")
    directory = CID.of(DAG_PB, encode(Node("directory", ())))
    store = {piece: b"abc", directory: encode(Node("directory", ()))}
    for below, size in ((piece, 4), (directory, 0)):
        blocks, root = kept(Node("file", (Link("", below, 3),), (size,)))
        with pytest.raises(BadNode, match="promised"):
            list(walk(root, {**store, **blocks}.__getitem__))


def test_a_source_of_blocks_is_not_believed(drop):
    built, *_ = drop
    with pytest.raises(BadBlock):
        list(walk(built.root, lambda each: b"anything"))
    with pytest.raises(ContentTooLarge):
        list(walk(built.root, lambda each: bytes(BLOCK_LIMIT + 1)))


def test_car_block_is_hashed(drop, tmp_path):
    built, whole, _ = drop
    (tmp_path / "hurt.car").write_bytes(whole.replace(b"picture", b"pacture"))
    car = open_car(tmp_path / "hurt.car")
    with pytest.raises(BadBlock):
        car.block(built.paths["images/1.png"])
    with pytest.raises(MissingBlock):
        car.block(cid(b"nowhere"))


def test_paths_that_are_not_there_are_refused(drop):
    built, *_ = drop
    for path in ("3.json", "images/9.png", "1.json/x", "images/", "/images", "../1.json"):
        with pytest.raises(MissingPath) as refused:
            resolve(built.root, path, built.block)
        assert refused.value.path == path
    with pytest.raises(MissingPath):
        read_file(built.root, built.block, limit=100)


def test_a_file_changed_after_building_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"before")
    built = build({"a": tmp_path / "a"})
    (tmp_path / "a").write_bytes(b"after!")
    with pytest.raises(BadBlock):
        list(walk(built.root, built.block))


def test_an_archive_is_of_the_bytes_that_were_read(tmp_path, monkeypatch):
    "A file that changes while it is read gives another root, never an archive whose bytes differ from their names."
    (tmp_path / "a").write_bytes(bytes(3 * MIB))
    real = os.fstat

    def grow(handle):
        status = real(handle)
        with open(tmp_path / "a", "r+b") as file:
            file.write(b"changed")
        return status

    monkeypatch.setattr("artmint.ipfs.cid.os.fstat", grow)
    built = write_car(tmp_path / "a.car", {"a": tmp_path / "a"})
    assert check_car(open_car(tmp_path / "a.car"), built.root)
    assert built.root == build({"a": b"changed" + bytes(3 * MIB - 7)}).root


def test_a_file_is_whole_or_absent(tmp_path):
    (tmp_path / "kept").write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "kept") as file:
        file.write(b"half")
        raise RuntimeError
    assert os.listdir(tmp_path) == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"old"


def test_the_rooms_are_standard_library_alone():
    program = "import sys, artmint.ipfs.car; print([m for m in ('numpy', 'PIL', 'pydantic', 'torch', 'web3', 'rfc8785') if m in sys.modules])"
    assert (
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


def test_a_small_archive_is_no_long_work(tmp_path, monkeypatch):
    "Blocks that are linked again and again are counted in bytes, and a walk ends before they are hashed a million times."
    monkeypatch.setattr("artmint.ipfs.car.AGAIN_LIMIT", 5 << 20)
    built = write_car(tmp_path / "bomb.car", bytes(8 << 20))  # eight equal megabytes: one block
    assert (tmp_path / "bomb.car").stat().st_size < 2 << 20
    with pytest.raises(ContentTooLarge, match="linked once more"):
        check_car(open_car(tmp_path / "bomb.car"), built.root)
    fine = write_car(tmp_path / "fine.car", bytes(6 << 20))
    assert check_car(open_car(tmp_path / "fine.car"), fine.root)
