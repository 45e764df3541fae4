"""ERC-7007: the cases of the ERC's own reference tests, and what an adapter for tokens that are numbered in order adds to them.

The reference (assets/erc-7007/test/test.js of the ERC) tests three contracts: for zkML, enumerable, for opML. Each of its cases
stands here under its own words, asked of ArtMint7007. What is adapted, and why:

- `mint(to, prompt, aigcData, uri, proof)` is the reference implementation's own; ArtMint's minter mints committed tokens, and
  `addAigcData`, which is the interface's, adds prompt and content to one of them.
- The reference numbers a token keccak256(prompt). Here it has its number in the collection, and `tokenId(prompt)` finds it.
- The reference's MockVerifier believes the word "valid", its MockOpmlLib everything. Here the gate's verifiers have signed.
- The reference's `tokenURI` gives JSON itself; here it leads to JSON, and the fields are looked for there (tests/publish).
- Reverts are named errors, not sentences.
"""

import hashlib
import sys

import pytest
from eth_abi import encode
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from artmint.chain.contract import artifact
from tests.anvil import CONTRACTS
from tests.conftest import node_tool
from tests.gates import PROMPTS, Gated

TOKEN = 1  # the only one whose prompt is "test"
PROMPT = b"test"


@pytest.fixture(scope="module")
def opened(gated_once):
    "The gate's verifiers have agreed, as the reference's fixtures begin."
    chain = gated_once.web3.provider.chain.tester
    mark = chain.take_snapshot()
    yield gated_once.opened()
    chain.revert_to_snapshot(mark)


@pytest.fixture
def gated(opened):
    "Every test begins with the same chain."
    chain = opened.web3.provider.chain.tester
    mark = chain.take_snapshot()
    yield opened
    chain.revert_to_snapshot(mark)


def add(gated, token: int = TOKEN, proof: bytes | None = None, **change):
    prompt, data = gated.data(token)
    prompt, data = change.get("prompt", prompt), change.get("data", data)
    return gated.adapter.functions.addAigcData(
        token, prompt, data, gated.proof(token) if proof is None else proof
    )


def refuses(gated, name: str, call) -> None:
    from eth_utils import keccak

    [entry] = [one for one in artifact("ArtMint7007")["abi"] if one.get("name") == name]
    kinds = ",".join(value["type"] for value in entry["inputs"])
    with pytest.raises(ContractCustomError) as caught:
        call.call({"from": gated.admin.address})
    assert caught.value.data.startswith("0x" + keccak(text=f"{name}({kinds})")[:4].hex())


class TestZkml:
    "ERC7007Zkml.sol"

    def test_should_mint_a_token(self, gated):
        gated.send(add(gated))
        owner = gated.adapter.functions.ownerOf(TOKEN).call()
        assert owner == gated.contract.functions.ownerOf(TOKEN).call()
        assert gated.adapter.functions.balanceOf(owner).call() == 4

    def test_should_not_mint_a_token_with_invalid_proof(self, gated):
        for proof in (
            b"invalid",
            b"",
            b"\x00",
            bytes(96),
            gated.proof(2),
            gated.proof(1)[:-32],
            gated.proof(1) + bytes(32),
        ):
            refuses(gated, "InvalidProof", add(gated, proof=proof))

    def test_should_not_mint_a_token_with_same_data_twice(self, gated):
        gated.send(add(gated))
        refuses(gated, "AlreadyAdded", add(gated))

    def test_should_emit_a_aigcdata_event(self, gated):
        receipt = gated.send(add(gated))
        [event] = gated.adapter.events.AigcData().process_receipt(receipt, errors=DISCARD)
        assert event["args"]["tokenId"] == TOKEN
        assert (event["args"]["aigcData"], event["args"]["proof"]) == (gated.data(1)[1], gated.proof(1))

    def test_should_return_token_metadata(self, gated):
        gated.send(add(gated))
        assert (
            gated.adapter.functions.tokenURI(TOKEN).call() == gated.contract.functions.tokenURI(TOKEN).call()
        )


class TestEnumerable:
    "ERC7007Enumerable.sol"

    def test_should_return_token_id_by_prompt(self, gated):
        gated.send(add(gated))
        assert gated.adapter.functions.tokenId(PROMPT).call() == TOKEN

    def test_should_return_token_prompt_by_id(self, gated):
        gated.send(add(gated))
        assert gated.adapter.functions.prompt(TOKEN).call() == "test"


class TestOpml:
    "ERC7007Opml.sol: what is final is asked for with a zero byte."

    def test_should_mint_a_token(self, gated):
        gated.send(add(gated))
        assert gated.adapter.functions.balanceOf(gated.studio.who.treasury).call() == 4

    def test_should_verify_a_finalized_request(self, gated):
        ask = gated.adapter.functions.verify
        assert not ask(*gated.data(1), b"\x00").call()
        gated.send(add(gated))
        assert ask(*gated.data(1), b"\x00").call()
        assert ask(*gated.data(1), b"").call()

    def test_should_not_mint_a_token_with_same_data_twice(self, gated):
        gated.send(add(gated))
        refuses(gated, "AlreadyAdded", add(gated))

    def test_should_emit_a_aigcdata_event(self, gated):
        receipt = gated.send(add(gated))
        assert len(gated.adapter.events.AigcData().process_receipt(receipt, errors=DISCARD)) == 1

    def test_should_return_token_metadata(self, gated):
        gated.send(add(gated))
        assert gated.adapter.functions.tokenURI(TOKEN).call().endswith("/1.json")


# -- the interface


def test_the_interface_has_the_ercs_identifier(gated):
    ask = gated.adapter.functions.supportsInterface
    assert ask("0x702c55a6").call()
    assert ask("0x01ffc9a7").call()
    assert not ask("0xffffffff").call()
    assert not ask("0x80ac58cd").call()  # else wallets would show every token twice


def test_it_moves_nothing(gated):
    me = gated.studio.who.treasury
    do = gated.adapter.functions
    for call in (do.transferFrom(me, me, 1), do.approve(me, 1), do.setApprovalForAll(me, True)):
        refuses(gated, "AskTheCollection", call)
    writes = {
        entry["name"]
        for entry in artifact("ArtMint7007")["abi"]
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert writes == {"addAigcData"}


# -- what a token's number adds


def test_a_prompt_of_several_tokens_names_all_of_them(gated):
    assert PROMPTS[1] == PROMPTS[2]
    for token in (3, 2):
        gated.send(add(gated, token))
    prompt = PROMPTS[1].encode()
    refuses(gated, "NotOneToken", gated.adapter.functions.tokenId(prompt))
    refuses(gated, "NotOneToken", gated.adapter.functions.tokenId(b"nothing"))
    assert gated.adapter.functions.tokensOf(prompt).call() == [3, 2]
    refuses(gated, "NothingAdded", gated.adapter.functions.prompt(1))
    refuses(gated, "NothingAdded", gated.adapter.functions.aigcData(1))


def test_a_token_without_a_prompt_can_have_content(gated):
    gated.send(add(gated, 4))
    assert gated.adapter.functions.prompt(4).call() == ""
    assert gated.adapter.functions.aigcData(4).call() == gated.data(4)[1]


def test_a_token_that_isnt_minted_has_nothing(gated):
    with pytest.raises(ContractCustomError):
        gated.adapter.functions.addAigcData(17, *gated.data(1), gated.proof(1)).call()


def test_only_the_very_prompt_file_pixels_and_token_are_true(gated):
    ask = gated.adapter.functions.verify
    prompt, data = gated.data(1)
    proof = gated.proof(1)
    assert ask(prompt, data, proof).call()
    assert not ask(b"tesT", data, proof).call()
    assert not ask(prompt, data[:-1] + b"\x00", proof).call()
    assert not ask(prompt, data[:-1], proof).call()
    for place in range(31, len(proof), 32):  # the last byte of every word: kind, token, pixels, siblings
        assert not ask(prompt, data, proof[:place] + bytes([proof[place] ^ 4]) + proof[place + 1 :]).call()
    refuses(gated, "InvalidProof", add(gated, prompt=b"another"))
    refuses(gated, "InvalidProof", add(gated, data=bytes(32)))


def test_without_enough_verifiers_nothing_is_true(gated):
    addresses = [key.address for key in gated.keys]
    gate = gated.made("AttestationGate", gated.contract.address, addresses, 3)
    lonely = gated.made("ArtMint7007", gated.contract.address, gate.address, "0x" + "00" * 20)
    gated.send(gate.functions.attest(gated.root, [gated.signed(key) for key in gated.keys[:2]]))
    assert not lonely.functions.verify(*gated.data(1), gated.proof(1)).call()
    refuses(gated, "InvalidProof", lonely.functions.addAigcData(1, *gated.data(1), gated.proof(1)))


# -- by replay, for tokens that a contract draws


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    "The same with a renderer on chain, which has no verifiers."
    node_tool("anvil")
    sys.path.insert(0, str(CONTRACTS.parent / "scripts"))
    from compile_contracts import compiled

    source = (CONTRACTS.parent / "tests/data/chains/Replay.sol").read_text()
    made = compiled(sources={"Replay.sol": source})["contracts"]["Replay.sol"]["TinyReplay"]
    gated = Gated(tmp_path_factory.mktemp("drawn"))
    code = {"abi": made["abi"], "bytecode": "0x" + made["evm"]["bytecode"]["object"]}
    address = gated.send(gated.web3.eth.contract(**code).constructor())["contractAddress"]
    gated.adapter = gated.made("ArtMint7007", gated.contract.address, "0x" + "00" * 20, address)
    return gated


def pixels_of(token: int) -> bytes:
    "The same four pixels, computed here."
    return hashlib.sha256(bytes((token * 31 + (i // 3) * 7) % 256 for i in range(12))).digest()


@pytest.mark.slow
def test_a_drawn_token_is_verified_by_drawing_it_again(drawing):
    replayed = encode(["uint256", "uint256", "uint256"], [2, 3, 0])
    do = drawing.adapter.functions
    ask = do.verify
    assert ask(b"rings, ocean", pixels_of(3), replayed).call()  # nobody needs to have added it
    assert not ask(b"rings, ocean", pixels_of(3), b"").call()
    refuses(drawing, "InvalidProof", do.addAigcData(3, b"rings, sea", pixels_of(3), replayed))
    drawing.send(do.addAigcData(3, b"rings, ocean", pixels_of(3), replayed))  # anybody may: the chain says it
    assert ask(b"rings, ocean", pixels_of(3), b"").call()
    assert not ask(b"waves, ocean", pixels_of(3), replayed).call()
    assert not ask(b"rings, ocean", pixels_of(2), replayed).call()
    assert not ask(b"rings, ocean", pixels_of(3), encode(["uint256"] * 3, [2, 2, 0])).call()
    assert not ask(b"rings, ocean", pixels_of(3), encode(["uint256"] * 3, [2, 3, 1])).call()
    assert not ask(b"rings, ocean", pixels_of(3), encode(["uint256"] * 3, [3, 3, 0])).call()


@pytest.mark.slow
def test_other_pixels_than_are_drawn_are_refused(drawing):
    replayed = encode(["uint256", "uint256", "uint256"], [2, 4, 0])
    call = drawing.adapter.functions.addAigcData(4, b"", pixels_of(3), replayed)
    refuses(drawing, "InvalidProof", call)
    attested = drawing.adapter.functions.addAigcData(1, *drawing.data(1), drawing.proof(1))
    refuses(drawing, "InvalidProof", attested)  # there is no gate


@pytest.mark.slow
def test_too_little_gas_is_no_no(drawing):
    "A renderer that runs out of gas says nothing of the token; one that refuses with a reason does."
    replayed = encode(["uint256", "uint256", "uint256"], [2, 3, 0])
    call = drawing.adapter.functions.verify(b"rings, ocean", pixels_of(3), replayed)
    answers = set()
    for gas in range(23_000, 60_000, 500):
        try:
            answers.add(call.call({"gas": gas}))
        except Exception as error:
            answers.add(type(error).__name__)
    assert True in answers
    assert False not in answers
    beyond = encode(["uint256", "uint256", "uint256"], [2, 101, 0])
    assert not drawing.adapter.functions.verify(b"", pixels_of(1), beyond).call()


def test_without_a_renderer_nothing_is_replayed(gated):
    call = gated.adapter.functions.addAigcData(1, b"test", pixels_of(1), encode(["uint256"] * 3, [2, 1, 0]))
    refuses(gated, "InvalidProof", call)
