"The report's page."

import re
import time

import jsonschema
import pytest

from artmint.report.page import LETTER, WIDTH, bars
from artmint.studio.ledger import LedgerLine, bill, load_money
from tests.drawn import DEMO, SLOTS, table
from tests.house.house import ROOT


def test_the_page_shows_the_numbers_and_escapes_what_is_from_outside(small):
    from artmint.report.page import report_facts, report_page

    catalog, tiny = small
    told = report_facts(catalog, tiny, 1, range(1, 5))
    made_page = report_page(told, [], [])
    assert made_page.count("<svg") == len(told["plots"]) == 3
    assert "CPFA" in made_page
    assert "EUR" in made_page
    told["spoken"] = [("<script>alert(1)</script>", "1", "&")]
    assert "<script" not in report_page(told, [], [])
    from artmint.report.page import bars

    assert "<script" not in bars("<script>", [("<script>", 1.0, "<script>", "mark")])


def test_an_alarm_is_on_record_once_and_is_told(tmp_path):
    from artmint.report.page import _alarm, record_retrain
    from artmint.report.signal import design_chart, follow
    from artmint.service.events import event_schema, events_since
    from artmint.studio.catalog import Catalog

    catalog, promised = Catalog(tmp_path), design_chart(200, 300)
    assert _alarm(None, 3) is None and _alarm((promised, follow(promised, [True] * 50)), 3) is None
    alarm = _alarm((promised, follow(promised, [True] * 20 + [False] * 200)), 3)
    for told in (None, alarm, alarm, None):
        record_retrain(catalog, DEMO, told)
    (event,) = events_since(catalog, 0)[1]
    assert (event.type, event.data["drop"], event.data["since"]) == ("retrain.raised", 3, 20)
    jsonschema.validate(event.model_dump(mode="json"), event_schema(event.type))


def test_the_page_says_what_was_refused_which_slots_starve_and_who_decided_what(tmp_path):
    from artmint.judge.decisions import Action, ReviewSession, record_action
    from artmint.report.page import report_facts, report_page

    catalog = table(tmp_path, 3, SLOTS[:3])
    for by, decision, note in (("ada", "accept", "<calm>"), ("bo", "reject", "")):
        look = ReviewSession(catalog, DEMO, by)
        first = next(iter(look.candidates()))
        record_action(look, Action(id="1", dnas=(first,), decision=decision, stars=4, note=note))
    facts = report_facts(catalog, DEMO, 1, range(1, 4))
    (rule,) = facts["refusals"]
    assert (rule["rule"], rule["alone"], rule["shared"]) == ("palette above 12", 6, 0)
    assert [row["slot"] for row in facts["starving"]] == [1, 2, 3]
    assert [(row["by"], row["accepted"], row["rejected"]) for row in facts["reviewers"]] == [
        ("ada", 1, 0),
        ("bo", 0, 1),
    ]
    page = report_page(facts, [], [], board="https://studio.example/#x")
    assert "palette above 12" in page and "&lt;calm&gt;" in page and "1 disputed" in page
    assert f'id="dna-{first[:16]}"' in page
    assert f'href="https://studio.example/#dna={first[:16]}"' in page
    assert "on the board" not in report_page(facts, [], [])
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {link for link in re.findall(r'href="#([^"]+)"', page)} <= set(ids)


@pytest.mark.slow
def test_of_many_attempts_all_are_named_and_as_many_as_fit_are_shown(tmp_path):
    from artmint.report.page import OTHERS_SHOWN, report_facts, report_page

    catalog = table(tmp_path, 8)
    facts = report_facts(catalog, DEMO, 1, range(1, DEMO.supply + 1))
    shown = [card for card in facts["others"] if card["picture"]]
    assert len(facts["others"]) == 8 * len(SLOTS) > OTHERS_SHOWN == len(shown)
    page = report_page(facts, [], [])
    assert f"{len(facts['others']) - OTHERS_SHOWN} more without their pictures" in page
    assert page.count("<img") == OTHERS_SHOWN == page.count('loading="lazy"')
    for card in facts["others"]:
        assert f'id="dna-{card["dna"][:16]}"' in page


def test_editions_are_called_as_their_tokens_are(tmp_path):
    from artmint.core.collection import Market
    from artmint.report.page import report_facts, report_page
    from tests.packed import fill

    market = Market(token_name="{title}, no. {id}", tokens={"2": {"name": "The Second"}})
    named = DEMO.model_copy(update={"market": market})
    facts = report_facts(fill(tmp_path, 3, named), named, 1, range(1, 4))
    assert [card["name"] for card in facts["editions"]] == [
        "First Light, no. 1",
        "The Second",
        "First Light, no. 3",
    ]
    assert "The Second <span>" in report_page(facts, [], [])


def test_the_badge_says_in_how_many_stores_a_drop_was_found_and_when(tmp_path):
    from artmint.report import page
    from artmint.studio.catalog import Catalog

    catalog = Catalog(tmp_path)
    assert page._kept(catalog, "demo/1") is None
    catalog.append("pin", "demo/1", {"root": "r", "stores": [{"store": "near"}, {"store": "far"}]})
    assert page._kept(catalog, "demo/1")["status"] == "unchecked"
    rows = [{"store": "near", "status": "held"}, {"store": "far", "status": "missing"}]
    catalog.append("health", "demo/1", {"root": "r", "named": ["near", "far"], "stores": rows})
    badge = page._kept(catalog, "demo/1")
    assert (badge["status"], badge["text"][:25]) == ("failed", "Held by 1 of 2 stores, as")
    assert "far: missing" in badge["text"]


def test_a_long_currency_takes_its_place_from_the_bars():
    "No label runs out of the drawing, however long the currency's name is."
    for text in ("3", "2 min · 0.00162 EUR (example)", "12 min · 0.000150 of the studio's own money"):
        drawn = bars("Compute", [("generate", 120.0, text, "mark"), ("mint", 0.2, text, "mark")])
        starts = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*class="soft"', drawn)]
        assert len(starts) == 2
        assert max(starts) + len(text) * LETTER <= WIDTH + 1


def test_the_example_prices_every_unit_that_the_demo_uses(tmp_path):
    (tmp_path / "studio.toml").write_bytes((ROOT / "batches/studio.example.toml").read_bytes())
    money = load_money(tmp_path)
    used = [
        LedgerLine("s", "k", 1.0, unit, time.time()) for unit in ("cpu", "people", "bytes", "pinned", "wei")
    ]
    assert bill(used, money).fully_priced and money.revenue_per_token
    assert "example" in money.currency
