"A proof of what a chain draws: every byte that is changed anywhere is found, and named."

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from artmint.onchain.model import (
    ChainModel,
    bundled_model,
    drawn_page,
    drawn_pixels,
    drawn_uri,
    make_model,
    written_recipes,
)
from artmint.prove.drawn import (
    DrawnClaim,
    DrawnDrop,
    _model_steps,
    _recipe_steps,
    ask_drawn,
    compare_uri,
    prove_drawn,
)
from artmint.prove.evidence import parse_address
from artmint.prove.proof import Proof, ProofCard, Step, proof_page
from tests.boards import browser
from tests.painted import thrown_recipe

assert browser  # a fixture
TITLE = "Twelve Bytes"
# How many bits are changed in a quick run and in a long one: 200 of the model, the recipes, pages and pictures, answers.
quick_and_long = pytest.mark.parametrize("share", [0.1, pytest.param(1.0, marks=pytest.mark.slow)])


class Answers:
    "A contract that answers as it should, but for what a test changes."

    def __init__(self, uris: dict[int, str]):
        self.uris, self.functions = uris, self

    def tokenURI(self, token: int):
        uri = self.uris[token]

        class Call:
            def call(self, _: dict) -> str:
                return uri

        return Call()


@pytest.fixture(scope="module")
def claim():
    model, rng = bundled_model(), np.random.default_rng(6)
    recipes = tuple(thrown_recipe(model, rng) for _ in range(4))
    drop = DrawnDrop(1, 4, written_recipes(recipes)[1], model.digest, recipes)
    uris = {token: drawn_uri(model, TITLE, token, recipe) for token, recipe in enumerate(recipes, 1)}
    return DrawnClaim(Answers(uris), TITLE, 4, model, model.digest, (drop,))


def failed(steps) -> set[str]:
    return {step.name for step in steps if step.status == "failed"}


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    "One bit changed."
    place = int(rng.integers(len(data)))
    return data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]


def test_what_is_as_it_should_be_holds(claim):
    steps, cards = prove_drawn(claim, range(1, 5))
    proof = Proof("x:0x" + "0" * 40, tuple(steps), cards)
    assert not failed(steps)
    assert [card.token for card in cards] == [1, 2, 3, 4]
    assert proof.levels["regenerated"] == proof.levels["content"] == proof.levels["metadata"] == "held"


def test_a_chain_that_is_slow_draws_some(claim):
    steps, cards = prove_drawn(claim, range(1, 5), asked=1)
    (step,) = [step for step in steps if step.name == "tokenURI"]
    assert step.evidence.startswith("1 of 1")
    assert "answers for all 4" in step.evidence
    assert len(cards) == 4


def test_a_node_with_too_little_gas_for_a_question_leaves_the_rest_unchecked(claim):
    "What was found before stays found: the model, the recipes, the tokens that were drawn."
    from web3.exceptions import Web3RPCError

    class Spent(Answers):
        def tokenURI(self, token: int):
            if token > 2:
                raise Web3RPCError("out of gas: gas required exceeds allowance (25000000)")
            return super().tokenURI(token)

    steps, cards = prove_drawn(replace(claim, contract=Spent(claim.contract.uris)), range(1, 5))
    proof = Proof("x:0x" + "0" * 40, tuple(steps), cards)
    assert proof.exit_code == 3
    assert not failed(steps)
    assert {step.name for step in steps if step.status == "held"} >= {"content", "recipe", "traits"}
    assert any(
        step.name == "chain" and "token 3: the node gives no answer, or no 50,000,000" in step.evidence
        for step in steps
    )
    assert proof.levels["regenerated"] == "unchecked"


@quick_and_long
def test_fifty_changed_bits_of_the_model(claim, share):
    "A chunk with another bit hashes to something else than what was committed."
    rng = np.random.default_rng(1)
    for _ in range(int(50 * share)):
        data = flipped(claim.model.data, rng)
        length = len(claim.model.network)
        false = replace(claim, model=ChainModel(data[:length], data[length:]))
        (step,) = _model_steps(false)
        assert step.status == "failed"
        assert step.evidence.startswith("model:")


def test_a_painter_that_says_another_digest(claim):
    (step,) = _model_steps(replace(claim, digest="0" * 64))
    assert step.status == "failed"


@quick_and_long
def test_fifty_changed_bits_of_the_recipes(claim, share):
    rng = np.random.default_rng(2)
    for _ in range(int(50 * share)):
        recipes = [*claim.drops[0].recipes]
        place = int(rng.integers(4))
        recipes[place] = flipped(recipes[place], rng)
        false = replace(claim, drops=(replace(claim.drops[0], recipes=tuple(recipes)),))
        assert "recipe" in failed(_recipe_steps(false, range(1, 5)))


def test_a_recipe_that_is_there_twice(claim):
    recipes = (claim.drops[0].recipes[0],) * 4
    drop = replace(claim.drops[0], recipes=recipes, root=written_recipes(recipes)[1])
    assert failed(_recipe_steps(replace(claim, drops=(drop,)), range(1, 5))) == {"unique"}


def test_a_recipe_is_missing(claim):
    drop = replace(claim.drops[0], recipes=claim.drops[0].recipes[:3])
    assert failed(_recipe_steps(replace(claim, drops=(drop,)), range(1, 4))) == {"recipe"}


def answered(claim, token: int, name: str, value: object) -> str:
    "A token's URI with something else under a name of its JSON."
    facts = json.loads(base64.b64decode(claim.contract.uris[token].partition(",")[2]))
    facts[name] = value
    text = json.dumps(facts, separators=(",", ":"), ensure_ascii=False).encode()
    return "data:application/json;base64," + base64.b64encode(text).decode()


@quick_and_long
def test_sixty_changed_bits_of_pages_and_pictures(claim, share):
    "A page with another bit of its program or network, and a picture with another bit, are found by name."
    rng = np.random.default_rng(3)
    facts = json.loads(base64.b64decode(claim.contract.uris[1].partition(",")[2]))
    for name, field, kind in (("page", "animation_url", "text/html"), ("image", "image", "image/png")):
        content = base64.b64decode(facts[field].partition(",")[2])
        for _ in range(int(30 * share)):
            uri = f"data:{kind};base64," + base64.b64encode(flipped(content, rng)).decode()
            (finding,) = compare_uri(claim, 1, answered(claim, 1, field, uri))
            assert finding.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "Twelve Bytes #2"),
        ("description", "dense rings"),
        ("attributes", []),
        ("attributes", [{"trait_type": "motif", "value": "gold"}]),
        ("recipe", "00" * 12),
        ("model", "0" * 64),
        ("image", "ipfs://x"),
        ("animation_url", "data:text/html;base64,!"),
        ("image", None),
    ],
)
def test_what_else_a_token_may_say_falsely(claim, name, value):
    (finding,) = compare_uri(claim, 1, answered(claim, 1, name, value))
    assert finding.field == {"animation_url": "page"}.get(name, name)


@pytest.mark.parametrize(
    "uri", ["", "ipfs://x/1.json", "data:application/json;base64,!!", "data:application/json;base64,W10="]
)
def test_an_answer_that_is_no_json(claim, uri):
    (finding,) = compare_uri(claim, 1, uri)
    assert finding.field == "tokenURI"


def test_json_that_means_the_same_is_not_the_same(claim):
    text = base64.b64decode(claim.contract.uris[1].partition(",")[2])
    spaced = "data:application/json;base64," + base64.b64encode(text + b" ").decode()
    (finding,) = compare_uri(claim, 1, spaced)
    assert "mean the same" in finding.found


@quick_and_long
def test_forty_changed_bits_of_an_answer_are_in_the_proof(claim, share):
    "Whatever a bit of the whole answer becomes, the proof fails, and the token is named."
    rng = np.random.default_rng(4)
    for _ in range(int(40 * share)):
        raw = flipped(claim.contract.uris[2].encode(), rng)
        uris = claim.contract.uris | {2: raw.decode("latin1")}
        steps, cards = prove_drawn(replace(claim, contract=Answers(uris)), range(1, 3))
        assert {"tokenURI", "regenerate"} <= failed(steps)
        assert {step.token for step in steps if step.status == "failed"} == {2}
        assert 2 not in [card.token for card in cards]


def test_a_chain_that_is_not_there_leaves_it_unchecked(tmp_path):
    steps, cards = ask_drawn(parse_address("embedded:0x" + "1" * 40), tmp_path, "")
    assert [step.status for step in steps] == ["unchecked"]
    assert cards == ()


def test_only_a_page_that_draws_lets_a_program_run(claim):
    _, cards = prove_drawn(claim, range(1, 2), asked=1)
    drawn = proof_page(Proof("x:0x" + "0" * 40, (Step("chain", "held", "there"),), cards))
    assert 'sandbox="allow-scripts"' in drawn
    assert "frame-src data:; script-src 'unsafe-inline'" in drawn
    plain = replace(cards[0], page=b"")
    still = proof_page(Proof("x:0x" + "0" * 40, (Step("chain", "held", "there"),), (plain,)))
    assert "script" not in still.split("<main>")[0]
    assert "<iframe" not in still


CANVAS = (
    "() => { const c = document.querySelector('canvas');"
    " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data] }"
)


@pytest.mark.slow
@pytest.mark.parametrize("side", [128, 500])
def test_a_browser_draws_the_same_pixels(claim, side, browser):
    "Chromium, offline, opens the page that a tokenURI holds: canvas and screen have numpy's pixels, at the chain's size and at another."
    recipe = claim.drops[0].recipes[0]
    page = drawn_page(claim.model, recipe)
    context = browser.new_context(offline=True, viewport={"width": side, "height": side})
    opened = context.new_page()
    opened.goto("data:text/html;base64," + base64.b64encode(page).decode())
    opened.wait_for_function(f"document.querySelector('canvas').width == {side}")
    pixels = np.array(opened.evaluate(CANVAS), np.uint8).reshape(side, side, 4)
    shot = opened.screenshot()
    context.close()
    wanted = drawn_pixels(claim.model, recipe, side)
    assert (pixels[..., :3] == wanted).all()
    assert (pixels[..., 3] == 255).all()
    assert (np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")) == wanted).all()


@pytest.mark.slow
def test_the_proof_draws_its_tokens_in_a_browser(claim, tmp_path, browser):
    "The page of a proof, opened offline: each card's frame has a canvas with numpy's pixels, and the policy refuses nothing."
    steps, cards = prove_drawn(claim, range(1, 3))
    (tmp_path / "proof.html").write_text(proof_page(Proof("x:0x" + "0" * 40, tuple(steps), cards)))
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 1400})
    opened, refused = context.new_page(), []
    opened.on("console", lambda message: refused.append(message.text))
    opened.goto((tmp_path / "proof.html").as_uri())
    frames = [frame for frame in opened.frames if frame.parent_frame]
    for frame, recipe in zip(frames, claim.drops[0].recipes):
        frame.wait_for_function("(c => c && c.width == c.height)(document.querySelector('canvas'))")
        pixels = np.array(frame.evaluate(CANVAS), np.uint8)
        side = int((len(pixels) / 4) ** 0.5)
        assert (pixels.reshape(side, side, 4)[..., :3] == drawn_pixels(claim.model, recipe, side)).all()
    context.close()
    assert len(frames) == 2
    assert refused == []


def test_a_card_without_a_page_is_as_before():
    card = ProofCard(1, "n", {}, "d", "p", b"\x89PNG")
    assert card.page == b""
    assert make_model(bundled_model().network) == bundled_model()
