"artmint admin, by a key and by a Safe."

import json
import shutil

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from artmint.chain.connect import connect
from artmint.chain.contract import artifact, contract_at, implementation_of
from artmint.chain.safe import SAFE_ABI, Proposal
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.safes import Owners, artifact_of, artmint, typed
from tests.studios import FAST


@pytest.fixture
def studio(minted, tmp_path):
    "A copy of the minted studio, and its contract."
    folder = shutil.copytree(minted[0], tmp_path / "studio")
    return folder, contract_at(connect("embedded", folder / "chain"), minted[1])


def ask(studio):
    "The contract's functions, as its chain is now."
    return contract_at(connect("embedded", studio[0] / "chain"), studio[1].address).functions


VERBS = {
    "pause": ((), lambda do: do.paused().call() is True),
    "unpause": ((), lambda do: do.paused().call() is False),
    "treasury": (("0x" + "ab" * 20,), lambda do: do.treasury().call().lower() == "0x" + "ab" * 20),
    "royalty": (("--basis-points", 250), lambda do: do.royaltyInfo(1, 10_000).call()[1] == 250),
    "contract-uri": ((), lambda do: do.contractURI().call().endswith("/contract.json")),
    "placeholder": ((), lambda do: do.placeholderURI().call().endswith("/placeholder.json")),
    "allow": (("--total", 9, "--per-window", 4, "--window", 60), lambda do: True),
    "hand-over": (
        ("--to", "0x" + "11" * 20),
        lambda do: do.pendingDefaultAdmin().call()[0] == "0x" + "11" * 20,
    ),
}


@pytest.mark.slow
def test_every_verb_says_what_it_would_send_then_sends_it_then_leaves_it(studio, capsys):
    folder, contract = studio
    admin = contract.functions.owner().call()
    artmint(capsys, "admin", "roles", TINY, "--studio", folder, "--grant", f"pauser={admin}")
    for verb, (more, holds) in VERBS.items():
        words = ("admin", verb, TINY, *more, "--studio", folder)
        height = connect("embedded", folder / "chain").eth.block_number
        said = artmint(capsys, *words, "--dry-run")
        assert "would send" in said and "gas" in said, said
        assert connect("embedded", folder / "chain").eth.block_number == height
        assert "0x" in artmint(capsys, *words)
        assert holds(ask(studio)), verb
    assert "holds already" in artmint(capsys, *words)
    said = json.loads(artmint(capsys, "admin", "roles", TINY, "--studio", folder, "--json"))
    assert {row["role"] for row in said["roles"]} == {"admin", "next", "treasury", "minter", "pauser"}


@pytest.mark.slow
def test_what_cannot_be_done_is_refused_before_anything_is_sent(studio, capsys):
    folder, contract = studio
    height = connect("embedded", folder / "chain").eth.block_number
    for words, code, reason in (
        (("supply", TINY, "0"), 2, "can never be raised"),
        (("treasury", TINY, contract.address), 2, "would be lost"),
        (("contract-uri", TINY, "--uri", "ftp://page"), 2, "no address that markets read"),
        (("royalty", TINY, "--basis-points", "10001"), 2, "10,000"),
        (("hand-over", TINY, "--accept"), 2, "Nobody is named"),
        (("hand-over", TINY), 2, "say one of"),
        (("pause", TINY), 1, "isn't pauser"),
        (("reveal", TINY), 2, "isn't sealed"),
        (("commit", TINY, "--drop", "9"), 2, "isn't packed"),
        (("cancel", TINY, "--drop", "2"), 1, "AlreadyMinting"),
        (("roles", TINY, "--grant", "admin=0x11"), 2, "minter=0x"),
    ):
        said = artmint(capsys, "admin", *words, "--studio", folder, code=code)
        assert reason in said, said
    assert connect("embedded", folder / "chain").eth.block_number == height


def test_explorers_get_all_that_they_ask_for(studio, capsys):
    folder, contract = studio
    said = json.loads(artmint(capsys, "admin", "explorer", TINY, "--studio", folder, "--json"))
    place = folder / "explorer" / "tiny-31337"
    assert sorted(said["files"]) == sorted(path.name for path in place.iterdir())
    source = json.loads((place / "input.json").read_text())
    assert {"ArtMint.sol", "erc721a-upgradeable/contracts/ERC721AUpgradeable.sol"} <= set(source["sources"])
    sent = contract.w3.eth.get_transaction(Catalog(folder).get("contract", "tiny@31337")["transaction"])[
        "input"
    ]
    assert (
        sent.hex().removeprefix("0x") == artifact()["bytecode"][2:] + (place / "constructor.txt").read_text()
    )
    values = contract.w3.codec.decode(
        [entry["type"] for entry in artifact()["abi"][0]["inputs"]], bytes.fromhex(said["arguments"])
    )
    assert values[0] == contract.functions.name().call()
    script = (place / "verify.sh").read_text()
    assert contract.address in script and "v0.8.37+commit.f401782d" in script


@pytest.mark.slow
def test_a_clone_is_tried_made_and_shown_to_explorers(studio, capsys, tmp_path):
    folder, contract = studio
    other = shutil.copytree(TINY, tmp_path / "other")
    words = (other / "collection.toml").read_text().replace('name = "tiny"', 'name = "other"')
    (other / "collection.toml").write_text(words.replace('title = "Tiny"', 'title = "Other"'))
    deploy = (
        "admin",
        "deploy",
        other,
        "--clone-of",
        "tiny",
        "--treasury",
        "0x" + "ab" * 20,
        "--studio",
        folder,
    )
    assert f"a clone of {contract.address}" in artmint(capsys, *deploy, "--dry-run")
    artmint(capsys, *deploy)
    made = Catalog(folder).get("contract", "other@31337")["address"]
    assert implementation_of(connect("embedded", folder / "chain"), made) == contract.address
    artmint(capsys, "admin", "explorer", other, "--studio", folder)
    script = (folder / "explorer/other-31337/verify.sh").read_text()
    assert f"expectedimplementation={contract.address}" in script and f"address={made}" in script


# Sealed drops, and their placeholder


@pytest.mark.slow
def test_a_sealed_drop_shows_a_placeholder_until_it_is_told(packed, capsys):
    "Sealed, minted, looked at, told: the placeholder is in the store, verify sees it, and the page follows."
    from artmint.chain.admin import deploy, parties
    from artmint.chain.journal import Journal
    from artmint.seeds import load_collection

    folder = packed
    catalog, web3 = Catalog(folder), connect("embedded", folder / "chain")
    who = parties(web3, folder / "keys", rounds=FAST)
    contract = deploy(Journal(catalog, web3, who.admin), load_collection(TINY), who.treasury)
    words = (TINY, "--studio", folder)
    said = artmint(capsys, "admin", "seal", *words, "--dry-run", "--salt-is-known")
    assert "setPlaceholderURI" in said and "commitSealedDrop" in said and "setContractURI" in said
    assert "--salt-is-known" in artmint(capsys, "admin", "seal", *words, code=2)
    assert "--keep" in artmint(capsys, "admin", "seal", *words, "--salt-is-known", code=4)
    artmint(capsys, "admin", "seal", *words, "--salt-is-known", "--keep", folder.parent / "safe")
    artmint(capsys, "admin", "allow", *words, "--total", 4)
    artmint(capsys, "mint", *words)
    do = contract.functions
    uri = do.placeholderURI().call()
    assert do.tokenURI(1).call() == uri
    said = artmint(capsys, "verify", f"embedded:{contract.address}", "--studio", folder, code=3)
    assert "are sealed" in said and f"sealed tokens show {uri}" in said
    before = do.contractURI().call()
    artmint(capsys, "admin", "reveal", *words)
    assert do.contractURI().call() != before
    said = artmint(capsys, "verify", f"embedded:{contract.address}", "--studio", folder)
    assert "✓ contractURI" in said and "✓ seal" in said


# By a Safe


@pytest.fixture
def owners(packed, node):
    return Owners(packed, node)


@pytest.mark.slow
def test_a_safe_s_owners_decide_with_the_wallets_they_have(owners, capsys, monkeypatch):
    "Deploy by a key, commit and allow by the Safe: typed data, a personal message, v 0 and 1, and approveHash on chain."
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    node, folder, (anna, ben, cleo) = owners.node.url, owners.folder, owners.wallets
    where = ("--studio", folder, "--chain", node)
    treasury = Account.create().address
    said = artmint(capsys, "admin", "deploy", TINY, "--treasury", treasury, *where, "--dry-run")
    assert "delay 259200 s" in said
    said = artmint(capsys, "admin", "deploy", TINY, "--treasury", treasury, *where)
    assert "nobody can pause yet" in said
    contract = contract_at(owners.web3, Catalog(folder).get("contract", "tiny@31337")["address"])
    assert contract.functions.owner().call() == owners.safe
    assert "--safe" in artmint(capsys, "admin", "commit", TINY, *where, code=2)
    assert f"is at {contract.address}" in artmint(
        capsys, "admin", "deploy", TINY, "--treasury", treasury, *where
    )
    said = artmint(capsys, "admin", "deploy", TINY, "--treasury", anna.address, *where, code=2)
    assert f"treasury {treasury} there, {anna.address} asked for" in said
    said = json.loads(artmint(capsys, "admin", "commit", TINY, *where, "--safe", "--json", code=4))
    again = json.loads(artmint(capsys, "admin", "commit", TINY, *where, "--safe", "--json", code=4))
    assert again["proposals"] == said["proposals"]
    assert (
        "commitDrop" in said["proposals"][0]["meaning"]
        and "setContractURI" in said["proposals"][1]["meaning"]
    )
    said = artmint(
        capsys, "admin", "roles", TINY, "--grant", f"pauser={cleo.address}", *where, "--safe", code=4
    )
    assert "admin execute" in said
    artmint(capsys, "admin", "allow", TINY, "--total", 4, *where, "--safe", code=4)
    files = sorted((folder / "proposals").glob("*.proposal.json"))
    proposals = [Proposal.model_validate_json(path.read_text()) for path in files]
    assert [proposal.nonce for proposal in proposals] == [0, 1, 2, 3, 4]
    batch = json.loads(next((folder / "proposals").glob("*0000.safe-wallet.json")).read_text())
    assert [call["data"] for call in batch["transactions"]] == [one.data for one in proposals[:2]]
    personal = ben.sign_message(encode_defunct(proposals[0].digest())).signature
    safe = owners.web3.eth.contract(owners.safe, abi=SAFE_ABI)
    raw = anna.unsafe_sign_hash(proposals[1].digest()).signature
    message = cleo.sign_message(encode_defunct(proposals[1].digest())).signature
    shown = anna.sign_message(typed(proposals[0])).signature.hex()
    zero_or_one = (raw[:64] + bytes([raw[64] - 27])).hex()
    marked = "0x" + (message[:64] + bytes([message[64] + 4])).hex()
    plain = cleo.unsafe_sign_hash(proposals[2].digest()).signature.hex()
    ways = {0: (shown, personal.hex()), 1: (zero_or_one, marked), 2: (plain,)}
    for number, signatures in ways.items():
        for signature in signatures:
            artmint(capsys, "admin", "sign", files[number], "--signature", signature, *where)
    said = artmint(capsys, "admin", "sign", files[3], "--signature", ways[2][0], *where, code=2)
    assert "counts for nobody" in said
    said = artmint(capsys, "admin", "execute", files[2], *where, code=1)
    assert "the next one is 0" in said
    artmint(capsys, "admin", "execute", files[1], files[0], *where)
    said = artmint(capsys, "admin", "execute", files[2], *where, code=4)
    assert cleo.address in said
    approve = owners.web3.eth.contract(owners.safe, abi=artifact_of("Safe.sol/Safe.json")["abi"])
    owners.send(approve.functions.approveHash(proposals[2].digest()))
    assert safe.functions.approvedHashes(anna.address, proposals[2].digest()).call()
    artmint(capsys, "admin", "execute", files[2], *where)
    for number, wallet in ((3, anna), (3, ben), (4, anna), (4, cleo)):
        key = folder / f"{wallet.address}.json"
        key.write_text(json.dumps(Account.encrypt(wallet.key, "own", "scrypt", FAST)))
        monkeypatch.setenv("ARTMINT_PASSPHRASE", "own")  # as an argument everybody would see it
        artmint(capsys, "admin", "sign", files[number], "--keystore", key)
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    artmint(capsys, "admin", "execute", files[3], files[4], *where)
    said = artmint(capsys, "mint", TINY, *where)
    assert "2 of 2 tokens minted" in said
    assert contract.functions.contractURI().call().endswith("/contract.json")
    sent = [body["purpose"] for body in Catalog(folder).all("transaction").values()]
    assert any(purpose.get("does") == "commitDrop" and purpose.get("drop") == 1 for purpose in sent)
    said = artmint(capsys, "doctor", *where, code=3)
    assert "a contract, such as a Safe" in said and "a change of admin waits 259200 s" in said
