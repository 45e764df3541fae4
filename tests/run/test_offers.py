"`artmint sale list` and `unlist`: from a batch's tokens to a buyer, by the console."

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from web3.exceptions import ContractCustomError, Web3Exception

from artmint.core.collection import example
from artmint.deliver.seaport import ListingRefused, OwnersListing, price_at, read_owners_listing
from artmint.run import offers
from artmint.run.console import OtherFileThere
from artmint.run.offers import listing_ask
from tests.delivered import PASSPHRASE, Collected, friend
from tests.offered import LARGE, RealSeaport
from tests.safes import Owners, acted, artmint
from tests.studios import FAST

NOW = 1_800_000_000
LATER = "2060-01-01T00:00:00Z"
SINCE = "2020-01-01T00:00:00Z"


def stall_of(folder, node, monkeypatch):
    "A studio with a batch of six tokens; `words` is what follows every verb."
    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    studio = Collected(folder / "studio", node, 6)
    studio.path = studio.batch(example(), 6)
    studio.words = ["--studio", studio.folder, "--chain", node.url]
    return studio


@pytest.fixture
def stall(tmp_path, node, monkeypatch):
    return stall_of(tmp_path, node, monkeypatch)


def test_left_out_an_ask_is_the_same_all_day():
    day = NOW // 86400 * 86400
    one, two = (listing_ask(("0.05", ""), ("", ""), (), now) for now in (day, day + 86399))
    assert one == two
    assert (one.start, one.end, one.price, one.last_price) == (day, day + 30 * 86400, 5 * 10**16, 5 * 10**16)
    assert listing_ask(("0.05", ""), ("", ""), (), day + 86400) != one


@pytest.mark.parametrize(
    ("prices", "times", "fees", "words"),
    [
        (("much", ""), ("", ""), (), "no price such as 0.05"),
        (("-1", ""), ("", ""), (), "nought or more"),
        (("2", "1"), ("", ""), (), "needs --from and --until"),
        (("2", "1"), (SINCE, ""), (), "needs --from and --until"),
        (("2", ""), ("", "2060-01-01T00:00:00"), (), "has no zone"),
        (("2", ""), ("soon", ""), (), "no time such as"),
        (("2", ""), ("", ""), ("0x12:100",), "no address with basis points"),
        (("2", ""), ("", ""), (friend(1).address,), "no address with basis points"),
        (("2", ""), ("", ""), (friend(1).address + ":0",), "no address with basis points"),
        (("2", ""), ("", ""), (friend(1).address + ":2.5",), "no address with basis points"),
    ],
)
def test_what_cant_be_read_is_said(prices, times, fees, words):
    with pytest.raises(ListingRefused, match=words):
        listing_ask(prices, times, fees, NOW)


@pytest.mark.parametrize("text", ["mine", "[]", '{"parameters": {}}', '[{"parameters": {"salt": "2"}}]'])
def test_listings_that_were_signed_before_are_not_written_over(tmp_path, text):
    "They stay valid, and the file is what cancels them."
    out, orders = tmp_path / "listings.json", [{"salt": "1"}]
    offers._refuse_over(out, orders)
    out.write_text(text)
    with pytest.raises(OtherFileThere, match="stay valid"):
        offers._refuse_over(out, orders)
    for same in ({"parameters": orders[0]}, [{"parameters": orders[0], "signature": "0x"}]):
        out.write_text(json.dumps(same))
        offers._refuse_over(out, orders)


def test_refused_before_a_key_is_opened(stall, capsys, monkeypatch):
    monkeypatch.delenv("ARTMINT_PASSPHRASE")

    def say(*words):
        return artmint(capsys, "sale", *words, *stall.words, code=2)

    assert "no Seaport 1.6 to list with" in say("list", stall.path, "1", "--price", "1")
    assert "no Seaport 1.6" in say("approve", stall.path, "--seaport")
    assert "one of the two" in say("unlist", stall.path)
    assert "one of the two" in say("unlist", stall.path, stall.path, "--all")
    assert "holds no Seaport order" in say("unlist", stall.path, stall.path)
    settings = stall.folder / "studio.toml"
    settings.write_text('[signers.treasury]\nkind = "web3signer"\nurl = "http://127.0.0.1:1"\naddress = "%s"\n' % stall.treasury)  # fmt: skip
    assert "signs transactions and nothing else" in say("list", stall.path, "1", "--price", "1")
    settings.write_text(f'[signers.treasury]\nkind = "safe"\naddress = "{stall.treasury}"\n')
    assert f"{stall.treasury} isn't a Safe" in say("list", stall.path, "1", "--price", "1")
    assert "--at goes with --seaport" in say("approve", stall.path, "--at", stall.treasury)
    assert not list(stall.folder.glob("sales/**/*.json"))


@pytest.mark.slow
class TestWithSeaport:
    "Seaport's own contracts (npm), on an anvil."

    @pytest.fixture
    def market(self, tmp_path, start_anvil, monkeypatch, capsys):
        studio = stall_of(tmp_path, start_anvil(*LARGE), monkeypatch)
        self.capsys, self.studio, self.real = capsys, studio, RealSeaport(studio)
        studio.node.fund(friend(1).address)
        studio.words += ["--at", self.real.address]
        return studio

    def say(self, verb, *words, code=0):
        return artmint(self.capsys, "sale", verb, self.studio.path, *words, *self.studio.words, code=code)

    def listed(self, *words):
        "The listings in the files that a call wrote."
        told = json.loads(self.say("list", *words, "--json"))
        return [json.loads(open(path).read()) for path in told["files"]]

    def test_from_a_price_to_a_buyer(self, market):
        buyer, words = friend(1), ("--price", "0.5", "--from", SINCE, "--until", LATER)
        assert "nothing was signed and nothing was written" in self.say("list", "1-3", *words, "--dry-run")
        assert not (market.folder / "sales").exists()
        said = self.say("list", "1-3", *words)
        assert "Seaport isn't approved" in said and "nothing was posted" in said and "unlist" in said
        first, second, third = self.listed("1-3", *words)  # the same again
        assert len(list(market.folder.glob("sales/*-seaport/*.json"))) == 3
        with pytest.raises(Web3Exception):  # not approved
            self.real.bought(first, buyer, 5 * 10**17)
        assert "setApprovalForAll 0x" in self.say("approve", "--seaport")
        assert "it is so already" in self.say("approve", "--seaport")
        assert "isn't approved" not in self.say("list", "1", *words)
        for wrong in (5 * 10**17 - 1, 0):
            with pytest.raises(Web3Exception):
                self.real.bought(first, buyer, wrong)
        artist = market.contract.functions.royaltyInfo(1, 5 * 10**17).call()
        assert artist == [market.treasury, 5 * 10**17 // 20]  # here the treasury is its own artist
        before = market.web3.eth.get_balance(market.treasury)
        self.real.bought(first, buyer, 5 * 10**17)
        assert market.contract.functions.ownerOf(1).call() == buyer.address
        assert market.web3.eth.get_balance(market.treasury) - before == 5 * 10**17
        assert "and not the treasury's" in self.say("list", "1-2", *words, code=2)
        told = json.loads(self.say("list", "2", *words, "--json"))["listings"][0]
        assert self.real.bought_by_library(second, buyer) == told["order"]
        assert market.contract.functions.ownerOf(2).call() == buyer.address
        assert "setApprovalForAll 0x" in self.say("end", "--seaport")
        with pytest.raises(Web3Exception):
            self.real.bought(third, buyer, 5 * 10**17)

    def test_everybody_with_a_part_gets_it_and_a_price_falls(self, market):
        buyer, artist, house = friend(1), friend(2).address, friend(3).address
        market.send(market.contract.functions.setRoyalty(artist, 750))
        now = market.web3.eth.get_block("latest")["timestamp"]
        start = now // 86400 * 86400
        times = ("--from", stamp(start), "--until", stamp(start + 10 * 86400))
        words = ("--price", "1", "--to-price", "0.2", *times, "--fee", f"{house}:100")
        self.say("approve", "--seaport")
        (listing,) = self.listed("4", *words, "--out", market.folder / "four.json")
        half = start + 5 * 86400
        assert price_at(listing["parameters"], half) == 6 * 10**17
        with pytest.raises(Web3Exception):
            self.real.bought(listing, buyer, 2 * 10**17)  # it hasn't fallen yet
        market.node("evm_setNextBlockTimestamp", half)
        before = [market.web3.eth.get_balance(who) for who in (market.treasury, artist, house)]
        self.real.bought(listing, buyer, 10**18)  # what is too much comes back
        got = [
            market.web3.eth.get_balance(who) - had
            for who, had in zip((market.treasury, artist, house), before)
        ]
        assert got == [6 * 10**17 - 45 * 10**15 - 6 * 10**15, 45 * 10**15, 6 * 10**15]
        assert market.contract.functions.ownerOf(4).call() == buyer.address
        (late,) = self.listed("5", *words)
        market.node("evm_setNextBlockTimestamp", start + 10 * 86400)
        market.node("anvil_mine")
        with pytest.raises(Web3Exception):
            self.real.bought(late, buyer, 10**18)
        assert market.contract.functions.ownerOf(5).call() == market.treasury
        assert "it ended" in self.say("list", "5", *words, code=2)

    def test_what_is_cancelled_is_not_for_sale(self, market):
        buyer, words = friend(1), ("--price", "0.5", "--until", LATER, "--from", SINCE)
        self.say("approve", "--seaport")
        out = market.folder / "some.json"
        assert len(self.listed("1-3", *words, "--out", out)[0]) == 3
        one, two, three = json.loads(out.read_text())
        single = market.folder / "one.json"
        single.write_text(json.dumps(one))
        assert "would send cancel" in self.say("unlist", single, "--dry-run")
        assert "cancel 0x" in self.say("unlist", single)
        assert "it is so already" in self.say("unlist", single)
        with pytest.raises(ContractCustomError):
            self.real.bought(one, buyer, 5 * 10**17)
        assert "was cancelled before" in self.say("list", "1-3", *words, code=2)
        self.real.bought(two, buyer, 5 * 10**17)
        assert "incrementCounter 0x" in self.say("unlist", "--all")
        with pytest.raises(Web3Exception):
            self.real.bought(three, buyer, 5 * 10**17)
        (again,) = self.listed("3", *words)  # with the new counter
        assert again["parameters"]["counter"] != "0"
        self.real.bought(again, buyer, 5 * 10**17)
        assert market.contract.functions.ownerOf(3).call() == buyer.address

    def test_on_a_main_network_it_is_asked_for(self, tmp_path, start_anvil, monkeypatch, capsys):
        studio = stall_of(tmp_path, start_anvil(*LARGE, "--chain-id", "1"), monkeypatch)
        self.capsys, self.studio, self.real = capsys, studio, RealSeaport(studio)
        studio.words += ["--at", self.real.address]
        assert "look at --dry-run, then say --yes" in self.say("list", "1", "--price", "1", code=2)
        assert not (studio.folder / "sales").exists()
        assert "written" in self.say("list", "1", "--price", "1", "--yes")


@pytest.mark.slow
class TestWithSafe:
    "A treasury that is a real Safe of three owners, two of whom decide, and Seaport's own contracts."

    @pytest.fixture
    def vault(self, tmp_path, start_anvil, monkeypatch, capsys):
        monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
        node = start_anvil(*LARGE)
        (tmp_path / "studio").mkdir()
        self.capsys, self.owners = capsys, Owners(tmp_path / "studio", node)
        studio = Collected(tmp_path / "studio", node, 6, treasury=self.owners.safe)
        settings = f'[signers.treasury]\nkind = "safe"\naddress = "{self.owners.safe}"\n'
        (studio.folder / "studio.toml").write_text(settings)
        self.studio, self.real = studio, RealSeaport(studio)
        studio.path = studio.batch(example(), 6)
        for number in (1, 2):
            node.fund(friend(number).address)
        return studio

    def say(self, verb, *words, code=0):
        where = ("--studio", self.studio.folder, "--chain", self.studio.node.url)
        at = () if verb == "sign" else (self.studio.path,)
        more = ("--at", self.real.address) if verb in ("list", "unlist", "approve", "end") else ()
        return artmint(self.capsys, "sale", verb, *at, *words, *where, *more, code=code)

    def proposed(self):
        (path,) = self.studio.folder.glob("proposals/*.safe-wallet.json")
        return path

    def keystore(self, number):
        wallet = self.owners.wallets[number]
        path = self.studio.folder.parent / f"owner-{number}.json"
        path.write_text(json.dumps(Account.encrypt(wallet.key, PASSPHRASE, "scrypt", FAST)))
        return path

    def test_its_owners_list_sell_and_take_back(self, vault):
        words = ("1-3", "--price", "0.5", "--from", SINCE, "--until", LATER)
        anna, ben, cleo = self.owners.wallets
        assert "doesn't answer whether it has signed" in self.say("list", *words, code=2)
        self.owners.give_word()
        assert "nothing was written" in self.say("list", *words, "--dry-run")
        assert "owners of a Safe" in self.say("list", *words, "--out", vault.folder / "x.json", code=2)
        said = self.say("list", *words, code=4)
        assert "isn't approved" in said and "sale sign" in said
        files = sorted(vault.folder.glob("sales/*/*.owners.json"))
        assert len(files) == 3 and not list(vault.folder.glob("sales/*/[0-9]-????????.json"))
        offline = artmint(self.capsys, "sale", "sign", *files, "--keystore", self.keystore(0))
        assert offline.count(f"signed   {anna.address}") == 3 and "0.475 to" in offline
        assert self.say("list", *words, code=4) and anna.address in files[0].read_text()  # nothing is lost
        assert "Owners who have signed" in self.say("sign", *files, code=4)
        first = read_owners_listing(files[0])
        shown = ben.sign_message(typed_word(first)).signature.hex()  # as a wallet shows it
        assert "name where it is" in artmint(
            self.capsys, "sale", "sign", files[0], "--signature", shown, code=2
        )
        assert "counts for nobody" in self.say("sign", files[1], "--signature", shown, code=2)
        done = json.loads(self.say("sign", files[0], "--signature", shown, "--json"))["listings"][0]
        other = files[1].with_name("bens-copy.json")
        other.write_text(
            OwnersListing(**json.loads(files[1].read_text()) | {"signatures": {}}).model_dump_json()
        )
        artmint(self.capsys, "sale", "sign", other, "--keystore", self.keystore(1))
        two = json.loads(self.say("sign", files[1], other, "--json"))["listings"][0]
        marked = cleo.sign_message(encode_defunct(read_owners_listing(files[2]).digest())).signature.hex()
        three = json.loads(self.say("sign", files[2], "--signature", marked, "--json"))["listings"][0]
        one, two, three = (json.loads(open(row["file"]).read()) for row in (done, two, three))
        with pytest.raises(Web3Exception):  # not approved
            self.real.bought(one, friend(1), 5 * 10**17)
        assert "Transaction Builder" in self.say("approve", "--seaport", code=4)
        acted(self.owners, self.proposed())
        assert "it is so already" in self.say("approve", "--seaport")
        forged = one | {"signature": one["signature"][:-4] + "ffff"}
        with pytest.raises(Web3Exception):
            self.real.bought(forged, friend(1), 5 * 10**17)
        for wrong in (5 * 10**17 - 1, 0):
            with pytest.raises(Web3Exception):
                self.real.bought(one, friend(1), wrong)
        before = vault.web3.eth.get_balance(self.owners.safe)
        self.real.bought(one, friend(1), 5 * 10**17)
        self.real.bought_by_library(two, friend(2))
        owners = [vault.contract.functions.ownerOf(token).call() for token in (1, 2, 3)]
        assert owners == [friend(1).address, friend(2).address, self.owners.safe]
        assert vault.web3.eth.get_balance(self.owners.safe) - before == 10**18  # it is its own artist here
        self.say("unlist", files[2], code=4)
        self.say("unlist", "--all", code=4)
        both = sorted(vault.folder.glob("proposals/*.safe-wallet.json"))
        assert len(both) == 2  # the second hasn't replaced the first
        acted(self.owners, both[0])
        with pytest.raises(Web3Exception):
            self.real.bought(three, friend(1), 5 * 10**17)
        assert "was cancelled" in self.say("sign", files[2], code=2)
        assert "and not the treasury's" in self.say("list", *words, code=2)
        acted(self.owners, both[1])
        assert "raised the counter" in self.say("sign", files[2], code=2)

    def test_what_an_owner_should_not_sign_is_refused(self, vault):
        self.owners.give_word()
        self.say("list", "4", "--price", "0.5", "--from", SINCE, "--until", LATER, code=4)
        (path,) = vault.folder.glob("sales/*/*.owners.json")
        sound = json.loads(path.read_text())
        order = sound["parameters"]
        gift = [{**order["consideration"][0], "startAmount": "1", "endAmount": "1"}]
        more = [{**order["offer"][0], "identifierOrCriteria": "5"}]
        thief = [{**order["consideration"][0], "recipient": friend(9).address}]
        for odd in (
            {"consideration": gift},  # the salt doesn't fit
            {"offer": order["offer"] + more},
            {"consideration": thief},
            {"zone": friend(9).address},
            {"offerer": friend(9).address},
            {"consideration": [{**order["consideration"][0], "itemType": 1}]},
        ):
            path.write_text(json.dumps(sound | {"parameters": order | odd}))
            said = self.say("sign", path, "--keystore", self.keystore(0), code=2)
            assert "Nothing was signed" in said, odd
            assert json.loads(path.read_text())["signatures"] == {}
        usual = OwnersListing(**sound).meaning()
        assert usual.startswith("ATTENTION, not the usual Seaport") and "token 4" in usual


def typed_word(listing):
    "A Safe's message as a wallet shows it (eth_signTypedData_v4)."
    domain = [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}]
    return encode_typed_data(
        full_message={
            "types": {"EIP712Domain": domain, "SafeMessage": [{"name": "message", "type": "bytes"}]},
            "primaryType": "SafeMessage",
            "domain": {"chainId": listing.chain_id, "verifyingContract": listing.safe},
            "message": {"message": listing.asked},
        }
    )


def stamp(seconds):
    "A time as the console takes it."
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat()
