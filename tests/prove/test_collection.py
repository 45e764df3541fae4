"Tokens together: a studio that lies and puts its lie on chain. Every lie is found, or named as what nobody checked."

import hashlib
from types import SimpleNamespace

import pytest

from artmint.chain.contract import content_root
from artmint.core.canon import canonical, read_json
from artmint.core.picture import marked_png, pixel_digest, png_bytes, read_png, unmarked_png
from artmint.core.records import Recipe, Work
from artmint.ipfs.car import write_car
from artmint.ipfs.cid import cid
from artmint.ipfs.stores import FolderStore
from artmint.prove.collection import check_traits, trait_counts
from artmint.prove.evidence import ChainClaim, ChainDrop, Leaf
from artmint.prove.proof import Proof
from artmint.prove.tokens import TokenReport
from artmint.publish.marks import PictureMark, mark_packet
from artmint.core.texts import stands_in
from artmint.publish.tokens import published_counts, read_contract, read_token
from artmint.publish.weights import WeightsListing, WeightsPlace
from artmint.seeds import load_collection
from artmint.verify import prove_claim, verify
from tests.conftest import TINY
from tests.lies import NOWHERE, altered, failed, repaint, restate, tree
from tests.packed import drop_of
from tests.shown import ADA, BEN, SPLITTER, pack_shown
from tests.suites import some

NAMES = ("images/{}.png", "{}.json")


def page(files: dict, **changes) -> None:
    "Change the collection's page."
    files["contract.json"] = canonical(read_json(files["contract.json"]) | changes)


def retell(files: dict, token: int, **changes) -> None:
    "Another recipe, told everywhere: in the JSON, in its dna and in the picture's texts."
    recipe = Recipe.parse(read_json(files[f"{token}.json"])["artmint"]["recipe"] | changes)
    image = read_png(files[f"images/{token}.png"])[0]
    picture = png_bytes(image, recipe, "artmint bundled")
    repaint(files, token, picture, artmint__recipe=recipe.facts(), artmint__dna=recipe.dna)


def foreign(files: dict, token: int) -> None:
    "A picture of something else under the token's recipe."
    recipe = Recipe.parse(read_json(files[f"{token}.json"])["artmint"]["recipe"])
    image = read_png(files[f"images/{token}.png"])[0].rotate(90)
    picture = png_bytes(image, recipe, "artmint bundled")
    repaint(files, token, picture, artmint__pixel_digest=pixel_digest(image))


def mark(files: dict, token: int, source: str) -> None:
    "Another mark in a picture, or none; everything else agrees."
    bare = unmarked_png(files[f"images/{token}.png"])
    packet = mark_packet(PictureMark(source))
    repaint(files, token, marked_png(bare, packet) if packet else bare)


def same_picture(files: dict) -> None:
    "Both tokens have the first one's recipe and picture."
    said = read_json(files["1.json"])
    said["artmint"]["slot"] = 2
    said["name"] = "Tiny #2"
    files["2.json"] = canonical(said)
    files["images/2.png"] = files["images/1.png"]


def attribute(files: dict, token: int, **entry) -> None:
    "One attribute more."
    attributes = read_json(files[f"{token}.json"])["attributes"]
    restate(files, token, attributes=[*attributes, entry])


def by_hand(files: dict, token: int) -> None:
    "A generated picture is said to be made by hand."
    image = read_png(files[f"images/{token}.png"])[0]
    size = {"width": image.width, "height": image.height}
    work = Work(artist="Ada", medium="oil", pixel_digest=pixel_digest(image), **size)
    picture = png_bytes(image, work)
    changes = {"artmint__recipe": work.facts(), "artmint__dna": work.dna, "artmint__attempt": 0}
    repaint(files, token, picture, **changes)
    said = read_json(files[f"{token}.json"])
    del said["artmint"]["base"]
    files[f"{token}.json"] = canonical(said)


def stray(path: str, data: bytes = b"<html>"):
    "A file beside the tokens'."
    return lambda files: files.update({path: data})


def told(**changes):
    "Changes of the second token's JSON."
    return lambda files: restate(files, 2, **changes)


DIGEST = "a" * 64

# Each with the step that fails.
FOUND = {
    "two tokens with one picture": (same_picture, "unique"),
    "another token's number in the name": (told(name="Tiny #1"), "names"),
    "a number in the name that nobody has": (told(name="Tiny #77"), "names"),
    "another collection's title": (told(name="Larva Lads #2"), "names"),
    "a title in other letters": (told(name="TINY #2"), "names"),
    "a name padded with nought": (told(name="Tiny #02"), "names"),
    "another collection in one token": (told(artmint__collection="other"), "names"),
    "another licence in one token": (told(license="CC-BY-4.0"), "names"),
    "all rights reserved": (told(license="All rights reserved"), "names"),
    "a trait of its own": (lambda files: attribute(files, 2, trait_type="Legendary", value="n"), "recipe"),
    "a trait of its own, whose value stands in the prompt": (
        lambda files: attribute(files, 2, trait_type="Legendary", value="in"),
        "traits",
    ),
    "a trait of its own, said to be in no prompt": (
        lambda files: (
            attribute(files, 2, trait_type="Legendary", value="yes"),
            restate(files, 2, artmint__words={"Legendary": ""}),
        ),
        "traits",
    ),
    "a trait twice": (
        lambda files: attribute(files, 2, **read_json(files["2.json"])["attributes"][0]),
        "traits",
    ),
    "a trait twice, with another value": (
        lambda files: attribute(files, 2, trait_type="motif", value="colours"),
        "traits",
    ),
    "a value that the collection hasn't": (told(attributes__0__value="in"), "traits"),
    "a part of a word for a value": (told(attributes__0__value="ring"), "recipe"),
    "a letter for a value": (told(attributes__0__value="e"), "recipe"),
    "a number out of nothing": (
        lambda files: attribute(files, 2, trait_type="power", value=99, display_type="number"),
        "recipe",
    ),
    "a rarer trait than there is": (
        lambda files: page(
            files, traits={"motif": {"rings": 1, "waves": 1}, "palette": {"ocean": 1, "ember": 0}}
        ),
        "traits",
    ),
    "a page without a trait": (
        lambda files: page(files, traits={"motif": {"rings": 2, "waves": 2}}),
        "traits",
    ),
    "a page of another title": (lambda files: page(files, name="Larva Lads"), "names"),
    "a page of another licence": (lambda files: page(files, license="CC-BY-4.0"), "names"),
    "a seed that isn't the picture's, in the JSON": (
        lambda files: restate(files, 2, artmint__recipe__seed=7),
        "recipe",
    ),
    "a seed that isn't the picture's, everywhere": (lambda files: retell(files, 2, seed=7), "regenerate"),
    "other steps": (lambda files: retell(files, 2, steps=3), "regenerate"),
    "another guidance": (lambda files: retell(files, 2, guidance=9.0), "regenerate"),
    "a picture turned": (lambda files: foreign(files, 2), "regenerate"),
    "one value of one pixel": (
        lambda files: repaint(
            files,
            2,
            altered(files, 2),
            artmint__pixel_digest=pixel_digest(read_png(altered(files, 2))[0]),
        ),
        "regenerate",
    ),
    "an index.html": (stray("index.html"), "files"),
    "a page in another folder": (stray("docs/index.html"), "files"),
    "a picture that is no token's": (stray("images/3.png", b"x"), "files"),
    "a JSON that is no token's": (stray("3.json", b"{}"), "files"),
    "a JSON of another spelling": (stray("2.JSON", b"{}"), "files"),
    "an adapter that no recipe names": (stray(f"adapters/{DIGEST}.safetensors", b"x"), "files"),
    "a base that no recipe names": (stray(f"weights/{DIGEST}/unet/config.json", b"{}"), "files"),
    "a place of a base that no recipe names": (
        stray("weights.json", WeightsListing(bases={DIGEST: WeightsPlace(cid=str(cid(b"x")), bytes=1)}).data),
        "files",
    ),
    "a page of weights that isn't ours": (stray("weights.json", b'{"bases":{"x":1}}'), "files"),
    "a start picture that no recipe names": (stray(f"init/{DIGEST}.png", b"x"), "files"),
    "a favicon": (stray("favicon.ico", b"x"), "files"),
    "a redirect of a gateway's": (stray("_redirects", b"/* https://phish.example 302"), "files"),
    "a JSON that isn't ours": (told(animation_url="https://x.example"), "metadata"),
    "a picture elsewhere": (told(image="https://x.example/2.png"), "metadata"),
    "another picture's address": (told(image=f"ipfs://{cid(b'x')}"), "picture"),
    "another file's digest": (told(artmint__file_digest=DIGEST), "picture"),
    "another picture's digest": (told(artmint__pixel_digest=DIGEST), "pixels"),
    "another dna": (told(artmint__dna=DIGEST), "recipe"),
    "another base": (told(artmint__base__digest=DIGEST), "recipe"),
    "another slot": (told(artmint__slot=1), "metadata"),
    "markup in the name": (told(name="Tiny <b>#2</b>"), "metadata"),
    "a name that turns round": (told(name="Tiny \u202e2# "), "metadata"),
    "no JSON": (lambda files: files.pop("2.json"), "metadata"),
    "no picture": (lambda files: files.pop("images/2.png"), "metadata"),
    "something behind the picture": (
        lambda files: repaint(files, 2, files["images/2.png"] + b"<script>"),
        "picture",
    ),
    "swapped pictures": (
        lambda files: files.update(
            {"images/1.png": files["images/2.png"], "images/2.png": files["images/1.png"]}
        ),
        "picture",
    ),
    "words for no trait": (told(artmint__words={"Legendary": "in"}), "recipe"),
    "a mark of another hand": (lambda files: mark(files, 2, "digitalCreation"), "marks"),
    "a mark that it was painted over": (
        lambda files: mark(files, 2, "compositeWithTrainedAlgorithmicMedia"),
        "marks",
    ),
}
# Each with the step that says what nobody checked, and what must stand in it.
NAMED = {
    "scores out of nothing": (told(artmint__scores={"contrast": 99.0}), "scores", "contrast"),
    "a score of a judge that isn't there": (
        told(artmint__scores={"beauty": 1.0}, artmint__scorers={"beauty": DIGEST}),
        "scores",
        "beauty",
    ),
    "another scorer's digest": (told(artmint__scorers={"contrast": DIGEST}), "scores", "contrast"),
    "another attempt": (told(artmint__attempt=2), "scores", "which attempt"),
    "a seed that was picked": (lambda files: None, "seeds", "derived and not picked"),
    "a description that promises": (told(description="Guaranteed floor price."), "words", "descriptions"),
    "where the base comes from": (
        told(artmint__base__source="stabilityai/sdxl"),
        "sources",
        "stabilityai/sdxl",
    ),
    "a link": (told(external_url="https://phish.example/mint"), "links", "phish.example"),
    "a title of its own": (told(name="The Founder's Token"), "names", "2 have titles of their own"),
    "a page without counts": (
        lambda files: files.update(
            {
                "contract.json": canonical(
                    {k: v for k, v in read_json(files["contract.json"]).items() if k != "traits"}
                )
            }
        ),
        "traits",
        "no promise",
    ),
    "no page": (lambda files: files.pop("contract.json"), "names", "studio's word"),
    "a schema of its own": (lambda files: files.update({"schema.json": b"{}"}), "files", "schema.json"),
    "no mark": (lambda files: mark(files, 2, ""), "marks", "1 of 2 pictures carry no mark"),
    "a picture by nobody's hand": (lambda files: by_hand(files, 2), "hands", "made by hand"),
}


def some_of_each_step() -> list[str]:
    "Every other lie that a step finds, its first among them."
    steps = {step for _, step in FOUND.values()}
    return [name for each in steps for name in [lie for lie in FOUND if FOUND[lie][1] == each][::2]]


@pytest.mark.many(5)
@pytest.mark.parametrize("name", some(FOUND, some_of_each_step()))
def test_a_lie_is_found(lie, name):
    change, step = FOUND[name]
    proof = lie(change, regenerate=step == "regenerate")
    assert step in failed(proof), proof.text()
    assert proof.exit_code == 1


@pytest.mark.many(3)
@pytest.mark.parametrize("name", NAMED)
def test_what_nobody_can_check_is_named(lie, name):
    change, step, words = NAMED[name]
    proof = lie(change)
    lines = [each for each in proof.steps if each.name == step and each.status == "unchecked"]
    assert any(words in each.evidence for each in lines), proof.text()


def test_lies_are_many():
    assert len(FOUND) + len(NAMED) >= 60


# -- what is true


def test_rarity_is_what_the_tokens_have(minted):
    folder = minted[0] / "drops"
    reports = []
    for drop, tokens in (("tiny-1", (1, 2)), ("tiny-2", (3, 4))):
        for token in tokens:
            data = (folder / drop / "root" / f"{token}.json").read_bytes()
            reports.append(TokenReport(token, (), read_token(data)))
    assert trait_counts(reports) == {"motif": {"rings": 2, "waves": 2}, "palette": {"ocean": 2, "ember": 2}}
    assert published_counts(load_collection(TINY)) == trait_counts(reports)
    contract = read_contract((folder / "tiny-2" / "root" / "contract.json").read_bytes())
    assert contract.traits == trait_counts(reports)
    assert contract.license == "CC0-1.0"
    proof = verify(f"embedded:{minted[1]}", minted[0])
    assert "exactly as many" in proof.text()


@pytest.mark.parametrize(
    ("words", "prompt", "there"),
    [
        ("oval", "an oval on night", True),
        ("oval", "ovals on night", False),
        ("oval", "oval", True),
        ("deep sea", "a deep sea, calm", True),
        ("deep sea", "a deep  sea", False),
        ("7", "7 stars", True),
        ("7", "17 stars", False),
        ("C++", "written in C++, at night", True),
        ("", "anything", False),
        ("été", "un été", True),
        ("té", "un été", False),
    ],
)
def test_a_value_stands_in_a_prompt_as_whole_words(words, prompt, there):
    assert stands_in(words, prompt) == there


# -- what markets show


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    "The files of a drop of the demo with all that markets show."
    catalog, _, _ = pack_shown(tmp_path_factory.mktemp("shown"), 4)
    return tree(drop_of(catalog) / "root")


def steps_of(files: dict[str, bytes], scratch, symbol: str = "LIGHT", royalty=(SPLITTER, 500)):
    "What a stranger finds of these files, once they are committed."
    nested: dict = {}
    for path, data in files.items():
        *folders, name = path.split("/")
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = data
    (scratch / "store").mkdir()
    built = write_car(scratch / "store" / "new.car", nested)
    (scratch / "store" / "new.car").rename(scratch / "store" / f"{built.root}.car")
    digests = [[hashlib.sha256(files[name.format(i)]).hexdigest() for name in NAMES] for i in range(1, 5)]
    leaves = [Leaf(i, *each) for i, each in enumerate(digests, 1)]
    drop = ChainDrop(1, 4, content_root(1, NOWHERE, leaves)[0], built.root)
    uris = {i: f"ipfs://{built.root}/{i}.json" for i in range(1, 5)}
    facts = {"contract_uri": f"ipfs://{built.root}/contract.json", "symbol": symbol, "royalty": royalty}
    claim = ChainClaim(1, NOWHERE, range(1, 5), uris, (drop,), 16, **facts)
    steps, _ = prove_claim(claim, [FolderStore(scratch / "store")], {})
    return steps


def of(steps, name: str, status: str) -> str:
    "Evidence of the steps of a name and a status."
    return "\n".join(step.evidence for step in steps if (step.name, step.status) == (name, status))


def test_what_markets_show_holds_or_is_named(shown, tmp_path):
    steps = steps_of(shown, tmp_path)
    assert [step for step in steps if step.status == "failed"] == []
    assert Proof("", tuple(steps)).exit_code == 0
    assert "tokens 1, 2, 4 show what lies in their root" in of(steps, "media", "held")
    assert "4 of 4 tokens name one collection, 'First Light'" in of(steps, "names", "held")
    assert "tokens 3 have titles of their own" in of(steps, "names", "unchecked")
    assert f"the contract asks 5 % of a resale for {SPLITTER}" in of(steps, "royalty", "held")
    word = of(steps, "page", "unchecked")
    for named in ("art.example", ADA, "66.67 % to", "33.33 % to"):
        assert named in word
    links = of(steps, "links", "unchecked")
    assert "4 tokens link to art.example" in links and "1 tokens show what art.example gives" in links
    assert "Artist" in of(steps, "recipe", "held")


def put(path: str, data: bytes):
    return lambda files: files.update({path: data})


def media_path(files: dict) -> str:
    return next(path for path in files if path.endswith(".mp4"))


def entry(files: dict, label: str, **changes) -> None:
    "Another form of the second token's attribute of a label."
    attributes = read_json(files["2.json"])["attributes"]
    place = next(i for i, each in enumerate(attributes) if each["trait_type"] == label)
    attributes[place] |= changes
    restate(files, 2, attributes=attributes)


MARKET_LIES = {
    "another's value in the name": (told(name="First Light, gold no. 2 of 16"), "names"),
    "another's number in the name": (
        lambda files: told(name=read_json(files["1.json"])["name"])(files),
        "names",
    ),
    "an artist that the page hasn't": (lambda files: entry(files, "Artist", value="Bob"), "traits"),
    "a second edition": (lambda files: entry(files, "Edition", value=1), "traits"),
    "an edition above the highest": (lambda files: entry(files, "Edition", value=17), "metadata"),
    "a date in milliseconds": (lambda files: entry(files, "Made", value=1_795_910_400_000), "metadata"),
    "a date in parts": (lambda files: entry(files, "Made", value=0.5), "metadata"),
    "a boost in words": (lambda files: entry(files, "Luck", value="much"), "metadata"),
    "a way to show that nobody has": (lambda files: entry(files, "Luck", display_type="stars"), "metadata"),
    "a colour with a sign": (told(background_color="#0c1233"), "metadata"),
    "a link in the clear": (told(external_url="http://art.example/2"), "metadata"),
    "a program for a link": (told(animation_url="javascript:alert(1)"), "metadata"),
    "markup in the description": (told(description="<script>"), "metadata"),
    "media that nobody names": (put(f"media/{DIGEST}.mp4", b"x"), "files"),
    "other media in its place": (
        lambda files: files.update({media_path(files): b"another"}),
        "files",
    ),
    "a page in the media": (put("media/index.html", b"<html>"), "files"),
}


@pytest.mark.parametrize("name", MARKET_LIES)
def test_a_lie_about_what_markets_show_is_found(shown, tmp_path, name):
    change, step = MARKET_LIES[name]
    files = dict(shown)
    change(files)
    steps = steps_of(files, tmp_path)
    assert of(steps, step, "failed"), [step for step in steps if step.status != "held"]


MARKET_WORDS = {
    "another supply in the name": (
        lambda files: told(name=read_json(files["2.json"])["name"].replace("16", "10"))(files),
        "names",
        "tokens 2, 3 have titles",
    ),
    "an animation elsewhere": (told(animation_url=f"ipfs://{cid(b'x')}"), "media", "tokens 2 show content"),
    "an animation at a host": (
        told(animation_url="https://tube.example/2"),
        "links",
        "show what tube.example",
    ),
    "a link to another host": (
        told(external_url="https://phish.example/2"),
        "links",
        "1 tokens link to phish",
    ),
    "a page that leads elsewhere": (
        lambda files: page(files, external_link="https://phish.example"),
        "page",
        "phish.example",
    ),
    "a collaborator": (lambda files: page(files, collaborators=[BEN]), "page", f"that {BEN} work with"),
}


@pytest.mark.parametrize("name", MARKET_WORDS)
def test_what_nobody_can_check_of_markets_is_named(shown, tmp_path, name):
    change, step, words = MARKET_WORDS[name]
    files = dict(shown)
    change(files)
    steps = steps_of(files, tmp_path)
    assert words in of(steps, step, "unchecked"), [step for step in steps if step.status != "held"]


def test_a_contract_that_says_otherwise_than_its_page_is_named(shown, tmp_path):
    steps = steps_of(shown, tmp_path, "LITE", (ADA, 1000))
    assert "the contract's symbol is 'LITE', and contract.json's 'LIGHT'" in of(steps, "names", "unchecked")
    assert f"asks 10 % of a resale for {ADA} now; contract.json says 5 % for {SPLITTER}" in of(
        steps, "royalty", "unchecked"
    )
    assert Proof("", tuple(steps)).exit_code == 0


def test_counts_of_a_supply_that_was_lowered_since_are_no_promise_of_what_is_left():
    "Two tokens of four are there for ever: two are red, and contract.json says three."
    promised = {"Motif": {"red": 3, "blue": 1}}
    traits = SimpleNamespace(traits=promised)
    entries = [SimpleNamespace(trait_type="Motif", value="red")]
    reports = [TokenReport(id, (), SimpleNamespace(attributes=entries)) for id in (1, 2)]
    told = {
        lowered: [step.status for step in check_traits(reports, traits, True, lowered)]
        for lowered in (False, True, None)
    }
    assert told[False] == ["failed", "failed"]  # red and blue
    assert told[True] == ["held"]
    assert told[None] == ["held", "unchecked"]
    entries[0].value = "green"
    assert "failed" in [step.status for step in check_traits(reports, traits, True, True)]
