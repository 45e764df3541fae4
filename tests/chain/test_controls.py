"The admin's other verbs: nothing twice, nothing lost, nobody else."

import pytest

from artmint.chain import controls as room
from artmint.chain.admin import OtherFacts, RoleMissing, check_deployment, deploy
from artmint.chain.safe import signature_readings
from tests.studios import DEMO, refused

PAGE = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/contract.json"


def test_a_verb_that_holds_sends_nothing(ready):
    contract, who = ready.contract, ready.who
    for make in (
        lambda: room.role_calls(contract, "pauser", who.minter.address),
        lambda: room.treasury_calls(contract, who.admin.address),
        lambda: room.royalty_calls(contract, who.treasury, 750),
        lambda: room.page_calls(contract, PAGE),
        lambda: room.placeholder_calls(contract, PAGE),
        lambda: room.delay_calls(contract, 86_400),
        lambda: room.hand_over_calls(contract, who.minter.address),
    ):
        assert len(room.send_calls(ready.admin, contract, make())) == 1
        assert make() == []
    assert room.page_calls(contract, PAGE.replace("contract", "other"), replace=False) == []


def test_only_whoever_may_is_let_to_send(ready):
    contract = ready.contract
    for calls in (room.royalty_calls(contract, ready.who.treasury, 750), room.pause_calls(contract)):
        refused(ready, RoleMissing, lambda calls=calls: room.send_calls(ready.minter, contract, calls))
    refused(ready, room.NoHandOver, lambda: room.take_over_calls(contract))


def test_tokens_are_not_sent_where_nobody_can_move_them(ready):
    for address in ("0x" + "00" * 20, ready.contract.address):
        refused(
            ready,
            room.TokensWouldBeLost,
            lambda address=address: room.treasury_calls(ready.contract, address),
        )


def test_a_hand_over_waits_for_its_delay(studio):
    "Before it is over the new admin is told when to come again."
    contract = deploy(studio.admin, DEMO, studio.who.treasury, delay=3600)
    room.send_calls(studio.admin, contract, room.hand_over_calls(contract, studio.who.minter.address))
    with pytest.raises(room.HandOverEarly) as caught:
        room.take_over_calls(contract)
    assert caught.value.exit_code == 4
    room.send_calls(studio.admin, contract, room.keep_calls(contract))
    assert room.pending_admin(contract) == ("", 0)


def test_a_contract_that_differs_from_what_is_asked_is_named(ready):
    "D4's kind: another treasury, admin, delay, supply or royalty isn't ignored; a supply that was given up is no difference."
    contract, who = ready.contract, ready.who
    check_deployment(contract, DEMO, who.treasury)
    more = DEMO.model_copy(update={"supply": DEMO.supply + 1})
    royal = DEMO.model_copy(update={"royalty": DEMO.royalty.model_copy(update={"basis_points": 9})})
    for asked, name in (
        ((DEMO, who.minter.address), "treasury"),
        ((DEMO, who.treasury, who.minter.address), "admin"),
        ((DEMO, who.treasury, "", 999), "delay"),
        ((royal, who.treasury), "royalty"),
        ((DEMO.model_copy(update={"supply": DEMO.supply - 1}), who.treasury), "supply"),
    ):
        with pytest.raises(OtherFacts) as caught:
            check_deployment(contract, *asked)
        assert [line.split()[0] for line in caught.value.differing] == [name]
    check_deployment(contract, more, who.treasury)  # all 16 are committed: the rest was given up


def test_an_admin_s_key_signs_its_verbs_and_nothing_else(ready):
    policy = room.admin_policy(ready.contract)
    do = ready.contract.functions
    fields = {
        "chainId": 31337,
        "nonce": 9,
        "gas": 10**5,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 1,
        "value": 0,
    }
    fields |= {"to": ready.contract.address}

    def against(call):
        return policy.violations(fields | {"data": call._encode_transaction_data()}, [])

    assert against(do.setTreasury(ready.who.treasury)) == []
    assert against(do.mintBatch(1, 1, 0)) and against(do.setApprovalForAll(ready.who.minter.address, True))
    deployment = {"to": b"", "data": room.artifact()["bytecode"], "gas": 4 * 10**6}
    assert room.deployer_policy(31337).violations(fields | deployment, []) == []
    assert policy.violations(fields | deployment, [])


@pytest.mark.parametrize("junk", [b"", b"\0" * 65, b"\xff" * 65, b"\1" * 64, b"\1" * 64 + b"\x05"])
def test_bytes_that_are_no_signature_are_nobody_s(junk):
    assert signature_readings(b"d" * 32, junk) == {}


class Killed(BaseException):
    "Stands for SIGKILL: nothing goes on after it."


def test_what_a_killed_run_had_signed_is_what_is_sent(ready, monkeypatch):
    "Killed between signing and sending: the next call finds it, sends it, and neither signs nor is refused a second time."
    from artmint.chain import journal

    calls = room.role_calls(ready.contract, "pauser", ready.who.admin.address)
    calls += room.royalty_calls(ready.contract, ready.who.treasury, 750)
    room.send_calls(ready.admin, ready.contract, calls[:1])

    def killed(*_):
        raise Killed

    for calls in (calls[1:], room.pause_calls(ready.contract)):
        before = len(ready.admin.transactions())
        with monkeypatch.context() as patched:
            patched.setattr(journal, "send_flight", killed)
            with pytest.raises(Killed):
                room.send_calls(ready.admin, ready.contract, calls)
        sent = room.send_calls(ready.admin, ready.contract, calls)
        assert [one.state for one in sent] == ["confirmed"]
        assert len(ready.admin.transactions()) == before + 1
    assert ready.contract.functions.paused().call()
