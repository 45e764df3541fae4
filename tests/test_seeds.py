"Allocation, seeds, salts and recipes."

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint import seeds
from artmint.core.canon import digest
from artmint.core.collection import InconsistentCollection, Market, OneOfOne, Requirement, counts_of, example
from artmint.core.records import Edition, SecondPass, Slot
from artmint.seeds import (
    AllocationChanged,
    ConstraintBroken,
    TraitsRemoved,
    Unallocatable,
    allocate,
    allocation_facts,
    allocation_lines,
    colours_of,
    derive_seed,
    frozen_slots,
    load_collection,
    problems_of,
    prompt_of,
    recipes,
    salt_of,
    settle_slots,
    slot_seeds,
)
from artmint.studio.catalog import Catalog
from tests.drawn import FORMER
from tests.studios import collection

DEMO = example()


BASE = "0" * 64


def counted(slots: list[Slot], trait: str) -> dict:
    "How often each value of a trait occurs."
    return dict(Counter(slot.traits[trait] for slot in slots))


# ------------------------------------------------------------------ allocation


def test_the_demo_is_consistent_and_exact():
    demo = load_collection(DEMO)
    slots = allocate(demo, demo.salt)
    assert [slot.id for slot in slots] == list(range(1, 17))
    assert {trait: counted(slots, trait) for trait in demo.traits} == demo.traits
    assert len({tuple(slot.traits.values()) for slot in slots}) == 16
    assert all(slot.traits["ground"] == "night" for slot in slots if slot.traits["motif"] == "nebula")
    assert not [
        slot for slot in slots if (slot.traits["palette"], slot.traits["ground"]) == ("graphite", "slate")
    ]


@st.composite
def feasible(draw):
    "A collection that some allocation satisfies, because its counts were counted from one."
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    names = {f"t{i}": [f"v{j}" for j in range(size)] for i, size in enumerate(sizes)}
    one = st.fixed_dictionaries({trait: st.sampled_from(values) for trait, values in names.items()})
    unique = draw(st.booleans())
    rows = draw(
        st.lists(
            one,
            min_size=1,
            max_size=30,
            unique_by=(lambda row: tuple(sorted(row.items()))) if unique else None,
        )
    )
    traits = {trait: dict(Counter(row[trait] for row in rows)) for trait in names}
    pairs = [pair for pair in draw(st.lists(st.tuples(one, one), max_size=4)) if len(sizes) > 1]
    forbidden, required = [], []
    for pair, other in pairs:
        (a, x), (b, y) = sorted(pair.items())[:2]
        if not all(value in traits[trait] for trait, value in ((a, x), (b, y), (b, other[b]))):
            continue
        if not any(row[a] == x and row[b] == y for row in rows):
            forbidden.append({a: x, b: y})
        if all(row[b] == other[b] for row in rows if row[a] == x):
            required.append(Requirement(when={a: x}, then={b: other[b]}))
    return collection(traits, forbidden=tuple(forbidden), required=tuple(required), unique=unique)


@settings(deadline=None, max_examples=150)
@given(feasible(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_allocation_is_exact_and_keeps_every_constraint(wanted, salt):
    slots = allocate(wanted, salt)
    assert [slot.id for slot in slots] == list(range(1, wanted.supply + 1))
    assert {trait: counted(slots, trait) for trait in wanted.traits} == wanted.traits
    for slot in slots:
        values = slot.traits.items()
        assert not any(pair.items() <= values for pair in wanted.forbidden)
        for need in wanted.required:
            assert need.then.items() <= values or not need.when.items() <= values
    if wanted.unique:
        assert len({tuple(s.traits.values()) for s in slots}) == wanted.supply
    assert slots == allocate(wanted, salt)


def test_the_order_in_the_file_does_not_matter():
    demo = load_collection(DEMO)
    turned = demo.model_copy(
        update={"traits": {t: dict(reversed(v.items())) for t, v in reversed(demo.traits.items())}}
    )
    assert [s.traits for s in allocate(turned, "x")] == [s.traits for s in allocate(demo, "x")]


def test_a_salt_changes_the_slots_and_nothing_else_does():
    demo = load_collection(DEMO)
    assert allocate(demo, "a") != allocate(demo, "b")
    assert allocate(demo, "a") == allocate(demo.model_copy(update={"title": "Other", "rules": ()}), "a")


def test_an_allocation_is_the_same_in_another_interpreter():
    code = (
        "from artmint.core.canon import digest; from artmint.seeds import allocate, load_collection\n"
        f"demo = load_collection({str(DEMO)!r})\n"
        "print(digest([slot.traits for slot in allocate(demo, 'a')]))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == digest([slot.traits for slot in allocate(load_collection(DEMO), "a")])


def test_combinations_are_spread_before_they_are_repeated():
    slots = allocate(collection({"a": {"x": 8, "y": 8}, "b": {"p": 8, "q": 8}}), "s")
    assert max(Counter(tuple(s.traits.values()) for s in slots).values()) == 4


@pytest.mark.parametrize(
    "wanted, blamed",
    [
        (collection({"a": {"x": 3}, "b": {"p": 2, "q": 1}}, unique=True), ["unique"]),
        (
            collection({"a": {"x": 2, "y": 1}, "b": {"p": 3}}, forbidden=({"a": "x", "b": "p"},)),
            ["forbidden[0]"],
        ),
        (
            collection(
                {"a": {"x": 2, "y": 1}, "b": {"p": 1, "q": 2}},
                required=(Requirement(when={"a": "x"}, then={"b": "p"}),),
            ),
            ["required[0]"],
        ),
        (
            collection(
                {"a": {"x": 1, "y": 1}, "b": {"p": 1, "q": 1}},
                forbidden=({"a": "x", "b": "p"},),
                required=(Requirement(when={"a": "x"}, then={"b": "p"}),),
            ),
            ["forbidden[0]", "required[0]"],
        ),
        (
            collection(
                {"a": {"x": 2, "y": 2}, "b": {"p": 4}}, forbidden=({"a": "x", "b": "p"}, {"a": "y", "b": "p"})
            ),
            [],
        ),
    ],
)
def test_what_cannot_be_allocated_names_what_stands_in_the_way(wanted, blamed):
    with pytest.raises(Unallocatable) as caught:
        allocate(wanted, "s")
    assert caught.value.constraints == blamed
    assert any("No allocation" in problem for problem in problems_of(wanted))


def test_ten_thousand_slots_are_exact():
    many = {"a": 20, "b": 10, "d": 40}  # values, all as frequent
    traits = {trait: {f"v{j}": 10_000 // values for j in range(values)} for trait, values in many.items()}
    traits["c"] = {"x": 6000, "y": 4000}
    wanted = collection(traits, unique=True)
    slots = allocate(wanted, "s")
    assert {trait: counted(slots, trait) for trait in traits} == traits
    assert len({tuple(s.traits.values()) for s in slots}) == 10_000


def pin_of(made):
    "The beginning of the digest of a collection's slots."
    slots = allocate(made, made.salt)
    return digest([{"id": slot.id, "traits": slot.traits} for slot in slots])[:16]


def test_the_examples_slots_are_pinned():
    "A new version of artmint gives the slots that the old ones gave; the demo had six motifs once."
    demo, lora = (load_collection(example(f"collections/{name}")) for name in ("demo", "demo-lora"))
    assert pin_of(FORMER) == "f892847c824f69bc"
    assert [pin_of(demo), pin_of(lora)] == ["4dec9e2911f0a131", "15f46012a83a201f"]


@pytest.mark.slow
def test_ten_thousand_slots_of_any_number_of_combinations_load_and_are_kept(tmp_path):
    traits = {f"t{i:02}": {f"v{j:02}": 500 for j in range(20)} for i in range(13)}
    wanted = collection(traits, unique=True, forbidden=({"t00": "v00", "t01": "v00"},))
    begun = time.process_time()
    assert problems_of(wanted) == []
    assert time.process_time() - begun < 1
    catalog = Catalog(tmp_path)
    slots = frozen_slots(catalog, wanted, "s")
    assert slots == frozen_slots(catalog, wanted, "s") == allocate(wanted, "s")
    assert {trait: counted(slots, trait) for trait in traits} == traits


# ------------------------------------------------------------------ one-of-ones

WORKS = {
    "queen": OneOfOne(prompt="a queen", slots=(3, 5)),
    "twins": OneOfOne(prompt="twins", quantity=2),
    "oil": OneOfOne(by_hand=True),
}


PLAIN = {"a": {"x": 10, "y": 5}, "b": {"p": 8, "q": 7}}


def with_works(traits: dict = PLAIN, **more):
    "Twenty slots, five of them one-of-ones."
    return collection(traits, **{"supply": 20, "one_of_ones": WORKS} | more)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
def test_one_of_ones_have_slots_beside_exact_counts(salt):
    wanted = with_works()
    slots = allocate(wanted, salt)
    assert [slot.id for slot in slots] == list(range(1, 21))
    works = {slot.id: slot.traits["one_of_one"] for slot in slots if "one_of_one" in slot.traits}
    assert Counter(works.values()) == {"queen": 2, "twins": 2, "oil": 1}
    assert works[3] == works[5] == "queen"
    assert all(list(slot.traits) == ["one_of_one"] for slot in slots if slot.id in works)
    plain = [slot for slot in slots if slot.id not in works]
    assert {trait: counted(plain, trait) for trait in wanted.traits} == wanted.traits


def test_the_salt_chooses_the_slots_of_one_of_ones():
    places = {
        tuple(slot.id for slot in allocate(with_works(), salt) if slot.traits.get("one_of_one") == "twins")
        for salt in "abcdefgh"
    }
    assert len(places) > 4


def test_one_of_ones_have_their_own_prompt_and_no_colours():
    slots = allocate(with_works(), "s")
    assert prompt_of(with_works(), slots[2]) == "a queen"
    assert colours_of(with_works(), slots[2]) == ()
    oil = next(slot for slot in slots if slot.traits.get("one_of_one") == "oil")
    assert prompt_of(with_works(), oil) == "Small"  # what the judge holds it against: its title, or this one


def give_editions(catalog: Catalog, slots: list[Slot]) -> None:
    "Choose a picture for each of these slots."
    for slot in slots:
        hexes = dict.fromkeys(("dna", "pixel_digest", "file_digest"), "0" * 64)
        edition = Edition(slot=slot.id, attempt=1, traits=slot.traits, scores={}, scorers={}, **hexes)
        catalog.put("edition", f"small/{slot.id}", edition.model_dump(mode="json"))


def test_changed_one_of_ones_move_only_slots_without_an_edition(tmp_path):
    catalog = Catalog(tmp_path)
    before = frozen_slots(catalog, with_works(), "s")
    fixed = [before[2], next(slot for slot in before if "a" in slot.traits)]
    give_editions(catalog, fixed)
    more = with_works(
        one_of_ones=WORKS | {"oil": OneOfOne(by_hand=True, quantity=2)},
        traits={"a": {"x": 9, "y": 5}, "b": {"p": 7, "q": 7}},
    )
    with pytest.raises(AllocationChanged) as caught:
        frozen_slots(catalog, more, "s")
    assert caught.value.traits == ["a", "b", "one_of_one"]
    slots, moved = settle_slots(catalog, more, "s")
    assert len(moved) == 18
    assert all(slots[slot.id - 1] == slot for slot in fixed)
    works = Counter(slot.traits.get("one_of_one") for slot in slots)
    assert works == {"queen": 2, "twins": 2, "oil": 2, None: 14}
    assert frozen_slots(catalog, more, "s") == slots
    gone = with_works(
        one_of_ones={"queen": OneOfOne(prompt="q", slots=(5, 6))},
        traits={"a": {"x": 13, "y": 5}, "b": {"p": 11, "q": 7}},
    )
    with pytest.raises(AllocationChanged, match="one_of_one"):
        settle_slots(catalog, gone, "s")


def test_a_chosen_one_of_one_in_the_slot_of_a_new_one_is_refused_by_name(tmp_path):
    catalog = Catalog(tmp_path)
    traits = {"a": {"x": 2, "y": 1}}
    first = collection(traits, supply=4, one_of_ones={"a1": OneOfOne(prompt="one")})
    slots = frozen_slots(catalog, first, "s")
    (chosen,) = [slot for slot in slots if "one_of_one" in slot.traits]
    give_editions(catalog, [chosen])
    works = first.one_of_ones | {"b1": OneOfOne(prompt="b", slots=(chosen.id,))}
    later = collection({"a": {"x": 1, "y": 1}}, supply=4, one_of_ones=works)
    with pytest.raises(AllocationChanged, match="one_of_one"):
        settle_slots(catalog, later, "s")
    elsewhere = {"b1": OneOfOne(prompt="b", slots=(chosen.id % 4 + 1,))}
    settled, moved = settle_slots(
        catalog, later.model_copy(update={"one_of_ones": first.one_of_ones | elsewhere}), "s"
    )
    assert settled[chosen.id - 1] == chosen
    assert len(moved) == 3


# ------------------------------------------------------------------ what a plan tells


def test_a_plan_tells_the_counts_that_come_of_weights():
    weights = {"x": "#40", "y": "#20"}
    traits = {"a": counts_of(weights, 15), "b": {"p": 8, "q": 7}}
    more = {"weights": {"a": weights}, "silent": ("b",), "template": "{a}", "labels": {"a": "Alpha"}}
    facts = allocation_facts(with_works(traits=traits, absent={"b": ("q",)}, **more))
    assert facts["supply"] == 20
    assert facts["combinations"] == 4
    alpha, beta = facts["traits"]
    assert (alpha["published"], alpha["weighted"], alpha["silent"]) == ("Alpha", True, False)
    assert [(value["tokens"], value["weight"]) for value in alpha["values"]] == [(10, "#40"), (5, "#20")]
    assert [value["published"] for value in beta["values"]] == ["p", None]
    assert beta["silent"]
    lines = allocation_lines(facts)
    assert lines[:3] == [
        "20 slots, 4 combinations, solved",
        "a (weighted): 10 x, 5 y",
        "b (silent): 8 p, 7 q",
    ]
    assert "one-of-one oil waits for a work by hand, slots: 1" in lines


def test_a_plan_tells_what_no_picture_shows():
    facts = {
        "artist": {"label": "Artist", "value": "Ada"},
        "series": {"values": {"1-8": "First", "9-10": "Second"}},
    }
    made = with_works(market=Market(facts=facts))
    assert allocation_facts(made)["facts"] == [
        {"fact": "Artist", "type": "text", "tokens": 20, "values": 1},
        {"fact": "series", "type": "text", "tokens": 10, "values": 2},
    ]
    lines = allocation_lines(allocation_facts(made))
    assert "Artist, which no picture shows: 1 values of 20 tokens, as text" in lines
    assert "facts" not in allocation_facts(with_works())


def test_what_makes_no_sense_to_markets_is_an_inconsistency():
    wrong = with_works(market=Market(token_name="The One"))
    assert problems_of(wrong) == ["market.token_name: no two tokens may be called alike; let it say {id}"]
    assert problems_of(with_works()) == []


# ------------------------------------------------------------------ prompts

GAPS = {
    "{a}, {b}, {c}": ("x", "", "z", "x, z"),
    "{a} in {b} {c}": ("x", "", "z", "x in z"),
    "{b}, {a}, {c}": ("x", "", "z", "x, z"),
    "{a}, {c}, {b}": ("x", "", "z", "x, z"),
    "{a}, ({b}:1.2), [{b}], {c}": ("x", "", "z", "x, z"),
    "{a} ,{b} , {c}": ("x", "", "z", "x, z"),
    "{a},\n  {b},\n{c}\n": ("x", "y", "z", "x, y, z"),
    "{a},  {b} , {c}": ("x", "y", "z", "x,  y , z"),  # nothing is missing, so nothing is touched
}


@pytest.mark.parametrize("template", GAPS)
def test_what_stood_around_an_absent_value_goes_with_it(template):
    *said, prompt = GAPS[template]
    words = {trait: {"v": word} for trait, word in zip("abc", said)}
    traits = {trait: {"v": 1} for trait in "abc"}
    wanted = collection(traits, template=template, words=words)
    assert prompt_of(wanted, Slot(id=1, traits=dict.fromkeys("abc", "v"))) == prompt


# ------------------------------------------------------------------ slots, frozen


def test_slots_are_allocated_once_and_kept(tmp_path):
    catalog, demo = Catalog(tmp_path), load_collection(DEMO)
    slots = frozen_slots(catalog, demo, demo.salt)
    assert slots == allocate(demo, demo.salt) == frozen_slots(catalog, demo, "other")
    assert slots == frozen_slots(catalog, demo.model_copy(update={"title": "Other"}), demo.salt)


def test_slots_of_changed_traits_are_refused(tmp_path):
    catalog, demo = Catalog(tmp_path), load_collection(DEMO)
    frozen_slots(catalog, demo, demo.salt)
    fewer = demo.model_copy(update={"traits": demo.traits | {"density": {"dense": 9, "sparse": 7}}})
    with pytest.raises(AllocationChanged) as caught:
        frozen_slots(catalog, fewer, demo.salt)
    assert caught.value.traits == ["density"]


CONSTRAINTS = {
    "forbidden[0]": {"forbidden": ({"a": "x", "b": "p"},)},
    "required[0]": {"required": (Requirement(when={"a": "x"}, then={"b": "q"}),)},
    "unique": {"unique": True},
}


def two_by_two(**more):
    "Four slots of four different combinations, or of two."
    return collection({"a": {"x": 2, "y": 2}, "b": {"p": 2, "q": 2}}, **more)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_open_slots_that_break_a_new_constraint_are_allocated_anew(tmp_path, name):
    other = {"unique": {"forbidden": ({"a": "x", "b": "p"},)}}
    plain = two_by_two(**other.get(name, {"unique": True}))
    catalog, strict = Catalog(tmp_path), two_by_two(**CONSTRAINTS[name])
    frozen_slots(catalog, plain, "s")
    with pytest.raises(AllocationChanged, match=re.escape(name)) as caught:
        frozen_slots(catalog, strict, "s")
    assert caught.value.traits == [name]
    slots, moved = settle_slots(catalog, strict, "s")
    assert moved == [1, 2, 3, 4]
    assert slots == allocate(strict, "s") == frozen_slots(catalog, strict, "s")


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_editions_that_break_a_new_constraint_are_named(tmp_path, name):
    other = {"unique": {"forbidden": ({"a": "x", "b": "p"},)}}
    plain = two_by_two(**other.get(name, {"unique": True}))
    catalog, strict = Catalog(tmp_path), two_by_two(**CONSTRAINTS[name])
    slots = frozen_slots(catalog, plain, "s")
    give_editions(catalog, slots)
    with pytest.raises(ConstraintBroken, match=re.escape(name)) as caught:
        settle_slots(catalog, strict, "s")
    wrong = [1, 2, 3, 4] if name == "unique" else [s.id for s in slots if s.traits == {"a": "x", "b": "p"}]
    assert caught.value.kept == wrong
    assert settle_slots(catalog, plain, "s") == (slots, [])


def test_a_trait_that_editions_have_is_not_removed(tmp_path):
    catalog, before = Catalog(tmp_path), two_by_two()
    slots = frozen_slots(catalog, before, "s")
    give_editions(catalog, slots[:1])
    fewer = collection({"a": {"x": 2, "y": 2}})
    for _ in range(2):
        with pytest.raises(TraitsRemoved, match="put the traits back"):
            settle_slots(catalog, fewer, "s")
    assert settle_slots(catalog, before, "s") == (slots, [])


def test_a_trait_that_no_edition_has_is_removed(tmp_path):
    catalog = Catalog(tmp_path)
    frozen_slots(catalog, two_by_two(), "s")
    fewer = collection({"a": {"x": 2, "y": 2}})
    slots, moved = settle_slots(catalog, fewer, "s")
    assert moved == [1, 2, 3, 4]
    assert slots == frozen_slots(catalog, fewer, "s")


# ------------------------------------------------------------------ seeds and recipes


def test_seeds_are_pinned():
    assert derive_seed("demo", "first light", 7, 1) == int(
        digest(["artmint/seed/1", "demo", "first light", 7, 1, 0])[:8], 16
    )


@given(st.integers(1, 10**6), st.integers(1, 50))
def test_a_taken_seed_is_passed_over(slot, attempt):
    first = derive_seed("demo", "s", slot, attempt)
    second = derive_seed("demo", "s", slot, attempt, (first,))
    assert 0 <= first < 2**32
    assert 0 <= second < 2**32
    assert first != second
    assert derive_seed("demo", "s", slot, attempt, (second,)) == first
    assert derive_seed("demo", "s", slot, attempt, (first, second)) not in (first, second)


def test_seeds_within_a_slot_differ_even_when_digests_meet(monkeypatch):
    real = seeds.digest

    def short(value: list) -> str:
        return "0000000" + real(value)[0] if value[0] == "artmint/seed/1" else real(value)

    monkeypatch.setattr(seeds, "digest", short)
    drawn = slot_seeds("demo", "s", 1, 16)  # only sixteen seeds exist here
    assert sorted(drawn) == list(range(16))
    assert slot_seeds("demo", "s", 1, 5) == drawn[:5]


def test_recipes_do_not_depend_on_the_range_or_the_company():
    demo = load_collection(DEMO)
    slots = allocate(demo, demo.salt)
    every = {(a.slot, a.attempt): a for a in recipes(demo, slots, demo.salt, range(1, 7), BASE)}
    some = recipes(demo, slots[3:1:-1], demo.salt, range(4, 6), BASE)
    assert [(a.slot, a.attempt) for a in some] == [(4, 4), (4, 5), (3, 4), (3, 5)]
    assert all(every[a.slot, a.attempt] == a for a in some)
    assert len({a.recipe.dna for a in every.values()}) == 96
    assert recipes(demo, slots, demo.salt, range(0), BASE) == []


def test_a_recipe_says_what_the_collection_says():
    demo = load_collection(DEMO)
    slot = allocate(demo, demo.salt)[0]
    recipe = recipes(demo, [slot], demo.salt, range(1, 2), BASE)[0].recipe
    assert recipe.prompt == prompt_of(demo, slot) == demo.template.format(**slot.traits)
    assert (recipe.steps, recipe.guidance, recipe.width, recipe.negative_prompt, recipe.profile) == (
        8,
        3.0,
        128,
        "",
        "portable",
    )
    busy = demo.model_copy(
        update={"generation": demo.generation.model_copy(update={"negative_prompt": "busy"})}
    )
    assert (
        recipes(busy, [slot], demo.salt, range(1, 2), BASE)[0].recipe.negative_prompt
        == demo.negative_prompts["busy"]
    )
    started = demo.model_copy(
        update={
            "generation": demo.generation.model_copy(
                update={"init": "a" * 64, "strength": 0.4, "hires": SecondPass(scale=2.0)}
            )
        }
    )
    made = recipes(started, [slot], demo.salt, range(1, 2), BASE)[0].recipe
    assert (made.init, made.strength, made.hires, made.size, made.seed) == (
        "a" * 64,
        0.4,
        SecondPass(scale=2.0),
        (1024, 1024),  # painted twice as large, and traced four times
        recipe.seed,
    )
    assert (
        colours_of(demo, slot) == demo.palettes[slot.traits["palette"]] + demo.palettes[slot.traits["ground"]]
    )


def test_a_secret_salt_is_drawn_once_and_kept_private(tmp_path):
    secret = collection({"a": {"x": 1}})
    salt = salt_of(secret, tmp_path)
    assert len(salt) == 64
    assert salt_of(secret, tmp_path) == salt
    assert [path.name for path in (tmp_path / "salts").iterdir()] == ["small"]
    assert stat.S_IMODE((tmp_path / "salts" / "small").stat().st_mode) == 0o600
    shutil.rmtree(tmp_path / "salts")
    assert salt_of(secret, tmp_path) != salt
    assert salt_of(load_collection(DEMO), tmp_path) == "first light"


def test_a_lost_salt_is_never_drawn_anew(tmp_path):
    "Slots were fixed with it: another one would give other seeds and open nothing."
    from artmint.seeds import LostSalt

    secret = load_collection(example()).model_copy(update={"salt": None})
    first = salt_of(secret, tmp_path)
    assert len(first) == 64
    catalog = Catalog(tmp_path)
    catalog.put("slot", f"{secret.name}/1", {"id": 1, "traits": {}})
    assert salt_of(secret, tmp_path) == first
    (tmp_path / "salts" / secret.name).unlink()
    with pytest.raises(LostSalt, match="backup"):
        salt_of(secret, tmp_path)
    assert not (tmp_path / "salts" / secret.name).exists()


def test_what_is_withheld_has_no_salt_that_can_be_guessed(tmp_path):
    folder = tmp_path / "demo"
    shutil.copytree(example(), folder)
    path = folder / "collection.toml"
    path.write_text('withheld = ["prompt"]\n' + path.read_text())
    with pytest.raises(InconsistentCollection, match="salt: prompt is withheld"):
        load_collection(folder)
    salted = re.sub("(?m)^salt = .*$", 'salt = "' + "7" * 32 + '"', path.read_text())
    path.write_text(salted)
    assert load_collection(folder).withheld == ("prompt",)
    path.write_text(re.sub("(?m)^salt = .*$", "", salted))
    assert load_collection(folder).salt is None


def test_a_first_collection_has_a_secret_salt(tmp_path):
    from artmint.studio.maintenance import init

    init(tmp_path, "dawn")
    assert load_collection(tmp_path / "collections" / "dawn").salt is None
    assert (tmp_path / "studio").stat().st_mode & 0o077 == 0
