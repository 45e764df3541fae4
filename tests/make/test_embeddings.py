"Embeddings: a word is read by every text encoder, and by its own name alone."

import math

import numpy as np
import pytest
import torch

from artmint.core.records import Recipe
from artmint.make.adapters import pack_tensors, unpack_tensors
from artmint.make.embeddings import (
    NotAnEmbedding,
    PickledEmbedding,
    UnsaidWord,
    add_embedding,
    add_words,
    pack_word,
    read_embedding,
    refuse_unsaid,
    split_bundle,
    unused_words,
    word_of,
)
from artmint.make.render import render
from artmint.studio.catalog import Catalog
from tests.adapters import twin
from tests.styles import sha


def vectors(count: int = 2, seed: int = 1, width: int = 32) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def for_xl(count: int = 2, word: str | None = "<studio>", seed: int = 1) -> bytes:
    tensors = {"clip_l": vectors(count, seed), "clip_g": vectors(count, seed + 1)}
    return pack_word(pack_tensors(tensors, {}), word)


def named(word: str, count: int = 2, seed: int = 1) -> bytes:
    return pack_word(pack_tensors({"emb_params": vectors(count, seed)}, {}), word)


def paint(base, prompt: str, files: list[bytes]) -> np.ndarray:
    recipe = Recipe(
        base=base.digest,
        prompt=prompt,
        seed=3,
        steps=3,
        guidance=4.0,
        width=32,
        height=32,
        profile="fast",
        embeddings=tuple(sha(f) for f in files),
    )
    return np.asarray(render(base, [recipe], blob={sha(f): f for f in files}.get)[0])


def test_an_embedding_is_a_word_of_the_prompt(bases):
    base = bases("sd1")
    word = named("<studio>")
    assert np.array_equal(paint(base, "rings", [word]), paint(base, "rings", []))
    assert not np.array_equal(paint(base, "<studio> rings", [word]), paint(base, "<studio> rings", []))


@pytest.mark.slow
def test_both_encoders_of_xl_read_a_word(bases):
    "diffusers' own loading, encoder by encoder, gives the same vectors; each of the two changes the picture."
    base = bases("sdxl")
    ours = twin(base)
    add_words(ours, [for_xl()])
    theirs = twin(base)
    for name, encoder, tokenizer in (
        ("clip_l", theirs.text_encoder, theirs.tokenizer),
        ("clip_g", theirs.text_encoder_2, theirs.tokenizer_2),
    ):
        rows = unpack_tensors(for_xl())[0][name]
        theirs.load_textual_inversion(rows, token="<studio>", text_encoder=encoder, tokenizer=tokenizer)
    for part, tokenizer in (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")):
        tables = [getattr(pipe, part).get_input_embeddings().weight for pipe in (ours, theirs)]
        ids = getattr(ours, tokenizer).convert_tokens_to_ids(["<studio>", "<studio>_1"])
        assert torch.equal(tables[0][ids], tables[1][ids])
        assert torch.equal(
            tables[0][ids], unpack_tensors(for_xl())[0]["clip_l" if part[-1] == "r" else "clip_g"]
        )
    words = "<studio> rings"
    plain = paint(base, words, [])
    full = paint(base, words, [for_xl()])
    other = unpack_tensors(for_xl())[0] | {"clip_g": vectors(2, 9)}
    assert not np.array_equal(full, plain)
    assert not np.array_equal(full, paint(base, words, [pack_word(pack_tensors(other, {}), "<studio>")]))


@pytest.mark.parametrize("form", ["float16", "bfloat16", "float32"])
def test_one_vector_several_and_half_precision(bases, form):
    base = bases("sd1")
    for rows in (vectors(3), vectors(1)[0]):
        data = pack_word(pack_tensors({"emb_params": rows.to(getattr(torch, form))}, {}), "<studio>")
        pipeline = twin(base)
        add_words(pipeline, [data])
        ids = pipeline.tokenizer("<studio>", add_special_tokens=False).input_ids
        table = pipeline.text_encoder.get_input_embeddings().weight
        assert torch.equal(table[ids[0]], rows.reshape(-1, 32)[0].to(getattr(torch, form)).float())


@pytest.mark.parametrize("names", [("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1")])
def test_files_for_xl_by_either_name(names):
    data = pack_word(pack_tensors(dict(zip(names, (vectors(), vectors(seed=2)))), {}), "<studio>")
    assert set(unpack_tensors(data)[0]) == {"clip_l", "clip_g"}
    assert word_of(data) == "<studio>" == word_of(pack_word(data))
    assert pack_word(data) == data


REFUSED = {
    "no word": (lambda: pack_word(pack_tensors({"emb_params": vectors()}, {})), "doesn't name its word"),
    "no word, XL": (lambda: for_xl(word=None), "doesn't name its word"),
    "a blank word": (lambda: named("  "), "no word that a prompt could say"),
    "NaN": (lambda: pack_word(pack_tensors({"<a>": vectors() * math.nan}, {})), "infinities or NaN"),
    "no vectors": (lambda: pack_word(pack_tensors({"<a>": torch.ones(2, 3, 4)}, {})), "no list of vectors"),
    "a LoRA": (
        lambda: pack_word(
            pack_tensors({f"a.lora_{side}.weight": vectors() for side in "AB"} | {"c": vectors()}, {})
        ),
        "holds one tensor",
    ),
    "different numbers of vectors": (
        lambda: pack_word(pack_tensors({"clip_l": vectors(1), "clip_g": vectors(2)}, {}), "<a>"),
        "different numbers of vectors",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_no_embedding_are_refused(name):
    make, words = REFUSED[name]
    with pytest.raises(NotAnEmbedding, match=words):
        make()


UNTEACHABLE = {
    "another width": (
        "sd1",
        lambda: [pack_word(pack_tensors({"<w>": torch.zeros(1, 8)}, {}))],
        "8 numbers wide",
    ),
    "XL's on SD1": ("sd1", lambda: [for_xl()], "for 2 text encoders, and the base has 1"),
    "SD1's on XL": ("sdxl", lambda: [named("<studio>")], "for 1 text encoder, and the base has 2"),
    "a token of the base": ("sd1", lambda: [named("r", 1)], "a token 'r' of its own"),
    "two of one word": (
        "sd1",
        lambda: [named("<a>"), named("<a>", seed=2)],
        "two embeddings have the word '<a>'",
    ),
    "a word within a word": (
        "sd1",
        lambda: [named("glow"), named("glowing", seed=2)],
        "is a part of 'glowing'",
    ),
    "a word like another's second token": (
        "sd1",
        lambda: [named("glow_1", 1), named("glow")],
        "part of|'glow_1'",
    ),
    "flux": ("flux", lambda: [named("<a>")], "takes none here|has 2"),
    "sd3": ("sd3", lambda: [named("<a>")], "takes none here"),
}


@pytest.mark.parametrize("name", UNTEACHABLE)
def test_what_a_base_cant_be_taught_is_refused_before_anything_changes(bases, name):
    base, make, words = UNTEACHABLE[name]
    pipeline = twin(bases(base))
    before = len(pipeline.tokenizer)
    with pytest.raises(NotAnEmbedding, match=words):
        add_words(pipeline, make())
    assert len(pipeline.tokenizer) == before


@pytest.mark.parametrize("word", ["MyStyle", "Rings", "ange\u0301lique", "my  style", "rings"])
def test_a_new_word_is_written_as_the_base_reads_it_and_none_of_its_own(bases, tmp_path, word):
    "Otherwise prompts would call the first of its vectors alone, or a word of the base's."
    file = tmp_path / "a.safetensors"
    file.write_bytes(pack_tensors({"emb_params": vectors()}, {}))
    with pytest.raises(NotAnEmbedding, match="the base reads|token 'rings' of its own"):
        add_embedding(Catalog(tmp_path / "studio"), file, word, bases("sd1").pipeline)
    assert Catalog(tmp_path / "studio").all("embedding") == {}


@pytest.mark.parametrize("word", ["<studio>", "mystyle", "by night owl", "über", "猫の家"])
def test_a_prompt_calls_every_vector_of_a_new_word(bases, tmp_path, word):
    file = tmp_path / "a.safetensors"
    file.write_bytes(pack_tensors({"emb_params": vectors(3)}, {}))
    pipeline = twin(bases("sd1"))
    catalog = Catalog(tmp_path / "studio")
    added = add_embedding(catalog, file, word, pipeline)
    add_words(pipeline, [catalog.blob(added["digest"])])
    written = pipeline.maybe_convert_prompt(f"rings, {word} on paper", pipeline.tokenizer)
    ids = pipeline.tokenizer(written, add_special_tokens=False).input_ids
    own = pipeline.tokenizer.convert_tokens_to_ids([word, f"{word}_1", f"{word}_2"])
    assert [i for i in ids if i in own] == own


def test_pickles_are_refused_with_the_cure(tmp_path):
    for ending in (".pt", ".bin", ".PT"):
        path = tmp_path / f"EasyStudio{ending}"
        torch.save({"string_to_param": {"*": vectors()}}, path)
        with pytest.raises(PickledEmbedding, match="weights_only"):
            read_embedding(path, "<studio>")


def test_words_that_no_prompt_says():
    files = [named("<studio>"), named("Glow"), for_xl(word="<house>")]
    assert unused_words(["a <studio> of rings", "glow"], files) == ["Glow", "<house>"]
    refuse_unsaid(["<studio>", "a <house>, Glow"], files)
    with pytest.raises(UnsaidWord, match="<house>"):
        refuse_unsaid(["<studio> Glow"], files)


@pytest.mark.parametrize("ends", [("emb_params",), ("clip_l", "clip_g"), ("string_to_param.*",)])
def test_words_in_an_adapters_file_are_taken_out(ends):
    "Names with dots too; the adapter's own tensors and header stay."
    tensors = {f"bundle_emb.my.style.{end}": vectors(seed=i) for i, end in enumerate(ends)}
    lora = {"lora_unet_conv_in.alpha": torch.ones(())}
    adapter, words = split_bundle(pack_tensors(tensors | lora, {"ss_tag_frequency": "{}"}))
    assert [word_of(word) for word in words] == ["my.style"]
    assert unpack_tensors(adapter)[1] == {"ss_tag_frequency": "{}"}
    assert set(unpack_tensors(adapter)[0]) == set(lora)
    assert split_bundle(adapter) == (adapter, [])
    with pytest.raises(NotAnEmbedding, match="no vector of a word"):
        split_bundle(pack_tensors({"bundle_emb.a.clip_l_out": vectors()}, {}))


def test_a_studio_takes_an_embedding_once_and_says_what_a_word_meant_before(bases, tmp_path):
    base = bases("sd1")
    file = tmp_path / "EasyStudio.safetensors"
    file.write_bytes(pack_tensors({"emb_params": vectors()}, {}))
    catalog = Catalog(tmp_path / "studio")
    first = add_embedding(catalog, file, "<studio>", base.pipeline)
    again = add_embedding(catalog, file, "<studio>", base.pipeline)
    assert (first["replaced"], first["kept_before"]) == (None, False)
    assert (again["replaced"], again["kept_before"]) == (None, True)
    assert len(list(catalog.rows("embedding"))) == 1
    assert word_of(catalog.blob(first["digest"])) == "<studio>"
    file.write_bytes(pack_tensors({"emb_params": vectors(seed=5)}, {}))
    assert add_embedding(catalog, file, "<studio>", base.pipeline)["replaced"] == first["digest"]
    with pytest.raises(NotAnEmbedding, match="no file"):
        add_embedding(catalog, tmp_path / "none.safetensors", "<studio>", base.pipeline)
    file.write_bytes(pack_tensors({"emb_params": vectors(width=8)}, {}))
    with pytest.raises(NotAnEmbedding, match="wide"):
        add_embedding(catalog, file, "<narrow>", base.pipeline)
    assert catalog.find("embedding", "<narrow>") is None
