"A studio's pictures as lessons, the student against numpy's arithmetic, and a training that is killed and goes on."

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from artmint.onchain.distil import (
    FEWEST_TAUGHT,
    NotTeachable,
    TooFewPictures,
    UnfitPictures,
    chain_parts,
    fit_trait_probe,
    layers_of_picture,
    lessons_from,
    measure_student,
    student_fields,
    student_of,
    teacher_pictures,
    teacher_sheet,
    train_student,
    words_of_collection,
)
from artmint.onchain.model import GROUND, PALETTE, SHAPE, bundled_model, make_model, recipe_bytes
from artmint.onchain.network import NETWORK_PARTS, mix, point_fields
from artmint.studio.catalog import Catalog
from tests.drawn import DEMO, FORMER
from tests.painted import thrown_model
from tests.taught import WORDS, png_of, taught_studio


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return taught_studio(tmp_path_factory.mktemp("taught"))


def test_a_collection_s_traits_become_the_network_s_words():
    roles = {trait.name: trait.role for trait in WORDS.traits}
    assert roles == {
        "motif": SHAPE,
        "palette": PALETTE,
        "ground": GROUND,
        "density": SHAPE,
        "placement": SHAPE,
    }
    assert WORDS.combinations() == 24 and WORDS.template == FORMER.template
    assert WORDS.grounds[list(FORMER.traits["ground"]).index("night")] == FORMER.palettes["night"][0]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"colour_traits": ("ground",)}, "one trait of palettes"),
        ({"colour_traits": ()}, "one trait of palettes"),
        ({"palettes": {**FORMER.palettes, "ember": ("#000000", "#ffffff")}}, "neither one colour each"),
        ({"traits": {**FORMER.traits, "mood": {"calm": 8, "wild": 8}}}, "48 combinations"),
    ],
)
def test_traits_that_the_network_has_no_place_for_are_refused(change, words):
    with pytest.raises(NotTeachable, match=words):
        words_of_collection(FORMER.model_copy(update=change))


def test_too_few_pictures_are_refused(tmp_path):
    with pytest.raises(TooFewPictures, match=f"0 pictures that could teach, and {FEWEST_TAUGHT}"):
        teacher_pictures(Catalog(tmp_path), FORMER)


def test_pictures_that_can_t_teach_are_named(drawings):
    catalog, pictures = drawings
    wide = catalog.put_blob(png_of(Image.new("RGB", (128, 96))))
    small = catalog.put_blob(png_of(Image.new("RGB", (32, 32))))
    one = pictures[0]
    wrong = [
        replace(one, file_digest=wide),
        replace(one, file_digest=small, slot=2),
        replace(one, traits=one.traits | {"motif": "cats"}, slot=3),
        replace(one, traits=one.traits | {"mood": "calm"}, slot=4),
    ]
    with pytest.raises(UnfitPictures) as caught:
        lessons_from(catalog, WORDS, [*wrong, *pictures])
    said = str(caught.value)
    assert "4 pictures can't teach" in said
    for words in ("slot 1: it is 128 x 96", "slot 2: it is 32 x 32", "motif is 'cats'", "no trait mood"):
        assert words in said


def test_attempts_that_nobody_rejected_teach_too(tmp_path, monkeypatch):
    from artmint.judge.decisions import Verdict, record_verdict
    from tests.drawn import SLOTS, art, enter

    monkeypatch.setattr("artmint.onchain.distil.FEWEST_TAUGHT", 2)
    catalog = Catalog(tmp_path)
    catalog.put_all("slot", {f"demo/{slot.id}": slot.model_dump(mode="json") for slot in SLOTS[:3]})
    made = [enter(catalog, slot, attempt, art(slot, attempt)) for slot in SLOTS[:3] for attempt in (1, 2)]
    record_verdict(catalog, Verdict(made[0].dna, "reject", ("dull",), {}))
    with pytest.raises(TooFewPictures):
        teacher_pictures(catalog, DEMO)
    found = teacher_pictures(catalog, DEMO, attempts=True)
    assert {one.file_digest for one in found} == {one.artifact.file_digest for one in made[1:]}
    assert found[0].traits == SLOTS[0].traits


def test_a_pixel_is_the_nearest_colour_s():
    image = Image.new("RGB", (128, 128), FORMER.palettes["night"][0])
    for number, colour in enumerate(FORMER.palettes["ocean"]):
        image.paste(colour, (0, 16 * number, 128, 16 * number + 16))
    layers, far = layers_of_picture(image, FORMER.palettes["night"][0], FORMER.palettes["ocean"])
    assert layers[4::8, 0].tolist() == [1, 2, 3, 4, 5, 0, 0, 0]
    assert far < 0.01


def test_the_student_computes_what_the_chain_computes():
    "Number by number, with weights that dice threw, too; and back to the same bytes."
    for model in (bundled_model(), thrown_model(np.random.default_rng(5))):
        parts = {name: np.maximum(values, -127) for name, values in model.parts.items()}
        student = student_of(parts)
        again = chain_parts(student)
        assert all((again[name] == np.clip(parts[name], -32_767, None)).all() for name, _, _ in NETWORK_PARTS)
        for seed, row in ((1, 0), (77, 50), (2**32 - 1, 95)):
            numbers = [byte for count in range(8) for byte in mix(seed, count).to_bytes(4, "big")]
            fields = student_fields(student, torch.tensor([row]), torch.tensor([numbers]))
            ours = fields[0].permute(1, 2, 0).detach().numpy().astype(np.int64)
            assert (ours == point_fields(again, row, seed)).all()


def test_rows_begin_under_their_names():
    "A combination that the bundled network knows begins with its rows, in whichever order the collection says its values."
    from artmint.onchain.distil import begin_student

    bundled = bundled_model()
    own = [one for one in bundled.words.traits if one.role == SHAPE]
    begun = chain_parts(begin_student(WORDS))["class"]
    order = {trait.name: trait.values for trait in WORDS.traits}
    place = order["motif"].index("waves") * 4 + order["density"].index("sparse") * 2
    place += order["placement"].index("offset")
    there = (
        own[0].values.index("waves") * 4 + own[1].values.index("sparse") * 2 + own[2].values.index("offset")
    )
    assert [one.name for one in own] == ["motif", "density", "placement"]
    assert (begun[4 * place : 4 * place + 4] == bundled.parts["class"][4 * there : 4 * there + 4]).all()
    other = replace(WORDS, traits=tuple(replace(one, name=f"{one.name}2") for one in WORDS.traits))
    assert not (chain_parts(begin_student(other))["class"] == bundled.parts["class"]).all()


def test_a_probe_learns_what_can_be_told_and_not_what_can_t():
    dice = np.random.default_rng(1)
    inputs = dice.normal(size=(200, 6))
    labels = ["up" if row[0] > 0 else "down" for row in inputs]
    guess = fit_trait_probe(inputs[:150], labels[:150])
    assert np.mean([a == b for a, b in zip(guess(inputs[150:]), labels[150:])]) > 0.85


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_and_comes_nearer(drawings, tmp_path):
    "Two halves of a training: the second begins at the first's step; it makes a model that draws, and is measured."
    catalog, pictures = drawings
    lessons = lessons_from(catalog, WORDS, pictures)
    assert lessons_from(catalog, WORDS, pictures).digest == lessons.digest
    taught, held = lessons.split()
    assert len(taught) == 48 and not set(taught) & set(held)
    steps: list[tuple[int, float]] = []
    train_student(lessons, tmp_path, 0.25, lambda share, step, loss: steps.append((step, loss)))
    first = len(steps)
    network = train_student(lessons, tmp_path, 0.5, lambda share, step, loss: steps.append((step, loss)))
    assert [step for step, _ in steps] == list(range(1, len(steps) + 1)) and len(steps) > first > 0
    model = make_model(network)
    assert model.words == WORDS
    recipe_bytes(model, lessons.traits[0], 7)
    found = measure_student(model, lessons)
    assert json.dumps(found)
    assert found["pictures held out"] == 12
    assert 0 <= found["probe motif, network"] <= 1
    assert teacher_sheet(model, lessons, 6).size[0] > 12 * 128
    assert Path(tmp_path / "checkpoint.pt").exists()
