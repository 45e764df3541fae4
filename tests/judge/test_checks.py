"Rules that would check nothing, or hold another judge's bounds, are refused before any picture is made."

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.collection import JudgeChoice, Rule
from artmint.core.records import Slot
from artmint.judge.checks import (
    FUNCTION_WORDS,
    BoundsOfAnotherJudge,
    RulesNeedTexts,
    VacuousRules,
    bound_judge,
    check_rules,
    content_words,
    refuse_other_judge,
    rule_problems,
    score_range,
    unknown_words,
)
from artmint.judge.scores import JudgeScorer, preview_candidate
from artmint.make.judges import judge_of
from artmint.seeds import allocate, prompt_of
from tests.drawn import DEMO
from tests.judges import judge_folder

SLOTS = allocate(DEMO, DEMO.salt)
LONG = (
    "an extremely detailed award winning masterpiece with intricate linework and delicate gradients, trending "
    "everywhere, volumetric, {density} {motif} in {palette} colours on {ground}, {placement}"
)


def ruled(*rules: Rule, **changes):
    "The demo with other rules."
    return DEMO.model_copy(update={"rules": rules, **changes})


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    "A judge of one's own that reads texts, and one that doesn't."
    place = tmp_path_factory.mktemp("judges")
    names = ("clip", "dinov2")
    return {name: judge_of(JudgeChoice(model=str(judge_folder(place, name)))) for name in names}


def test_the_demos_rules_check_something(judge):
    assert check_rules(DEMO, judge, SLOTS) == ""


def test_words_that_fall_off_the_judges_end_are_refused(judge):
    "A template whose traits stand behind the last token: every lead was exactly 0, and `min = 0` always held."
    collection = ruled(Rule(scorer="trait-motif", min=0.0), template=LONG)
    with pytest.raises(VacuousRules) as refused:
        check_rules(collection, judge, SLOTS)
    said = str(refused.value)
    assert "more than the 32 tokens" in said
    assert "the same tokens to the judge" in said


@given(filler=st.integers(0, 60))
def test_a_prompt_is_refused_exactly_when_tokens_are_cut(judge, filler):
    template = "rings " * filler + DEMO.template
    collection = ruled(Rule(scorer="clip", min=0.1), template=template)
    longest = max(len(judge.texts.uncut([prompt_of(collection, slot)])[0]) for slot in SLOTS[:4])
    problems = [one for one in rule_problems(collection, judge, SLOTS[:4]) if "tokens" in one]
    assert bool(problems) is (longest > judge.texts.context)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"min": -1.0}, "can't fail"),
        ({"min": -7.0}, "can't fail"),
        ({"max": 1.0}, "can't fail"),
        ({"min": 1.5}, "can't hold"),
        ({"max": -1.5}, "can't hold"),
    ],
)
def test_bounds_beyond_what_a_cosine_can_be_are_refused(judge, bounds, words):
    (problem,) = rule_problems(ruled(Rule(scorer="clip", **bounds)), judge, SLOTS)
    assert words in problem


@given(
    low=st.floats(-3, 3), scorer=st.sampled_from(["clip", "trait-motif", "alike", "duplicate", "symmetry"])
)
def test_a_lower_bound_is_refused_exactly_when_every_score_or_none_passes(judge, low, scorer):
    least, most = score_range(DEMO, scorer)
    problems = rule_problems(ruled(Rule(scorer=scorer, min=low)), judge, SLOTS[:2])
    assert bool(problems) is (low <= least or low > most)


def test_a_note_checks_nothing_and_may_be_anything(judge, own):
    note = Rule(scorer="clip", min=-5.0, severity="note")
    assert rule_problems(ruled(note, template=LONG), judge, SLOTS) == []
    refuse_other_judge(ruled(note), own["clip"])


def test_values_with_the_same_colours_have_no_margin(judge):
    palettes = DEMO.palettes | {"ember": DEMO.palettes["ocean"]}
    collection = ruled(Rule(scorer="palette-margin", min=0.0), palettes=palettes)
    (problem,) = rule_problems(collection, judge, SLOTS)
    assert "'ocean' and 'ember'" in problem or "'ember' and 'ocean'" in problem


def test_a_rival_that_is_the_same_text_is_named(judge):
    "Two values that the prompt says in the same words."
    collection = ruled(
        Rule(scorer="trait-motif", min=0.0), words={"motif": {"rings": "shapes", "waves": "shapes"}}
    )
    problems = rule_problems(collection, judge, [slot for slot in SLOTS if slot.traits["motif"] == "rings"])
    assert any("are the same text" in one for one in problems)


def test_words_that_the_bundled_judge_never_saw_are_told_and_nothing_but_them_is_refused(judge):
    assert unknown_words(judge, "a dragon in ember colours") == ["dragon"]
    some = ruled(Rule(scorer="clip", min=0.1), template=f"dragon {DEMO.template}")
    assert "dragon" in check_rules(some, judge, SLOTS)
    template = "dragon {density} {motif} {palette} {ground} {placement}"
    words = {trait: dict.fromkeys(values, "bicycle") for trait, values in DEMO.traits.items()}
    none = ruled(Rule(scorer="clip", min=0.1), template=template, words=words)
    with pytest.raises(VacuousRules, match="knows no word"):
        check_rules(none, judge, SLOTS)


@given(st.text(max_size=80))
def test_content_words_are_small_and_say_something(text):
    for word in content_words(text):
        assert word == word.lower()
        assert word not in FUNCTION_WORDS


def test_a_judge_without_texts_holds_nothing_against_words(own):
    with pytest.raises(RulesNeedTexts, match="clip, trait-motif"):
        refuse_other_judge(
            ruled(Rule(scorer="clip", min=0.1), Rule(scorer="trait-motif", min=0.0)), own["dinov2"]
        )
    named = Rule(scorer="alike", max=0.9, judge=own["dinov2"].digest[:16])
    assert check_rules(ruled(named, Rule(scorer="contrast", min=2.0)), own["dinov2"], SLOTS) == ""


def test_bounds_of_one_judge_refuse_another(judge, own):
    collection = ruled(Rule(scorer="clip", min=0.3), Rule(scorer="contrast", min=2.0))
    refuse_other_judge(collection, judge)
    with pytest.raises(BoundsOfAnotherJudge) as refused:
        refuse_other_judge(collection, own["clip"])
    assert refused.value.scorers == "clip"  # pixels are the same to every judge
    named = bound_judge(collection, own["clip"], "clip")
    assert named in str(refused.value)
    theirs = ruled(Rule(scorer="clip", min=0.3, judge=named))
    refuse_other_judge(theirs, own["clip"])
    with pytest.raises(BoundsOfAnotherJudge):
        refuse_other_judge(theirs, judge)
    assert bound_judge(collection, own["clip"], "contrast") is None
    assert bound_judge(collection, judge, "clip") is None


def test_a_changed_judge_is_another(own):
    rule = Rule(scorer="clip", min=0.3, judge=own["clip"].digest[:16])
    with pytest.raises(BoundsOfAnotherJudge):
        refuse_other_judge(ruled(rule), replace(own["clip"], digest="0" * 64))


def test_texts_are_those_that_are_scored(judge):
    "What is checked before pictures are made is what is compared afterwards."
    scorer = JudgeScorer(judge, DEMO, "motif")
    candidate = preview_candidate(Slot(id=1, traits=SLOTS[0].traits), {})
    prompt, *rivals = scorer.texts(candidate)
    assert prompt == prompt_of(DEMO, SLOTS[0])
    assert len(rivals) == len(DEMO.traits["motif"]) - 1
