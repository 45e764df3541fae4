"Roots of random trees, against npm's ipfs-unixfs-importer."

import json
import random
import subprocess

import pytest
from tests.services import node, node_modules

from artmint.ipfs.cid import BadName, build

MIB = 1 << 20
LETTERS = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_. ()[]{}%&?#éüßñøжшλΩ中文日本語한글عربית🦊🖼️～\u0301"


def name(rng: random.Random) -> str:
    "A file's name: short or long, in any script."
    while (made := "".join(rng.choices(LETTERS, k=rng.choice([1, 3, 8, 12, 40, 80])))) in (".", ".."):
        pass
    return made


def size(rng: random.Random, most: int) -> int:
    "Bytes of a file, often at an edge."
    small = [0, 1, rng.randrange(300), rng.randrange(300_000)]
    edges = [MIB - 1, MIB, MIB + 1]
    large = [rng.randrange(5 * MIB), rng.randrange(40 * MIB + 1)]
    return min(most, rng.choice(small + edges + large))


def tree(number: int, stream: int) -> list[tuple[str, int, int | None]]:
    "Paths with offset and size in a stream; a size of None is an empty directory."
    rng = random.Random(number)
    if number % 10 == 0:
        folders = ["", "many/"]
        count = rng.choice([4000, 4760, 4900, 6000, 12_000])
        most = 40
    elif number % 10 == 1:
        folders = [""]
        count = 1
        most = 40 * MIB
    else:
        folders = ["", *(f"{name(rng)}/" * rng.randint(1, 3) for _ in range(rng.randrange(4)))]
        count = rng.randrange(1, 30)
        most = rng.choice([1000, 3 * MIB, 10 * MIB])
    files: dict[str, tuple[int, int | None]] = {}
    for i in range(count):
        length = size(rng, most)
        start = rng.randrange(stream - length)
        folder = rng.choice(folders[-1:] if count > 1000 else folders)
        last = f"{i}.json" if number % 20 == 0 else f"{i}{name(rng)}"
        files[folder + last] = (start, length)
    if number % 7 == 0:
        files["~nothing in here"] = (0, None)
    return [(path, *place) for path, place in files.items()]


def nested(files: list, stream: memoryview) -> dict:
    "The same as a mapping of names."
    made: dict = {}
    for path, offset, length in files:
        *folders, last = path.split("/")
        place = made
        for each in folders:
            place = place.setdefault(each, {})
        place[last] = {} if length is None else stream[offset : offset + length]
    return made


@pytest.mark.slow
def test_roots_of_200_random_trees_are_the_importer_s(tmp_path):
    stream = random.Random(0).randbytes(48 * MIB)
    (tmp_path / "stream").write_bytes(stream)
    trees = [tree(number, len(stream)) for number in range(200)]
    lines = "".join(json.dumps({"files": files}) + "\n" for files in trees)
    done = subprocess.run(
        [node(), node_modules("importer") / "roots.mjs", tmp_path / "stream"],
        input=lines,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    theirs = done.stdout.split()
    ours = [str(build(nested(files, memoryview(stream))).root) for files in trees]
    assert len(set(ours)) == len(theirs) == 200
    assert [i for i in range(200) if ours[i] != theirs[i]] == []
    assert max(len(files) for files in trees) == 12_000
    assert max(length or 0 for files in trees for *_, length in files) > 30 * MIB


@pytest.mark.parametrize("name", ["\x1b[2J.json", "a\nb", "gpj\u202e.exe", "a\x9b", "\ufeffa"])
def test_no_folder_has_names_that_move_a_cursor(name):
    with pytest.raises(BadName, match="control or invisible"):
        build({name: b"x"})
