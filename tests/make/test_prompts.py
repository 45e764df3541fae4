"Prompts are read to their end or refused; A1111's rules, by an implementation of its own."

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.records import Recipe
from artmint.make.adapters import pack_tensors
from artmint.make.base import load_base
from artmint.make.engine import encode_prompts, engine
from artmint.make.prompts import (
    BACKTRACK,
    PromptTooLong,
    UnreadableWeight,
    UnreadMarkup,
    chunk_count,
    chunks_of,
    parse_attention,
    refuse_markup,
)
from artmint.make.render import batches, check, render
from tests.families import refusals_of

LONG = "dense (rings:1.3) in aurora colours on night, [waves] of paper, " * 6


@pytest.fixture(scope="module")
def base():
    return load_base()


@pytest.fixture(scope="module")
def tokenizer(base):
    return base.pipeline.tokenizer


def recipe(base, prompt: str, **more) -> Recipe:
    facts = dict(seed=3, steps=2, guidance=4.0, width=32, height=32, profile="fast")
    return Recipe(**dict(base=base.digest, prompt=prompt) | facts | more)


# ---------------------------------------------------------------- weights


# What A1111's own documentation gives.
DOCUMENTED = {
    "normal text": [("normal text", 1.0)],
    "an (important) word": [("an ", 1.0), ("important", 1.1), (" word", 1.0)],
    "(unbalanced": [("unbalanced", 1.1)],
    r"\(literal\]": [("(literal]", 1.0)],
    "(unnecessary)(parens)": [("unnecessaryparens", 1.1)],
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).": [
        ("a ", 1.0),
        ("house", 1.573),
        (" ", 1.1),
        ("on", 1.0),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641),
        (".", 1.1),
    ],
}


@pytest.mark.parametrize("text", DOCUMENTED)
def test_the_documented_examples_are_read_as_documented(text):
    (part,) = parse_attention(text)
    assert [run for run, _ in part] == [run for run, _ in DOCUMENTED[text]]
    assert [weight for _, weight in part] == pytest.approx([weight for _, weight in DOCUMENTED[text]])


def by_letters(text: str) -> list[tuple[str, float]]:
    "A1111's rules letter by letter: every letter of the prompt, with its weight."
    letters, opened = [], {"(": [], "[": []}
    at = 0
    while at < len(text):
        number = re.match(r":([+-]?[.\d]+)\)", text[at:])
        letter = text[at]
        step, factor, kind = 1, None, None
        if letter == "\\":
            escaped = text[at + 1 : at + 2]
            step = 2 if escaped and escaped in "()[]\\" else 1
            letters += [[escaped, 1.0]] if step == 2 else []
        elif letter in opened:
            opened[letter].append(len(letters))
        elif number and opened["("]:
            step, factor, kind = len(number[0]), float(number[1]), "("
        elif letter == ")" and opened["("]:
            factor, kind = 1.1, "("
        elif letter == "]" and opened["["]:
            factor, kind = 1 / 1.1, "["
        else:
            letters.append([letter, 1.0])
        if kind:
            for pair in letters[opened[kind].pop() :]:
                pair[1] *= factor
        at += step
    for kind, factor in (("(", 1.1), ("[", 1 / 1.1)):
        for start in opened[kind]:
            for pair in letters[start:]:
                pair[1] *= factor
    return [tuple(pair) for pair in letters]


WORDS = st.lists(st.sampled_from(["cat", " ", ", ", "(", ")", "[", "]", ":1.2)", ":0.5)", "\\", ":", "é"]))


@given(WORDS.map("".join))
def test_weights_are_those_of_a_reader_of_letters(text):
    runs = [pair for part in parse_attention(text) for pair in part]
    spread = [(letter, weight) for run, weight in runs for letter in run]
    expected = by_letters(text)
    assert "".join(letter for letter, _ in spread) == "".join(letter for letter, _ in expected)
    assert [w for _, w in spread] == pytest.approx([w for _, w in expected])


@pytest.mark.parametrize("text", ["(cat BREAK dog:1.2)", "[cat BREAK dog]", "(cat:1.2.3)", "(cat:.)"])
def test_brackets_that_cannot_be_read_are_refused(text):
    with pytest.raises(UnreadableWeight):
        parse_attention(text)


# ---------------------------------------------------------------- chunks


def packed(words: list[int], comma: int, room: int) -> list[list[int]]:
    "A1111's rows, by looking back from each row's end."
    rows = []
    while len(words) > room:
        end = room
        commas = [i for i in range(room) if words[i] == comma]
        if commas and words[room] != comma and room - commas[-1] <= BACKTRACK:
            end = commas[-1] + 1
        rows.append(words[:end])
        words = words[end:]
    return rows + [words] if words or not rows else rows


def inner(chunk, tokenizer) -> list[int]:
    "A chunk's tokens without its marks and its padding."
    ids = list(chunk.ids)
    assert ids[0] == tokenizer.bos_token_id and len(ids) == tokenizer.model_max_length
    return ids[1 : ids.index(tokenizer.eos_token_id)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["rings", "waves", ",", "in", "aurora"]), max_size=150))
def test_long_prompts_are_cut_at_commas_and_nothing_is_lost(tokenizer, words):
    text = " ".join(words)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    chunks = chunks_of(tokenizer, text, "a1111")
    comma = tokenizer.get_vocab()[",</w>"]
    assert [inner(chunk, tokenizer) for chunk in chunks] == packed(ids, comma, 30)
    assert all(len(chunk.weights) == 32 and set(chunk.weights) == {1.0} for chunk in chunks)


def test_a_break_ends_a_chunk_and_padding_follows_the_tokenizer(tokenizer):
    first, empty, last = chunks_of(tokenizer, "rings BREAK BREAK waves", "a1111")
    assert (inner(first, tokenizer), inner(empty, tokenizer)) == (
        tokenizer("rings", add_special_tokens=False).input_ids,
        [],
    )
    assert inner(last, tokenizer) == tokenizer("waves", add_special_tokens=False).input_ids
    assert first.ids == tuple(tokenizer("rings", padding="max_length").input_ids)


# ---------------------------------------------------------------- embeddings


def expected_states(pipe, text: str, skip: int = 1) -> list[torch.Tensor]:
    "A1111's embeddings of a text by each encoder, computed one chunk at a time."
    sides = []
    for end in ("", "_2"):
        encoder = getattr(pipe, f"text_encoder{end}", None)
        if encoder is None:
            continue
        states = []
        for chunk in chunks_of(getattr(pipe, f"tokenizer{end}"), text, "a1111"):
            with torch.no_grad():
                out = encoder(torch.tensor([chunk.ids]), output_hidden_states=True)
            if getattr(pipe, "text_encoder_2", None) is not None:
                z = out.hidden_states[-(skip + 1)][0]
            else:
                z = out.last_hidden_state[0]
                if skip > 1:
                    z = encoder.final_layer_norm(out.hidden_states[-skip])[0]
            heavy = z * torch.tensor(chunk.weights)[:, None]
            states.append(heavy * (z.mean() / heavy.mean()))
        sides.append(torch.cat(states))
    return sides


@pytest.mark.many(2)
@pytest.mark.parametrize("name, skip", [("sd1", 1), ("sd1", 2), ("sdxl", 1), ("sdxl", 2)])
def test_embeddings_are_those_of_the_rules(bases, name, skip):
    base = bases(name)
    asked = recipe(base, LONG, prompt_syntax="a1111", clip_skip=skip)
    tokens, *pooled = encode_prompts(engine(base, asked), [asked])[LONG]
    theirs = torch.cat(expected_states(base.pipeline, LONG, skip), -1)
    assert tokens.shape == theirs.shape and len(tokens) > 64
    assert float((tokens - theirs).abs().max()) < 2e-5
    if pooled:
        first = torch.tensor([chunks_of(base.pipeline.tokenizer_2, LONG, "a1111")[0].ids])
        with torch.no_grad():
            sentence = base.pipeline.text_encoder_2(first).text_embeds[0]
        assert float((pooled[0] - sentence).abs().max()) < 2e-5


@pytest.mark.many(1)
@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_long_prompt_paints_what_the_plain_pipeline_paints_of_its_embeddings(bases, name):
    base = bases(name)
    asked = recipe(base, LONG, negative_prompt="blurred", prompt_syntax="a1111")
    texts = encode_prompts(engine(base, asked), [asked])
    plain = type(base.pipeline).from_pipe(base.pipeline)
    plain.scheduler = scheduler(base, "DDIMScheduler")
    plain.set_progress_bar_config(disable=True)
    rows = {"prompt": texts[LONG], "negative_prompt": texts["blurred"]}
    arguments = {f"{side}_embeds": tensors[0][None] for side, tensors in rows.items()}
    if name == "sdxl":
        arguments["pooled_prompt_embeds"] = rows["prompt"][1][None]
        arguments["negative_pooled_prompt_embeds"] = rows["negative_prompt"][1][None]
    theirs = plain(
        **arguments,
        num_inference_steps=2,
        guidance_scale=4.0,
        width=32,
        height=32,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    assert far(render(base, [asked])[0], theirs) <= 1


def scheduler(base, name: str):
    import diffusers

    return getattr(diffusers, name).from_config(base.pipeline.scheduler.config)


def far(image, other) -> int:
    return int(np.abs(np.asarray(image).astype(int) - np.asarray(other)).max())


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["fast", "portable"])
def test_without_marks_both_syntaxes_paint_the_same_bytes(bases, profile):
    for name in ("sd1", "sdxl"):
        base = bases(name)
        plain = [
            recipe(base, text, profile=profile, negative_prompt="blurred") for text in ("rings, waves", "")
        ]
        marked = [one.model_copy(update={"prompt_syntax": "a1111"}) for one in plain]
        assert {one.dna for one in plain}.isdisjoint(one.dna for one in marked)
        pictures = [[image.tobytes() for image in render(base, asked)] for asked in (plain, marked)]
        assert pictures[0] == pictures[1]


@pytest.mark.slow
def test_the_end_of_a_long_prompt_and_every_weight_reach_the_picture(bases):
    base = bases("sd1")
    texts = [LONG + "mountains", LONG + "mandala", LONG + "(mandala:1.4)", LONG + "[mandala]"]
    images = render(base, [recipe(base, text, prompt_syntax="a1111") for text in texts])
    assert len({image.tobytes() for image in images}) == 4


@pytest.mark.slow
def test_prompts_of_different_lengths_change_nothing_about_each_other(bases):
    base = bases("sdxl")
    asked = [recipe(base, LONG[: 30 * i], seed=i, prompt_syntax="a1111") for i in range(6)]
    asked += [recipe(base, "rings", negative_prompt=LONG, prompt_syntax="a1111")]
    alone = [render(base, [one])[0].tobytes() for one in asked]
    assert [image.tobytes() for image in render(base, asked[::-1])][::-1] == alone
    assert sorted(i for part in batches(base, asked) for i in part) == list(range(7))
    for part in batches(base, asked):
        assert len({chunk_count(base.pipeline, asked[i]) for i in part}) == 1


@pytest.mark.slow
def test_a_layer_earlier_is_diffusers_clip_skip(bases):
    base = bases("sdxl")
    plain = type(base.pipeline).from_pipe(base.pipeline)
    plain.scheduler = scheduler(base, "DDIMScheduler")
    plain.set_progress_bar_config(disable=True)
    one = recipe(base, "rings", clip_skip=2)
    theirs = plain(
        "rings",
        num_inference_steps=2,
        guidance_scale=4.0,
        width=32,
        height=32,
        clip_skip=1,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    image = render(base, [one])[0]
    assert far(image, theirs) <= 1
    assert far(image, render(base, [recipe(base, "rings")])[0]) > 0


# ---------------------------------------------------------------- words of several vectors


def word(vectors: int, name: str = "<riso>", width: int = 32) -> bytes:
    torch.manual_seed(vectors)
    return pack_tensors({name: torch.randn(vectors, width)}, {})


def test_words_count_with_all_their_vectors(bases):
    base = bases("sd1")
    taught = {"embeddings": ("a" * 64,)}
    fits = "rings, " * 12 + "<riso>"
    one = recipe(base, fits, **taught)
    check(base, [one], lambda digest: word(6))
    with pytest.raises(PromptTooLong, match="33 tokens"):
        # 24 tokens, two marks and seven vectors
        check(base, [recipe(base, fits, seed=4, **taught)], lambda digest: word(7))
    with pytest.raises(PromptTooLong):
        render(base, [recipe(base, "rings " * 60, **taught)], blob=lambda digest: word(1))
    with pytest.raises(PromptTooLong):
        render(
            base, [recipe(base, "x", negative_prompt="rings " * 60, **taught)], blob=lambda digest: word(1)
        )


def test_a_word_stays_in_one_chunk(bases):
    base = bases("sd1")
    asked = recipe(base, "rings " * 28 + "<riso>", embeddings=("b" * 64,), prompt_syntax="a1111")
    ready = engine(base, asked, lambda digest: word(4))
    text = ready.pipe.maybe_convert_prompt(asked.prompt, ready.pipe.tokenizer)
    first, second = chunks_of(ready.pipe.tokenizer, text, "a1111")
    assert len(inner(first, ready.pipe.tokenizer)) == 28
    assert len(inner(second, ready.pipe.tokenizer)) == 4
    assert np.asarray(render(base, [asked], blob=lambda digest: word(4))[0]).std() > 1
    with pytest.raises(PromptTooLong, match="fewer vectors"):
        check(base, [asked.model_copy(update={"embeddings": ("c" * 64,)})], lambda digest: word(31))


# ---------------------------------------------------------------- refusals


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "text, mark",
    [
        ("a (cat:1.2)", "weight"),
        ("((masterpiece))", "emphasis"),
        ("a [cat]", "brackets"),
        ("a [cat:dog:0.5]", "brackets"),
        ("rings BREAK waves", "break"),
        ("rings AND waves", "composition"),
        ("rings <lora:riso:0.8>", "another file"),
        ("a __animal__", "wildcard"),
        ("a {cat|dog}", "choice"),
        (r"a cat \(black\)", "escape"),
    ],
)
def test_marks_that_nobody_reads_are_refused_in_new_work_and_painted_in_old(bases, text, mark):
    base = bases("sd1")
    for one in (recipe(base, text), recipe(base, "x", negative_prompt=text)):
        with pytest.raises(UnreadMarkup, match=f"{mark}.*prompt_syntax"):
            refuse_markup(one)
        assert render(base, [one])[0].size == (32, 32)


@pytest.mark.parametrize(
    "text",
    ["a [cat:dog:0.5]", "a [cat:5]", "[a|b]", "x AND y", "<lora:x:1>", "__animal__", "{a|b}", "[(a:2): 3]"],
)
def test_what_a1111_changes_while_it_paints_is_refused_by_name(text):
    with pytest.raises(UnreadMarkup, match="nobody would read"):
        refuse_markup(Recipe(base="0" * 64, prompt=text, seed=1, width=8, height=8, prompt_syntax="a1111"))


@pytest.mark.parametrize(
    "text",
    [
        "a cat at 5:30, 3 of 4",
        "rock & roll",
        "snake_case",
        "an email a@b.c",
        "50% < 60%",
        ":)",
        "breaks and sand",
    ],
)
def test_ordinary_prose_is_no_markup(text):
    refuse_markup(Recipe(base="0" * 64, prompt=text, seed=1, width=8, height=8))


@pytest.mark.parametrize("text", ["(cat:1.2), [dog]", r"a cat \(black\)", "rings BREAK waves", "((x"])
def test_what_a1111_reads_is_no_unread_markup(text):
    refuse_markup(Recipe(base="0" * 64, prompt=text, seed=1, width=8, height=8, prompt_syntax="a1111"))


@pytest.mark.parametrize("name", ["flux", "sd3"])
def test_whole_pipelines_refuse_what_no_encoder_reads(bases, name):
    base = bases(name)
    limit = {"flux": 512, "sd3": 256}[name]
    own = {"scheduler": "own"}
    # the tiny T5 has a token for every letter
    check(base, [recipe(base, "a" * (limit - 3), **own)])
    with pytest.raises(PromptTooLong, match=f"reads {limit}"):
        check(base, [recipe(base, "a" * (limit + 9), **own)])
    for change in (
        {"prompt_syntax": "a1111"},
        {"clip_skip": 2},
        {"guidance_rescale": 0.5},
        {"schedule": "karras"},
    ):
        (said,) = refusals_of(base, [recipe(base, "x", **own | change)])
        assert next(iter(change)) in said


def test_both_encoders_of_xl_are_asked(bases, tmp_path):
    base = bases("sdxl")
    second = base.pipeline.tokenizer_2
    before = second.model_max_length
    try:
        second.model_max_length = 20
        with pytest.raises(PromptTooLong, match="reads 20"):
            check(base, [recipe(base, "rings " * 22)])
    finally:
        second.model_max_length = before
    check(base, [recipe(base, "rings " * 22)])


def test_a_long_plain_prompt_is_refused_with_its_count_and_the_way_on(base):
    with pytest.raises(PromptTooLong, match=r"62 tokens, and the base reads 32.*a1111"):
        check(base, [recipe(base, "rings " * 60, width=64, height=64)])
    check(base, [recipe(base, "rings " * 60, width=64, height=64, prompt_syntax="a1111")])
