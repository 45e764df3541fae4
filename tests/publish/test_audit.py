"What is told, what is withheld, what an audit finds: with planted faults of every kind."

import hashlib
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.canon import canonical, read_json
from artmint.core.manifest import BadMetadata
from artmint.core.picture import pixel_digest, public_png, read_png
from artmint.core.records import Edition, Finding, Recipe
from artmint.ipfs.cid import cid
from artmint import metadata as metadata_room
from artmint.metadata import pack
from artmint.publish import audit as audit_room
from artmint.publish.audit import StudioDrop, accuracy, audit, check_token, probe_of, rarity
from artmint.publish.tokens import (
    BaseFacts,
    ContractMetadata,
    contract_json,
    media_files,
    opening_salt,
    read_token,
    token_json,
    sealed_digest,
    withheld_digest,
)
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw
from tests.packed import BASE, DEMO, drop_of, fill, known, manifest_of, pack_demo
from tests.shown import pack_shown


@pytest.fixture
def catalog(made, tmp_path) -> Catalog:
    "A copy of that studio."
    shutil.copytree(made, tmp_path / "studio")
    return Catalog(tmp_path / "studio")


SECRET = DEMO.model_copy(update={"withheld": ("prompt", "negative_prompt")})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the demo packed; not to be changed."
    return pack_demo(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Path:
    "A studio with a drop that withholds its prompts."
    catalog = fill(tmp_path_factory.mktemp("quiet"), 4, SECRET)
    pack(catalog, SECRET, 1, 1, 4, BASE, {})
    catalog.close()
    return catalog.folder


# -- withheld


def test_a_withheld_prompt_is_nowhere_and_can_be_opened(quiet):
    catalog = Catalog(quiet)
    root = quiet / "drops/demo-1/root"
    for slot in range(1, 5):
        edition = catalog.get("edition", f"demo/{slot}")
        facts = catalog.get("artifact", edition["dna"])["recipe"]
        said = read_token((root / f"{slot}.json").read_bytes())
        picture = (root / f"images/{slot}.png").read_bytes()
        assert "prompt" not in said.artmint.recipe
        assert said.artmint.recipe["seed"] == facts["seed"]
        assert set(said.artmint.withheld) == {"prompt", "negative_prompt"} & set(facts)
        assert all(
            facts["prompt"].encode() not in data
            for data in (
                (root / f"{slot}.json").read_bytes(),
                picture,
                (quiet / "drops/demo-1/drop.car").read_bytes(),
            )
        )
        assert said.artmint.withheld["prompt"] == withheld_digest(
            "prompt", facts["prompt"], opening_salt(DEMO.salt, edition["dna"], "prompt")
        )
        assert edition["dna"] == Recipe.parse(facts).dna
        assert said.artmint.dna == sealed_digest("dna", edition["dna"], edition["dna"], DEMO.salt)
        assert pixel_digest(read_png(picture)[0]) == edition["pixel_digest"]
        assert said.artmint.file_digest == hashlib.sha256(picture).hexdigest() != edition["file_digest"]
        assert check_token(slot, (root / f"{slot}.json").read_bytes(), picture) == []


@pytest.mark.parametrize(
    "change, field",
    [
        (lambda said: said["artmint"]["recipe"].update(prompt="told after all"), "withheld and told"),
        (lambda said: said["artmint"]["withheld"].update(soul="0" * 64), "withheld"),
        (lambda said: said["artmint"]["withheld"].update(prompt="0" * 64), "picture's recipe"),
        (lambda said: said["artmint"]["recipe"].update(seed=1), "picture's recipe"),
        (lambda said: said["artmint"]["recipe"].update(steps=0), "artmint.recipe"),
        (lambda said: said["artmint"].pop("withheld"), "artmint.recipe"),
    ],
)
def test_a_withheld_recipe_that_was_tampered_with_is_found(quiet, change, field):
    root = quiet / "drops/demo-1/root"
    said = read_json((root / "2.json").read_bytes())
    change(said)
    assert field in {
        each.field for each in check_token(2, canonical(said), (root / "images/2.png").read_bytes())
    }


def test_a_public_picture_has_the_same_pixels_byte_for_byte(quiet):
    catalog = Catalog(quiet)
    data = catalog.blob(catalog.get("edition", "demo/1")["file_digest"])
    public = public_png(data, {"note": "日本 prompt"})
    assert read_png(public)[1] == {"artmint": '{"note":"日本 prompt"}'}
    assert read_png(public)[0].tobytes() == read_png(data)[0].tobytes()
    assert public[-60:] == data[-60:]


def test_a_stranger_is_told_what_is_withheld(quiet, tmp_path, monkeypatch):
    import artmint.verify
    from artmint.chain.contract import content_root
    from artmint.ipfs.cid import CID
    from artmint.ipfs.stores import FolderStore
    from artmint.prove.evidence import ChainClaim
    from artmint.prove.evidence import ChainDrop as Committed
    from artmint.verify import verify

    manifest = manifest_of(quiet / "drops/demo-1")
    contract = "0x" + "ab" * 20
    root = CID.parse(manifest.root)
    FolderStore(tmp_path / "store").put(quiet / "drops/demo-1/drop.car", root)
    addresses = {i: f"ipfs://{root}/{i}.json" for i in range(1, 5)}
    committed = Committed(1, 4, content_root(1, contract, manifest.tokens)[0], root)
    claim = ChainClaim(1, contract, range(1, 5), addresses, (committed,))
    monkeypatch.setattr(artmint.verify, "ask_chain", lambda *_: claim)
    proof = verify(f"1:{contract}", tmp_path, regenerate=True)
    assert proof.exit_code == 3, proof.text()
    assert {step.status for step in proof.steps} == {"held", "unchecked"}, proof.text()
    assert proof.levels == {
        "chain": "held",
        "content": "held",
        "metadata": "held",
        "recipe": "unchecked",
        "regenerated": "unchecked",
    }
    assert "withhold negative_prompt, prompt" in proof.text() or "withhold prompt" in proof.text()
    assert "not regenerable" in proof.text()


# -- the collection and its numbers


def test_the_collection_s_json_is_packed_and_held_against_it(made):
    root = made / "drops/demo-1/root"
    said = ContractMetadata.model_validate_json((root / "contract.json").read_bytes())
    assert (said.name, said.symbol, said.description) == (
        "First Light",
        "DEMO",
        DEMO.description,
    )
    assert said.image == f"ipfs://{cid(root / 'images/1.png')}"
    assert said.data == contract_json(DEMO, said.image.removeprefix("ipfs://"))


@given(
    st.dictionaries(
        st.integers(1, 40),
        st.fixed_dictionaries({"a": st.sampled_from("xyz"), "b": st.sampled_from("pq")}),
        min_size=1,
    )
)
def test_rarity_is_what_it_says(tokens):
    counts, ranked = rarity(tokens)
    assert {trait: sum(values.values()) for trait, values in counts.items()} == dict.fromkeys(
        "ab", len(tokens)
    )
    assert len(ranked) == len(tokens)
    for each in ranked:
        same = [other for other, traits in tokens.items() if traits == tokens[each.token]]
        assert each.unique == (len(same) == 1)
        score = sum(len(tokens) / counts[trait][value] for trait, value in tokens[each.token].items())
        assert each.score == pytest.approx(score)
        assert each.rank == 1 + sum(other.score > each.score + 1e-9 for other in ranked)


def test_accuracy_counts_tokens():
    assert accuracy(10, [])["mia"] == 1
    assert accuracy(10, [Finding(3, "a", "", ""), Finding(3, "b", "", "")]) == {
        "mia": 0.9,
        "tokens": [3],
        "fields": {"a": 1, "b": 1},
    }
    assert accuracy(10, [Finding(None, "root", "", "")])["mia"] == 0 == accuracy(0, [])["mia"]


# -- the mutation harness: every kind of structural fault, planted at random


def said_otherwise(path: str, value):
    "A fault: one statement of a token's JSON, told otherwise."

    def change(root: Path, token: int, rng: random.Random) -> int:
        said = read_json((root / f"{token}.json").read_bytes())
        *places, last = path.split(".")
        place = said
        for each in places:
            place = place[int(each) if each.isdigit() else each]
        if value is None:
            place.pop(last)
        else:
            place[int(last) if last.isdigit() else last] = value(rng) if callable(value) else value
        (root / f"{token}.json").write_bytes(canonical(said))
        return token

    return change


def exchanged(*names: str):
    "A fault: files of two tokens change places."

    def change(root: Path, token: int, rng: random.Random) -> int:
        other = token % 16 + 1
        for name in names:
            one = root / name.format(token)
            two = root / name.format(other)
            one_bytes = one.read_bytes()
            two_bytes = two.read_bytes()
            one.write_bytes(two_bytes)
            two.write_bytes(one_bytes)
        return token

    return change


def rewritten(name: str, change):
    "A fault: other bytes in a file."

    def apply(root: Path, token: int, rng: random.Random) -> int:
        path = root / name.format(token)
        path.write_bytes(change(path.read_bytes(), rng))
        return token

    return apply


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def gone(name: str):
    return lambda root, token, rng: (root / name.format(token)).unlink()


FAULTS = {
    "pictures exchanged": exchanged("images/{}.png"),
    "JSON exchanged": exchanged("{}.json"),
    "both exchanged": exchanged("images/{}.png", "{}.json"),
    "a trait's value": said_otherwise("attributes.0.value", "golden rings"),
    "another token's trait": said_otherwise(
        "attributes.1.value", lambda rng: rng.choice(["graphites", "ocean "])
    ),
    "a trait's name": said_otherwise("attributes.2.trait_type", "Ground"),
    "a trait as number": said_otherwise("attributes.0.value", 7),
    "a display type": said_otherwise("attributes.0.display_type", "number"),
    "traits in another order": said_otherwise("attributes", lambda rng: []),
    "a name": said_otherwise("name", lambda rng: f"First Light #{rng.randrange(17, 99)}"),
    "a description": said_otherwise("description", "Other words."),
    "a licence": said_otherwise("license", "CC0-1.0"),
    "no licence": said_otherwise("license", None),
    "an id": said_otherwise("artmint.slot", lambda rng: rng.randrange(17, 99)),
    "an attempt": said_otherwise("artmint.attempt", 1),
    "a seed": said_otherwise("artmint.recipe.seed", lambda rng: rng.randrange(2**32)),
    "a prompt": said_otherwise("artmint.recipe.prompt", "dense rings"),
    "steps": said_otherwise("artmint.recipe.steps", 21),
    "an unknown recipe field": said_otherwise("artmint.recipe.soul", 1),
    "a dna": said_otherwise("artmint.dna", lambda rng: rng.randbytes(32).hex()),
    "a base": said_otherwise("artmint.base.digest", "9" * 64),
    "a base's source": said_otherwise("artmint.base.source", "elsewhere"),
    "a score": said_otherwise("artmint.scores.clip", 0.99),
    "a scorer": said_otherwise("artmint.scorers.clip", "7" * 64),
    "a withheld field": said_otherwise("artmint.withheld", {"prompt": "0" * 64}),
    "a collection": said_otherwise("artmint.collection", "other"),
    "an http image": said_otherwise("image", "https://example.com/1.png"),
    "another image": said_otherwise("image", lambda rng: f"ipfs://{cid(rng.randbytes(9))}"),
    "a gateway's image": said_otherwise("image", "https://ipfs.example/ipfs/bafy"),
    "a padded address": said_otherwise(
        "image", "ipfs://bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e/x"
    ),
    "markup": said_otherwise("name", "<svg onload=alert(1)>"),
    "an entity": said_otherwise("description", "a &lt; b"),
    "a turned text": said_otherwise("name", "First \u202eLight"),
    "an invisible sign": said_otherwise("name", "First\u200bLight #1"),
    "a line break": said_otherwise("name", "First\nLight"),
    "a long text": said_otherwise("name", "x" * 501),
    "a very long text": said_otherwise("description", "x" * 10_001),
    "an animation": said_otherwise("animation_url", "ipfs://bafy"),
    "a link": said_otherwise("external_url", "javascript:alert(1)"),
    "not canonical": rewritten("{}.json", lambda data, rng: data.replace(b":", b": ", 1)),
    "latin-1": rewritten("{}.json", lambda data, rng: data.replace(b"First", b"F\xefrst", 1)),
    "a byte order mark": rewritten("{}.json", lambda data, rng: b"\xef\xbb\xbf" + data),
    "a doubled key": rewritten("{}.json", lambda data, rng: b'{"name":"x",' + data[1:]),
    "deep JSON": rewritten("{}.json", lambda data, rng: b"[" * 10_000),
    "empty JSON": rewritten("{}.json", lambda data, rng: b""),
    "a flipped bit of JSON": rewritten("{}.json", flipped),
    "a flipped bit of a picture": rewritten("images/{}.png", flipped),
    "HTML after a picture": rewritten("images/{}.png", lambda data, rng: data + b"<html>"),
    "half a picture": rewritten("images/{}.png", lambda data, rng: data[: len(data) // 2]),
    "no picture": rewritten("images/{}.png", lambda data, rng: b""),
    "no file": gone("images/{}.png"),
    "no JSON": gone("{}.json"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_every_planted_fault_is_found_and_its_token_named(made, tmp_path, rounds, capsys):
    catalog = Catalog(made)
    folder = drop_of(catalog)
    drop = known(catalog)
    manifest = manifest_of(folder)
    source = folder / "root"
    found_in = Counter()
    assert audit(drop, manifest, source) == []
    for number in range(rounds):
        for name, plant in FAULTS.items():
            rng = random.Random(f"{name}/{number}")
            shutil.copytree(source, tmp_path / "root", dirs_exist_ok=True)
            token = rng.randrange(1, 17)
            plant(tmp_path / "root", token, rng)
            found = audit(drop, manifest, tmp_path / "root")
            missing = name in ("no file", "no JSON") and any(
                each.field == "missing files" and f"{token}." in each.found for each in found
            )
            assert any(each.token == token for each in found) or missing, (
                f"{name} at token {token}: {found[:3]}"
            )
            assert accuracy(16, found)["mia"] < 1
            found_in[name] += 1
    if rounds > 1:
        with capsys.disabled():
            print(
                f"\n{sum(found_in.values())} of {rounds * len(FAULTS)} planted faults of {len(FAULTS)} kinds found"
            )


@pytest.mark.slow
def test_a_manifest_mutated_in_one_percent_is_found_in_full(made):
    "Of 16 tokens each entry is spoiled in turn, several at once: every one of them is named and no other."
    catalog = Catalog(made)
    drop = known(catalog)
    manifest = manifest_of(drop_of(catalog))
    for number in range(8):
        rng = random.Random(number)
        spoiled = {
            rng.randrange(16): rng.choice(["dna", "pixel_digest", "file_digest", "metadata_digest"])
            for _ in range(3)
        }
        tokens = list(manifest.tokens)
        for i, field in sorted(spoiled.items()):
            tokens[i] = tokens[i].model_copy(update={field: rng.randbytes(32).hex()})
        changed = manifest.model_copy(update={"tokens": tuple(tokens)})
        found = audit(drop, changed, drop_of(catalog) / "root")
        assert {(each.token - 1, each.field) for each in found} == {
            (i, f"manifest's {field}") for i, field in spoiled.items()
        }


# -- the probe


@pytest.fixture(scope="module")
def probe():
    from artmint.make.base import load_judge

    return probe_of(load_judge(), DEMO)


@pytest.mark.slow
def test_a_wrong_picture_whose_papers_are_in_order_is_seen(made, probe):
    "Two editions that share no trait, with each other's pictures; papers are in order: only somebody who looks can tell."
    catalog = Catalog(made)
    drop = known(catalog)
    root = drop_of(catalog) / "root"
    assert [
        each
        for each in audit(drop, manifest_of(drop_of(catalog)), root, probe)
        if each.field.startswith("seen")
    ] == []
    one = 1
    first = drop.slots[0].traits
    other = next(slot.id for slot in drop.slots if not slot.traits.items() & first.items())

    def swapped(pictures, collection):
        "What is seen when the two change places, picture by picture."
        order = list(range(16))
        order[one - 1], order[other - 1] = other - 1, one - 1
        return [probe([pictures[i]], collection)[0] for i in order]

    found = audit(drop, manifest_of(drop_of(catalog)), root, swapped)
    assert {each.token for each in found} == {one, other}
    assert {each.field for each in found} <= {f"seen {trait}" for trait in DEMO.traits}


@pytest.mark.slow
def test_the_probe_s_recall_and_that_it_raises_no_false_alarm(probe, capsys):
    "On drawings it has not seen: each shown with its own traits, and with those of another slot that differs in palette and ground."
    from artmint.seeds import allocate

    slots = [slot for number in range(6) for slot in allocate(DEMO, f"recall {number}")]
    seen = probe([draw(Subject(**slot.traits), 500 + i, 128) for i, slot in enumerate(slots)], DEMO)

    def wrong(slot, row):
        "Whether the probe is sure of something that the slot doesn't have."
        return any(slot.traits[trait] != value for trait, value in row.items())

    false = [(slot.traits, row) for slot, row in zip(slots, seen) if wrong(slot, row)]
    pairs = [
        (slot, row)
        for slot in slots
        for other, row in zip(slots, seen)
        if other.traits["palette"] != slot.traits["palette"]
    ]
    caught = sum(wrong(slot, row) for slot, row in pairs) / len(pairs)
    with capsys.disabled():
        print(
            f"\nwrong pictures caught by the probe: {caught:.1%} of {len(pairs)}; false alarms: {len(false)} of {len(slots)}"
        )
    assert false == []
    assert caught >= 0.8


# ------------------------------------------------------------------ the audit


def test_a_sound_drop_has_no_findings_and_exact_counts(made):
    catalog = Catalog(made)
    folder = drop_of(catalog)
    assert audit(known(catalog), manifest_of(folder), folder / "root") == []
    said = [read_token((folder / "root" / f"{i}.json").read_bytes()) for i in range(1, 17)]
    for trait, counts in DEMO.traits.items():
        values = [each.value for token in said for each in token.attributes if each.trait_type == trait]
        assert {value: values.count(value) for value in counts} == counts


def rewrite(name: str, old: bytes, new: bytes):
    "A change of one file of the root."

    def change(root: Path) -> None:
        data = (root / name).read_bytes()
        assert old in data
        (root / name).write_bytes(data.replace(old, new, 1))

    return change


def swap(one: str, other: str):
    "Two files of the root change places."

    def change(root: Path) -> None:
        (root / one).rename(root / "aside")
        (root / other).rename(root / one)
        (root / "aside").rename(root / other)

    return change


TAMPERED = {
    "pictures swapped": (
        swap("images/3.png", "images/4.png"),
        {
            (3, "image"),
            (4, "image"),
            (3, "artmint.pixel_digest"),
            (3, "picture's recipe"),
            (4, "picture's infotext"),
        },
    ),
    "tokens swapped": (
        swap("3.json", "4.json"),
        {(3, "artmint.slot"), (4, "artmint.slot"), (3, "name"), (3, "manifest's metadata_digest")},
    ),
    "a trait": (
        rewrite("5.json", b'"value":"', b'"value":"golden '),
        {(5, "attributes"), (5, "manifest's metadata_cid"), (None, "exact counts")},
    ),
    "a trait twice": (
        rewrite("5.json", b'"attributes":[', b'"attributes":[{"trait_type":"motif","value":"rings"},'),
        {(5, "number of attributes")},
    ),
    "the seed": (rewrite("6.json", b'"seed":', b'"seed":1'), {(6, "artmint.recipe")}),
    "the prompt": (
        rewrite("6.json", b" colours on ", b" colors on "),
        {(6, "artmint.dna"), (6, "picture's recipe"), (6, "artmint.recipe.prompt")},
    ),
    "the dna": (rewrite("6.json", b'"dna":"', b'"dna":"0'), {(6, "json")}),
    "a score": (rewrite("7.json", b'"clip":0.31', b'"clip":0.99'), {(7, "artmint.scores")}),
    "the license": (rewrite("7.json", b"CC-BY-4.0", b"CC0-1.0"), {(7, "license")}),
    "the base": (
        rewrite("7.json", b'"base":{"digest":"0', b'"base":{"digest":"1'),
        {(7, "artmint.base.digest")},
    ),
    "the base's source": (
        rewrite("7.json", b'"source":"bundled"', b'"source":"mine"'),
        {(7, "artmint.base.source")},
    ),
    "markup": (rewrite("8.json", b"First Light #8", b"First <svg onload=alert(1)> #8"), {(8, "name")}),
    "a hidden turn": (rewrite("8.json", b"First Light #8", "First \u202eLight #8".encode()), {(8, "name")}),
    "broken JSON": (rewrite("8.json", b"{", b"["), {(8, "json")}),
    "bytes after a picture": (
        lambda root: (root / "images/9.png").open("ab").write(b"<html>"),
        {(9, "picture"), (9, "artmint.file_digest"), (9, "manifest's file_digest")},
    ),
    "a picture's text": (rewrite("images/9.png", b"Steps: 8", b"Steps: 9"), {(9, "picture"), (9, "image")}),
    "a lost picture": (
        lambda root: (root / "images/9.png").unlink(),
        {(None, "missing files"), (None, "root"), (None, "exact counts")},
    ),
    "a stranger's file": (
        lambda root: (root / "17.json").write_bytes(b"{}"),
        {(None, "other files"), (None, "root")},
    ),
    "the schema": (
        rewrite("schema.json", b"license", b"licence"),
        {(None, "root/schema.json"), (None, "root")},
    ),
    "the weights": (
        rewrite("weights.json", b'"cid":"b', b'"cid":"bb'),
        {(None, "root"), (None, "weights.json")},
    ),
}


@pytest.mark.many(10)
@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_named(catalog, name):
    change, expected = TAMPERED[name]
    folder = drop_of(catalog)
    change(folder / "root")
    found = {(each.token, each.field) for each in audit(known(catalog), manifest_of(folder), folder / "root")}
    assert expected <= found, found
    assert {token for token, _ in found} <= {token for token, _ in expected} | {None}, (
        "another token was blamed"
    )


@pytest.mark.many(3)
@pytest.mark.parametrize(
    "field", ["dna", "pixel_digest", "file_digest", "metadata_digest", "image_cid", "metadata_cid"]
)
def test_each_entry_of_the_manifest_is_held_against_the_files(made, field):
    catalog = Catalog(made)
    manifest = manifest_of(drop_of(catalog))
    entry = manifest.tokens[4]
    value = getattr(entry, field)
    changed = value[:-1] + ("a" if value[-1] != "a" else "b")
    tokens = (*manifest.tokens[:4], entry.model_copy(update={field: changed}), *manifest.tokens[5:])
    found = audit(known(catalog), manifest.model_copy(update={"tokens": tokens}), drop_of(catalog) / "root")
    assert [(each.token, each.field) for each in found] == [(5, f"manifest's {field}")]


@pytest.mark.many(3)
@pytest.mark.parametrize(
    "change, field",
    [
        ({"root": "b" + "a" * 58}, "root"),
        ({"collection": "other"}, "collection"),
        ({"collection_digest": "1" * 64}, "collection_digest"),
        ({"quantity": 15}, "range"),
        ({"schema_digest": "1" * 64}, "schema.json"),
        ({"weights": ()}, "weights"),
    ],
)
def test_the_manifests_own_facts_are_held_against_the_drop(made, change, field):
    catalog = Catalog(made)
    found = audit(
        known(catalog), manifest_of(drop_of(catalog)).model_copy(update=change), drop_of(catalog) / "root"
    )
    assert field in {each.field for each in found}
    assert {each.token for each in found} == {None}


@pytest.mark.slow
def test_the_studios_own_records_are_held_against_each_other(made):
    catalog = Catalog(made)
    drop = known(catalog)
    root = drop_of(catalog) / "root"
    manifest = manifest_of(drop_of(catalog))

    def found(changed: StudioDrop) -> set:
        return {(each.token, each.field) for each in audit(changed, manifest, root)}

    other = drop.editions[1].model_copy(update={"traits": drop.slots[2].traits, "attempt": 3})
    assert {(2, "edition's traits"), (2, "artmint.attempt"), (2, "artmint.recipe.seed")} <= found(
        replace(drop, editions=[drop.editions[0], other, *drop.editions[2:]])
    )
    assert (1, "artmint.recipe.seed") in found(replace(drop, salt="another"))
    assert (1, "artmint.recipe.prompt") in found(
        replace(drop, collection=DEMO.model_copy(update={"template": DEMO.template + " at dusk"}))
    )
    assert (1, "artmint.recipe.steps") in found(
        replace(
            drop,
            collection=DEMO.model_copy(
                update={"generation": DEMO.generation.model_copy(update={"steps": 21})}
            ),
        )
    )
    assert (None, "bases of the recipes") in found(
        replace(drop, base=BaseFacts(digest="1" * 64, source="bundled"))
    )


def test_a_value_that_an_earlier_template_did_not_say_has_words_or_is_found(tmp_path):
    "An edition was painted while a trait was silent; now the template says it."
    update = {"silent": ("density",), "template": DEMO.template.replace("{density} ", "")}
    catalog = fill(tmp_path, 1, DEMO.model_copy(update=update))
    edition = Edition.model_validate_json(canonical(catalog.get("edition", "demo/1")))
    facts = catalog.get("artifact", edition.dna)["recipe"]
    picture = catalog.blob(edition.file_digest)
    data = token_json(DEMO, edition, facts, "bundled", str(cid(picture)))
    assert read_token(data).artmint.words == {"density": ""}
    assert check_token(1, data, picture) == []
    said = read_json(data)
    del said["artmint"]["words"]
    (found,) = check_token(1, canonical(said), picture)
    assert (found.field, found.found) == ("attributes", edition.traits["density"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_found_and_blamed_on_its_file(made, data):
    root = made / "drops" / "demo-1" / "root"
    slot = data.draw(st.integers(1, 16))
    files = [(root / f"{slot}.json").read_bytes(), (root / "images" / f"{slot}.png").read_bytes()]
    assert check_token(slot, *files) == []
    which = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(files[which]) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(files[which])
    changed[at] ^= 1 << bit
    files[which] = bytes(changed)
    token = manifest_of(made / "drops" / "demo-1").tokens[slot - 1]
    found = check_token(slot, *files)
    try:
        found += audit_room._check_entry(token, *files, read_token(files[0]))
    except BadMetadata:
        pass
    assert found
    assert {each.token for each in found} == {slot}


# ------------------------------------------------------------------ no field escapes


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    "A drop of one token with all that markets show: what the studio knows, manifest, root."
    catalog, collection, place = pack_shown(tmp_path_factory.mktemp("shown"), 1)
    media = media_files(place, collection)
    drop = metadata_room._open_drop(catalog, collection, 1, 1, 1, BASE, {}, media)
    return drop, manifest_of(drop_of(catalog)), drop_of(catalog) / "root"


def leaves(value, path: tuple = ()):
    "Every place in JSON that holds a plain value, and every table and list."
    if path:
        yield path
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in entries:
            yield from leaves(part, (*path, key))


def spoiled(value, path: tuple, how: str):
    "JSON with one place of it told otherwise, left out, or with a neighbour that nobody knows."
    value = read_json(canonical(value))
    place = value
    for key in path[:-1]:
        place = place[key]
    old = place[path[-1]]
    if how == "left out":
        del place[path[-1]]
    elif isinstance(old, dict):
        old["soul"] = 1
    elif isinstance(old, list):
        old.append(old[0] if old else 1)
    else:
        place[path[-1]] = f"{old}0" if isinstance(old, str) else old + 1
    return value


@pytest.mark.many(1)
@pytest.mark.parametrize("name", ["1.json", "contract.json"])
@pytest.mark.parametrize("how", ["told otherwise", "left out"])
def test_no_place_of_a_published_json_is_unaudited(shown, tmp_path, name, how):
    drop, manifest, root = shown
    assert audit(drop, manifest, root) == []
    shutil.copytree(root, tmp_path / "root")
    data = read_json((root / name).read_bytes())
    places = [path for path in leaves(data) if path[-1] != "file_digest"]
    assert len(places) > 40
    for path in places[:: 1 if name == "1.json" else 8]:
        (tmp_path / "root" / name).write_bytes(canonical(spoiled(data, path, how)))
        found = [
            each for each in audit(drop, manifest, tmp_path / "root") if not each.field.startswith("manifest")
        ]
        fields = {each.field for each in found if each.token == 1 or name == each.field}
        assert fields - {"root"}, f"{how}: {path}"


@pytest.mark.parametrize(
    "change, field",
    [
        (lambda path: path.write_bytes(path.read_bytes() + b"!"), "media"),
        (lambda path: path.unlink(), "missing files"),
        (lambda path: path.with_name("other.mp4").write_bytes(b"x"), "other files"),
    ],
)
def test_media_are_audited_byte_for_byte(shown, tmp_path, change, field):
    drop, manifest, root = shown
    shutil.copytree(root, tmp_path / "root")
    change(next((tmp_path / "root" / "media").glob("*.mp4")))
    assert field in {each.field for each in audit(drop, manifest, tmp_path / "root")}


def test_media_under_another_address_are_found(shown):
    drop, manifest, root = shown
    other = replace(drop, media=dict.fromkeys(drop.media, str(cid(b"x"))))
    fields = {each.field for each in audit(other, manifest, root)}
    assert {"media", "animation_url", "contract.json"} <= fields
