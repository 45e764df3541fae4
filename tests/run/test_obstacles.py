"A plan sees what later stages would refuse, makes nothing, and says what it couldn't look at."

import json
import shutil
import subprocess
import sys
from functools import partial

import pytest
import torch

from artmint.chain.admin import OtherFacts
from artmint.make.adapters import pack_tensors
from artmint.make.base import load_base
from artmint.make.embeddings import pack_word
from artmint.run.batch import load_batch
from artmint.run.obstacles import QUESTIONS, Foreseen, obstacles, refuse_foreseen
from artmint.run.runner import StageFailed, WaitingForPeople, run_batch
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.workflows import SERVED, SIMPLE

SEALED = "[reveal]\n{}\n[[reveal.waves]]\ndrops = [1]\nat = 2027-01-01T00:00:00Z\n"
STAGES = ["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "35_verify"]


@pytest.fixture
def order(tmp_path):
    "A function that writes a batch over a changed tiny collection, and loads it."
    shutil.copytree(TINY, tmp_path / "tiny")
    file = tmp_path / "tiny" / "collection.toml"
    text = file.read_text()

    def write(old: str = "", new: str = "", extra: str = "", quantity: int = 4):
        assert old in text
        file.write_text(text.replace(old, new, 1) if old else text)
        lines = [
            'name = "b"',
            'collection = "tiny"',
            f"quantity = {quantity}",
            f"stages = {json.dumps(STAGES)}",
        ]
        (tmp_path / "b.toml").write_text("\n".join([*lines, extra]))
        return load_batch(tmp_path / "b.toml")

    return write


def failures(batch, studio, environment=None) -> dict[str, str]:
    "What would be refused, by stage."
    rows = list(obstacles(batch, studio, environment or {}))
    assert all(row["evidence"] for row in rows)
    return {row["name"]: row["evidence"] for row in rows if row["status"] == "failed"}


def test_words_that_the_bundled_base_was_never_taught_are_named_before_anything_is_painted(order, tmp_path):
    asked = order("{motif} in", "a dragon, {motif} in")
    lines = [
        row["evidence"] for row in obstacles(asked, tmp_path / "studio", {}) if row["name"] == "15_generate"
    ]
    assert any("never taught dragon: it won't paint" in line for line in lines)


@pytest.mark.slow
def test_the_stage_that_paints_names_them_too(order, tmp_path):
    asked = order("{motif} in", "a dragon, {motif} in").model_copy(
        update={"stages": ("00_seeds", "15_generate")}
    )
    lines = []
    with pytest.raises(WaitingForPeople):  # nothing chooses among what was painted
        run_batch(asked, tmp_path / "studio", lines.append)
    assert any("never taught dragon: it won't paint" in line for line in lines)


def test_a_batch_in_order_has_none_and_nothing_is_made(order, tmp_path):
    assert failures(order(), tmp_path / "studio") == {}
    assert not (tmp_path / "studio").exists()


@pytest.mark.many(4)
@pytest.mark.parametrize(
    "stage, old, new, extra, words",
    [
        ("20_curate", 'scorer = "contrast"', 'scorer = "beauty"', "", "beauty"),
        ("15_generate", "steps = 2", 'steps = 2\nscheduler = "Eulr"', "", "Eulr"),
        ("15_generate", "steps = 2", 'steps = 2\nscheduler = "Euler"', "", "portable"),
        ("15_generate", "{motif} in", "waves " * 90 + "{motif} in", "", "tokens"),
        ("25_metadata", "unique = true", "unique = true\narweave = true", "", "studio.toml has no store"),
        ("30_mint", "", "", 'chain = "sepola"', "sepola"),
        ("30_mint", "", "", 'chain = "base-sepolia"', "ARTMINT_RPC_BASE_SEPOLIA"),
    ],
)
def test_what_a_later_stage_refuses_is_in_the_plan(order, tmp_path, stage, old, new, extra, words):
    seen = failures(order(old, new, extra), tmp_path / "studio")
    assert words in seen[stage]
    assert not (tmp_path / "studio").exists()


@pytest.mark.slow
def test_films_that_tokens_are_to_name_are_looked_at_before_anything_is_painted(order, tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="ffmpeg comes with the extra artmint[films]")
    file = tmp_path / "tiny" / "collection.toml"
    batch = order()
    file.write_text(file.read_text() + '[films]\nanimation = "mp4"\n')
    rows = list(obstacles(batch, tmp_path / "studio", {}))
    assert ["held"] == [row["status"] for row in rows if "4 tokens name a film" in row["evidence"]]


@pytest.mark.slow
def test_more_slots_than_there_are(order, tmp_path):
    seen = failures(order(quantity=5), tmp_path / "studio")
    assert "slots 1 to 4" in seen["15_generate"] and "25_metadata" in seen


def test_traits_that_editions_hold_are_named(order, tmp_path):
    tiny = load_collection(TINY)
    catalog = Catalog(tmp_path / "studio")
    slot = frozen_slots(catalog, tiny, tiny.salt)[0]
    kept = slot.traits["motif"]
    catalog.put("edition", "tiny/1", {"slot": 1, "attempt": 1, "traits": slot.traits})
    other = {"rings": "waves", "waves": "rings"}[kept]
    counts = "\nrings = 2\nwaves = 2\n"
    before = catalog.all("slot")
    batch = order(counts, f"\n{other} = 4\n")
    file = tmp_path / "tiny" / "collection.toml"
    file.write_text(file.read_text().replace("unique = true\n", ""))
    rows = obstacles(batch, tmp_path / "studio", {}, ("00_seeds",))
    seen = {row["name"]: row["evidence"] for row in rows}
    assert "Slots 1 have editions" in seen["00_seeds"]
    assert Catalog(tmp_path / "studio").all("slot") == before


@pytest.mark.slow
def test_a_title_that_the_contract_has_not_is_named_before_anything_is_painted(order, minted, tmp_path):
    "A contract is called what it was made as; the journal tells, and nobody is asked."
    batch, studio = order(), shutil.copytree(minted[0], tmp_path / "studio")
    shutil.rmtree(studio / "chain")
    rows = [row for row in obstacles(batch, studio, {}) if row["name"] == "30_mint"]
    assert [row["status"] for row in rows if "the contract is called" in row["evidence"]] == ["held"]
    title = load_collection(tmp_path / "tiny").title
    renamed = order(f'title = "{title}"', 'title = "Another"')
    assert f"title {title} there, Another asked for" in failures(renamed, studio)["30_mint"]
    beside = f'[contracts.tiny]\nbeside = "{minted[1]}"\n'
    (studio / "studio.toml").write_text(beside)
    assert "30_mint" not in failures(renamed, studio)


def test_what_a_contract_can_never_become_stops_a_run_before_anything_is_painted(order, minted, tmp_path):
    "A larger supply, for instance. Nothing is made, and a run that ends before minting is none of its business."
    studio = shutil.copytree(minted[0], tmp_path / "studio")
    larger = order("supply = 4", "supply = 6")
    file = tmp_path / "tiny" / "collection.toml"
    file.write_text(file.read_text().replace("= 2\n", "= 3\n").replace("unique = true\n", ""))
    with pytest.raises(OtherFacts, match="supply 4 there, 6 asked for"):
        run_batch(larger, studio)
    assert not (studio / "runs").exists()
    assert "supply 4 there, 6 asked for" in failures(larger, studio)["30_mint"]
    rehearsed = larger.model_copy(update={"chain": "http://127.0.0.1:8545"})
    assert "30_mint" not in failures(rehearsed, studio)  # another chain's contract, as far as anybody knows


@pytest.mark.parametrize(
    "stage, old, new, extra, words",
    [
        ("30_mint", "", "", 'chain = "base-sepolia"', "ARTMINT_RPC_BASE_SEPOLIA"),
        ("30_mint", "", "", 'chain = "sepola"', "sepola"),
        ("25_metadata", "unique = true", "unique = true\narweave = true", "", "studio.toml has no store"),
        ("30_mint", "", "", SEALED.format('keep = "/proc/x"'), "takes no files"),
    ],
)
def test_what_takes_no_model_is_refused_with_the_code_of_its_stage(
    order, tmp_path, stage, old, new, extra, words
):
    batch = order(old, new, extra)
    with pytest.raises(Foreseen, match=words) as caught:
        refuse_foreseen(batch, tmp_path / "studio", {}, batch.stages)
    assert (caught.value.stage, caught.value.exit_code) == (stage, caught.value.__cause__.exit_code)
    refuse_foreseen(batch, tmp_path / "studio", {}, ("00_seeds", "15_generate", "20_curate"))
    assert not (tmp_path / "studio").exists()


def test_a_run_asks_it_before_its_first_stage(order, tmp_path):
    batch, said = order(extra='chain = "sepola"'), []
    with pytest.raises(Foreseen, match="sepola"):
        run_batch(
            batch, tmp_path / "studio", said.append, foresee=partial(refuse_foreseen, batch, tmp_path, {})
        )
    assert said == []


@pytest.mark.slow
def test_a_stage_before_what_would_be_refused_can_be_run(order, tmp_path):
    batch, studio, said = order(extra='chain = "sepola"'), tmp_path / "studio", []
    foresee = partial(refuse_foreseen, batch, studio, {})
    (seeds,) = run_batch(batch, studio, said.append, last="seeds", foresee=foresee)
    assert not seeds.skipped
    with pytest.raises(Foreseen, match="sepola"):
        run_batch(batch, studio, said.append, foresee=foresee)
    assert said[-1] == "00_seeds: finished before"
    assert Catalog(studio).all("attempt") == {}


@pytest.mark.slow
def test_a_score_that_nobody_gives_stops_a_run_before_its_first_picture(order, tmp_path):
    batch = order('scorer = "contrast"', 'scorer = "beauty"')
    with pytest.raises(StageFailed, match="Rules ask for beauty") as caught:
        run_batch(batch, tmp_path / "studio")
    assert (caught.value.stage, caught.value.exit_code) == ("15_generate", 2)
    assert Catalog(tmp_path / "studio").all("artifact") == {}


def test_an_adapter_that_is_not_there_is_named(order, tmp_path):
    Catalog(tmp_path / "studio")
    batch = order("[generation]", '[[adapters]]\nname = "mine"\n\n[generation]')
    assert "'mine'" in failures(batch, tmp_path / "studio")["15_generate"]


def test_an_adapter_that_no_studio_holds_yet_is_named(order, tmp_path):
    "Where the batch doesn't train it, a studio that isn't there can't have it."
    batch = order("[generation]", '[[adapters]]\nname = "mine"\n\n[generation]')
    assert "'mine'" in failures(batch, tmp_path / "studio")["15_generate"]
    assert not (tmp_path / "studio").exists()


@pytest.mark.slow
def test_a_drop_without_the_slots_that_say_a_word_is_no_obstacle(order, tmp_path):
    base = load_base()
    width = base.pipeline.text_encoder.config.hidden_size
    word = pack_word(pack_tensors({"emb_params": torch.ones(1, width)}, {}), "goldleaf")
    digest = Catalog(tmp_path / "studio").put_blob(word)
    batch = order("unique = true", f'unique = true\nembeddings = ["{digest}"]', quantity=1)
    file = tmp_path / "tiny" / "collection.toml"
    assert "goldleaf" in failures(batch, tmp_path / "studio")["15_generate"]
    for value in ("ember", "ocean"):  # one of them is slot 1's
        file.write_text(file.read_text().split("[words.")[0] + f'[words.palette]\n{value} = "goldleaf"\n')
        assert failures(batch, tmp_path / "studio") == {}


def test_what_can_not_be_looked_at_is_said(order, tmp_path):
    batch = order("steps = 2", 'steps = 2\nbase = "somebody/model"')
    rows = [row for row in obstacles(batch, tmp_path / "studio", {}) if row["status"] == "unchecked"]
    assert any("somebody/model" in row["evidence"] for row in rows)


@pytest.mark.slow
def test_the_console_ends_with_one_where_something_would_be_refused(order, tmp_path):
    order('scorer = "contrast"', 'scorer = "beauty"')
    call = [sys.executable, "-m", "artmint.console.cli", "run", "b.toml", "--plan", "--json"]
    code = "import sys; from artmint.console.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *call[3:]], cwd=tmp_path, capture_output=True, text=True
    )
    rows = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    findings = {row["notebook"]: row["findings"] for row in rows}
    assert findings["20_curate"][0]["status"] == "failed"
    assert not (tmp_path / "studio").exists()


def test_every_question_belongs_to_a_chapter():
    from artmint.run.batch import chapters

    assert set(QUESTIONS) <= set(chapters())


def test_a_plan_says_what_paid_scorers_are_expected_to_cost(order, tmp_path):
    table = """
[[scorers]]
name = "anatomy"
kind = "vision"

[scorers.settings]
url = "http://127.0.0.1:9/v1"
model = "m"
question = "How good are the hands?"
repeats = 3
price_in = 0.1
price_out = 1

[[rules]]
scorer = "anatomy"
"""
    batch = order('[[rules]]\nscorer = "contrast"\n', table)
    rows = {row["name"]: row for row in obstacles(batch, tmp_path / "studio", {})}
    evidence = rows["20_curate"]["evidence"]
    assert rows["20_curate"]["status"] == "held"
    assert "anatomy: " in evidence and " calls, " in evidence and " money for the " in evidence


def test_a_collection_for_comfyui_is_looked_at_and_a_server_that_is_away_is_no_failure(order, tmp_path):
    (tmp_path / "tiny" / "w.json").write_text(json.dumps(SIMPLE))
    file = tmp_path / "tiny" / "collection.toml"
    batch = order(
        'steps = 2\nwidth = 64\nheight = 64\nprofile = "portable"',
        'engine = "comfyui"\nwidth = 64\nheight = 64',
    )
    file.write_text(file.read_text() + SERVED)
    studio = tmp_path / "studio"
    assert "names 0 servers of this kind" in failures(batch, studio)["15_generate"]
    studio.mkdir()
    (studio / "studio.toml").write_text('[engines.gpu]\nkind = "comfyui"\nurl = "http://127.0.0.1:9"\n')
    rows = list(obstacles(batch, studio, {}))
    (away,) = [row for row in rows if "gives no answer" in row["evidence"]]
    plain = file.read_text()
    file.write_text(plain + '[films]\nanimation = "mp4"\n')
    assert "painted by the engine comfyui" in failures(batch, studio)["25_metadata"]
    file.write_text(plain)
    assert (away["name"], away["status"]) == ("15_generate", "unchecked")
    file.write_text(file.read_text().replace("6.text", "66.text"))
    assert "no node '66'" in failures(batch, studio)["15_generate"]


@pytest.mark.many(1)
@pytest.mark.parametrize(
    ("line", "words"), [('keep = "/proc/x"', "takes no files"), ('picture = "b.toml"', "none of PNG")]
)
def test_a_seal_that_would_be_refused_is_planned_as_refused(order, tmp_path, line, words):
    "The folder of salts is tried, and the picture of sealed tokens is read."
    batch = order(extra=SEALED.format(line))
    found = [row for row in obstacles(batch, tmp_path / "studio", {}) if row["name"] == "30_mint"]
    assert [row["status"] for row in found] == ["held", "failed"]
    assert words in found[1]["evidence"]
