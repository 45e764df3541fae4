"The chapter: which seeds are taken, and the whole line from a batch file to a proof without any store."

from pathlib import Path

import numpy as np
import pytest

from artmint.core.records import Slot
from artmint.drawn import (
    MOST_DRAWN,
    MOST_GROUND,
    NoModelFile,
    NotForDrawn,
    NothingShown,
    OwnersFirst,
    _shows,
    drawn_model,
    drawn_slots,
    refuse_undrawable,
)
from artmint.onchain.model import bundled_model, drawn_layers, make_model, traits_of
from artmint.onchain.network import WEIGHTS_SIZE
from artmint.seeds import frozen_slots, load_collection, slot_seeds
from artmint.studio.catalog import Catalog
from tests.studios import artmint

ROOT = Path(__file__).parents[1]
COLLECTION = load_collection(ROOT / "collections/onchain")


@pytest.fixture(scope="module")
def slots(tmp_path_factory):
    return frozen_slots(Catalog(tmp_path_factory.mktemp("studio")), COLLECTION, COLLECTION.salt)


def test_a_recipe_has_its_slot_s_traits(slots):
    model = bundled_model()
    chosen = drawn_slots(COLLECTION, COLLECTION.salt, slots, model)
    assert [one.slot for one in chosen] == list(range(1, 17))
    assert [traits_of(model, one.recipe) for one in chosen] == [slot.traits for slot in slots]
    assert len({one.recipe for one in chosen}) == 16
    seeds = slot_seeds(COLLECTION.name, COLLECTION.salt, 1, 4)
    assert int.from_bytes(chosen[0].recipe[8:], "big") == seeds[chosen[0].attempt - 1]
    assert all(_shows(drawn_layers(model, one.recipe)) for one in chosen)
    assert drawn_slots(COLLECTION, COLLECTION.salt, slots[4:5], model) == chosen[4:5]


def test_a_model_that_shows_nothing_is_refused(slots):
    empty = make_model(bytes(WEIGHTS_SIZE) + bundled_model().network[WEIGHTS_SIZE:])
    with pytest.raises(NothingShown, match="4 attempts at slot 1"):
        drawn_slots(COLLECTION, COLLECTION.salt, slots, empty)


def test_what_shows_something():
    some = np.zeros((10, 10), int)
    some.flat[:10] = [1, 2] * 5
    assert _shows(some)
    some.flat[9] = 0
    assert (some == 0).mean() > MOST_GROUND
    assert not _shows(some)
    assert not _shows(np.ones((10, 10), int))


def test_a_studio_s_own_model(tmp_path):
    (tmp_path / "own.bin").write_bytes(bundled_model().network)
    assert drawn_model(str(tmp_path / "own.bin")) == drawn_model("") == bundled_model()
    with pytest.raises(NoModelFile):
        drawn_model(str(tmp_path / "none.bin"))


def test_slots_with_other_words_are_refused():
    from artmint.onchain.model import NotDrawable

    with pytest.raises(NotDrawable):
        drawn_slots(COLLECTION, "salt", [Slot(id=1, traits={"mood": "calm"})], bundled_model())


@pytest.mark.parametrize(
    "change, words",
    [
        ({"withheld": ("prompt",)}, "withheld has no meaning"),
        ({"ask_people": True}, "ask_people has no meaning"),
        ({"labels": {"motif": "Motif"}}, "labels has no meaning"),
        ({"template": "{motif}"}, "its template is '{motif}'"),
        ({"title": 'A "title"'}, "the contract refuses"),
        (
            {"market": COLLECTION.market.model_copy(update={"banner_image": "https://a.example/b.png"})},
            "market.b",
        ),
        ({"market": COLLECTION.market.model_copy(update={"erc7007": "replay"})}, "market.erc7007"),
        ({"generation": COLLECTION.generation.model_copy(update={"guidance": 7.0})}, "generation.guidance"),
    ],
)
def test_what_nobody_would_do_is_refused(change, words):
    refuse_undrawable(COLLECTION, bundled_model(), MOST_DRAWN)
    with pytest.raises(NotForDrawn, match=words):
        refuse_undrawable(COLLECTION.model_copy(update=change), bundled_model())


def test_a_drop_is_no_larger_than_a_contract_s_code():
    with pytest.raises(NotForDrawn, match="at most 2,000 tokens, and this one 2,001"):
        refuse_undrawable(COLLECTION, bundled_model(), MOST_DRAWN + 1)


def ordered(folder: Path, extra: str = "") -> Path:
    "A batch file of the example collection."
    batch = (ROOT / "batches/onchain.toml").read_text().replace("../collections", str(ROOT / "collections"))
    (folder / "onchain.toml").write_text(batch + extra)
    return folder / "onchain.toml"


def test_a_drop_that_is_drawn_can_t_be_sealed(tmp_path):
    from artmint.run.batch import load_batch

    load_batch(ordered(tmp_path))
    sealed = '\n[reveal]\nkeep = "copies"\n'
    with pytest.raises(Exception, match="can't be sealed"):
        load_batch(ordered(tmp_path, sealed))


def test_a_plan_says_what_the_chapter_would_refuse(tmp_path):
    from artmint.run.batch import load_batch
    from artmint.run.obstacles import obstacles

    def found(batch) -> dict[str, list[str]]:
        rows = [row for row in obstacles(batch, tmp_path / "studio", {}) if row["name"] == "37_drawn"]
        return {
            state: [row["evidence"] for row in rows if row["status"] == state] for state in ("held", "failed")
        }

    held = found(load_batch(ordered(tmp_path)))
    assert any("16 slots have the model's words" in line for line in held["held"])
    assert not held["failed"]
    other = ordered(tmp_path)
    other.write_text(other.read_text().replace('model = ""', 'model = "own.bin"'))
    assert "There is no model at " in found(load_batch(other))["failed"][0]
    (tmp_path / "own.bin").write_bytes(bundled_model().network)
    assert not found(load_batch(other))["failed"]


def test_a_model_s_name_is_relative_to_the_batch_file(tmp_path):
    "As every name in it is: the plan and the chapter, which runs elsewhere, find the same file."
    from artmint.run.batch import drawn_file, load_batch, plan, run_folder

    other = ordered(tmp_path)
    assert drawn_file(load_batch(other)) == ""
    other.write_text(other.read_text().replace('model = ""', 'model = "own.bin"'))
    batch = load_batch(other)
    (tmp_path / "own.bin").write_bytes(b"x")
    assert Path(drawn_file(batch)).samefile(tmp_path / "own.bin")
    here = run_folder(tmp_path / "studio", batch)
    here.mkdir(parents=True)
    told = plan(batch, tmp_path / "studio")[-1].parameters["model"]
    assert (here / told).samefile(tmp_path / "own.bin")


def test_its_kernel_is_told_the_passphrase_of_the_keys():
    "It signs, as the chapters of minting and telling do."
    from artmint.run.runner import SIGNING

    signs = [path.stem for path in (ROOT / "nbs").glob("*.ipynb") if "guarded_journal(" in path.read_text()]
    assert "37_drawn" in signs
    assert "37_drawn" in SIGNING


def test_owners_are_told_what_lies_where():
    refusal = OwnersFirst(
        "0xSafe", "onchain", 1, [("a.json", "commitDrawn(…)"), ("b.json", "setAllowance(…)")], "c.json"
    )
    assert refusal.exit_code == 4
    assert "a.json is commitDrawn(…); b.json is setAllowance(…)" in str(refusal)


@pytest.fixture
def owners(tmp_path, start_anvil):
    from tests.safes import Owners

    (tmp_path / "studio").mkdir()
    return Owners(tmp_path / "studio", start_anvil("--gas-limit", "60000000"))


@pytest.mark.slow
def test_a_safe_s_owners_commit_a_drawn_drop(owners, capsys, monkeypatch, tmp_path):
    "artmint run makes painter and contract by the deployer's key, proposes the rest, waits with 4, and mints when it is executed."
    from eth_account import Account

    from artmint.onchain.painter import drawn_of
    from tests.safes import artmint as typed_here
    from tests.safes import executed

    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    batch = ordered(tmp_path, f'treasury = "{Account.create().address}"\n')
    words = batch.read_text().replace("quantity = 16", "quantity = 3")
    batch.write_text(words.replace('chain = "embedded"', f'chain = "{owners.node.url}"'))
    run = ("run", batch, "--studio", owners.folder)
    said = typed_here(capsys, *run, code=4)
    assert owners.safe in said and "commitDrawn(firstTokenId 1, quantity 3" in said
    assert "36 bytes with the SHA-256 0x" in said
    contract = drawn_of(Catalog(owners.folder), owners.web3, "onchain")
    assert contract.functions.owner().call() == owners.safe
    deployer = Catalog(owners.folder).all("transaction")
    typed_here(capsys, *run, code=4)
    assert Catalog(owners.folder).all("transaction") == deployer  # nothing is paid for twice
    files = sorted((owners.folder / "proposals").glob("*.proposal.json"))
    assert [path.name.split("-")[-1].split(".")[0] for path in files] == [
        "commitDrawn",
        "grantRole",
        "setAllowance",
    ]
    executed(capsys, owners, *files)
    typed_here(capsys, *run)
    typed_here(capsys, *run)
    ask = contract.functions
    assert (ask.totalSupply().call(), ask.nextUncommitted().call()) == (3, 4)
    purposes = [body["purpose"] for body in Catalog(owners.folder).all("transaction").values()]
    assert [one["collection"] for one in purposes if one.get("does") == "commitDrawn"] == ["onchain"]


@pytest.mark.slow
def test_nothing_is_paid_for_where_the_admin_is_no_safe(owners, capsys, monkeypatch, tmp_path):
    from eth_account import Account

    from tests.safes import artmint as typed_here

    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    nobody = Account.create().address
    (owners.folder / "studio.toml").write_text(f'[signers.admin]\nkind = "safe"\naddress = "{nobody}"\n')
    batch = ordered(tmp_path, f'treasury = "{nobody}"\n')
    batch.write_text(batch.read_text().replace('chain = "embedded"', f'chain = "{owners.node.url}"'))
    said = typed_here(capsys, "run", batch, "--studio", owners.folder, code=2)
    assert "isn't a Safe on this chain" in said
    assert Catalog(owners.folder).all("transaction") == {}


@pytest.mark.slow
def test_the_whole_line_without_a_store(tmp_path):
    "artmint run, twice; then a stranger's proof with its page; and nothing lies in a store."
    batch = (ROOT / "batches/onchain.toml").read_text().replace("../collections", str(ROOT / "collections"))
    (tmp_path / "onchain.toml").write_text(batch.replace("quantity = 16", "quantity = 3"))
    studio = ["--studio", str(tmp_path / "studio")]
    planned = artmint("run", str(tmp_path / "onchain.toml"), "--plan", *studio).stdout
    assert "mainnet at 1 gwei" in planned
    transactions = []
    for _ in range(2):
        done = artmint("run", str(tmp_path / "onchain.toml"), *studio)
        assert done.returncode == 0, done.stdout + done.stderr
        transactions.append(len(Catalog(tmp_path / "studio").keys("transaction", "")))
    assert transactions[0] == transactions[1] > 0
    (contract,) = {one["contract"] for one in Catalog(tmp_path / "studio").all("token", "onchain/").values()}
    sheet = tmp_path / "proof.html"
    proven = artmint("verify", f"embedded:{contract}", *studio, "--sheet", str(sheet))
    assert proven.returncode == 0, proven.stdout
    assert "regenerated held" in proven.stdout
    assert "<iframe" in sheet.read_text()
    assert not (tmp_path / "studio" / "store").exists()
    assert artmint("verify", f"embedded:{contract}/9", *studio).returncode == 1
