"Collections, allocation, seeds and recipes."

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint import seeds
from artmint.core.canon import NotPlainJSON, Refusal, canonical, digest, read_json, unsafe_text
from artmint.core.collection import Collection, Generation, InconsistentCollection, Requirement
from artmint.core.records import NotARecipe, Recipe, SecondPass, Slot
from artmint.seeds import (
    TooManyCombinations,
    Unallocatable,
    allocate,
    colours_of,
    derive_seed,
    load_collection,
    problems_of,
    prompt_of,
    recipes,
    salt_of,
    slot_seeds,
)

DEMO = Path(__file__).parents[1] / "collections" / "demo"
BASE = "0" * 64


def collection(traits: dict, **more) -> Collection:
    "A small collection with these traits."
    supply = sum(next(iter(traits.values())).values())
    facts = {
        "name": "small",
        "title": "Small",
        "description": "Small.",
        "supply": supply,
        "license": "CC0-1.0",
        "generation": Generation(width=64, height=64),
    }
    return Collection(
        **facts | {"template": " ".join(f"{{{trait}}}" for trait in traits), "traits": traits} | more
    )


def counted(slots: list[Slot], trait: str) -> dict:
    "How often each value of a trait occurs."
    return dict(Counter(slot.traits[trait] for slot in slots))


# ------------------------------------------------------------------ canonical JSON and recipes


def test_canonical_is_rfc8785():
    # the example of RFC 8785, section 3.2.2 (the numbers that JSON text can carry exactly)
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert (
        canonical(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, "\ud800", {1: 2}, object(), {"a": {1}}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(NotPlainJSON):
        canonical(value)


@pytest.mark.parametrize("text", ["{", '{"a":1,"a":2}', "[NaN]", "[-Infinity]", b"\xff", "[" * 100_000, ""])
def test_ambiguous_or_broken_json_is_refused(text):
    with pytest.raises(NotPlainJSON):
        read_json(text)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
        ),
        max_leaves=8,
    )
)
def test_reading_is_the_inverse_of_writing(value):
    assert read_json(canonical(value)) == value and canonical(read_json(canonical(value))) == canonical(value)


RECIPES = st.builds(
    Recipe,
    base=st.from_regex("[0-9a-f]{64}", fullmatch=True),
    prompt=st.text(st.characters(exclude_categories=["Cs"])),
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 1000),
    guidance=st.floats(0, 1e6),
    width=st.integers(1, 100).map(lambda n: 8 * n),
    height=st.just(64),
    profile=st.sampled_from(["portable", "fast"]),
)


@given(RECIPES)
def test_parse_is_the_inverse_of_facts(recipe):
    again = Recipe.parse(json.loads(canonical(recipe.facts())))
    assert again == recipe and again.dna == recipe.dna == digest(recipe.facts())


def test_dna_leaves_defaults_out():
    recipe = Recipe(base=BASE, prompt="rings", seed=7, width=128, height=128)
    assert recipe.facts() == {
        "schema": 1,
        "base": BASE,
        "prompt": "rings",
        "seed": 7,
        "width": 128,
        "height": 128,
    }
    assert (
        recipe.dna
        == hashlib.sha256(
            f'{{"base":"{BASE}","height":128,"prompt":"rings","schema":1,"seed":7,"width":128}}'.encode()
        ).hexdigest()
    )


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"steps": 20},
        {"colour": "red"},
        {"seed": "7"},
        {"seed": 2**32},
        {"seed": -1},
        {"seed": True},
        {"base": "abc"},
        {"width": 100},
        {"guidance": -1},
        {"steps": 0},
        {"profile": "quick"},
        {"adapters": [{"digest": BASE, "weight": 1}]},
    ],
)
def test_facts_that_no_recipe_gives_are_refused(change):
    facts = Recipe(base=BASE, prompt="rings", seed=7, width=128, height=128).facts() | change
    with pytest.raises(NotARecipe):
        Recipe.parse({k: v for k, v in facts.items() if v is not None})


def test_a_refusal_carries_its_values_across_processes():
    import pickle

    with pytest.raises(Refusal) as caught:
        load_collection("/nowhere/small")
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == ["the file is missing"] and str(again) == str(caught.value)


# ------------------------------------------------------------------ reading a collection


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


def test_the_demo_speaks_the_vocabulary_of_the_drawings():
    from artmint.train import drawings

    demo = load_collection(DEMO)
    assert demo.template in drawings.CAPTIONS
    assert set(demo.traits["motif"]) == set(drawings.MOTIFS)
    assert {name: demo.palettes[name] for name in demo.traits["palette"]}.items() <= drawings.PALETTES.items()
    assert {name: demo.palettes[name] for name in drawings.GROUNDS} == {
        name: (colour,) for name, colour in drawings.GROUNDS.items()
    }


CHANGES = {
    "rings = 4": ("rings = 5", "traits.motif: the counts add up to 17, the supply is 16"),
    "rings = 4\n": ("rings = 0\n", "traits.motif.rings"),
    "supply = 16": ("supply = -1", "supply"),
    "supply = 16 ": ('supply = "16" ', "supply"),
    'title = "First Light"': ('title = " "', "title: text is unfit: empty"),
    "First Light": ("First <script>", "markup '<s'"),
    "Sixteen": ("Six\u202eteen", "invisible character U+202E"),
    "unique = true": ("unikue = true", "unikue: unknown key, is it unique?"),
    "steps = 16": ("stepz = 16", "generation.stepz: unknown key, is it steps?"),
    "guidance = 3.0": ("guidance = nan", "generation.guidance"),
    "{placement}": ("{mood}", "template: {mood} has no trait"),
    ", {placement}": ("", "traits.placement: not in the template"),
    "{density} ": ("{density!r} ", "template: {density} may hold a trait's name and nothing else"),
    "{motif} in": ("{motif in", "template: "),
    '["palette", "ground"]': ('["palette", "mood"]', "colour_traits: mood is no trait"),
    'night = ["#0c1233"]': ("", "palettes: 'night' is missing"),
    "night = [": ('day = ["#ffffff"]\nnight = [', "palettes.day: no value of a colour trait is called so"),
    "#0c1233": ("#0c123", "palettes.night.0"),
    '["#46505f"]': ("[]", "palettes.slate: no colours"),
    'palette = "graphite"': (
        'palette = "grafite"',
        "forbidden[0]: palette = 'grafite' is no value of a trait",
    ),
    'palette = "graphite"\n': ("", "forbidden[0]: needs at least two traits"),
    '{ ground = "night" }': ('{ soil = "night" }', "required[0].then: soil = 'night' is no value"),
    'negative_prompt = "none"': (
        'negative_prompt = "nun"',
        "generation.negative_prompt: 'nun' is not in negative_prompts",
    ),
    "[[rules]]": ('[[rules]]\nscorer = "blank"\n[[rules]]', "rules[0]: blank has neither min nor max"),
    "[[rules]]\n": (
        '[[rules]]\nscorer = "blank"\nmin = 0.02\nmax = 0.01\n[[rules]]\n',
        "rules[0]: blank has min 0.02 above max 0.01",
    ),
    "\n[[rules]]": (
        '\n[[rules]]\nscorer = "blank"\nmin = 1.0\nseverity = "harsh"\n[[rules]]',
        "rules.0.severity",
    ),
    "basis_points = 500": ("basis_points = 10001", "royalty.basis_points"),
    'name = "demo"': ('name = "Demo"', "name"),
    'name = "demo" ': ('name = "other" ', "name: 'other' is not the folder's name 'demo'"),
    "[traits.motif]": ("[traits.motif", "no TOML"),
}


@pytest.mark.parametrize("old", CHANGES)
def test_an_inconsistent_file_is_refused_by_name(old, tmp_path):
    new, problem = CHANGES[old]
    text = (DEMO / "collection.toml").read_text()
    assert old in text, f"the demo no longer has {old!r}"
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "collection.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(InconsistentCollection) as caught:
        load_collection(folder)
    assert any(each.startswith(problem) or problem in each for each in caught.value.problems), (
        caught.value.problems
    )
    assert all(each in str(caught.value) for each in caught.value.problems)


def test_every_problem_is_said_at_once(tmp_path):
    text = (
        (DEMO / "collection.toml")
        .read_text()
        .replace("rings = 4", "rings = 5")
        .replace("{placement}", "{mood}")
        .replace("grafite", "x")
    )
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "collection.toml").write_text(text)
    with pytest.raises(InconsistentCollection) as caught:
        load_collection(tmp_path / "demo")
    assert len(caught.value.problems) == 3


def test_the_digest_covers_what_differs_from_defaults():
    one = collection({"a": {"x": 2}})
    assert (
        one.digest
        == collection({"a": {"x": 2}}, unique=False).digest
        != collection({"a": {"x": 2}}, title="Other").digest
    )


@pytest.mark.parametrize(
    "text",
    [
        "a\tb",
        "a\nb",
        "a\u202eb",
        "\u200b",
        "a\u2066b",
        "<img>",
        "a</b>",
        "<!--",
        "&lt;",
        "\x7f",
        "\U000e0041",
    ],
)
def test_unsafe_text_is_found(text):
    assert unsafe_text(text)


@pytest.mark.parametrize(
    "text", ["3 < 4 & 5 > 2", "Zürich, 東京", "👩\u200d🎨", "R & B", "Q&A", 'it\'s "fine"']
)
def test_plain_text_is_left_alone(text):
    assert unsafe_text(text) == []


# ------------------------------------------------------------------ allocation


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
    assert not [
        s for s in slots for pair in wanted.forbidden if all(s.traits[t] == v for t, v in pair.items())
    ]
    for need in wanted.required:
        assert all(
            s.traits[t] == v
            for s in slots
            if all(s.traits[k] == w for k, w in need.when.items())
            for t, v in need.then.items()
        )
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
    code = f"from artmint.seeds import *; d=load_collection({str(DEMO)!r}); print(digest([s.traits for s in allocate(d, 'a')]))"
    env = {**os.environ, "PYTHONHASHSEED": "77"}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    ).stdout.strip()
    assert said == digest([slot.traits for slot in allocate(load_collection(DEMO), "a")])


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


def test_too_many_combinations_are_refused_with_advice():
    wide = collection({f"t{i}": {f"v{j}": 1 for j in range(60)} for i in range(3)})
    with pytest.raises(TooManyCombinations, match="Join or drop traits") as caught:
        allocate(wide, "s")
    assert (caught.value.found, caught.value.limit) == (216_000, seeds.COMBINATIONS)


def test_ten_thousand_slots_are_exact():
    traits = {
        "a": {f"v{j}": 500 for j in range(20)},
        "b": {f"v{j}": 1000 for j in range(10)},
        "c": {"x": 6000, "y": 4000},
        "d": {f"v{j}": 250 for j in range(40)},
    }
    wanted = collection(traits, unique=True)
    slots = allocate(wanted, "s")
    assert {trait: counted(slots, trait) for trait in traits} == traits
    assert len({tuple(s.traits.values()) for s in slots}) == 10_000


# ------------------------------------------------------------------ seeds and recipes


def test_seeds_are_pinned():
    assert derive_seed("demo", "first light", 7, 1) == int(
        digest(["artmint/seed/1", "demo", "first light", 7, 1, 0])[:8], 16
    )


@given(st.integers(1, 10**6), st.integers(1, 50))
def test_a_taken_seed_is_passed_over(slot, attempt):
    first = derive_seed("demo", "s", slot, attempt)
    second = derive_seed("demo", "s", slot, attempt, (first,))
    assert 0 <= first < 2**32 and 0 <= second < 2**32 and first != second
    assert derive_seed("demo", "s", slot, attempt, (second,)) == first
    assert derive_seed("demo", "s", slot, attempt, (first, second)) not in (first, second)


def test_seeds_within_a_slot_differ_even_when_digests_meet(monkeypatch):
    real = seeds.digest
    monkeypatch.setattr(
        seeds,
        "digest",
        lambda value: "0000000" + real(value)[0] if value[0] == "artmint/seed/1" else real(value),
    )
    found = slot_seeds("demo", "s", 1, 16)  # only sixteen seeds exist here
    assert sorted(found) == list(range(16))
    assert slot_seeds("demo", "s", 1, 5) == found[:5]


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
        16,
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
        (256, 256),
        recipe.seed,
    )
    assert (
        colours_of(demo, slot) == demo.palettes[slot.traits["palette"]] + demo.palettes[slot.traits["ground"]]
    )


def test_a_secret_salt_is_drawn_once_and_kept_private(tmp_path):
    secret = collection({"a": {"x": 1}})
    salt = salt_of(secret, tmp_path)
    assert len(salt) == 64 and salt_of(secret, tmp_path) == salt
    assert [path.name for path in (tmp_path / "salts").iterdir()] == ["small"]
    assert stat.S_IMODE((tmp_path / "salts" / "small").stat().st_mode) == 0o600
    shutil.rmtree(tmp_path / "salts")
    assert salt_of(secret, tmp_path) != salt
    assert salt_of(load_collection(DEMO), tmp_path) == "first light"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 65 + "]" * 65])
def test_deep_json_is_refused_whatever_python_s_limit(text):
    "Libraries raise the recursion limit for the whole process; a deep text would then end it."
    import sys

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(NotPlainJSON, match="deeper"):
            read_json(text)
    finally:
        sys.setrecursionlimit(before)
