"Drawings: the vocabulary, and the same picture for the same words."

import pytest

from artmint.core.collection import example
from artmint.seeds import load_collection
from artmint.train.drawings import (
    CAPTIONS,
    MOTIFS,
    Subject,
    caption,
    describe_untaught,
    draw,
    held_out_subjects,
    subjects,
    untaught_words,
)

DEMO = example()


def test_the_demo_speaks_the_vocabulary_of_the_drawings():
    from artmint.train import drawings

    demo = load_collection(DEMO)
    assert demo.template in drawings.CAPTIONS
    assert set(demo.traits["motif"]) == set(drawings.MOTIFS)
    assert {name: demo.palettes[name] for name in demo.traits["palette"]}.items() <= drawings.PALETTES.items()
    assert {name: demo.palettes[name] for name in drawings.GROUNDS} == {
        name: (colour,) for name, colour in drawings.GROUNDS.items()
    }


def test_every_subject_is_drawn_and_no_two_alike():
    "Each once, by one seed: what differs in a word differs in pixels."
    every = subjects()
    assert len({draw(subject, 5, 32).tobytes() for subject in every}) == len(every)


@pytest.mark.parametrize("motif", MOTIFS)
def test_a_seed_gives_the_same_drawing_and_another_another(motif):
    subject = Subject(motif, "ocean", "night", "dense", "offset")
    first = draw(subject, 7, 48)
    assert (first.mode, first.size) == ("RGB", (48, 48))
    assert draw(subject, 7, 48).tobytes() == first.tobytes()
    assert draw(subject, 8, 48).tobytes() != first.tobytes()


@pytest.mark.parametrize("field", ["motif", "palette", "ground"])
def test_a_word_outside_the_vocabulary_is_refused(field):
    words = vars(Subject("rings", "ocean", "night", "dense", "centred"))
    with pytest.raises(KeyError, match="plaid"):
        draw(Subject(**words | {field: "plaid"}), 1)


def test_some_pairs_of_motif_and_palette_are_kept_from_training():
    held = {(each.motif, each.palette) for each in subjects() if held_out_subjects(each)}
    trained = {(each.motif, each.palette) for each in subjects() if not held_out_subjects(each)}
    assert len(held) == len(MOTIFS)
    assert not held & trained
    assert {motif for motif, _ in held} == {motif for motif, _ in trained}


def test_every_wording_names_motif_and_palette():
    subject = Subject("waves", "ember", "paper", "sparse", "offset")
    said = {caption(subject, i) for i in range(2 * len(CAPTIONS))}
    assert len(said) == len(CAPTIONS)
    assert all("waves" in words and "ember" in words for words in said)


def test_words_of_captions_are_taught_and_no_others():
    assert (
        untaught_words(caption(subject, seed) for subject in subjects() for seed in range(len(CAPTIONS)))
        == []
    )
    asked = ["Dense (RINGS:1.2), night", "2 rings, 8k, trending-on-artstation, rings, 8k, Wüste"]
    assert untaught_words(asked) == ["8k", "trending-on-artstation", "wüste"]


def test_what_the_bundled_base_was_taught_is_said_of_it_alone():
    demo = load_collection(example())
    few, many = ["a dragon over rings"], [" ".join("abcdefghijkl") + " rings"]
    assert describe_untaught(demo, ["dense rings in ember colours"]) == ""
    assert "dragon, over:" in describe_untaught(demo, few)
    assert "b, c, d, e, f, g, h, i and 3 more:" in describe_untaught(demo, many)
    folder = demo.model_copy(update={"generation": demo.generation.model_copy(update={"base": "sd15"})})
    server = demo.model_copy(update={"generation": demo.generation.model_copy(update={"engine": "a1111"})})
    words = demo.model_copy(update={"embeddings": ("0" * 64,)})
    assert [describe_untaught(other, few) for other in (folder, server, words)] == ["", "", ""]
