"What a collection says to markets: filled in for each token, and refused by its key where it makes no sense."

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.collection import InconsistentCollection, Market, OneOfOne, read_collection
from artmint.core.market import (
    fact_at,
    fact_type,
    is_like_another,
    market_problems,
    media_of,
    own_words,
    range_of,
    token_texts,
)
from artmint.core.records import Slot
from artmint.seeds import load_collection
from tests.shown import ADA, BEN, DEMO_TEXT, LOOP, shown_folder
from tests.shown import FOLDER as DEMO
from tests.shown import read_demo as read


def problems(folder, more: str, *changes) -> list[str]:
    "What is wrong with the demo's file with more at its end."
    try:
        return market_problems(read(folder, *changes, more="\n" + more))
    except InconsistentCollection as refusal:
        return refusal.problems


WRONG = {
    "an unknown key": ('[market]\nanimation = "a"', "market.animation: unknown key, is it animation_url?"),
    "a symbol with a blank": ('[market]\nsymbol = "A B"', "market.symbol"),
    "a symbol that is too long": ('[market]\nsymbol = "ABCDEFGHIJKL"', "market.symbol"),
    "a colour with a sign": (
        '[market]\nbackground_color = "#0c1233"',
        "market.background_color: '#0c1233' is no",
    ),
    "a link in the clear": ('[market]\nexternal_link = "http://art.example"', "market.external_link"),
    "a mistyped address": (
        '[market]\ncollaborators = ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"]',
        "no checksum of it (EIP-55)",
    ),
    "a collaborator twice": (
        f'[market]\ncollaborators = ["0x{"ab" * 20}", "0x{"AB" * 20}"]',
        f"market.collaborators: 0x{'ab' * 20} is named twice",
    ),
    "a name without its number": ('[market]\ntoken_name = "{title}"', "market.token_name: no two tokens may"),
    "a name with a number in braces": (
        '[market]\ntoken_name = "{{id}}"',
        "market.token_name: no two tokens may",
    ),
    "an unknown field": ('[market]\ntoken_name = "{titel} {id}"', "{titel} is no field, is it 'title'?"),
    "a field that does something": ('[market]\ntoken_name = "{id:09}"', "{id} may hold a field's name"),
    "an open brace": ('[market]\ntoken_name = "{id"', "market.token_name: '{id' is no template"),
    "a description in its own name": (
        '[market]\ntoken_name = "{description} {id}"',
        "{description} is no field",
    ),
    "markup that is filled in": (
        '[market]\ntoken_name = "<{motif} {id}"',
        "market.token_name: filled in, '<mountains 16' is unfit: markup '<m'",
    ),
    "a name that grows too long": (
        f'[market]\ntoken_name = "{"x" * 495} {{id}} {{motif}}"',
        "and at most 500 are published",
    ),
    "a description that grows too long": (
        f'[market]\ntoken_description = "{{description}} {"x" * 9_950}"',
        "market.token_description: filled in",
    ),
    "a trait in a link": (
        '[market]\nexternal_url = "https://art.example/{motif}"',
        "market.external_url: {motif} is no field; there are id, supply, collection",
    ),
    "a link that nothing answers": (
        '[market]\nexternal_url = "{id}"',
        "market.external_url: '16' is no link",
    ),
    "an absent value in a name": (
        '[market]\ntoken_name = "{placement} {id}"\n[absent]\nplacement = ["offset"]',
        "market.token_name: {placement} has values that are absent",
    ),
    "a label that names can't be checked by": (
        '[market]\ntoken_name = "{motif} {id}"\n[labels]\nmotif = "Motif: {id}"',
        "market.token_name: {motif} is published as 'Motif: {id}'",
    ),
    "a file that isn't there": (
        '[market]\nanimation_url = "loop.mp4"',
        "market.animation_url: the file 'loop.mp4'",
    ),
    "a page in a file": ('[market]\nanimation_url = "page.html"', "doesn't end in mp4"),
    "a picture as animation": ('[market]\nanimation_url = "a.png"', "doesn't end in mp4"),
    "a video as banner": (
        '[market]\nbanner_image = "loop.mp4"',
        "market.banner_image: the file 'loop.mp4' doesn't",
    ),
    "a token's file that isn't there": (
        '[market.tokens.3]\nanimation_url = "loop.mp4"',
        "market.tokens.3.animation_url: the file 'loop.mp4'",
    ),
    "no trait": ('[market.display.motiv]\ntype = "number"', "market.display.motiv: no trait is called so"),
    "no number": ('[market.display.motif]\ntype = "number"', "market.display.motif: 'rings' is no number"),
    "no way to show it": ('[market.display.motif]\ntype = "stars"', "market.display.motif.type"),
    "two spellings of one date": (
        '[market.display.placement]\ntype = "date"\n[value_labels.placement]\n'
        'centred = "2026-11-29"\noffset = "2026-11-29T00:00:00Z"',
        "are published as one value, 1795910400",
    ),
    "a highest word": ('[market.display.motif]\ntype = "text"\nmax_value = 3', "a text has no highest value"),
    "a fact without a value": ('[market.facts.artist]\nlabel = "Artist"', "has neither value nor values"),
    "a fact called as a trait": (
        '[market.facts.x]\nlabel = "Motif"\nvalue = "7"',
        "market.facts.x: 'Motif' is published already, as 'motif'",
    ),
    "two facts of one name": (
        '[market.facts.x]\nlabel = "Artist"\nvalue = "A"\n[market.facts.artist]\nvalue = "B"',
        "market.facts.artist: 'artist' is published already, as 'Artist'",
    ),
    "a fact in markup": ('[market.facts.x]\nvalue = "<b>Ada</b>"', "market.facts.x.value"),
    "a fact of a trait": ('[market.facts.x]\nvalue = "{motif}"', "market.facts.x: {motif} is no field"),
    "values in two spellings": (
        '[market.facts.x]\nvalues = { "1" = "Gold", "2" = "gold" }',
        "market.facts.x: ['Gold', 'gold'] differ in case or form alone",
    ),
    "a day that isn't": ('[market.facts.x]\ntype = "date"\nvalue = 2026-02-30', "no TOML"),
    "a year for a date": ('[market.facts.x]\ntype = "date"\nvalue = 2026', "2026 is no date"),
    "milliseconds": ('[market.facts.x]\ntype = "date"\nvalue = 1764410400000', "1764410400000 is no date"),
    "a boost of words": ('[market.facts.x]\ntype = "boost_number"\nvalue = "much"', "'much' is no number"),
    "a highest value below": (
        "[market.facts.x]\nvalue = 7\nmax_value = 5",
        "max_value: 5 is below the value 7",
    ),
    "a highest value that is none": (
        "[market.facts.x]\nvalue = 7\nmax_value = inf",
        "market.facts.x.max_value",
    ),
    "not a number": ("[market.facts.x]\nvalue = nan", "market.facts.x.value"),
    "a number of too many digits": (
        "[market.facts.x]\nvalue = 1234567890123456",
        "is no number as it is published",
    ),
    "a range beyond the supply": (
        '[market.facts.x]\nvalues = { "9-17" = 1 }',
        "'9-17' is no range of tokens 1 to 16",
    ),
    "a range backwards": ('[market.facts.x]\nvalues = { "9-2" = 1 }', "'9-2' is no range of tokens"),
    "a token in two ranges": ('[market.facts.x]\nvalues = { "1-4" = 1, "4" = 2 }', "token 4 is named twice"),
    "a range in words": ('[market.facts.x]\nvalues = { "first" = 1 }', "market.facts.x.values.first"),
    "a token beyond the supply": (
        '[market.tokens.17]\nname = "Late"',
        "market.tokens.17: there are tokens 1 to 16",
    ),
    "a one-of-one that isn't there": (
        '[market.tokens.queen]\nname = "Q"',
        "market.tokens.queen: no one-of-one",
    ),
    "a token that says nothing": ("[market.tokens.3]", "market.tokens.3: says nothing"),
    "a name that is another's": (
        '[market.tokens.3]\nname = "first light  #4"',
        "market.tokens.3.name: 'first light  #4' looks like the name of another token",
    ),
    "a name with another's number": (
        '[market.tokens.3]\nname = "Ode #4"',
        "looks like the name of another token",
    ),
    "a name with its own number": (
        '[market.tokens.3]\nname = "First Light #3"',
        "looks like the name of another",
    ),
    "two names of one spelling": (
        '[market.tokens.3]\nname = "Dawn"\n[market.tokens.4]\nname = "DAWN"',
        "['Dawn', 'DAWN'] differ in case or form alone",
    ),
    "shares that aren't all": (
        f'[[royalty.shares]]\naccount = "{ADA}"\npercent = 60\n[[royalty.shares]]\naccount = "{BEN}"\npercent = 30',
        "royalty.shares: they add up to 90 percent, not to 100",
    ),
    "shares that nobody divides": (
        f'[[royalty.shares]]\naccount = "{ADA}"\npercent = 60\n[[royalty.shares]]\naccount = "{BEN}"\npercent = 40',
        "royalty.receiver: ERC-2981 pays one address",
    ),
    "a share of all": (f'[[royalty.shares]]\naccount = "{ADA}"\npercent = 100', "royalty.shares.0.percent"),
    "a share twice": (
        f'[[royalty.shares]]\naccount = "{ADA}"\npercent = 50\n[[royalty.shares]]\naccount = "{ADA}"\npercent = 50',
        f"royalty.shares: {ADA} is named twice",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_markets_would_be_told_wrong_is_refused_by_its_key(name, tmp_path):
    more, reason = WRONG[name]
    lines = problems(tmp_path, more)
    assert any(reason in line for line in lines), lines


ONES = {
    "a trait that a one-of-one lacks": (
        '[market]\ntoken_name = "{motif} {id}"',
        "the one-of-one 'queen' has no motif; say it under [market.tokens.queen]",
    ),
    "two names of a one-of-one": (
        '[market.tokens.king]\nname = "Rex"',
        "one_of_ones.king.title names it already",
    ),
    "one name for two": ('[market.tokens.queen]\nname = "Regina"', "2 tokens would be called alike"),
    "a title that is another's": ('title = "Light #4"', "one_of_ones.king.title: 'Light #4' looks like"),
    "an attribute that is a fact's": (
        "[market.facts.rank]\nvalue = 1",
        "'rank' is published already, as 'Rank'",
    ),
}


@pytest.mark.parametrize("name", ONES)
def test_what_one_of_ones_lack_or_say_twice_is_refused(name, tmp_path):
    more, reason = ONES[name]
    title, more = (more, "") if more.startswith("title") else ('title = "The King"', more)
    works = '\n[one_of_ones.queen]\nprompt = "a queen"\nquantity = 2\ntraits = { Rank = "Queen" }\n'
    works += f'[one_of_ones.king]\nprompt = "a king"\nslots = [5]\n{title}\n'
    lines = problems(tmp_path, works + more)
    assert any(reason in line for line in lines), lines


@pytest.fixture
def shown(tmp_path):
    "The demo with all that markets show."
    return read_collection(shown_folder(tmp_path) / "collection.toml")


def test_all_of_it_makes_sense_together(shown, tmp_path):
    assert market_problems(shown) == []
    assert load_collection(tmp_path / "demo") == shown
    assert (shown.symbol, load_collection(DEMO).symbol) == ("LIGHT", "DEMO")
    assert type(shown).model_validate_json(shown.model_dump_json(exclude_defaults=True)) == shown
    assert shown.digest != load_collection(DEMO).digest


def test_a_file_is_part_of_the_collections_digest(shown, tmp_path):
    (tmp_path / "demo" / "loop.mp4").write_bytes(LOOP + b"!")
    other = read_collection(tmp_path / "demo" / "collection.toml")
    assert other.digest != shown.digest
    assert other.model_copy(update={"market": shown.market}) == shown


def test_a_collection_that_says_nothing_is_as_it_was(tmp_path):
    plain = load_collection(DEMO)
    assert read(tmp_path, more="\n[market]\n") == plain
    assert plain.market == Market() and "market" not in plain.model_dump(exclude_defaults=True)
    assert token_texts(plain, 7, {"motif": "rings"}) == {
        "name": "First Light #7",
        "description": plain.description,
    }
    assert market_problems(plain) == []


def test_a_token_says_its_own_in_place_of_what_others_say(shown):
    texts = token_texts(shown, 3, {"motif": "rings"})
    assert (texts["name"], texts["background_color"]) == ("The Third", "0c1233")
    assert texts["external_url"] == "https://art.example/demo/3"
    assert texts["animation_url"] == "https://art.example/3.html"
    other = token_texts(shown, 4, {"motif": "waves"})
    assert other["name"] == "First Light, waves no. 4 of 16"
    assert other["animation_url"].place.startswith("media/")
    assert other["description"].endswith("This one shows waves.")
    slots = [Slot(id=number, traits={"motif": "rings"}) for number in (3, 4)]
    banner = shown.market.banner_image.digest
    assert set(media_of(shown, slots)) == {banner, other["animation_url"].digest}
    assert set(media_of(shown, slots[:1])) == {banner}


def test_a_one_of_one_may_say_its_own_by_name_and_its_number_comes_first():
    works = {
        "queen": OneOfOne(prompt="a queen", slots=(5,)),
        "king": OneOfOne(prompt="a king", title="The King"),
    }
    words = {"queen": {"name": "Regina", "description": "A queen."}, "5": {"name": "Regina V"}}
    shown = load_collection(DEMO).model_copy(update={"one_of_ones": works, "market": Market(tokens=words)})
    queen = {"one_of_one": "queen"}
    assert own_words(shown, 5, queen).model_dump(exclude_none=True) == {
        "name": "Regina V",
        "description": "A queen.",
    }
    assert token_texts(shown, 5, queen) == {"name": "Regina V", "description": "A queen."}
    assert token_texts(shown, 6, {"one_of_one": "king"})["name"] == "The King"


def test_a_one_of_one_may_be_named_by_the_numbers_of_its_slots():
    works = {"queen": OneOfOne(prompt="a queen", slots=(5, 6))}
    name = Market(token_name="{motif} {id}", tokens={"5": {"name": "Regina"}})
    shown = load_collection(DEMO).model_copy(update={"one_of_ones": works, "market": name})
    assert "the one-of-one 'queen' has no motif" in str(market_problems(shown))
    both = Market(token_name="{motif} {id}", tokens={"5": {"name": "Regina"}, "6": {"name": "Rex"}})
    assert market_problems(shown.model_copy(update={"market": both})) == []


def test_facts_go_by_number_and_are_shown_as_they_say(shown):
    facts = shown.market.facts
    values = [[fact_at(shown, fact, slot) for fact in facts.values()] for slot in (1, 9, 16)]
    assert values == [
        ["Ada", "First", 1, 1_795_910_400, 12.5],
        ["Ada", "Second", 9, 1_795_910_400, 12.5],
        ["Ada", None, 16, 1_795_910_400, 12.5],
    ]
    assert [fact_type(fact) for fact in facts.values()] == [
        "text",
        "text",
        "level",
        "date",
        "boost_percentage",
    ]


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_range_has_all_of_its_numbers(first, more):
    numbers = range_of(f"{first}-{first + more}")
    assert (numbers[0], numbers[-1], len(numbers)) == (first, first + more, more + 1)
    assert list(range_of(str(first))) == [first]


@given(st.integers(1, 99), st.integers(1, 99), st.sampled_from(["{title} #{id}", "{motif} no. {id}", "{id}"]))
def test_no_token_may_have_the_name_that_the_template_gives_to_another(token, other, template):
    name = template.format(title="First Light", motif="Rings", id=other)
    assert is_like_another(name, template, token)
    assert is_like_another(name.upper(), template, token)
    assert not is_like_another("The Queen", template, token)


def test_the_demo_says_nothing_of_it():
    assert "market" not in DEMO_TEXT
