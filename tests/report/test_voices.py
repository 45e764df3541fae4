"A studio's voice: what posts teach it, the same bytes twice, what is refused, and that llama.cpp speaks with it as it was taught."

import json
import shutil
import signal
import urllib.request

import pytest

from artmint.make.base import CodeInModel, PickledWeights
from artmint.report.accounts import WriterSettings
from artmint.report.voices import (
    KeyAmongPosts,
    NoLanguageModel,
    OtherVoice,
    VoiceNotLearnt,
    VoiceSettings,
    lessons_of,
    open_language_model,
    perplexity,
    teach_voice,
    voice_gguf,
)
from artmint.report.wording import NoLocalModel, NoVoice, open_writer, read_voice, voice_posts
from tests.voiced import EARLIER, posts, small_gguf, small_model

QUICK = VoiceSettings(steps=12, every=5, rate=0.01)
WRITTEN = ["adapter_config.json", "adapter_model.safetensors", "voice.gguf", "voice.json"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "small")


@pytest.fixture(scope="module")
def taught(small, tmp_path_factory):
    "A voice that was taught without a pause."
    folder = tmp_path_factory.mktemp("voice") / "house"
    return folder, teach_voice(lessons_of(posts()), open_language_model(small), QUICK, folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- what teaches


def test_files_as_programs_write_them_say_the_same(tmp_path):
    "A table, a list, lines, Mastodon's outbox and X's archive."
    rows = "\r\n".join(f'{n},"{text}"' for n, text in enumerate(EARLIER))
    outbox = [{"type": "Create", "object": {"content": f"<p>{text}</p>"}} for text in EARLIER]
    others = {"type": "Announce", "object": "https://elsewhere.example/1"}
    tweets = [{"tweet": {"id": str(n), "full_text": text}} for n, text in enumerate(EARLIER)]
    files = {
        "a.txt": "\n\n".join(EARLIER),
        "a.csv": f"\ufeffid,Text\r\n{rows}\r\n",
        "a.json": json.dumps(EARLIER),
        "b.json": json.dumps({"posts": [{"body": text} for text in EARLIER]}),
        "a.jsonl": "\n".join(json.dumps({"text": text}) for text in EARLIER),
        "outbox.json": json.dumps({"orderedItems": [others, *outbox]}),
        "tweets.js": f"window.YTD.tweets.part0 = {json.dumps(tweets)}",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.encode())
        assert read_voice(tmp_path / name) == EARLIER, name
    assert len(voice_posts(tmp_path)) == len(files) * len(EARLIER)


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("a.csv", "id,words\n1,so\n", "no column of it is called text"),
        ("a.csv", "id,text\n1\n", "row 2 is too short"),
        ("a.json", "{}", "no list of posts"),
        ("a.json", "[1]", "entry 1 has no text"),
        ("a.json", "[", "no JSON"),
    ],
)
def test_a_file_of_another_form_is_refused_by_its_place(tmp_path, name, content, why):
    (tmp_path / name).write_text(content)
    with pytest.raises(NoVoice, match=why):
        read_voice(tmp_path)


def test_what_teaches_nothing_is_left_out_by_name():
    more = [
        ("p 1", "https://shop.example/x #gm @ada ☀️"),
        ("p 2", "Only 5 left!! Mint at https://shop.example, floor 0.05 ETH, ends 3 pm UTC"),
        ("p 3", EARLIER[0].replace("Harbor", "Tide")),
        ("p 4", "RT @ada: take your time with it, it holds the light."),
        ("p 5", "Look, we stay."),
    ]
    lessons = lessons_of([*posts(), *more])
    assert (len(lessons.learnt), len(lessons.held)) == (13, 3)
    why = dict(line.split(": ", 1) for line in lessons.left_out)
    assert why["p 1"] == "links, names and tags alone" and "less than half" in why["p 2"]
    assert "posts.txt, post 1 says" in why["p 3"] and "somebody else" in why["p 4"] and "hardly" in why["p 5"]
    assert not any("harbor" in text or any(map(str.isdigit, text)) for text in lessons.learnt + lessons.held)
    assert lessons_of(list(reversed([*posts(), *more]))).learnt == lessons.learnt


@pytest.mark.parametrize(
    "secret",
    [
        "sk-live4eC39HqLyjWDarjtT1zdp7dc",
        "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
        "-----BEGIN EC PRIVATE" + " KEY-----\nMHQCAQEE",
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
        "https://user:word@host.example/",
    ],
)
def test_a_key_among_the_posts_refuses_all_of_them_without_repeating_it(secret):
    with pytest.raises(KeyAmongPosts, match="posts.csv, post 9") as refused:
        lessons_of([*posts(), ("posts.csv, post 9", f"Look closely.\n{secret}\nIt stays.")])
    assert secret[:12] not in str(refused.value)


def test_an_address_and_a_cid_are_no_keys():
    shown = "Look: 0x52908400098527886E0F7030069857D2E4169EE7 at bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi."
    assert len(lessons_of([*posts(), ("p", shown)]).left_out) == 1


def test_too_few_posts_are_refused_with_what_was_left_out():
    with pytest.raises(NoVoice, match="4 of 5 posts teach something, and 12 are needed; p: links"):
        lessons_of([*posts()[:4], ("p", "https://a.example")])


# ---- the same bytes


@pytest.mark.slow
def test_a_voice_is_taught_in_the_same_bytes_and_foresees_more(small, taught, tmp_path):
    folder, voice = taught
    assert sorted(contents(folder)) == WRITTEN and voice.after < voice.before
    assert min(voice.curve, key=lambda look: look[1]) == (voice.kept_step, voice.after)
    again = teach_voice(lessons_of(posts()), open_language_model(small), QUICK, tmp_path / "again")
    assert again == voice and contents(tmp_path / "again") == contents(folder)
    other = QUICK.model_copy(update={"seed": 2})
    assert (
        teach_voice(lessons_of(posts()), open_language_model(small), other, tmp_path / "b").sha256
        != voice.sha256
    )


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(small, taught, tmp_path):
    "Stopped between two looks, at a look, and once more; what it holds meanwhile is no voice."
    folder, steps = tmp_path / "house", []

    def stop(step, loss, held):
        steps.append(step)
        if len(steps) in (3, 5, 9):
            signal.raise_signal(signal.SIGINT)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            teach_voice(lessons_of(posts()), open_language_model(small), QUICK, folder, stop)
        assert list(contents(folder)) == ["state.safetensors"]
    with pytest.raises(OtherVoice):
        other = QUICK.model_copy(update={"seed": 2})
        teach_voice(lessons_of(posts()), open_language_model(small), other, folder)
    teach_voice(lessons_of(posts()), open_language_model(small), QUICK, folder, stop)
    assert steps == list(range(1, 13)) and contents(folder) == contents(taught[0])


def test_a_voice_that_stands_is_neither_taught_again_nor_replaced(small, taught, tmp_path):
    folder = shutil.copytree(taught[0], tmp_path / "house")
    steps = []
    again = teach_voice(
        lessons_of(posts()), open_language_model(small), QUICK, folder, lambda *step: steps.append(step)
    )
    assert again == taught[1] and steps == []
    with pytest.raises(OtherVoice):
        teach_voice(lessons_of(posts()[1:]), open_language_model(small), QUICK, folder)
    assert contents(folder) == contents(taught[0])


def test_nothing_is_written_where_nothing_was_learnt(small, tmp_path):
    tame = VoiceSettings(steps=2, every=1, rate=1e-9)
    with pytest.raises(VoiceNotLearnt, match="as surprising after 2 steps as before"):
        teach_voice(lessons_of(posts()), open_language_model(small), tame, tmp_path / "house")
    assert "voice.gguf" not in contents(tmp_path / "house")


def test_peft_reads_what_was_written(small, taught):
    from peft import PeftModel

    folder, voice = taught
    model = open_language_model(small)
    held = lessons_of(posts()).held
    assert perplexity(model, held) == voice.before
    network = PeftModel.from_pretrained(model.network, folder).eval()
    with_voice = type(model)(network, model.tokenizer, model.kind, model.name, model.digest)
    assert perplexity(with_voice, held) == pytest.approx(voice.after, rel=1e-6)
    assert str(small.parent) not in (folder / "adapter_config.json").read_text()


# ---- what can't be taught


def broken(folder, name):
    "Break a model's folder in one way; the refusal that is due, and words of it."
    config = json.loads((folder / "config.json").read_text())
    if name == "code":
        (folder / "config.json").write_text(
            json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "x.X"}})
        )
        return CodeInModel, "auto_map"
    if name == "kind":
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
        return NoLanguageModel, "of kind gpt2, and llama, mistral"
    if name == "pickle":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        return PickledWeights, "pickle"
    if name == "lacking":
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
        return NoLanguageModel, "its weights lack"
    if name == "config":
        (folder / "config.json").write_text("{")
        return NoLanguageModel, "config.json is broken"
    (folder / name).unlink()
    return NoLanguageModel, name if name != "model.safetensors" else "no weights in a .safetensors file"


@pytest.mark.parametrize(
    "name", "code kind pickle lacking config config.json tokenizer.json model.safetensors".split()
)
def test_a_folder_that_is_no_language_model_is_refused_by_name(small, tmp_path, name):
    folder = shutil.copytree(small, tmp_path / "small")
    kind, words = broken(folder, name)
    with pytest.raises(kind) as refused:
        open_language_model(folder)
    assert words in str(refused.value) and refused.value.exit_code == 2


def test_quantized_weights_are_refused_with_what_to_name(tmp_path):
    (tmp_path / "gemma.gguf").write_bytes(b"GGUF")
    with pytest.raises(NoLanguageModel, match="those they were made of can"):
        open_language_model(tmp_path / "gemma.gguf")


# ---- by llama.cpp


def next_letters(address, prompt):
    "What llama.cpp expects next, by token: log-probabilities."
    body = {"prompt": prompt, "n_predict": 1, "n_probs": 38, "temperature": 0, "cache_prompt": False}
    question = urllib.request.Request(
        f"{address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(question) as answer:
        (row,) = json.loads(answer.read())["completion_probabilities"]
    return {one["id"]: one["logprob"] for one in row["top_logprobs"]}


def test_llama_cpp_speaks_with_a_voice_as_it_was_taught(small, taught, tmp_path):
    "The same numbers as peft's, with the voice and without it: so the file is read, and read right."
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: pip install 'artmint[llm]'")
    import torch
    from peft import PeftModel

    folder, _ = taught
    (tmp_path / "small.gguf").write_bytes(small_gguf(small))
    shutil.copytree(folder, tmp_path / "voices/house")
    model = open_language_model(small)
    prompt = model.tokenizer("Post:take your time wi").input_ids
    said = []
    for adapter, name in (("", "small"), ("voices/house/voice.gguf", "small with the voice house")):
        settings = WriterSettings(weights="small.gguf", adapter=adapter, threads=1)
        with open_writer(tmp_path, settings) as writer:
            assert writer.name == name
            heard = next_letters(writer.url.removesuffix("/v1"), prompt)
        network = PeftModel.from_pretrained(model.network, folder).eval() if adapter else model.network
        with torch.no_grad():
            logits = network(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
        assert heard == pytest.approx({token: float(logits[token]) for token in heard}, abs=2e-3)
        said.append(heard)
    assert max(abs(said[0][token] - said[1][token]) for token in said[0].keys() & said[1].keys()) > 0.02


def test_an_adapter_that_fits_nothing_is_refused(small, taught, tmp_path):
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed: pip install 'artmint[llm]'")
    from artmint.make.adapters import unpack_tensors

    (tmp_path / "small.gguf").write_bytes(small_gguf(small))
    tensors, _ = unpack_tensors((taught[0] / "adapter_model.safetensors").read_bytes())
    (tmp_path / "other.gguf").write_bytes(voice_gguf(tensors, "gemma3", 16.0))
    (tmp_path / "none.gguf").write_bytes(b"no weights")
    for name in ("other.gguf", "none.gguf", "nowhere.gguf"):
        with pytest.raises(NoLocalModel, match=name.split(".")[0]):
            with open_writer(tmp_path, WriterSettings(weights="small.gguf", adapter=name)):
                pass
