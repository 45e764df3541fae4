"A painter, a collection that it draws, and what either refuses. Quick on the embedded chain; on a node all three draw the same."

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from eth_abi import encode
from eth_utils import keccak
from PIL import Image

from artmint.chain.admin import CommittedElsewise, EarlierDropOpen, OtherFacts, authorize, parties
from artmint.chain.connect import connect
from artmint.chain.contract import (
    DRAWN,
    PAINTER,
    ForeignCode,
    artifact,
    collection_abi,
    drawn_at,
    drawn_code,
    drawn_version,
    painter_of,
)
from artmint.chain.journal import Journal
from artmint.chain.transaction import RefusedByContract
from artmint.onchain.model import (
    ChainModel,
    bundled_model,
    drawn_png,
    drawn_uri,
    split_code,
    written_recipes,
)
from artmint.onchain.network import WEIGHTS_SIZE
from artmint.onchain.painter import (
    CHAIN_PRICES,
    OtherModel,
    OtherPage,
    check_drawn,
    code_gas,
    commit_drawn,
    cost_lines,
    deploy_drawn,
    deploy_painter,
    drawn_gas,
    drawn_model_of,
    drawn_of,
    find_drawn,
    make_drawn,
    mint_drawn,
    model_on_chain,
    money_of,
)
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from artmint.studio.editions import token_of
from tests.anvil import Anvil, ProgramMissing
from tests.painted import GAS, painter_on, thrown_model, thrown_recipe

ROOT = Path(__file__).parents[2]
COLLECTION = load_collection(ROOT / "collections/onchain")


class Place:
    "A studio whose painter and collection are on an embedded chain, with one drop of three."

    def __init__(self, folder: Path):
        self.model = bundled_model()
        self.catalog, self.web3 = Catalog(folder), connect("embedded", folder / "chain")
        self.who = parties(self.web3, folder / "keys", rounds=2**10)
        self.admin, self.minter = (
            Journal(self.catalog, self.web3, key) for key in (self.who.admin, self.who.minter)
        )
        self.painter = deploy_painter(self.admin, self.model)
        self.contract = deploy_drawn(self.admin, COLLECTION, self.painter, self.who.treasury)
        self.ask = self.contract.functions
        rng = np.random.default_rng(2)
        self.recipes = [thrown_recipe(self.model, rng) for _ in range(3)]
        commit_drawn(self.admin, self.contract, self.model, 1, self.recipes)
        authorize(self.admin, self.contract, self.who.minter.address, 3)

    def refused(self, call) -> str:
        "What the contract says to a call of the admin's."
        with pytest.raises(RefusedByContract) as refusal:
            self.admin.send(call, {"verb": "try"})
        return str(refusal.value)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return Place(folder)


def test_each_contract_is_known_by_its_hash():
    for name in (PAINTER, DRAWN):
        assert artifact(name)["codeHash"] in drawn_code()[name]
        assert "immutables" not in artifact(name)


def test_the_model_is_on_chain(place):
    there = model_on_chain(painter_of(place.contract))
    assert there == place.model
    assert bytes(place.painter.functions.digest().call()).hex() == place.model.digest
    chunks = [bytes(place.web3.eth.get_code(one)) for one in place.painter.functions.chunks().call()]
    assert chunks == split_code(place.model.data)


def test_all_of_it_is_made_once(place):
    before = len(place.admin.transactions())
    painter = deploy_painter(place.admin, place.model)
    contract = deploy_drawn(place.admin, COLLECTION, painter, place.who.treasury)
    assert commit_drawn(place.admin, contract, place.model, 1, place.recipes) is None
    assert (painter.address, contract.address) == (place.painter.address, place.contract.address)
    assert len(place.admin.transactions()) == before


def test_a_lost_catalog_makes_nothing_again(place, tmp_path):
    "The chain is asked: every contract that the key can have made."
    before = place.web3.eth.get_transaction_count(place.who.admin.address)
    lost = Journal(Catalog(tmp_path), place.web3, place.who.admin)
    assert drawn_of(lost.catalog, place.web3, COLLECTION.name) is None
    assert deploy_painter(lost, place.model).address == place.painter.address
    made = make_drawn(lost, COLLECTION, place.model, place.who.treasury, 4)
    assert made.address == place.contract.address
    assert drawn_of(lost.catalog, place.web3, COLLECTION.name).address == made.address
    assert place.web3.eth.get_transaction_count(place.who.admin.address) == before


@pytest.mark.slow
def test_a_changed_mind_is_told_before_anything_is_paid(place, tmp_path):
    before = place.web3.eth.get_transaction_count(place.who.admin.address)

    def asked(treasury: str = place.who.treasury, model: ChainModel = place.model, **change):
        return make_drawn(place.admin, COLLECTION.model_copy(update=change), model, treasury, 4)

    assert asked().address == place.contract.address
    with pytest.raises(OtherFacts, match="title Twelve Bytes there, Thirteen asked for"):
        asked(title="Thirteen")
    with pytest.raises(OtherFacts, match="treasury"):
        asked(treasury=place.who.minter.address)
    with pytest.raises(OtherFacts, match="supply"):
        asked(supply=99)
    with pytest.raises(OtherPage, match="can't be changed"):
        asked(description="Other words.")
    with pytest.raises(OtherModel):
        asked(model=thrown_model(np.random.default_rng(1)))
    elsewhere = Journal(Catalog(tmp_path), place.web3, place.who.admin)
    new = COLLECTION.model_copy(update={"name": "new", "title": "New"})
    assert find_drawn(elsewhere, new, place.who.treasury) is None
    with pytest.raises(EarlierDropOpen, match="committed"):
        make_drawn(elsewhere, new, place.model, place.who.treasury, 17)
    assert place.web3.eth.get_transaction_count(place.who.admin.address) == before


def test_a_later_version_s_page_changes_nothing_of_a_collection(place):
    "The page's program is artmint's and may change; the network is the collection's."
    later = ChainModel(place.model.network, place.model.program + b" ")
    assert later.digest != place.model.digest
    assert drawn_model_of(place.contract, later) == place.model


def test_recipes_are_what_was_committed(place):
    assert [bytes(place.ask.recipeOf(token).call()) for token in (1, 2, 3)] == place.recipes
    root, digest, first, quantity, _ = place.ask.dropOf(2).call()
    assert (bytes(root).hex(), bytes(digest).hex()) == (written_recipes(place.recipes)[1], place.model.digest)
    assert (first, quantity) == (1, 3)


def test_a_drop_is_committed_once_and_in_order(place):
    other = [place.recipes[1], place.recipes[0], place.recipes[2]]
    with pytest.raises(CommittedElsewise):
        check_drawn(place.contract, place.model, 1, other)
    with pytest.raises(EarlierDropOpen, match="committed"):
        check_drawn(place.contract, place.model, 9, other)
    with pytest.raises(OtherModel):
        check_drawn(place.contract, thrown_model(np.random.default_rng(1)), 1, place.recipes)


def test_the_contract_refuses_what_it_should(place):
    "Each refusal is the contract's own, by name."
    digest, good = bytes.fromhex(place.model.digest), place.recipes[0]
    commit = place.ask.commitDrawn
    assert "NotNextUncommitted" in place.refused(commit(1, 1, digest, good))
    assert "NothingAsked" in place.refused(commit(4, 0, digest, b""))
    assert "AboveMaxSupply" in place.refused(commit(4, 14, digest, good * 14))
    assert place.refused(commit(4, 1, bytes(32), good))
    assert place.refused(commit(4, 1, digest, good + b"\0"))
    assert place.refused(commit(4, 1, digest, b"\xff" + good[1:]))
    assert place.refused(commit(4, 1, digest, good[:7] + b"\1" + good[8:]))
    assert place.ask.nextUncommitted().call() == 4


def test_a_painter_is_not_made_of_other_bytes(place):
    "A digest that isn't the chunks', a chunk that is missing, chunks in another order."
    made = artifact(PAINTER)
    factory = place.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    chunks, digest = place.painter.functions.chunks().call(), bytes.fromhex(place.model.digest)
    length = len(place.model.network)
    for some, size, wanted in (
        (chunks, length, bytes(32)),
        (chunks[:-1], length, digest),
        (chunks[::-1], length, digest),
        (chunks, WEIGHTS_SIZE - 1, digest),
    ):
        assert place.refused(factory.constructor(some, size, wanted))


def test_tokens_are_minted_once(place):
    sent = mint_drawn(place.minter, place.contract, COLLECTION.name, 1, range(1, 4))
    assert len(sent) == 1
    assert mint_drawn(place.minter, place.contract, COLLECTION.name, 1, range(1, 4)) == []
    assert place.ask.ownerOf(3).call() == place.who.treasury
    assert token_of(place.catalog, COLLECTION.name, 2)["uri"] == f"drawn:{place.recipes[1].hex()}"
    with pytest.raises(EarlierDropOpen, match="minted"):
        mint_drawn(place.minter, place.contract, COLLECTION.name, 2, range(9, 12))
    with pytest.raises(RefusedByContract, match="NotNextToken"):
        place.minter.send(place.ask.mintBatch(1, 1, 0), {"verb": "mintBatch"})
    with pytest.raises(RefusedByContract, match="NotCommitted"):
        place.minter.send(place.ask.mintBatch(4, 1, 0), {"verb": "mintBatch"})


def test_nobody_else_may_mint_or_commit(place):
    "The minter can't commit, and the admin can't mint."
    digest, good = bytes.fromhex(place.model.digest), place.recipes[0]
    with pytest.raises(RefusedByContract):
        place.minter.send(place.ask.commitDrawn(4, 1, digest, good), {"verb": "commitDrawn"})
    assert place.refused(place.ask.mintBatch(4, 1, 0))


def test_an_admin_s_calls_are_what_is_missing(place):
    "For a Safe's owners: nothing where all holds, the allowance where it is too small, and a larger one stays."
    from artmint.drawn import admin_calls

    minter, asked = place.who.minter.address, (place.contract, place.model)
    assert admin_calls(*asked, 1, place.recipes, minter) == []
    both = admin_calls(*asked, 4, place.recipes[:2], minter)
    assert [call.fn_name for call in both] == ["commitDrawn", "setAllowance"]
    assert both[1].args[1] == 5
    stranger = place.who.treasury
    calls = admin_calls(*asked, 1, place.recipes, stranger)
    left = 4 - place.ask.nextToken().call()
    assert [call.fn_name for call in calls] == ["grantRole"] + (["setAllowance"] if left else [])


def test_a_commitment_is_read_by_whoever_signs_it(place):
    "A Safe's proposal says of the recipes what the contract keeps of them."
    from artmint.chain.safe import Proposal
    from artmint.onchain.painter import commitment_call

    call = commitment_call(place.contract, place.model, 4, place.recipes)
    proposal = Proposal(
        chain_id=1,
        safe=place.who.treasury,
        to=place.contract.address,
        data=call._encode_transaction_data(),
        nonce=0,
    )
    assert proposal.verb == "commitDrawn"
    root = written_recipes(place.recipes)[1]
    assert f"recipes 36 bytes with the SHA-256 0x{root}" in proposal.meaning()
    assert place.model.digest in proposal.meaning()
    names = [entry["name"] for entry in collection_abi() if entry["type"] == "function"]
    assert {"commitDrop", "commitDrawn", "reveal"} <= set(names)
    assert len(names) == len({str(entry) for entry in collection_abi() if entry["type"] == "function"})


def test_nothing_can_be_set_that_draws():
    "No function of the painter's changes anything, and none of the collection's names a painter or a recipe but the commitment."
    changing = [
        one for one in artifact(PAINTER)["abi"] if one.get("stateMutability") in ("nonpayable", "payable")
    ]
    assert [one["type"] for one in changing] == ["constructor"]
    verbs = {
        one["name"]
        for one in artifact(DRAWN)["abi"]
        if one["type"] == "function" and one["stateMutability"] == "nonpayable"
    }
    assert not {verb for verb in verbs if "ainter" in verb or "URI" in verb or "cancelDrop" in verb}
    assert not {verb for verb in verbs if "escription" in verb}
    assert "commitDrawn" in verbs


def test_foreign_code_is_refused(place):
    with pytest.raises(ForeignCode):
        drawn_at(place.web3, place.who.treasury)
    assert drawn_version(place.web3, place.painter.address) == ""
    assert drawn_version(place.web3, place.painter.address, PAINTER)


def test_what_it_costs_is_said_before(place):
    "The forecast against what the transactions took."
    gas = drawn_gas(place.model, 3, COLLECTION.description)
    paid = {}
    for transaction in (*place.admin.transactions(), *place.minter.transactions()):
        if transaction.purpose.get("collection") == "safe":
            continue
        verb = str(transaction.purpose["verb"])
        paid[verb] = paid.get(verb, 0) + transaction.gas
    for name, verb in (
        ("model", "deploy chunk"),
        ("painter", "deploy painter"),
        ("collection", "deploy drawn"),
    ):
        assert abs(gas[name] / paid[verb] - 1) < 0.03, (name, gas[name], paid[verb])
    assert abs(gas["commitment"] / paid["commitDrawn"] - 1) < 0.05
    lines = cost_lines(place.model, 16)
    assert [line.split(" at ")[0] for line in lines[1:]] == [price.chain for price in CHAIN_PRICES]
    assert money_of(10**9, 0, CHAIN_PRICES[0], 2500) == 2500
    assert code_gas(b"\1" * 100) > code_gas(b"\0" * 100)


def test_a_deployer_s_key_makes_it_for_a_safe(place, tmp_path):
    "The key that pays gets no power; a lost catalog finds the contract by the Safe that it names."
    from artmint.chain.signers import Guarded
    from artmint.onchain.painter import drawn_policy

    guarded = Guarded(place.who.admin, drawn_policy(place.web3.eth.chain_id, place.model))
    own, safe = Journal(place.catalog, place.web3, guarded), "0x" + "11" * 20
    second = COLLECTION.model_copy(update={"name": "safe", "title": "Safe"})
    made = make_drawn(own, second, place.model, place.who.treasury, 1, admin=safe)
    assert made.functions.owner().call() == safe
    other = Journal(Catalog(tmp_path), place.web3, place.who.minter)
    assert find_drawn(other, second, place.who.treasury) is None
    assert find_drawn(other, second, place.who.treasury, [safe]).address == made.address


# on a node


@pytest.fixture(scope="module")
def node():
    try:
        started = Anvil("--gas-limit", "60000000")
    except ProgramMissing as missing:
        pytest.skip(str(missing))
    yield started
    started.end()


@pytest.mark.slow
def test_the_chain_draws_what_numpy_draws(node):
    "Fifty pictures by five models, four of them with weights that dice threw: equal bytes of the file, within what a node gives a question."
    from web3 import HTTPProvider, Web3

    web3, rng = Web3(HTTPProvider(node.url, request_kwargs={"timeout": 300})), np.random.default_rng(8)
    account = web3.eth.accounts[0]
    for model in (bundled_model(), *(thrown_model(rng) for _ in range(4))):
        painter = painter_on(web3, account, model)
        for _ in range(10):
            recipe = thrown_recipe(model, rng)
            assert bytes(painter.functions.png(recipe).call(GAS)) == drawn_png(model, recipe)
    recipe = thrown_recipe(model, rng)
    assert painter.functions.uri("Ünï", "7", recipe).call(GAS) == drawn_uri(model, "Ünï", 7, recipe)


@pytest.mark.slow
@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_a_name_that_breaks_json_is_refused(node, name):
    from web3 import HTTPProvider, Web3
    from web3.exceptions import ContractCustomError

    web3 = Web3(HTTPProvider(node.url, request_kwargs={"timeout": 300}))
    made = artifact(PAINTER)
    painter = painter_on(web3, web3.eth.accounts[0], bundled_model())
    with pytest.raises(ContractCustomError):
        painter.functions.checkName(name).call()
    assert json.dumps(made["abi"])


@pytest.mark.slow
def test_a_drawn_token_is_drawn_again_on_chain_for_erc_7007(node):
    "The adapter takes a token's pixels from the collection's own painter: numpy's are right, another token's are refused."
    from web3 import HTTPProvider, Web3

    web3, model = Web3(HTTPProvider(node.url, request_kwargs={"timeout": 300})), bundled_model()
    account = web3.eth.accounts[0]
    recipes = [thrown_recipe(model, np.random.default_rng(seed)) for seed in range(3)]

    def sent(call) -> dict:
        hashed = call.transact({"from": account, "gas": 30_000_000})
        return web3.eth.wait_for_transaction_receipt(hashed)

    def made(name: str, *arguments):
        compiled = artifact(name)
        factory = web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        receipt = sent(factory.constructor(*arguments))
        return web3.eth.contract(receipt["contractAddress"], abi=compiled["abi"])

    painter = painter_on(web3, account, model)
    treasury = web3.eth.accounts[1]
    terms = ("Drawn", "DRWN", "Three.", 3, account, 0, treasury, treasury, 500)
    collection = made(DRAWN, terms, painter.address)
    sent(collection.functions.commitDrawn(1, 3, bytes.fromhex(model.digest), b"".join(recipes)))
    sent(collection.functions.grantRole(keccak(text="MINTER_ROLE"), account))
    sent(collection.functions.setAllowance(account, 3, 0, 0))
    sent(collection.functions.mintBatch(1, 3, 0))
    again = made("DrawnReplay", collection.address)
    nobody = "0x" + "00" * 20
    adapter = made("ArtMint7007", collection.address, nobody, again.address)
    pixels = [pixels_of_png(drawn_png(model, recipe)) for recipe in recipes]
    for token, digest in enumerate(pixels, 1):
        assert bytes(again.functions.pixelDigest(token).call(GAS)) == digest
    prompt = painter.functions.prompt(recipes[1]).call().encode()
    proof = encode(["uint256", "uint256", "uint256"], [2, 2, 0])
    refused = adapter.functions.addAigcData(2, prompt, pixels[0], proof)
    with pytest.raises(Exception, match=keccak(text="InvalidProof(uint256)")[:4].hex()):
        refused.call({"from": account, **GAS})
    assert adapter.functions.verify(prompt, pixels[1], proof).call(GAS)
    sent(adapter.functions.addAigcData(2, prompt, pixels[1], proof))
    assert adapter.functions.verify(prompt, pixels[1], b"").call()
    with pytest.raises(Exception, match=keccak(text="NoAnswer(uint256)")[:4].hex()):
        adapter.functions.verify(prompt, pixels[1], proof).call({"gas": 20_000_000})
    assert adapter.functions.verify(prompt, pixels[1], proof).call(GAS)
    assert not adapter.functions.verify(prompt, pixels[2], proof).call(GAS)


def pixels_of_png(data: bytes) -> bytes:
    "SHA-256 of a picture's pixels, RGB, row by row."
    return hashlib.sha256(Image.open(io.BytesIO(data)).convert("RGB").tobytes()).digest()


@pytest.mark.slow
def test_the_page_of_a_collection_is_on_chain(node):
    "ERC-7572: words that JSON wouldn't take as they are, and the first token's picture once there is one."
    import base64

    from web3 import HTTPProvider, Web3

    from artmint.onchain.painter import drawn_call

    web3, model = Web3(HTTPProvider(node.url, request_kwargs={"timeout": 300})), bundled_model()
    account = web3.eth.accounts[0]
    painter = painter_on(web3, account, model)
    said = 'Two "lines"\n\tand a \\ — ünï \x07.'
    collection = COLLECTION.model_copy(update={"description": said})

    def sent(call):
        receipt = web3.eth.wait_for_transaction_receipt(call.transact({"from": account, "gas": 16_000_000}))
        assert receipt["status"] == 1
        return receipt

    place = sent(drawn_call(web3, collection, painter.address, account, account, 0))["contractAddress"]
    contract = web3.eth.contract(place, abi=artifact(DRAWN)["abi"])

    def page() -> dict:
        uri = contract.functions.contractURI().call(GAS)
        assert uri.startswith("data:application/json;base64,")
        return json.loads(base64.b64decode(uri.split(",")[1], validate=True))

    words = {
        "name": COLLECTION.title,
        "symbol": COLLECTION.symbol,
        "description": said,
        "model": model.digest,
    }
    assert page() == words
    recipe = thrown_recipe(model, np.random.default_rng(4))
    sent(contract.functions.commitDrawn(1, 1, bytes.fromhex(model.digest), recipe))
    image = "data:image/png;base64," + base64.b64encode(drawn_png(model, recipe)).decode()
    assert page() == words | {"image": image}
