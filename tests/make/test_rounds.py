"A studio changes its mind between rounds: nothing that was made is touched, nothing that was refused stays in the way."

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from hypothesis import given, settings as tries
from hypothesis import strategies as st

from artmint.curate import candidates, choose, picked_earlier
from artmint.core.collection import read_collection
from artmint.core.records import Edition, Slot
from artmint.explore import count_pictures, parse_axis
from artmint.generate import attempts_of, enter, generate, is_by_hand, open_slots
from artmint.judge.decisions import Opinion, record_opinions
from artmint.make.adapters import pack_tensors
from artmint.make.base import load_base, load_judge, weights_files
from artmint.make.engines import Diffusers
from artmint.make.embeddings import UnsaidWord, pack_word
from artmint.make.engine import UnknownChoice
from artmint.make.prompts import UnreadMarkup
from artmint.make.rounds import (
    FewerRounds,
    Settings,
    allow_rounds,
    describe_change,
    record_attempts,
    round_attempts,
    round_numbers,
    round_of,
    settings_now,
    settings_of,
    tried_attempts,
)
from artmint.metadata import AuditFailed, MixedBases, RefusedByPeople, pack, refuse_mixed_bases
from artmint.publish.tokens import BaseFacts, read_token
from artmint.run.batch import Stage, load_batch
from artmint.run.runner import SlotsBeyond, WaitingForPeople, _in_rounds, run_batch
from artmint.seeds import (
    AllocationChanged,
    frozen_slots,
    load_collection,
    recipes,
    settle_slots,
)
from artmint.studio.catalog import Catalog
from artmint.studio.editions import edition_of
from tests.conftest import TINY
from tests.styles import sha

BASE = "0" * 64


@pytest.fixture
def tiny():
    return load_collection(TINY)


@pytest.fixture(scope="module")
def base():
    return load_base()


def with_(collection, **generation):
    "A collection with some other settings."
    return collection.model_copy(update={"generation": collection.generation.model_copy(update=generation)})


def numbers(catalog, collection, slot=1, number=1, base=BASE) -> list[int]:
    "The numbers of a slot's attempts of a round, which is recorded."
    now = settings_now(catalog, collection, base)
    slots = [s for s in frozen_slots(catalog, collection, collection.salt) if s.id == slot]
    attempts = round_attempts(catalog, now, slots, number)
    record_attempts(catalog, now, attempts, number)
    return [attempt.attempt for attempt in attempts]


def test_changed_settings_number_on_and_earlier_ones_are_found_again(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    assert numbers(catalog, tiny) == [1, 2]
    assert numbers(catalog, tiny, number=2) == [3, 4]
    assert numbers(catalog, with_(tiny, steps=3)) == [5, 6]
    assert numbers(catalog, tiny.model_copy(update={"template": "{palette} {motif}"})) == [7, 8]
    assert numbers(catalog, tiny) == [1, 2]
    assert numbers(catalog, tiny, number=3) == [9, 10]
    assert numbers(catalog, with_(tiny, steps=3), number=2) == [11, 12]
    assert numbers(catalog, tiny, slot=2) == [1, 2]


def test_what_changes_no_picture_changes_no_number(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    assert numbers(catalog, tiny) == [1, 2]
    for change in ({"description": "Other words."}, {"rules": ()}, {"title": "Small"}):
        assert numbers(catalog, tiny.model_copy(update=change)) == [1, 2]


def test_more_attempts_a_round_keep_those_that_were_made(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    assert numbers(catalog, tiny) == [1, 2]
    assert numbers(catalog, with_(tiny, attempts=3)) == [1, 2, 3]
    assert numbers(catalog, with_(tiny, attempts=1), number=2) == [4]
    assert numbers(catalog, with_(tiny, attempts=1)) == [1]


def test_another_base_another_salt_and_another_adapter_are_other_settings(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    assert numbers(catalog, tiny) == [1, 2]
    assert numbers(catalog, tiny, base="1" * 64) == [3, 4]
    assert numbers(catalog, tiny.model_copy(update={"salt": "another"})) == [5, 6]
    use = {"name": "mine", "digest": "2" * 64}
    adapted = type(tiny).model_validate_json(tiny.model_copy(update={"adapters": (use,)}).model_dump_json())
    assert numbers(catalog, adapted) == [7, 8]


def test_attempts_of_an_artmint_that_kept_no_settings_go_on_counting(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    slot = frozen_slots(catalog, tiny, tiny.salt)[0]
    for a in recipes(tiny, [slot], tiny.salt, range(1, 3), BASE):
        body = {"dna": a.recipe.dna, "recipe": a.recipe.facts()}
        catalog.put("attempt", f"tiny/1/{a.attempt}", body)
    assert numbers(catalog, tiny) == [1, 2]
    assert numbers(catalog, with_(tiny, steps=5)) == [3, 4]


@tries(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 2])),
        min_size=1,
        max_size=8,
    )
)
def test_a_number_means_one_recipe_for_ever(tmp_path_factory, plan):
    "Whatever a studio changes and changes back: rounds are disjoint, complete, and no record is ever rewritten."
    tiny = load_collection(TINY)
    catalog = Catalog(tmp_path_factory.mktemp("studio"))
    first = {}
    for steps, attempts, number, slot in plan:
        collection = with_(tiny, steps=steps, attempts=attempts)
        asked = numbers(catalog, collection, slot, number)
        assert len(asked) == attempts
        for n, body in tried_attempts(catalog, collection, slot).items():
            assert first.setdefault((slot, n), body["recipe"]) == body["recipe"]
        now = settings_now(catalog, collection)
        by_id = {s.id: s for s in frozen_slots(catalog, collection, collection.salt)}
        rounds = [round_numbers(catalog, collection, now, by_id[slot], r) for r in range(1, number + 1)]
        assert len({n for one in rounds for n in one}) == attempts * number
        assert {round_of(catalog, collection, now, by_id[slot], n) for n in asked} == {number}
        for n in asked:
            assert first[slot, n]["steps" if steps != 20 else "seed"]


def test_a_refused_setting_is_corrected_and_nothing_was_recorded(tmp_path, tiny, base):
    catalog = Catalog(tmp_path)
    slots = open_slots(catalog, tiny, tiny.salt, 1, 2)
    for wrong in ({"scheduler": "Eulr"}, {"scheduler": "Euler"}, {"width": 68}):
        collection = tiny.model_copy(
            update={"generation": tiny.generation.model_construct(**{**dict(tiny.generation), **wrong})}
        )
        with pytest.raises((UnknownChoice, ValueError)):
            attempts_of(catalog, collection, slots, tiny.salt, 1, Diffusers(base))
    long = tiny.model_copy(update={"template": "{motif} in {palette} colours " + "and waves " * 200})
    with pytest.raises(Exception, match="tokens"):
        attempts_of(catalog, long, slots, tiny.salt, 1, Diffusers(base))
    assert not catalog.all("attempt") and not catalog.all("settings")
    assert [a.attempt for a in attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base))] == [
        1,
        2,
        1,
        2,
    ]


def test_recorded_attempts_with_marks_go_on_and_new_ones_are_refused(tmp_path, tiny, base):
    catalog = Catalog(tmp_path)
    slots = open_slots(catalog, tiny, tiny.salt, 1, 1)
    older = tiny.model_copy(update={"template": tiny.template.replace("{motif}", "({motif}:1.2)")})
    with pytest.raises(UnreadMarkup):
        attempts_of(catalog, older, slots, tiny.salt, 1, Diffusers(base))
    assert not catalog.all("attempt")
    settings = settings_now(catalog, older, base.digest)
    made = round_attempts(catalog, settings, slots, 1)
    record_attempts(catalog, settings, made, 1)
    assert attempts_of(catalog, older, slots, tiny.salt, 1, Diffusers(base)) == made
    with pytest.raises(UnreadMarkup):
        attempts_of(catalog, older, slots, tiny.salt, 2, Diffusers(base))


@pytest.mark.slow
def test_a_drop_holds_editions_of_several_settings_and_proves_each(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    judge = load_judge()
    slots = frozen_slots(catalog, tiny, tiny.salt)
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots[:2], tiny.salt, 1, Diffusers(base)))
    choose(catalog, tiny, judge, slots[:2], 1)
    kept = {key: body["dna"] for key, body in catalog.all("edition").items()}
    assert set(kept) == {"tiny/1", "tiny/2"}

    changed = with_(tiny, steps=3).model_copy(
        update={"template": "a drawing of {motif} in {palette} colours"}
    )
    assert "steps 2 -> 3" in describe_change(catalog, settings_now(catalog, changed, base.digest), slots)
    still_open = open_slots(catalog, changed, tiny.salt, 1, 4)
    assert [slot.id for slot in still_open] == [3, 4]
    made = attempts_of(catalog, changed, still_open, tiny.salt, 1, Diffusers(base))
    assert {a.attempt for a in made} == {1, 2}
    generate(catalog, Diffusers(base), made)
    choice = choose(catalog, changed, judge, slots, 1)
    assert not choice.open
    assert {key: body["dna"] for key, body in catalog.all("edition").items()} | kept == {
        key: body["dna"] for key, body in catalog.all("edition").items()
    }
    facts = BaseFacts(digest=base.digest, source=base.source)
    pack(catalog, changed, 1, 1, 4, facts, weights_files(base))
    root = tmp_path / "studio" / "drops" / "tiny-1" / "root"
    steps = [read_token((root / f"{n}.json").read_bytes()).artmint.recipe["steps"] for n in range(1, 5)]
    assert steps == [2, 2, 3, 3]


@pytest.mark.slow
def test_a_recipe_that_no_settings_gave_is_still_found_out(tmp_path, tiny, base):
    "The audit derives each recipe anew, under the settings that it was painted with."
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base)))
    choose(catalog, tiny, load_judge(), slots, 1)
    edition = catalog.get("edition", "tiny/1")
    swapped = edition | {"attempt": 3 - edition["attempt"]}
    catalog.append("edition", "tiny/1", swapped)
    changed = tiny.model_copy(update={"description": "Other words."})
    with pytest.raises(AuditFailed, match="seed"):
        facts = BaseFacts(digest=base.digest, source=base.source)
        pack(catalog, changed, 1, 1, 4, facts, weights_files(base))


@pytest.mark.slow
def test_what_people_reject_after_the_choice_is_not_packed(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    made = generate(
        catalog, Diffusers(base), attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base))
    )
    edition = choose(catalog, tiny, load_judge(), slots, 1).editions[2]
    opinion = Opinion(by="Ada", decision="reject", at="2026-01-01T00:00:00.000000+00:00")
    record_opinions(catalog, [(edition.dna, opinion)])
    facts = BaseFacts(digest=base.digest, source=base.source)
    with pytest.raises(RefusedByPeople) as refusal:
        pack(catalog, tiny, 1, 1, 4, facts, weights_files(base))
    assert refusal.value.slots == [3]
    other = choose(catalog, tiny, load_judge(), slots, 1).editions[2]
    assert other.dna != edition.dna and other.dna in {artifact.dna for artifact in made}
    manifest = pack(catalog, tiny, 1, 1, 4, facts, weights_files(base))
    assert [token.dna for token in manifest.tokens][2] == other.dna
    late = opinion.model_copy(update={"at": "2026-01-02T00:00:00.000000+00:00"})
    record_opinions(catalog, [(other.dna, late)])
    assert pack(catalog, tiny, 1, 1, 4, facts, weights_files(base)) == manifest


@pytest.mark.slow
def test_editions_of_two_bases_make_no_drop(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base)))
    choose(catalog, tiny, load_judge(), slots, 1)
    own, other = (BaseFacts(digest=name, source="bundled") for name in (base.digest, "7" * 64))
    editions = [Edition(**edition_of(catalog, tiny.name, slot)) for slot in range(1, 5)]
    facts = [catalog.get("artifact", edition.dna)["recipe"] for edition in editions]
    facts[2] = facts[2] | {"base": other.digest}
    with pytest.raises(MixedBases) as refusal:
        refuse_mixed_bases(editions, facts, own)
    assert refusal.value.slots == [3]
    assert pack(catalog, tiny, 1, 1, 4, other, {}).weights[0].digest == own.digest


@pytest.mark.slow
def test_what_a_person_picked_of_earlier_settings_counts(tmp_path, tiny, base):
    "The rules choose among what the present settings gave; a person may go back."
    catalog = Catalog(tmp_path / "studio")
    judge = load_judge()
    slots = frozen_slots(catalog, tiny, tiny.salt)
    early = generate(
        catalog, Diffusers(base), attempts_of(catalog, tiny, slots[:2], tiny.salt, 1, Diffusers(base))
    )
    changed = with_(tiny, steps=3)
    generate(
        catalog, Diffusers(base), attempts_of(catalog, changed, slots[:2], tiny.salt, 1, Diffusers(base))
    )
    opinion = Opinion(by="Ada", decision="accept", at="2026-01-01T00:00:00.000000+00:00")
    record_opinions(catalog, [(early[1].dna, opinion)])
    assert [c.dna for c in picked_earlier(catalog, changed, slots)] == [early[1].dna]
    choice = choose(catalog, changed, judge, slots[:2], 1)
    assert choice.editions[0].dna == early[1].dna and choice.editions[0].attempt == 2
    assert choice.editions[1].attempt in (3, 4)
    assert {c.attempt for c in candidates(catalog, changed, slots[:2], 1)} == {3, 4}


@pytest.mark.slow
def test_counts_change_as_long_as_no_edition_stands_in_the_way(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    more = tiny.model_copy(
        update={
            "traits": {"motif": {"rings": 3, "waves": 1}, "palette": tiny.traits["palette"]},
            "unique": False,
        }
    )
    with pytest.raises(AllocationChanged, match="allocate them anew"):
        frozen_slots(catalog, more, tiny.salt)
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots[:1], tiny.salt, 1, Diffusers(base)))
    choose(catalog, tiny, load_judge(), slots[:1], 1)
    fresh, moved = settle_slots(catalog, more, tiny.salt)
    assert moved == [2, 3, 4]
    assert fresh[0] == slots[0]
    assert sorted(slot.traits["motif"] for slot in fresh) == ["rings"] * 3 + ["waves"]
    assert settle_slots(catalog, more, tiny.salt) == (fresh, [])
    assert frozen_slots(catalog, more, tiny.salt) == fresh


@pytest.mark.slow
def test_traits_of_an_edition_can_not_be_taken_from_it(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    generate(catalog, Diffusers(base), attempts_of(catalog, tiny, slots[:1], tiny.salt, 1, Diffusers(base)))
    choose(catalog, tiny, load_judge(), slots[:1], 1)
    kept = slots[0].traits["motif"]
    other = {"rings": "waves", "waves": "rings"}[kept]
    gone = tiny.model_copy(update={"traits": tiny.traits | {"motif": {other: 4}}, "unique": False})
    before = catalog.all("slot")
    with pytest.raises(AllocationChanged) as refusal:
        settle_slots(catalog, gone, tiny.salt)
    assert refusal.value.kept == [1] and refusal.value.traits == ["motif"]
    assert "Slots 1 have" in str(refusal.value)
    assert catalog.all("slot") == before


@pytest.mark.slow
def test_an_attempt_for_other_traits_is_no_candidate_any_more(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    early = generate(
        catalog, Diffusers(base), attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base))
    )
    opinion = Opinion(by="Ada", decision="accept", at="2026-01-01T00:00:00.000000+00:00")
    record_opinions(catalog, [(artifact.dna, opinion) for artifact in early])
    counts = {"motif": {"rings": 4}, "palette": tiny.traits["palette"]}
    rings = tiny.model_copy(update={"traits": counts, "unique": False})
    fresh, moved = settle_slots(catalog, rings, tiny.salt)
    was = {slot.id: slot.traits for slot in slots}
    for candidate in picked_earlier(catalog, rings, fresh):
        assert candidate.slot.traits == was[candidate.slot.id]
    now = settings_now(catalog, rings, base.digest)
    assert settings_of(catalog, catalog.get("attempt", "tiny/1/1"), "tiny", tiny.salt).collection == tiny
    assert all(slot.traits["motif"] == "rings" for slot in fresh)
    assert now.collection == rings


@pytest.mark.slow
def test_a_batch_goes_on_after_its_collection_was_changed(tmp_path):
    "Through the console: one finished round, other steps, the same batch again."
    shutil.copytree(TINY, tmp_path / "tiny")
    file = tmp_path / "tiny" / "collection.toml"
    batch = tmp_path / "b.toml"
    batch.write_text('name = "b"\ncollection = "tiny"\nquantity = 1\nstages = ["15_generate", "20_curate"]\n')
    lines = []

    def run() -> None:
        "One round up to its pictures."
        run_batch(load_batch(batch), tmp_path / "studio", lines.append, last="generate")

    file.write_text(
        file.read_text().replace('profile = "portable"', 'profile = "portable"\nscheduler = "Euler"')
    )
    with pytest.raises(Exception, match="Euler"):
        run()
    file.write_text(file.read_text().replace('profile = "portable"', 'profile = "fast"'))
    run()
    file.write_text(file.read_text().replace("steps = 2", "steps = 3"))
    run()
    assert any("steps 2 -> 3" in line for line in lines)
    attempts = Catalog(tmp_path / "studio").all("attempt", "tiny/")
    assert {key.split("/")[2] for key in attempts} == {"1", "2", "3", "4"}


def test_a_batch_asks_for_no_more_slots_than_there_are(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    batch = tmp_path / "b.toml"
    batch.write_text('name = "b"\ncollection = "tiny"\nquantity = 5\nstages = ["00_seeds"]\n')
    with pytest.raises(SlotsBeyond, match="1 to 4"):
        run_batch(load_batch(batch), tmp_path / "studio", print)
    assert not (tmp_path / "studio").exists()


@pytest.mark.slow
def test_a_changed_setting_runs_through_where_every_slot_has_its_edition(tmp_path):
    "Nothing is painted then, and there is nothing to draw."
    shutil.copytree(TINY, tmp_path / "tiny")
    file = tmp_path / "tiny" / "collection.toml"
    file.write_text(file.read_text().replace('profile = "portable"', 'profile = "fast"'))
    batch = tmp_path / "b.toml"
    batch.write_text('name = "b"\ncollection = "tiny"\nquantity = 2\nstages = ["15_generate", "20_curate"]\n')
    run_batch(load_batch(batch), tmp_path / "studio", print)
    editions = Catalog(tmp_path / "studio").all("edition")
    file.write_text(file.read_text().replace("steps = 2", "steps = 3"))
    lines = []
    run_batch(load_batch(batch), tmp_path / "studio", lines.append)
    assert any("0 attempts for 0 open slots" in line for line in lines)
    assert Catalog(tmp_path / "studio").all("edition") == editions


@pytest.mark.slow
def test_a_slot_that_waits_for_a_work_by_hand_holds_up_no_round(tmp_path, base):
    "Neither painted nor taken for an incomplete round; the work takes it when it is entered and picked."
    shutil.copytree(TINY, tmp_path / "tiny")
    file = tmp_path / "tiny" / "collection.toml"
    text = file.read_text().replace("rings = 2", "rings = 1").replace("ocean = 2", "ocean = 1")
    file.write_text(text + "\n[one_of_ones.painting]\nby_hand = true\n")
    collection = load_collection(tmp_path / "tiny")
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, collection, collection.salt)
    (held,) = [slot for slot in slots if is_by_hand(catalog, collection, slot)]
    still_open = open_slots(catalog, collection, collection.salt, 1, 4)
    assert held not in still_open and len(still_open) == 3
    generate(
        catalog,
        Diffusers(base),
        attempts_of(catalog, collection, still_open, collection.salt, 1, Diffusers(base)),
    )
    assert choose(catalog, collection, load_judge(), slots, 1).open == (held.id,)
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "work.png")
    work = enter(catalog, collection, held.id, tmp_path / "work.png", "Ada")
    opinion = Opinion(by="Ada", decision="accept", at="2026-01-01T00:00:00.000000+00:00")
    record_opinions(catalog, [(work.dna, opinion)])
    choice = choose(catalog, collection, load_judge(), slots, 1)
    assert not choice.open and choice.editions[held.id - 1].attempt == 0


def test_a_batch_stops_at_once_where_only_works_by_hand_are_missing(tmp_path):
    stages = [Stage("15_generate", {}, True), Stage("20_curate", {}, True)]
    ran = []
    with pytest.raises(WaitingForPeople, match="artmint enter"):
        for stage in _in_rounds(stages, 4, lambda number: [3], lambda: [3, 7]):
            ran.append(stage.name)
    assert ran == ["15_generate", "20_curate"]


def test_a_word_for_one_value_is_a_change_whichever_slot_has_it(tmp_path, tiny):
    catalog = Catalog(tmp_path)
    slots = frozen_slots(catalog, tiny, tiny.salt)
    now = settings_now(catalog, tiny, BASE)
    record_attempts(catalog, now, round_attempts(catalog, now, slots, 1), 1)
    assert describe_change(catalog, now, slots) == ""
    other = next(value for value in ("rings", "waves") if value != slots[0].traits["motif"])
    worded = tiny.model_copy(update={"words": {"motif": {other: "something else"}}})
    assert "prompt" in describe_change(catalog, settings_now(catalog, worded, BASE), slots)
    salted = tiny.model_copy(update={"salt": "another"})
    assert "salt" in describe_change(catalog, settings_now(catalog, salted, BASE), slots)


@pytest.mark.slow
def test_a_public_salt_that_is_changed_leaves_what_was_made_provable(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    early = generate(
        catalog, Diffusers(base), attempts_of(catalog, tiny, slots, tiny.salt, 1, Diffusers(base))
    )
    choose(catalog, tiny, load_judge(), slots[:2], 1)
    salted = tiny.model_copy(update={"salt": "another"})
    opinion = Opinion(by="Ada", decision="accept", at="2026-01-01T00:00:00.000000+00:00")
    record_opinions(catalog, [(early[5].dna, opinion)])
    generate(catalog, Diffusers(base), attempts_of(catalog, salted, slots[2:], "another", 1, Diffusers(base)))
    choice = choose(catalog, salted, load_judge(), slots, 1)
    assert choice.editions[2].dna == early[5].dna
    facts = BaseFacts(digest=base.digest, source=base.source)
    assert pack(catalog, salted, 1, 1, 4, facts, weights_files(base)).quantity == 4


@pytest.mark.slow
def test_editions_of_an_artmint_that_kept_no_settings_are_held_against_what_it_recorded(tmp_path, tiny, base):
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, tiny, tiny.salt)
    made = recipes(tiny, slots, tiny.salt, range(1, 3), base.digest)
    for a in made:
        key = f"tiny/{a.slot}/{a.attempt}"
        catalog.put("attempt", key, {"dna": a.recipe.dna, "recipe": a.recipe.facts()})
    generate(catalog, Diffusers(base), made)
    choose(catalog, tiny, load_judge(), slots, 1)
    changed = with_(tiny, steps=7)
    facts = BaseFacts(digest=base.digest, source=base.source)
    manifest = pack(catalog, changed, 1, 1, 4, facts, weights_files(base))
    assert {token.dna for token in manifest.tokens} <= {a.recipe.dna for a in made}


@pytest.fixture(scope="module")
def golden(base):
    "A tiny collection of which one value alone says goldleaf, and the embedding of that word."
    width = base.pipeline.text_encoder.config.hidden_size
    data = pack_word(pack_tensors({"emb_params": torch.ones(1, width)}, {}), "goldleaf")
    words = {"palette": {"ember": "goldleaf"}}
    return load_collection(TINY).model_copy(update={"words": words, "embeddings": (sha(data),)}), data


@pytest.mark.slow
def test_a_word_that_other_slots_say_is_said(base, golden, tmp_path):
    "The slots that say it may have their editions, or lie in another drop."
    collection, data = golden
    catalog = Catalog(tmp_path)
    catalog.put_blob(data)
    slots = frozen_slots(catalog, collection, collection.salt)
    silent = [slot for slot in slots if slot.traits["palette"] == "ocean"]
    assert len(attempts_of(catalog, collection, silent, collection.salt, 1, Diffusers(base))) == 4
    assert count_pictures(catalog, collection, [parse_axis("steps=1,2")], silent[:1]) == (2, 2)
    changed = collection.model_copy(update={"words": {}})
    with pytest.raises(UnsaidWord, match="goldleaf"):
        attempts_of(catalog, changed, slots, changed.salt, 2, Diffusers(base))
    with pytest.raises(UnsaidWord, match="goldleaf"):
        count_pictures(catalog, changed, [parse_axis("steps=1,2")], slots)
    assert len(catalog.all("attempt")) == 4


def test_the_texts_of_ten_thousand_slots_are_few(golden):
    collection, _ = golden
    settings = Settings(collection, BASE, {}, "salt")
    traits = [
        {"motif": motif, "palette": palette} for motif in ("rings", "waves") for palette in ("ocean", "ember")
    ]
    slots = [Slot(id=i + 1, traits=traits[i % 4]) for i in range(10_000)]
    assert settings.texts(slots) == {
        "",
        *(f"{motif} in {word} colours" for motif in ("rings", "waves") for word in ("ocean", "goldleaf")),
    }


def test_more_rounds_are_allowed_and_the_file_keeps_the_rest(tmp_path):
    source = (Path(__file__).parents[1] / "data" / "tiny" / "collection.toml").read_text()
    for line in ("\n", "\r\n"):
        file = tmp_path / "collection.toml"
        file.write_bytes(source.replace("\n", line).encode())
        with pytest.raises(FewerRounds):
            allow_rounds(file, 1)
        assert not allow_rounds(file, 2)
        assert allow_rounds(file, 7)
        assert file.read_bytes() == source.replace("rounds = 2", "rounds = 7").replace("\n", line).encode()
        assert read_collection(file).generation.rounds == 7
