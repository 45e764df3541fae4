"EAS: where it is, and a timestamp once, whatever was lost on the way."

import hashlib
import json

import pytest

from artmint.chain.connect import connect
from artmint.chain.eas import (
    EAS_PLACES,
    Eas,
    NoEas,
    eas_at,
    eas_place,
    revoked_among,
    stamp,
    stamp_call,
    stamp_policy,
    stamped_at,
    revoke,
)
from artmint.chain.journal import Journal
from artmint.chain.signers import BlockedByPolicy, Guarded, KeystoreSigner, new_keystore
from artmint.chain.embedded import ZERO_ADDRESS
from artmint.prove.attestations import SCHEMA_TEXT, schema_uid
from artmint.studio.catalog import Catalog
from tests.attested import CONTRACTS, RealEas
from tests.services import npm_package
from tests.studios import FAST

ROOT = hashlib.sha256(b"a drop's attestations").digest()


def test_addresses_are_written_as_chains_write_them():
    from eth_utils import to_checksum_address

    assert all(to_checksum_address(place) == place for place in EAS_PLACES.values())
    assert eas_place(7, "0x" + "12" * 20) == "0x" + "12" * 20
    with pytest.raises(NoEas, match="artmint knows none there"):
        eas_place(7)


def test_a_chain_without_eas_is_refused_and_a_studios_own_may_be_named(tmp_path):
    web3 = connect("embedded", tmp_path)
    with pytest.raises(NoEas, match="isn't one"):
        eas_at(web3)
    named = Eas(chain_id=31337, address=EAS_PLACES[31337], version="1.4.0")
    assert eas_at(web3, anchored=False) == named


def test_a_key_for_timestamps_signs_nothing_else():
    policy = stamp_policy(Eas(chain_id=8453, address=EAS_PLACES[8453], version="1.4.0"))
    sound = {"chainId": 8453, "to": EAS_PLACES[8453], "value": 0, "gas": 60_000, "maxFeePerGas": 10**9}
    sound |= {"data": "0x4d003070" + ROOT.hex(), "nonce": 0, "maxPriorityFeePerGas": 1}
    assert policy.violations(sound, []) == []
    for change in ({"to": "0x" + "11" * 20}, {"data": "0xf17325e7"}, {"value": 1}, {"chainId": 1}):
        assert policy.violations(sound | change, [])


@pytest.mark.slow
class TestOnANode:
    "EAS's own contracts (npm), on anvil."

    @pytest.fixture
    def place(self, node, tmp_path):
        new_keystore(tmp_path / "verifier.json", "word", FAST)
        signer = KeystoreSigner(tmp_path / "verifier.json", "word")
        node.fund(signer.address)
        web3 = connect(node.url, tmp_path)
        node.fund("0x" + "ee" * 20)
        node("anvil_impersonateAccount", "0x" + "ee" * 20)

        def send(call):
            sent = call.transact({"from": web3.to_checksum_address("0x" + "ee" * 20)})
            return web3.eth.wait_for_transaction_receipt(sent, 20, 0.01)

        real = RealEas(web3, send)
        eas = eas_at(web3, real.address)
        journal = Journal(Catalog(tmp_path / "studio"), web3, Guarded(signer, stamp_policy(eas)))
        return real, eas, journal, send

    def test_the_version_the_schema_and_the_abi_are_the_contracts(self, place):
        real, eas, _, send = place
        assert eas == Eas(chain_id=31337, address=real.address, version="1.4.0")
        send(real.registry.functions.register(SCHEMA_TEXT, ZERO_ADDRESS, True))
        record = real.registry.functions.getSchema(bytes.fromhex(schema_uid()[2:])).call()
        assert record[3] == SCHEMA_TEXT

    def test_a_root_is_timestamped_once(self, place):
        real, eas, journal, _ = place
        assert stamped_at(journal.web3, eas.address, ROOT) == 0
        sent = stamp(journal, eas, ROOT)
        time = stamped_at(journal.web3, eas.address, ROOT)
        assert time == journal.web3.eth.get_block(sent.block)["timestamp"]
        assert sent.gas == 45_869
        assert stamp(journal, eas, ROOT) is None
        assert len(real.contract.events.Timestamped().get_logs(from_block=0)) == 1
        assert len(journal.transactions()) == 1

    def test_a_lost_answer_pays_once(self, place):
        "The transaction went out, and its answer never came: the next run settles it and sends nothing."
        real, eas, journal, _ = place
        purpose = {"verb": "timestamp", "root": "0x" + ROOT.hex()}
        with journal:
            from artmint.chain.journal import _signed, send_flight

            flight = journal._keep_all(_signed(journal, [(stamp_call(journal.web3, eas, ROOT), purpose)]))
            send_flight(journal, flight)
        assert stamp(journal, eas, ROOT) is None
        assert [one.state for one in journal.transactions()] == ["confirmed"]
        assert len(real.contract.events.Timestamped().get_logs(from_block=0)) == 1

    def test_somebody_elses_timestamp_is_as_good(self, place):
        real, eas, journal, send = place
        send(real.contract.functions.timestamp(ROOT))
        assert stamp(journal, eas, ROOT) is None
        assert journal.transactions() == []

    def test_what_is_taken_back_is_its_signers_alone(self, place):
        real, eas, journal, send = place
        send(real.contract.functions.revokeOffchain(ROOT))  # by somebody else
        me = journal.signer.address
        assert revoked_among(journal.web3, eas.address, me, [ROOT]) == {}
        assert revoke(journal, eas, ROOT).state == "confirmed"
        assert list(revoked_among(journal.web3, eas.address, me, [ROOT, bytes(32)])) == [ROOT]
        assert revoke(journal, eas, ROOT) is None

    def test_the_guarded_key_does_nothing_else_there(self, place):
        real, eas, journal, _ = place
        call = real.contract.functions.multiTimestamp([ROOT])
        with pytest.raises(BlockedByPolicy):
            journal.send(call, {"verb": "multiTimestamp"})


@pytest.mark.slow
def test_the_addresses_are_those_that_eas_publishes():
    folder = npm_package("eas", CONTRACTS) / "deployments"
    published = {}
    for path in folder.glob("*/EAS.json"):
        chain_id = int((path.parent / ".chainId").read_text())
        published[chain_id] = json.loads(path.read_text())["address"]
    ours = {chain: place for chain, place in EAS_PLACES.items() if chain != 31337}
    assert {chain: published[chain] for chain in ours} == ours
