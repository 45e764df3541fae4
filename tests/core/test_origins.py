"Which program's words count, and that others read the same."

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.core.infotexts import file_stem
from artmint.core.inscriptions import Inscription, inscription_of
from artmint.core.origins import origin_of, text_origin
from tests.elsewhere import CASES, INVOKE, PROMPT, comfy, ending_of, infotext

ORACLE = json.loads((Path(__file__).parents[1] / "data" / "sd_parsers.json").read_text(encoding="utf-8"))
OTHERWISE = {  # where sd-parsers 0.6 reads another thing, and why
    "utf8_in_latin": "it takes UTF-8 for Latin-1",
    "jpeg_wrong_mark": "it keeps the false mark in the prompt",
    "model_in_quotes": "it cuts a quoted model's name at the comma, and takes the rest for settings",
    "model_with_commas": "it cuts a model's name at the comma",
    "loras": "it leaves LoRAs in the prompt",
    "novelai_4": "it reads no prompts of characters",
    "seed_no_number": "it keeps what is no number",
    "seed_of_5000_digits": "it keeps what nobody can use as a seed",
    "many_texts": "it reads any number of texts",
}

TABLES = st.dictionaries(st.text(max_size=12), st.integers() | st.text(max_size=9) | st.lists(st.none()))
TEXTS = st.text(max_size=200) | TABLES.map(json.dumps)


def stated(case) -> dict:
    "What is read of a case, in the oracle's form."
    origin = origin_of(inscription_of(case.data()))
    if origin is None:
        return {}
    return {
        "prompts": [origin.prompt] if origin.prompt else [],
        "negative": [origin.negative_prompt] if origin.negative_prompt else [],
        "sampler": origin.sampler,
        "seed": None if origin.seed is None else str(origin.seed),
        "model": origin.model,
    }


@pytest.mark.parametrize("case", [case for case in CASES if case.name in ORACLE], ids=lambda case: case.name)
def test_sd_parsers_reads_the_same(case):
    "Its answers were kept by scripts/compare_sd_parsers.py."
    theirs = ORACLE[case.name]
    ours = stated(case)
    expected = dict(theirs)
    expected["model"] = file_stem(theirs["model"]) or ours.get("model")
    assert (ours == expected) == (case.name not in OTHERWISE), (ours, expected)


def test_the_oracle_knows_half_of_the_cases():
    assert len(ORACLE) >= 40 and set(OTHERWISE) <= set(ORACLE)


def test_a_programs_own_key_goes_before_a_comment_of_anybody():
    texts = {
        "invokeai_metadata": json.dumps(INVOKE),
        "parameters": infotext("waves"),
        "prompt": json.dumps(comfy()),
    }
    origin = origin_of(Inscription(texts))
    assert (origin.tool, origin.prompt) == ("InvokeAI", PROMPT)
    assert "says something else in the same file" in origin.notes[-1]


def test_words_in_the_file_go_before_those_beside_it():
    origin = origin_of(Inscription({"parameters": infotext()}), {}, {"a.txt": infotext("waves")})
    assert origin.prompt == PROMPT


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_any_text_is_read_or_none(text):
    text_origin(text)
    for key in (
        "parameters",
        "UserComment",
        "Comment",
        "prompt",
        "workflow",
        "sd-metadata",
        "invokeai_metadata",
        "Dream",
        "Model",
    ):
        origin_of(Inscription({key: text, "Software": "NovelAI", "fooocus_scheme": "fooocus"}))


def test_every_case_has_its_ending():
    assert {ending_of(case) for case in CASES} == {".png", ".jpg", ".webp", ".avif", ".heic"}
