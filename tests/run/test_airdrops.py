"`artmint airdrop`: refused whole, tried out, sent once, with a receipt; and by a Safe's owners."

import json

import pytest

from artmint.core.collection import example
from artmint.run.airdrops import airdrop_name
from tests.anvil import CONTRACTS
from tests.delivered import PASSPHRASE, Collected, friend
from tests.safes import Owners, artmint


@pytest.fixture
def given(tmp_path, node, monkeypatch):
    "A studio of six tokens, and a list of two friends; `words` is what follows the verb."
    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    return listed(Collected(tmp_path / "studio", node, 6), tmp_path)


def listed(studio, folder):
    studio.list = folder / "Friends of 2026.csv"
    studio.list.write_text(f"address,count\n{friend(1).address},2\n{friend(2).address},1\n")
    batch = studio.batch(example(), 6)
    studio.words = [batch, studio.list, "--studio", studio.folder, "--chain", studio.node.url]
    return studio


def test_from_a_list_to_a_receipt(given, capsys):
    assert "would send 3 tokens to 2 addresses" in artmint(capsys, "airdrop", *given.words, "--dry-run")
    plan = json.loads(artmint(capsys, "airdrop", *given.words, "--dry-run", "--json"))
    assert plan["gas"] == sum(row["gas"] for row in plan["transfers"])
    assert given.contract.functions.balanceOf(given.treasury).call() == 6
    assert "3 tokens are delivered, 3 of them now" in artmint(capsys, "airdrop", *given.words)
    assert "3 tokens are delivered, 0 of them now" in artmint(capsys, "airdrop", *given.words)
    receipt = next(given.folder.glob("airdrops/*.csv"))
    assert receipt.name == "demo-31337-friends-of-2026.csv"
    lines = [line.split(",") for line in receipt.read_text().splitlines()]
    assert [line[:2] for line in lines] == [
        ["address", "token"],
        [friend(1).address, "1"],
        [friend(1).address, "2"],
        [friend(2).address, "3"],
    ]


@pytest.mark.slow
def test_every_problem_has_a_line(given, capsys):
    given.list.write_text(
        f"address,count,price\nvitalik.eth,1,\n{given.treasury},1,\n{friend(1).address},99,1\n"
    )
    said = artmint(capsys, "airdrop", *given.words, code=2)
    for words in (
        "line 2: vitalik.eth is a name",
        "line 3: the treasury itself",
        "line 4: has a price",
        "4 problems",
    ):
        assert words in said
    assert json.loads(artmint(capsys, "airdrop", *given.words, "--json", code=2))["exit_code"] == 2
    assert given.catalog.all("airdrop") == {}


@pytest.mark.parametrize("name", ["A", "a b", "-", "a" * 65])
def test_a_name_is_plain(name, tmp_path):
    import typer

    with pytest.raises(typer.BadParameter):
        airdrop_name(name, tmp_path / "x.csv")


def multi_send(studio):
    "A MultiSendCallOnly, as Safe's application calls it."
    path = "node_modules/@safe-global/safe-contracts/build/artifacts/contracts/libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json"
    made = json.loads((CONTRACTS / path).read_text())
    factory = studio.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    return studio.web3.eth.contract(studio.send(factory.constructor())["contractAddress"], abi=made["abi"])


def executed(owners, studio, document):
    "What Safe's application does with a batch: one transaction of the Safe over all of its calls."
    sender = multi_send(studio)
    packed = b""
    for call in document["transactions"]:
        data = bytes.fromhex(call["data"][2:])
        packed += (
            b"\0"
            + bytes.fromhex(call["to"][2:])
            + int(call["value"]).to_bytes(32)
            + len(data).to_bytes(32)
            + data
        )
    inside = bytes.fromhex(sender.encode_abi("multiSend", [packed])[2:])
    made = json.loads(
        (
            CONTRACTS
            / "node_modules/@safe-global/safe-contracts/build/artifacts/contracts/Safe.sol/Safe.json"
        ).read_text()
    )
    safe = studio.web3.eth.contract(owners.safe, abi=made["abi"])
    zero = "0x" + "00" * 20
    facts = (sender.address, 0, inside, 1, 0, 0, 0, zero, zero)
    digest = safe.functions.getTransactionHash(*facts, safe.functions.nonce().call()).call()
    ordered = sorted(owners.wallets, key=lambda one: int(one.address, 16))[:2]
    signatures = b"".join(one.unsafe_sign_hash(digest).signature for one in ordered)
    return owners.send(safe.functions.execTransaction(*facts, signatures))


@pytest.mark.slow
def test_a_safe_s_owners_give_in_one_transaction(node, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    owners = Owners(tmp_path / "owners", node)
    studio = listed(Collected(tmp_path / "studio", node, 6, treasury=owners.safe), tmp_path)
    (studio.folder / "studio.toml").write_text(
        f'[signers.treasury]\nkind = "safe"\naddress = "{owners.safe}"\n'
    )
    assert "is a Safe" in artmint(capsys, "airdrop", *studio.words, code=2)
    said = json.loads(artmint(capsys, "airdrop", *studio.words, "--safe", "--json", code=4))
    assert [row["token"] for row in said["transfers"]] == [1, 2, 3]
    document = json.loads(next(studio.folder.glob("proposals/*.safe-wallet.json")).read_text())
    receipt = executed(owners, studio, document)
    assert receipt["status"] == 1
    done = artmint(capsys, "airdrop", *studio.words, "--safe")
    assert "3 tokens are delivered, 0 of them now" in done
    assert [studio.owners()[id] for id in (1, 2, 3)] == [friend(1).address] * 2 + [friend(2).address]
    assert executed_again(owners, studio, document) == 0


def executed_again(owners, studio, document):
    "The same batch a second time: tokens that are gone can't be given, so nothing of it happens."
    with pytest.raises(Exception, match="GS013|execution reverted"):
        executed(owners, studio, document)
    return studio.contract.functions.balanceOf(friend(1).address).call() - 2


@pytest.mark.slow
def test_a_list_that_was_wrong_is_ended_and_another_one_served(given, capsys, monkeypatch):
    from artmint.chain.journal import Journal

    with monkeypatch.context() as stopped:
        stopped.setattr(Journal, "send_all", lambda *rest: exit(9))
        artmint(capsys, "airdrop", *given.words, code=9)
    for more in (["--end", "  "], ["--end", "a typo", "--dry-run"]):
        artmint(capsys, "airdrop", *given.words, *more, code=2)
    assert "0 tokens are delivered" in artmint(capsys, "airdrop", *given.words, "--end", "a typo")
    assert "was ended (a typo)" in artmint(capsys, "airdrop", *given.words, code=2)
    given.list.write_text(f"address,count\n{friend(3).address},6\n")
    assert "6 tokens are delivered" in artmint(capsys, "airdrop", *given.words, "--name", "mended")
