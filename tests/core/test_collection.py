"A collection's file: its grammar, its contradictions, its digest."

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.collection import (
    BadWeights,
    InconsistentCollection,
    OneOfOne,
    contradictions,
    counts_of,
    example,
    person_key,
    person_name,
    read_collection,
)
from artmint.seeds import load_collection
from tests.studios import collection

DEMO = example()


CHANGES = {
    "scales = 3": ("scales = 4", "traits.motif: the counts add up to 17, the supply is 16"),
    "scales = 3\n": ("scales = 0\n", "traits.motif.scales"),
    "supply = 16": ("supply = -1", "supply"),
    "supply = 16 ": ('supply = "16" ', "supply"),
    'title = "First Light"': ('title = " "', "title: text is unfit: empty"),
    "First Light": ("First <script>", "markup '<s'"),
    "Sixteen": ("Six\u202eteen", "invisible character U+202E"),
    "unique = true": ("unikue = true", "unikue: unknown key, is it unique?"),
    "steps = 8": ("stepz = 8", "generation.stepz: unknown key, is it steps?"),
    "guidance = 3.0": ("guidance = nan", "generation.guidance"),
    "{placement}": ("{mood}", "template: {mood} has no trait"),
    ", {placement}": ("", "traits.placement: not in the template"),
    "{density} ": ("{density!r} ", "template: {density} may hold a trait's name and nothing else"),
    "{motif} in": ("{motif in", "template: "),
    '["palette", "ground"]': ('["palette", "mood"]', "colour_traits: mood is no trait"),
    'night = ["#0c1233"]': ("", "palettes: 'night' is missing"),
    "night = [": ('day = ["#ffffff"]\nnight = [', "palettes.day: no value of a colour trait is called so"),
    "#0c1233": ("#0c123", "palettes.night.0: has to be # and six digits"),
    "width = 128": ("width = 100", "generation.width: has to be a multiple of 8"),
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
    "basis_points = 500": ("basis_points = 1001", "royalty.basis_points"),
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
    assert any(problem in line for line in caught.value.problems), caught.value.problems
    assert all(line in str(caught.value) for line in caught.value.problems)


def test_colours_are_read_in_the_letters_of_any_colour_picker(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    text = (DEMO / "collection.toml").read_text()
    (folder / "collection.toml").write_text(text.replace("#0c1233", "#0C1233"))
    assert load_collection(folder).digest == load_collection(DEMO).digest


def test_every_problem_is_said_at_once(tmp_path):
    text = (
        (DEMO / "collection.toml")
        .read_text()
        .replace("scales = 3", "scales = 4")
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


# ------------------------------------------------------------------ weights


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(1, 1000), min_size=1, max_size=20),
    st.integers(1, 20_000),
)
def test_weights_become_counts_by_the_largest_remainders(weights, total):
    shares = {value: Fraction(weight * total, sum(weights.values())) for value, weight in weights.items()}
    try:
        counts = counts_of(weights, total)
    except BadWeights as refusal:
        assert "none of" in str(refusal)
        assert min(shares.values()) < 1  # a value that has a whole token is never refused
        return
    assert list(counts) == list(weights)
    assert sum(counts.values()) == total
    assert all(abs(counts[value] - share) < 1 for value, share in shares.items())
    rounded_up = [share - int(share) for value, share in shares.items() if counts[value] > share]
    rounded_down = [share - int(share) for value, share in shares.items() if counts[value] < share]
    assert min(rounded_up, default=1) >= max(rounded_down, default=0)
    assert counts_of({value: f"#{weight}" for value, weight in weights.items()}, total) == counts


@pytest.mark.parametrize(
    "weights, total, reason",
    [
        ({"a": "50 %", "b": "40 %"}, 10, "add up to 90"),
        ({"a": "50 %", "b": 50}, 10, "mixed"),
        ({"a": "many", "b": 1}, 10, "'a' has 'many'"),
        ({"a": 0, "b": 1}, 10, "'a' has 0"),
        ({"a": 999, "b": 1}, 10, "'b' (1) would have none of 10 tokens"),
    ],
)
def test_weights_that_make_no_counts_are_refused(weights, total, reason):
    with pytest.raises(BadWeights) as caught:
        counts_of(weights, total)
    assert reason in str(caught.value)


def test_percentages_may_be_rounded():
    assert counts_of({"a": "33.3%", "b": "33.3 %", "c": "33.3 %"}, 9) == {"a": 3, "b": 3, "c": 3}
    assert counts_of({"a": "12.5%", "b": "87.5%"}, 8) == {"a": 1, "b": 7}


# ------------------------------------------------------------------ what else a file may say

DEMO_TEXT = (DEMO / "collection.toml").read_text()


def read(folder, *changes: tuple[str, str], more: str = "", **files: str):
    "The demo's file with changes, and files beside it."
    place = folder / "demo"
    place.mkdir(exist_ok=True)
    text = DEMO_TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    for name, content in files.items():
        (place / f"{name}.txt").write_bytes(content.encode("utf-8-sig"))
    (place / "collection.toml").write_text(text + more)
    return read_collection(place / "collection.toml")


def problems(folder, *changes: tuple[str, str], more: str = "", **files: str) -> list[str]:
    "What is wrong with such a file."
    try:
        return contradictions(read(folder, *changes, more=more, **files))
    except InconsistentCollection as refusal:
        return refusal.problems


DENSITY = """[traits.density]
dense = 10
sparse = 6
"""
PLACEMENT = ", {placement}"


def test_weights_stand_in_place_of_counts_and_both_are_kept(tmp_path):
    weighted = read(tmp_path, (DENSITY, '[weights.density]\ndense = "#62"\nsparse = "#38"\n'))
    assert weighted.traits["density"] == {"dense": 10, "sparse": 6}
    assert weighted.weights["density"] == {"dense": "#62", "sparse": "#38"}
    assert contradictions(weighted) == []
    dumped = weighted.model_dump_json()
    assert type(weighted).model_validate_json(dumped) == weighted
    both = problems(tmp_path, ("[traits.motif]", "[weights.density]\ndense = 1\nsparse = 1\n[traits.motif]"))
    assert any("traits.density has other counts" in line for line in both)


def test_values_that_weigh_the_same_may_be_lines_of_a_file(tmp_path):
    made = read(
        tmp_path,
        (DENSITY, '[weights]\ndensity = "density.txt"\n'),
        density="dense\r\n\r\n# half and half\r\nsparse\r\n",
    )
    assert made.traits["density"] == {"dense": 8, "sparse": 8}


def test_a_file_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path):
    (tmp_path / "demo").mkdir()
    path = tmp_path / "demo" / "collection.toml"
    path.write_bytes(b"\xef\xbb\xbf" + DEMO_TEXT.replace("\n", "\r\n").encode())
    assert load_collection(path.parent).digest == load_collection(DEMO).digest


MOTIF = "[traits.motif]"
WRONG = {
    "a label of no trait": (
        (),
        '[labels]\nmotiv = "Motif"\n',
        "labels.motiv: no trait is called so, is it 'motif'?",
    ),
    "two published names that meet": (
        (),
        '[labels]\nmotif = "density"\n',
        "'density' is published of two traits",
    ),
    "a label of no value": (
        (),
        '[value_labels.motif]\nring = "Ring"\n',
        "'ring' is no value of it, is it 'rings'?",
    ),
    "words of no value": ((), '[words.motif]\nringz = "Ring"\n', "words.motif: 'ringz' is no value"),
    "absent and no value": ((), '[absent]\nmotif = ["non"]\n', "absent.motif: 'non' is no value"),
    "absent and labelled": (
        (),
        '[absent]\nmotif = ["rings"]\n[value_labels.motif]\nrings = "Ring"\n',
        "'rings' is absent, so it isn't published",
    ),
    "an absent colour": ((), '[absent]\nground = ["night"]\n', "values of a colour trait have palettes"),
    "an adapter in the template": (
        (("{density} {motif}", "{density} {motif} <lora:ink:0.8>"),),
        "",
        "<lora:ink:0.8> is no word of a prompt: name the adapter under [[adapters]]",
    ),
    "a wildcard without lines": (
        (("{density} {motif}", "{density} {motif} __weather__ __hour__"),),
        '[wildcards]\nhour = ["dawn"]\n',
        'template: __weather__ has no lines; write [wildcards] weather = "weather.txt"',
    ),
    "lines for no wildcard": (
        (),
        '[wildcards]\nweather = ["mist"]\n',
        "wildcards.weather: no prompt says __weather__",
    ),
    "a missing file": (
        (),
        '[wildcards]\nweather = "weather.txt"\n',
        "the file 'weather.txt': it can't be read",
    ),
    "a file elsewhere": (
        (),
        '[wildcards]\nweather = "../weather.txt"\n',
        "lies outside the collection's folder",
    ),
    "a wildcard in a negative prompt": (
        (('soft = "blurred', 'soft = "__mood__ blurred'),),
        '[wildcards]\nmood = ["calm"]\n',
        "negative_prompts.soft: __mood__ is not filled in here",
    ),
    "a trait of another spelling": (
        ((MOTIF, '[traits."Background Color"]\nred = 16\n' + MOTIF),),
        "",
        "call it background_color, and write [labels] background_color = 'Background Color'",
    ),
    "a one-of-one of nothing": (
        (),
        "[one_of_ones.queen]\nslots = [3]\n",
        "needs a prompt, or by_hand = true",
    ),
    "a one-of-one beyond the supply": (
        (),
        '[one_of_ones.queen]\nprompt = "a queen"\nslots = [17]\n',
        "slot 17 is beyond the supply, 16",
    ),
    "a slot given twice": (
        (),
        '[one_of_ones.a]\nprompt = "a"\nslots = [3]\n[one_of_ones.b]\nprompt = "b"\nslots = [3]\n',
        "slot 3 is given twice",
    ),
    "counts beside one-of-ones": (
        (),
        '[one_of_ones.queen]\nprompt = "a queen"\n',
        "add up to 16, the supply is 16, of which 1 are one-of-ones: 15 are left",
    ),
    "a weight of nobody": (
        (),
        "[weights.motif]\nrings = 999\nwaves = 1\n",
        "weights.motif: 'waves' (1) would have none of 16",
    ),
    "a label that is too long": (
        (),
        f'[labels]\nmotif = "{"x" * 501}"\n',
        "labels.motif: 501 characters, and at most 500",
    ),
    "a prompt that is too long": (
        (("{density} {motif}", "{density} {motif} " + "x" * 10_000),),
        "",
        "characters, and at most 10000 are published",
    ),
    "a reserved name": (
        ((MOTIF, "[traits.one_of_one]\na = 16\n" + MOTIF), ("{motif}", "{motif} {one_of_one}")),
        "",
        "slots keep one-of-ones under this name",
    ),
    "a value with another spelling": (
        (('palette = "graphite"', 'palette = "grafite"'),),
        "",
        "is it 'graphite'?",
    ),
    "a trait with another spelling": (
        (("{motif}", "{motive}"),),
        "",
        "{motive} has no trait, is it 'motif'?",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused_when_it_is_read(name, tmp_path):
    changes, more, reason = WRONG[name]
    lines = problems(tmp_path, *changes, more="\n" + more)
    assert any(reason in line for line in lines), lines


@pytest.mark.parametrize(
    "prompt", ["({density}:1.2) {motif}", "{density} BREAK {motif}", "{density} {motif} __sky__"]
)
def test_an_older_collection_with_marks_that_nobody_reads_is_still_read(tmp_path, prompt):
    assert (
        problems(
            tmp_path, ("{density} {motif}", prompt), ('soft = "blurred', 'soft = "(__sky__:1.3) blurred')
        )
        == []
    )


def test_a_silent_trait_is_in_no_template(tmp_path):
    top = ("unique = true", 'silent = ["placement"]\nunique = true')
    assert any("silent: placement is in the template" in line for line in problems(tmp_path, top))
    assert problems(tmp_path, top, (PLACEMENT, "")) == []
    unsaid = problems(tmp_path, (PLACEMENT, ""))
    assert any('write silent = ["placement"]' in line for line in unsaid)
    words = problems(tmp_path, top, (PLACEMENT, ""), more='\n[words.placement]\noffset = "aside"\n')
    assert any("the trait is silent, so no prompt would say them" in line for line in words)


def test_a_template_may_have_several_lines(tmp_path):
    made = read(tmp_path, (PLACEMENT, ",\\n{placement}"))
    assert "\n" in made.template
    assert contradictions(made) == []


def test_a_one_of_one_counts_its_slots():
    assert OneOfOne(prompt="a", slots=(3, 4)).size == 2
    assert OneOfOne(by_hand=True, quantity=5).size == 5


def test_a_one_of_ones_values_are_told_apart_from_those_of_traits():
    works = {
        "queen": OneOfOne(prompt="a", traits={"A": "Gold", "Rank": "Queen"}),
        "king": OneOfOne(prompt="b", traits={"Rank": "QUEEN"}),
    }
    made = collection({"a": {"gold": 2}}, labels={"a": "A"}, supply=4, one_of_ones=works)
    lines = contradictions(made)
    assert [line.split(" differ")[0] for line in lines] == [
        "traits.a: ['gold', 'Gold']",
        "one_of_ones: ['Queen', 'QUEEN']",
    ]


def test_a1111_syntax_may_be_used_where_it_is_asked_for(tmp_path):
    asked = (
        ("{density} {motif}", "({density} {motif}:1.2)"),
        ("steps = 8", 'steps = 8\nprompt_syntax = "a1111"'),
    )
    assert problems(tmp_path, *asked) == []


# ------------------------------------------------------------------ whose word counts


@pytest.mark.parametrize("word", ["majority", "both"])
def test_whose_word_counts_is_part_of_a_collection_and_its_default_is_not(tmp_path, word):
    plain = (DEMO / "collection.toml").read_text()
    usual = read_text(tmp_path, plain + '\n[people]\nlast_word = "latest"\n')
    other = read_text(tmp_path, plain + f'\n[people]\nlast_word = "{word}"\n')
    assert usual.digest == read_collection(DEMO / "collection.toml").digest != other.digest
    assert other.people.last_word == word and contradictions(other) == []


def read_text(folder: Path, text: str):
    "A collection from its file's text."
    (folder / "collection.toml").write_text(text)
    return read_collection(folder / "collection.toml")


@pytest.mark.parametrize(
    "lines, problem",
    [
        ('last_word = "lead"', "needs the lead's name"),
        ('lead = "Ada"', "lead = 'Ada' has no more to say"),
        ('last_word = "both"\nlead = "Ada"', "lead = 'Ada' has no more to say"),
    ],
)
def test_a_lead_is_named_where_one_leads_and_nowhere_else(tmp_path, lines, problem):
    text = (DEMO / "collection.toml").read_text() + f"\n[people]\n{lines}\n"
    assert any(problem in one for one in contradictions(read_text(tmp_path, text)))


@pytest.mark.parametrize("lines", ['last_word = "loudest"', 'last_word = "lead"\nlead = " Ada"', "last = 1"])
def test_words_that_mean_nothing_are_refused(tmp_path, lines):
    with pytest.raises(InconsistentCollection, match="people"):
        read_text(tmp_path, (DEMO / "collection.toml").read_text() + f"\n[people]\n{lines}\n")


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Ana", "ana", True),
        ("Ana", " ANA\t", True),
        ("\u00c1na", "A\u0301na", True),
        ("\uff21na", "Ana", True),
        ("Ana Maria", "ana  maria", True),
        ("Strau\u00df", "STRAUSS", True),
        ("An\u200da", "Ana", True),
        ("Ana", "Ane", False),
        ("\u00c1na", "Ana", False),
        ("Ana Maria", "AnaMaria", False),
    ],
)
def test_a_name_is_one_person_however_it_is_typed(one, other, same):
    assert (person_key(one) == person_key(other)) is same


@given(st.text(max_size=20))
def test_folding_a_name_twice_changes_nothing(name):
    assert person_key(person_key(name)) == person_key(name)


@pytest.mark.parametrize(
    "name", ["\u0410na", "M\u0131ra\u0391", "people", "PEOPLE", "Machine", "\uff4dachine"]
)
def test_a_name_that_looks_like_anothers_is_refused(name):
    with pytest.raises(ValueError, match="can't be a person's name"):
        person_name(name)


@pytest.mark.parametrize(
    "name",
    ["Ana \u041f\u0435\u0442\u0440\u043e\u0432\u0430", "\u0391\u03bd\u03bd\u03b1", "\u30a8\u30a4\u30c0"],
)
def test_names_in_any_alphabet_are_taken(name):
    assert person_name(name) == name


@pytest.mark.parametrize(
    "key, value",
    [
        ("supply", 10**9),
        ("supply", 2**63),
        ("width", 8 * 10**9),
        ("height", 16_392),
        ("attempts", 10**9),
        ("rounds", 10**9),
    ],
)
def test_numbers_that_no_studio_means_are_refused(tmp_path, key, value):
    "They would fill the memory before anything is said."
    path = tmp_path / "collection.toml"
    text = re.sub(rf"(?m)^{key} *= *\d+", f"{key} = {value}", (example() / "collection.toml").read_text())
    assert str(value) in text
    path.write_text(text)
    with pytest.raises(InconsistentCollection, match=f"{key}: has to be at most"):
        read_collection(path)


def test_a_trait_without_values_is_refused_in_words(tmp_path):
    path = tmp_path / "collection.toml"
    text = (example() / "collection.toml").read_text()
    path.write_text(re.sub(r"(?s)(\[traits\.density\]).*?\n\n", r"\1\n\n", text))
    assert any("density: the counts add up to 0" in one for one in contradictions(read_collection(path)))
