"The page to buy on, in a real browser with twenty wallets: each gets what the sale gives it, or a sentence."

import functools
import http.server
import json
import re
import threading
import urllib.request

import pytest

from artmint.chain.journal import Journal
from artmint.chain.networks import network_of
from artmint.chain.signers import KeystoreSigner
from artmint.deliver.claim import claim_facts, claim_page, write_proofs
from artmint.deliver.terms import SaleTerms, SaleStage
from artmint.sale import approval_calls, deploy_sale, sale_at
from tests.boards import browser  # noqa: F401 a fixture
from tests.services import node_modules
from tests.delivered import PASSPHRASE, Collected, friend

NOBODY = "0x" + "0" * 40
PRICE = 10**16
CHEAP = PRICE // 2
FRIENDS = tuple(sorted((friend(n).address, 2, CHEAP) for n in (*range(1, 9), 20)))
FREE = tuple(sorted((friend(n).address, 1, 0) for n in (1, 2)))
TITLE = "Rings <b>& suns</b>"
BRIDGE = """
window.ethereum = {
  listeners: {},
  on(name, heard) { this.listeners[name] = heard; },
  async request(asked) {
    const answer = JSON.parse(await window.bridge(JSON.stringify(asked)));
    if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
    return answer.result;
  },
};
"""


class Wallet:
    "A wallet in a page: its key signs what the page asks for, its node is an anvil."

    def __init__(self, shop, account, chain=31337, accepts=True, connects=True):
        self.shop, self.account, self.chain = shop, account, chain
        self.accepts, self.connects, self.asked = accepts, connects, []

    def __call__(self, text: str) -> str:
        asked = json.loads(text)
        self.asked.append(asked["method"])
        try:
            return json.dumps({"result": self.answer(asked["method"], asked.get("params", []))})
        except Declined:
            return json.dumps({"error": {"code": 4001, "message": "User rejected the request."}})
        except Refused as refused:
            return json.dumps({"error": refused.args[0]})

    def answer(self, method: str, params: list):
        match method:
            case "eth_requestAccounts":
                if not self.connects:
                    raise Declined
                return [self.account.address.lower()]
            case "eth_chainId":
                return hex(self.chain)
            case "wallet_switchEthereumChain":
                self.chain = int(params[0]["chainId"], 16)
                return None
            case "eth_sendTransaction":
                return self.sent(params[0])
        return asked_of(self.shop.node, method, params)

    def sent(self, asked: dict) -> str:
        if not self.accepts:
            raise Declined
        web3, sender = self.shop.web3, self.account.address
        fields = {
            "to": asked["to"],
            "data": asked["data"],
            "value": int(asked["value"], 16),
            "chainId": 31337,
        }
        fields |= {"to": web3.to_checksum_address(asked["to"]), "gas": 500_000, "maxPriorityFeePerGas": 10**9}
        fields |= {"nonce": web3.eth.get_transaction_count(sender), "maxFeePerGas": 10**11}
        raw = self.account.sign_transaction(fields).raw_transaction
        return self.shop.node("eth_sendRawTransaction", "0x" + raw.hex())


class Refused(Exception):
    "A node's error, whole, as wallets hand it on."


def asked_of(node, method: str, params: list):
    "A node's answer. Raises Refused."
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(node.url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        answer = json.load(response)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["result"]


class Declined(Exception):
    "Somebody said no in their wallet."


@pytest.fixture(scope="module")
def shop(tmp_path_factory, node):
    "A sale that is open, its page and its proofs at an address."
    folder = tmp_path_factory.mktemp("shop")
    studio = Collected(folder, node, 40)
    now = studio.web3.eth.get_block("latest")["timestamp"]
    stages = (
        SaleStage(name="friends", start=1, end=2**39, limit=0, price=0, buyers=FRIENDS),
        SaleStage(name="gifts", start=1, end=2**39, limit=0, price=0, buyers=FREE),
        SaleStage(name="everybody", start=1, end=2**39, limit=2, price=PRICE),
        SaleStage(name="later", start=now + 10**7, end=2**39, limit=2, price=PRICE),
        SaleStage(name="earlier", start=1, end=2, limit=2, price=PRICE),
    )
    facts = {
        "treasury": studio.treasury,
        "payee": studio.boss.address,
        "gate": NOBODY,
        "gate_root": "0x" + "0" * 64,
    }
    terms = SaleTerms(name="first", first=1, last=20, stages=stages, **facts)
    journal = Journal(
        studio.catalog, studio.linked, KeystoreSigner(folder / "keys/treasury.json", PASSPHRASE)
    )
    record = deploy_sale(journal, studio.contract, "demo", terms)
    for call in approval_calls(studio.contract, studio.treasury, record.address):
        journal.send(call, {"verb": call.fn_name})
    studio.journal, studio.sale = journal, sale_at(studio.web3, record.address)
    place = folder / "page"
    write_proofs(place, record.address, 31337, terms)
    known = claim_facts(record.address, studio.contract.address, TITLE, network_of(31337), terms)
    (place / "index.html").write_text(claim_page(known))
    studio.place = place
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(place)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    studio.url = f"http://127.0.0.1:{server.server_port}/"
    yield studio
    server.shutdown()


@pytest.fixture
def visit(browser, shop):  # noqa: F811
    "Opens the page as a wallet's owner sees it: visit(account, money) gives page and wallet."
    pages = []

    def opened(account, money=10**18, width=1280, **how):
        shop.node.fund(account.address, money)
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.trouble = []
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("console", lambda line: page.trouble.append(line.text) if line.type == "error" else None)
        wallet = Wallet(shop, account, **how)
        page.expose_function("bridge", wallet)
        page.add_init_script(BRIDGE)
        page.goto(shop.url)
        pages.append(page)
        return page, wallet

    yield opened
    for page in pages:
        page.close()


def says(page, words):
    "Wait until the page says something, and give the whole line."
    page.wait_for_function(
        "words => new RegExp(words).test(document.getElementById('says').textContent)",
        arg=words,
        timeout=30_000,
    )
    return page.locator("#says").text_content()


def connected(page, words="You may buy now"):
    page.click("#connect")
    says(page, words)


def stage(page, name):
    return page.locator(f"[data-stage={name}]")


def take(page, name, many=1, words="Yours now"):
    box = stage(page, name)
    box.locator("input").fill(str(many))
    box.locator("button").click()
    return says(page, words)


def held(shop, account):
    return shop.contract.functions.balanceOf(account.address).call()


def test_a_friend_buys_at_a_friend_s_price_and_then_no_more(shop, visit):
    page, _ = visit(friend(1))
    connected(page)
    assert stage(page, "friends").get_attribute("data-state") == "yes"
    line = take(page, "friends", 2)
    assert re.search(r"tokens \d+, \d+\. Transaction 0x", line)
    assert held(shop, friend(1)) == 2
    stage(page, "friends").locator("text=bought all").wait_for()
    assert stage(page, "friends").locator("button").count() == 0
    assert page.title() == f"Buy {TITLE}"
    assert page.trouble == []


@pytest.mark.slow
def test_a_gift_costs_nothing(shop, visit):
    page, _ = visit(friend(2))
    connected(page)
    assert stage(page, "gifts").locator("button").text_content() == "Take"
    take(page, "gifts")
    assert held(shop, friend(2)) == 1


def test_a_stranger_buys_where_everybody_may(shop, visit):
    page, _ = visit(friend(30))
    connected(page)
    assert stage(page, "friends").get_attribute("data-state") == "no"
    assert "isn't on the list" in stage(page, "friends").text_content()
    assert stage(page, "everybody").locator("button").text_content() == "Buy for 0.01 ether"
    take(page, "everybody", 2)
    assert held(shop, friend(30)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [("later", "when it opens"), ("earlier", "is over")])
def test_a_stage_out_of_its_time_has_no_button(visit, name, words):
    page, _ = visit(friend(31))
    connected(page)
    assert words in stage(page, name).text_content()
    assert stage(page, name).locator("button").count() == 0


@pytest.mark.many(1)
@pytest.mark.parametrize(
    ("many", "words"),
    [(3, "You may buy 2 more"), (0, "at least one"), (99, "You may buy 2 more")],
)
def test_too_many_or_none_are_refused_before_the_wallet_is_asked(shop, visit, many, words):
    page, wallet = visit(friend(32))
    connected(page)
    take(page, "everybody", many, words)
    assert "eth_sendTransaction" not in wallet.asked
    assert held(shop, friend(32)) == 0


@pytest.mark.many(1)
@pytest.mark.parametrize("money", [0, PRICE // 2])
def test_a_wallet_without_the_money_is_told(shop, visit, money):
    page, wallet = visit(friend(33), money)
    connected(page)
    take(page, "everybody", 1, "hasn't enough money")
    assert "eth_sendTransaction" not in wallet.asked
    assert held(shop, friend(33)) == 0


def test_who_declines_pays_nothing(shop, visit):
    page, _ = visit(friend(34), accepts=False)
    connected(page)
    take(page, "everybody", 1, "You declined")
    assert held(shop, friend(34)) == 0
    assert stage(page, "everybody").locator("button").is_enabled()


@pytest.mark.slow
def test_who_doesn_t_connect_is_not_pressed(visit):
    page, _ = visit(friend(35), connects=False)
    connected(page, "You declined")
    assert page.locator("#connect").is_enabled()


def test_a_wallet_on_another_chain_is_shown_the_way(shop, visit):
    page, wallet = visit(friend(36), chain=1)
    connected(page, "Your wallet is on chain 1")
    assert page.locator("#stages li").count() == 0
    page.click("text=Switch")
    says(page, "You may buy now")
    take(page, "everybody")
    assert held(shop, friend(36)) == 1 and "wallet_switchEthereumChain" in wallet.asked


@pytest.mark.slow
def test_a_chain_that_changes_on_the_way_stops_the_purchase(shop, visit):
    page, wallet = visit(friend(37))
    connected(page)
    wallet.chain = 1
    take(page, "everybody", 1, "another chain")
    assert "eth_sendTransaction" not in wallet.asked and held(shop, friend(37)) == 0


def test_a_wrong_proof_is_refused_by_the_contract(shop, visit):
    path = shop.place / f"proofs/{friend(3).address.lower()}.json"
    before = path.read_text()
    document = json.loads(before)
    document["stages"][0]["proof"][0] = "0x" + "ab" * 32
    path.write_text(json.dumps(document))
    page, wallet = visit(friend(3))
    connected(page)
    take(page, "friends", 1, "isn't on the list")
    path.write_text(before)
    assert "eth_sendTransaction" not in wallet.asked and held(shop, friend(3)) == 0


@pytest.mark.slow
def test_somebody_else_s_proof_with_better_terms_is_refused(shop, visit):
    path = shop.place / f"proofs/{friend(4).address.lower()}.json"
    before = path.read_text()
    path.write_text(before.replace(str(CHEAP), "1"))
    page, _ = visit(friend(4))
    connected(page)
    take(page, "friends", 1, "isn't on the list")
    path.write_text(before)
    assert held(shop, friend(4)) == 0


@pytest.mark.slow
def test_a_wallet_that_changes_its_account_sees_its_own_terms(visit):
    page, wallet = visit(friend(5))
    connected(page)
    assert stage(page, "friends").get_attribute("data-state") == "yes"
    wallet.account = friend(38)
    page.evaluate("account => window.ethereum.listeners.accountsChanged([account])", friend(38).address)
    page.wait_for_function("() => document.querySelector('[data-stage=friends]').dataset.state === 'no'")


@pytest.mark.slow
def test_a_sale_that_the_treasury_ended_says_so(shop, visit):
    for approved in (False, True):
        for call in approval_calls(shop.contract, shop.treasury, shop.sale.address, approved):
            shop.journal.send(call, {"verb": call.fn_name})
        if not approved:
            page, wallet = visit(friend(39))
            connected(page)
            take(page, "everybody", 1, "paused or ended")
            assert "eth_sendTransaction" not in wallet.asked and held(shop, friend(39)) == 0


@pytest.mark.slow
def test_a_browser_without_a_wallet_says_what_is_missing(browser, shop):  # noqa: F811
    page = browser.new_page()
    page.goto(shop.url)
    page.click("#connect")
    assert "no wallet" in says(page, "wallet's browser")
    page.close()


def test_the_page_asks_nobody_else_and_runs_nothing_else(shop):
    text = (shop.place / "index.html").read_text()
    assert "</script>" not in text.split('id="facts">')[1].split("</script>")[0]
    assert "<b>" not in text.split('id="facts">')[1].split("</script>")[0]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'; connect-src 'self'; script-src 'sha256-")
    assert re.findall(r"https?://", text) == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "name"), [(1280, "desktop"), (390, "phone")])
def test_it_can_be_read_by_everybody(visit, tmp_path, width, name):
    axe = node_modules("axe") / "node_modules" / "axe-core" / "axe.min.js"
    page, _ = visit(friend(20), width=width)
    for step in ("before", "after"):
        if step == "after":
            connected(page)
            take(page, "everybody")
        page.evaluate(axe.read_text())
        found = page.evaluate(
            "async () => (await axe.run()).violations.map(one => `${one.id}: ${one.nodes[0].html}`)"
        )
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=tmp_path / f"{name}-{step}.png", full_page=True)
