"""Finished pictures of other programs, from a folder to tokens: stated in what is published, audited, proven as far as
they can be, and never passed off as regenerated."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from artmint.core.collection import Rule
from artmint.core.picture import MARK, read_png
from artmint.curate import choose
from artmint.generate import Declaration
from artmint.judge.arrivals import Places, arrival_files
from artmint.judge.imports import PictureImport, import_pictures
from artmint.metadata import pack
from artmint.metrics import batch_history
from artmint.prove.collection import unchecked_words
from artmint.prove.opening import open_packed, open_reports
from artmint.prove.regenerate import regenerate_tokens
from artmint.prove.tokens import TokenReport
from artmint.publish.audit import check_token
from artmint.publish.marks import PictureMark, mark_in
from artmint.publish.tokens import BaseFacts, read_token
from artmint.seeds import frozen_slots, load_collection, prompt_of
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.elsewhere import (
    DRAW,
    FOOOCUS,
    INVOKE,
    NOVEL,
    PAIRS,
    SWARM,
    comfy,
    comment,
    exif,
    infotext,
    png,
    saved,
    text_chunk,
    texts,
    xmp,
)
from tests.studios import ROOT, artmint

COLLECTION = load_collection(TINY)
BASE = BaseFacts(digest="0" * 64, source="bundled")


def packed_drop(folder: Path, judge, **changed) -> tuple[Catalog, object, Path]:
    "The tiny collection's four slots from four foreign pictures, chosen by the rules and packed."
    collection = COLLECTION.model_copy(update=changed)
    catalog = Catalog(folder / "studio")
    slots = frozen_slots(catalog, collection, "tiny")
    pictures = folder / "pictures"
    pictures.mkdir()
    for slot in slots:
        prompt = f"{prompt_of(collection, slot)} <lora:gold:0.8>"
        words = infotext(prompt, pairs=PAIRS.replace("Seed: 7", f"Seed: {2**40 + slot.id}"))
        (pictures / f"{slot.id}.png").write_bytes(texts(slot.id, parameters=words))
    places = Places(collection, {slot.id: slot for slot in slots}, range(1, 5), {}, Counter())
    work = PictureImport(catalog, collection, places, Declaration("", declared_by="Grace"))
    assert {one.state for one in import_pictures(work, arrival_files(pictures))} == {"placed"}
    assert not choose(catalog, collection, judge, slots, 0).open
    pack(catalog, collection, 1, 1, 4, BASE, {})
    return catalog, collection, catalog.folder / "drops" / "tiny-1" / "root"


@pytest.fixture(scope="module")
def told(tmp_path_factory, judge):
    "A drop of which nothing is withheld."
    return packed_drop(tmp_path_factory.mktemp("told"), judge)


def reports_of(root: Path) -> list[TokenReport]:
    files = {token: (root / f"{token}.json").read_bytes() for token in range(1, 5)}
    return [TokenReport(token, [], metadata=read_token(data)) for token, data in files.items()]


@pytest.mark.slow
def test_what_is_published_is_what_the_file_states(told):
    catalog, collection, root = told
    data, picture = (root / "1.json").read_bytes(), (root / "images" / "1.png").read_bytes()
    assert check_token(1, data, picture) == []
    said = read_token(data).artmint
    assert (said.base, said.attempt, said.recipe["made"], said.recipe["seed"]) == (
        None,
        1,
        "elsewhere",
        str(2**40 + 1),
    )
    assert said.recipe["loras"] == [{"name": "gold", "weight": 0.8}]
    image, words = read_png(picture)
    assert set(words) == {"artmint", MARK} and mark_in(words) == PictureMark("trainedAlgorithmicMedia")
    reports = reports_of(root)
    words = next(step for step in unchecked_words(reports) if step.name == "elsewhere")
    assert (
        "stated, not regenerable" in words.evidence
        and "with v1-5, seed 1099511627777, by Grace" in words.evidence
    )
    steps = list(regenerate_tokens([], [], reports, "", lambda done, total: None))
    assert [(step.status, step.evidence) for step in steps] == [
        ("unchecked", "4 of 4 were made elsewhere: stated, not regenerable")
    ]
    history = batch_history(catalog, collection, range(1, 5))
    assert [one.outcome for one in history.tries] == ["chosen"] * 4


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "change", [{"seed": "8"}, {"tool": "other"}, {"made": "by hand"}, {"prompt": "waves"}]
)
def test_a_changed_statement_is_found(told, change):
    root = told[2]
    token = json.loads((root / "1.json").read_bytes())
    token["artmint"]["recipe"] |= change
    findings = check_token(
        1,
        json.dumps(token, sort_keys=True, separators=(",", ":")).encode(),
        (root / "images" / "1.png").read_bytes(),
    )
    assert {"artmint.dna", "picture's recipe"} & {one.field for one in findings} or "artmint.recipe" in {
        one.field for one in findings
    }


@pytest.mark.slow
def test_what_is_withheld_stays_in_the_studio_and_can_be_opened(tmp_path, judge):
    catalog, collection, root = packed_drop(tmp_path, judge, withheld=("prompt", "seed", "adapters"))
    for token in range(1, 5):
        data, picture = (root / f"{token}.json").read_bytes(), (root / "images" / f"{token}.png").read_bytes()
        assert check_token(token, data, picture) == []
        assert (
            b"colours" not in picture
            and str(2**40 + token).encode() not in picture + data
            and b"gold" not in picture + data
        )
    reports = reports_of(root)
    opened, steps = open_reports(reports, open_packed(catalog, collection))
    assert [step.status for step in steps] == ["held"]
    assert opened[0].metadata.artmint.recipe["seed"] == str(2**40 + 1)
    assert opened[0].metadata.artmint.recipe["loras"][0]["name"] == "gold"


def foreign(number: int, prompt: str) -> tuple[str, bytes]:
    "A picture of one of eight programs, with its ending."
    seed = 1000 + number
    kinds = (
        lambda: (".png", texts(seed, parameters=infotext(prompt))),
        lambda: (".png", texts(seed, prompt=json.dumps(comfy(prompt=prompt, seed=2**63 + number)))),
        lambda: (".jpg", saved("JPEG", seed, exif=exif(UserComment=comment(infotext(prompt))))),
        lambda: (".png", texts(seed, invokeai_metadata=json.dumps(INVOKE | {"positive_prompt": prompt}))),
        lambda: (".png", texts(seed, Description=prompt, Software="NovelAI", Comment=json.dumps(NOVEL))),
        lambda: (
            ".png",
            texts(seed, parameters=json.dumps(FOOOCUS | {"prompt": prompt}), fooocus_scheme="fooocus"),
        ),
        lambda: (
            ".webp",
            saved(
                "WEBP",
                seed,
                lossless=True,
                exif=exif(
                    UserComment=comment(
                        json.dumps({"sui_image_params": SWARM["sui_image_params"] | {"prompt": prompt}})
                    )
                ),
            ),
        ),
        lambda: (
            ".png",
            png(
                text_chunk(
                    "XML:com.adobe.xmp",
                    xmp(exif_UserComment=json.dumps(DRAW | {"c": prompt})).decode(),
                    b"iTXt",
                ),
                seed=seed,
            ),
        ),
    )
    return kinds[number % len(kinds)]()


@pytest.mark.slow
def test_twenty_four_foreign_pictures_become_sixteen_tokens(tmp_path):
    "On the console, to the proof on the embedded chain; one of them is placed by a table."
    shutil.copytree(ROOT / "collections" / "demo", tmp_path / "demo")
    file = tmp_path / "demo" / "collection.toml"
    text = re.sub(r"(?ms)^\[\[rules\]\].*?(?=^\[(?!\[rules)|\Z)", "", file.read_text())
    file.write_text(text + '\n[[rules]]\nscorer = "contrast"\nmin = 0.001\n')
    collection = load_collection(tmp_path / "demo")
    assert collection.rules == (Rule(scorer="contrast", min=0.001),)
    slots = frozen_slots(Catalog(tmp_path / "studio"), collection, collection.salt)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(24):
        slot = slots[number % 16]
        ending, data = foreign(number, "a picture" if number == 3 else prompt_of(collection, slot))
        (pictures / f"{number:02}{ending}").write_bytes(data)
    stages = ["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "35_verify"]
    (tmp_path / "b.toml").write_text(
        f'name = "b"\ncollection = "demo"\nquantity = 16\nstages = {json.dumps(stages)}\n'
    )
    first = artmint("import", "b.toml", "pictures", cwd=tmp_path)
    assert first.returncode == 4 and "23 taken in; 1 without a slot" in first.stdout, (
        first.stdout + first.stderr
    )
    (tmp_path / "t.csv").write_text(f"file,slot\n03.png,{slots[3].id}\n")
    placed = artmint("import", "b.toml", "pictures", "--table", "t.csv", cwd=tmp_path)
    assert placed.returncode == 0 and "1 taken in; 23 on record already" in placed.stdout, placed.stdout
    ran = artmint("run", "b.toml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    contract = re.search(r"31337:(0x[0-9a-fA-F]{40})", ran.stdout + ran.stderr)[1]
    proof = artmint("verify", f"embedded:{contract}", "--regenerate", "--json", cwd=tmp_path)
    steps = json.loads(proof.stdout)["steps"]
    assert proof.returncode == 3 and not [step for step in steps if step["status"] == "failed"]
    assert [step["evidence"] for step in steps if step["name"] == "regenerate"] == [
        "16 of 16 were made elsewhere: stated, not regenerable"
    ]
    assert artmint("verify", f"embedded:{contract}", cwd=tmp_path).returncode == 0
