"Each address once: refused whole beforehand, gone on with whatever happened, and read from the chain."

import csv
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artmint.chain.journal import Journal
from artmint.chain.signers import Guarded, KeystoreSigner, local_passphrase, new_keystore
from artmint.core.collection import example
from artmint.deliver import airdrop as room
from artmint.deliver.recipients import Recipient
from tests.delivered import PASSPHRASE, Collected, deaf_contract, friend
from tests.faults.proxy import Proxy
from tests.studios import DEMO, ROOT, Studio


def people(*counts, first=0):
    addresses = [friend(first + n + 1).address for n in range(len(counts))]
    return [Recipient(place=f"line {n + 1}", address=one, count=counts[n]) for n, one in enumerate(addresses)]


def planned(studio, recipients, name="friends", **how):
    facts = (studio.catalog, studio.contract, studio.treasury, DEMO.name, name)
    return room.plan_airdrop(*facts, range(1, 17), recipients, **how)


def balances(studio, recipients):
    return [studio.contract.functions.balanceOf(one.address).call() for one in recipients]


def test_everybody_gets_what_the_list_says_once(collected):
    listed = people(1, 2, 1)
    named = listed[2].model_copy(update={"tokens": (9,)})
    plan = planned(collected, [*listed[:2], named])
    assert plan.airdrop.tokens == [1, 2, 3, 9]
    assert collected.catalog.all("airdrop") == {}
    done = room.deliver(collected.journal, collected.contract, plan.airdrop)
    assert balances(collected, listed) == [1, 2, 1]
    assert [(one.address, one.token) for one in done] == plan.airdrop.rows
    sent = len(collected.journal.transactions())
    spent = sum(one.gas for one in collected.journal.transactions())
    assert spent <= plan.cost.gas <= spent * 1.3  # what was foretold is what it took, refunds aside
    again = planned(collected, [*listed[:2], named])
    assert (again.delivered, again.transfers, again.begun) == (4, [], True)
    room.deliver(collected.journal, collected.contract, again.airdrop)
    assert len(collected.journal.transactions()) == sent


@pytest.mark.slow
def test_the_studio_s_own_chain_does_the_same(tmp_path):
    studio = Studio(tmp_path).ready()
    studio.mint()
    keys = tmp_path / "keys"
    signer = KeystoreSigner(keys / "treasury.json", local_passphrase(keys / "passphrase"))
    studio.web3.provider.chain.fund(signer.address, 10**9)
    studio.journal, studio.treasury = Journal(studio.catalog, studio.web3, signer, patience=2), signer.address
    listed = people(1, 2)
    done = room.deliver(studio.journal, studio.contract, planned(studio, listed).airdrop)
    assert [one.token for one in done] == [1, 2, 3]
    assert balances(studio, listed) == [1, 2]


def test_a_token_that_comes_back_is_not_sent_again(collected):
    "Whoever got it owns it, and may give it back."
    listed = people(1)
    plan = planned(collected, listed)
    room.deliver(collected.journal, collected.contract, plan.airdrop)
    giver = friend(1)
    collected.node.fund(giver.address)
    collected.send(collected.contract.functions.transferFrom(giver.address, collected.treasury, 1), giver)
    assert collected.contract.functions.ownerOf(1).call() == collected.treasury
    assert planned(collected, listed).transfers == []


def refusals(studio, recipients, **how):
    with pytest.raises(room.PlanRefused) as caught:
        planned(studio, recipients, **how)
    assert studio.journal.transactions() == [] and studio.catalog.all("airdrop") == {}
    return "; ".join(caught.value.problems)


def test_all_that_speaks_against_a_list_is_said_at_once(collected):
    listed = people(1, 1, 1, 1, 1)
    own = [collected.contract.address, collected.treasury]
    wrong = [one.model_copy(update={"address": address}) for one, address in zip(listed, own)]
    wrong.append(listed[2].model_copy(update={"tokens": (17,)}))
    wrong.append(listed[3].model_copy(update={"count": 14}))
    words = refusals(collected, wrong, problems=["line 9: something else"])
    for part in ("line 9", "collection's own contract", "the treasury itself", "none of this drop's", "16"):
        assert part in words


def test_a_token_that_is_gone_or_promised_is_not_given(collected):
    plan = planned(collected, people(2))
    room.deliver(collected.journal, collected.contract, plan.airdrop)
    someone = people(1, first=50)[0]
    gone = planned_problem(collected, someone.model_copy(update={"tokens": (1,)}))
    assert "isn't the treasury's" in gone
    waiting = planned(collected, people(1, first=60), "later").airdrop
    collected.catalog.put("airdrop", waiting.key, waiting.model_dump(mode="json"))
    promised = planned_problem(collected, someone.model_copy(update={"tokens": (3,)}))
    assert "promised by the airdrop later" in promised
    assert planned(collected, [someone], "third").airdrop.tokens == [4]


def planned_problem(studio, recipient):
    with pytest.raises(room.PlanRefused) as caught:
        planned(studio, [recipient], "other")
    return "; ".join(caught.value.problems)


def test_another_list_under_the_same_name_is_refused(collected):
    plan = planned(collected, people(1, 1))
    room.deliver(collected.journal, collected.contract, plan.airdrop)
    with pytest.raises(room.OtherList):
        planned(collected, people(1, 1, 1))
    with pytest.raises(room.PlanRefused, match="friends already"):
        planned(collected, people(1), "more")
    assert planned(collected, people(1), "more", again=True).airdrop.tokens == [3]


def test_a_token_that_went_elsewhere_stops_the_rest(collected):
    plan = planned(collected, people(1, 1))
    collected.catalog.put("airdrop", plan.airdrop.key, plan.airdrop.model_dump(mode="json"))
    away = room.transfer_call(collected.contract, collected.treasury, friend(99).address, 2)
    collected.journal.send(away, {"verb": "safeTransferFrom"})
    with pytest.raises(room.TokensElsewhere, match="2 for 0x"):
        room.deliver(collected.journal, collected.contract, plan.airdrop)
    assert collected.contract.functions.ownerOf(1).call() == collected.treasury


def test_only_the_treasury_s_key_sends_and_only_transfers(collected):
    plan = planned(collected, people(1))
    new_keystore(collected.folder / "keys/other.json", PASSPHRASE, 2**4)
    key = KeystoreSigner(collected.folder / "keys/other.json", PASSPHRASE)
    other = Journal(collected.catalog, collected.linked, key)
    with pytest.raises(room.NotTheTreasury):
        room.deliver(other, collected.contract, plan.airdrop)
    policy = room.treasury_policy(collected.contract)
    guarded = Guarded(collected.journal.signer, policy)
    collected.journal.signer = guarded.beside(collected.journal.past)
    room.deliver(collected.journal, collected.contract, plan.airdrop)
    approve = collected.contract.functions.setApprovalForAll(friend(5).address, True)
    fields = {
        "chainId": 31337,
        "nonce": 9,
        "gas": 10**5,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 1,
        "value": 0,
    }
    fields |= {"to": collected.contract.address, "data": approve._encode_transaction_data()}
    assert policy.violations(fields, [])


@pytest.mark.slow
def test_a_receiver_that_changes_its_mind_stops_nobody_else(collected):
    "Contracts are tried before; one that takes tokens and later doesn't is named, and all others are served."
    studio = collected
    deaf = deaf_contract(studio.node)
    listed = people(1, 1)
    turning = listed[0].model_copy(update={"address": studio.web3.to_checksum_address(deaf)})
    facts = (studio.catalog, studio.contract, studio.treasury, "demo", "friends", range(1, 17))
    with pytest.raises(room.PlanRefused, match="the contract there refuses it"):
        room.plan_airdrop(*facts, [turning, listed[1]])
    studio.node("anvil_setCode", deaf, "0x")
    plan = room.plan_airdrop(*facts, [turning, listed[1]])
    studio.node("anvil_setCode", deaf, "0xfe")
    with pytest.raises(room.NotTaken, match="1 rows are delivered"):
        room.deliver(studio.journal, studio.contract, plan.airdrop)
    studio.node("anvil_setCode", deaf, "0x")
    assert len(room.deliver(studio.journal, studio.contract, plan.airdrop)) == 2
    assert studio.web3.eth.get_transaction_count(studio.treasury) == 2


FAULTY = """vitalik.eth
friend.base.eth
0x0000000000000000000000000000000000000000
0x0000000000000000000000000000000000000001
0x000000000000000000000000000000000000dEaD
0xdEAD000000000000000042069420694206942069x
0x1234
0x52908400098527886E0F7030069857D2E4169Ee7
0x8617E340B3D01FA5F11F306F4090FD50E238070d
\u200b0x52908400098527886E0F7030069857D2E4169EE7
0x5290840009852788\u0415E0F7030069857D2E4169EE7
52908400098527886E0F7030069857D2E4169EE7
bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq
not an address
{contract}
{treasury}
{deaf}
{first}
{second}
{third}
{some},0
{some},-3
{some},1.5
{some},many
{some},2000
,1
{some},1,extra,columns
0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF
0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE
0xde709f2102306220921060314715629080e2fb77\u00a0x"""


@pytest.mark.slow
def test_a_thousand_addresses_thirty_faults_and_ten_kills(start_anvil, tmp_path):
    """Thirty lines that can't be served are named and nothing is sent; without them the verb is killed ten times in the
    middle, answers are lost, a block is taken back, and each address has its token once."""
    studio = Collected(tmp_path / "studio", start_anvil("--order", "fifo"), 1000)
    batch = studio.batch(example(), 1000)
    sound = [friend(1000 + n).address for n in range(1000)]
    path = tmp_path / "list.csv"
    names = {
        "contract": studio.contract.address,
        "treasury": studio.treasury,
        "deaf": deaf_contract(studio.node),
    }
    names |= dict(zip(("first", "second", "third"), sound)) | {"some": friend(7).address}
    faulty = FAULTY.format(**names).splitlines()
    mixed = [f"{one},1" for one in sound]
    rng = random.Random(24)
    for line in faulty:
        mixed.insert(rng.randrange(10, len(mixed)), line)
    proxy = Proxy()
    proxy(target=studio.node.url, other="", faults=[])
    words = [str(batch), str(path), "--studio", str(studio.folder), "--chain", proxy.url]
    path.write_text("address,count\n" + "\n".join(mixed) + "\n", encoding="utf-8")
    try:
        refused = run(words, "--json")
        problems = json.loads(refused.stdout)["problems"]
        assert refused.returncode == 2
        assert unnamed(faulty, mixed, problems) == []
        assert studio.contract.functions.balanceOf(studio.treasury).call() == 1000
        path.write_text("address,count\n" + "".join(f"{one},1\n" for one in sound))
        kills = killed_again_and_again(studio, words, proxy, rng)
        assert kills == 10
        ended = run(words, "--json")
    finally:
        proxy.end()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert set(studio.owners().values()) == set(sound)
    assert studio.web3.eth.get_transaction_count(studio.treasury) == 1000
    check_receipt(studio, sound)


def unnamed(faulty, mixed, problems):
    "Lines that can't be served and that no problem names (the sum of tokens is told for all lines)."
    places = [f"line {mixed.index(line) + 2}: " for line in faulty if not line.endswith(",2000")]
    missing = [place for place in places if not any(problem.startswith(place) for problem in problems)]
    return missing + ([] if any(one.startswith("all lines together") for one in problems) else ["the sum"])


def run(words, *more):
    command = [Path(sys.executable).with_name("artmint"), "airdrop", *words, *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, env=environment())


def environment():
    return os.environ | {"ARTMINT_PASSPHRASE": PASSPHRASE, "PYTHONPATH": str(ROOT)}


def killed_again_and_again(studio, words, proxy, rng):
    "Kill the verb once so and so many tokens have gone, ten times; answers are lost, and in the middle blocks are taken back."
    kills = 0
    for number in range(10):
        left = studio.contract.functions.balanceOf(studio.treasury).call()
        lost = {"method": "eth_sendRawTransaction", "after": rng.randint(0, 30), "times": 2, "kind": "lost"}
        proxy(target=studio.node.url, other="", faults=[lost])
        command = [Path(sys.executable).with_name("artmint"), "airdrop", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), **quiet)
        goal = left - rng.randint(40, 80)
        while process.poll() is None and studio.contract.functions.balanceOf(studio.treasury).call() > goal:
            time.sleep(0.01)
        time.sleep(rng.random() / 20)
        kills += process.poll() is None
        process.kill()
        process.wait()
        if number in (3, 7):
            studio.node("anvil_reorg", rng.randint(2, 9), [])
    return kills


def check_receipt(studio, sound):
    "The receipt names a transaction of this chain for each address, and its block."
    with open(next((studio.folder / "airdrops").glob("*.csv")), newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["address"] for row in rows} == set(sound)
    assert (
        len(rows) == len({row["token"] for row in rows}) == len({row["transaction"] for row in rows}) == 1000
    )
    for row in rows[::50]:
        receipt = studio.web3.eth.get_transaction_receipt(row["transaction"])
        assert receipt["blockNumber"] == int(row["block"])
        assert studio.contract.functions.ownerOf(int(row["token"])).call() == row["address"]


def test_an_airdrop_that_was_ended_frees_what_it_did_not_deliver(collected):
    wrong = planned(collected, people(8, 8)).airdrop
    collected.catalog.put("airdrop", wrong.key, wrong.body)
    away = room.transfer_call(collected.contract, collected.treasury, *wrong.rows[0])
    collected.journal.send(away, {"verb": "safeTransferFrom"})  # a run that was killed after one
    with pytest.raises(room.PlanRefused, match="--name friends --end REASON ends the airdrop friends"):
        planned(collected, people(2, first=50), "mended")
    ended = room.end_airdrop(collected.catalog, collected.contract, DEMO.name, "friends", "a typo")
    assert ended.rows == wrong.rows[:1]
    assert room.end_airdrop(collected.catalog, collected.contract, DEMO.name, "friends", "again") == ended
    with pytest.raises(room.PlanRefused, match="in the airdrop friends already"):
        planned(collected, people(2), "mended")
    mended = planned(collected, people(2, first=1), "mended").airdrop
    assert mended.tokens == [2, 3]


def test_an_airdrop_that_was_ended_sends_nothing_more(collected):
    plan = planned(collected, people(1, 1))
    collected.catalog.put("airdrop", plan.airdrop.key, plan.airdrop.body)
    room.end_airdrop(collected.catalog, collected.contract, DEMO.name, "friends", "a typo")
    with pytest.raises(room.AirdropEnded, match="a typo"):
        planned(collected, people(1, 1))
    with pytest.raises(room.AirdropEnded):  # a run that had planned before
        room.deliver(collected.journal, collected.contract, plan.airdrop)
    assert collected.contract.functions.balanceOf(collected.treasury).call() == 16
    with pytest.raises(room.NoAirdrop):
        room.end_airdrop(collected.catalog, collected.contract, DEMO.name, "other", "x")


def test_a_key_that_is_not_the_treasury_s_is_named(collected):
    other = friend(77).address
    with pytest.raises(room.PlanRefused, match=f"{other} holds no token.*is {collected.treasury}"):
        room.plan_airdrop(
            collected.catalog, collected.contract, other, DEMO.name, "x", range(1, 17), people(1)
        )
