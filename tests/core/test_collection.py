"A collection's file: its grammar, its contradictions, its digest."

import pytest

from artmint.core.collection import InconsistentCollection, example
from artmint.seeds import load_collection
from tests.studios import collection

DEMO = example()


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
    assert any(problem in line for line in caught.value.problems), caught.value.problems
    assert all(line in str(caught.value) for line in caught.value.problems)


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
