"What may be published: links, addresses, colours, numbers, dates, and templates."

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from artmint.core.canon import canonical, read_json
from artmint.core.texts import (
    LINK,
    MOMENTS,
    WORDS,
    Account,
    Background,
    fill_template,
    fit_link,
    fits_template,
    folded,
    lookalikes,
    number_of,
    shown_value,
    template_fields,
    unix_seconds,
)

CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


@pytest.mark.parametrize(
    "link",
    [
        "https://art.example",
        "https://art.example:8443/a/7?b=c#d",
        "https://xn--knstler-n2a.example/é",
        f"ipfs://{CID}",
        f"ipfs://{CID}/7.mp4",
        "ipfs://QmTNgv3jx2HHfBjQX9RnKtxj2xv2xQCtbDXoRi5rJ3a46e",
    ],
)
def test_a_link_that_anybody_can_open_is_taken(link):
    assert fit_link(link) == link


@pytest.mark.parametrize(
    "link, reason",
    [
        ("http://art.example", "begins with https:// or ipfs://"),
        ("HTTPS://art.example", "begins with https:// or ipfs://"),
        ("javascript:alert(1)", "begins with https:// or ipfs://"),
        ("data:text/html,x", "begins with https:// or ipfs://"),
        ("https://ada:pw@art.example", "a name or a password"),
        ("https://127.0.0.1/7", "an address of numbers"),
        ("https://[::1]/7", "an address of numbers"),
        ("https://localhost/7", "no public host"),
        ("https://nas/7", "no public host"),
        ("https://künstler.example", "no public host"),
        ("https://art.example:99999/", "ort"),
        ("https:///7", "no public host"),
        ("https://art.example/a b", "it has blanks"),
        ("https://Art.example/", "capitals in its host"),
        ("https://art.example/\u202e7", "invisible character"),
        ("https://art.example/<svg", "markup"),
        ("https://art.example/" + "x" * WORDS, f"at most {WORDS} are published"),
        ("ipfs://bafy", "followed by a CID"),
        (f"ipfs://ipfs/{CID}", "followed by a CID"),
        ("", "empty"),
    ],
)
def test_a_link_that_nobody_should_follow_is_refused(link, reason):
    with pytest.raises(ValueError, match="(?s)" + reason.replace("(", r"\(")):
        fit_link(link)


@given(st.text(max_size=40).map(lambda text: "https://art.example/" + text))
def test_what_is_taken_for_a_link_fits_the_published_pattern(link):
    import re

    try:
        fit_link(link)
    except ValueError:
        return
    assert re.fullmatch(LINK, link)


@pytest.mark.parametrize(
    "account, taken",
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", True),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", True),
        ("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", True),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", False),
        ("0x" + "0" * 40, False),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", False),
        ("ada.eth", False),
    ],
)
def test_an_address_is_refused_rather_than_corrected(account, taken):
    try:
        assert (TypeAdapter(Account).validate_python(account) == account) and taken
    except ValidationError:
        assert not taken


@pytest.mark.parametrize("colour", ["#0c1233", "0c123", "0c12333", "red", "0c123g", "0C1233 "])
def test_a_colour_is_six_hex_digits_without_a_sign(colour):
    kind = TypeAdapter(Background)
    assert kind.validate_python("0c1233") == "0c1233"
    with pytest.raises(ValidationError, match="six hex digits without #"):
        kind.validate_python(colour)


# ------------------------------------------------------------------ numbers and dates


@given(st.integers(-(10**14), 10**14) | st.decimals(-1000, 1000, places=3).map(float))
def test_a_number_has_one_spelling_and_is_published_as_it_is_written(number):
    text = str(number)
    if "e" in text or text in ("-0.0",) or text.endswith(".0"):
        with pytest.raises(ValueError, match="no number"):
            number_of(text)
        return
    value = number_of(text)
    assert value == number and str(value) == text
    assert read_json(canonical({"v": value})) == {"v": number}


@pytest.mark.parametrize(
    "text",
    [
        "1.50",
        "007",
        "-0",
        "+1",
        "1e3",
        ".5",
        "5.",
        "1,5",
        " 1",
        "١٢",
        "NaN",
        "inf",
        "0x10",
        "1" * 16,
        "0.00001",
    ],
)
def test_a_number_of_another_spelling_is_refused(text):
    with pytest.raises(ValueError, match="no number as it is published"):
        number_of(text)


@given(st.integers(*MOMENTS).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_a_date_is_whole_seconds_whatever_zone_it_was_written_in(when):
    assert unix_seconds(when.isoformat()) == unix_seconds(when.isoformat().replace("+00:00", "Z"))
    assert datetime.fromtimestamp(unix_seconds(when.isoformat()), UTC) == when
    midnight = unix_seconds(when.date().isoformat())
    assert midnight % 86_400 == 0 and 0 <= when.timestamp() - midnight < 86_400


@pytest.mark.parametrize(
    "moment, reason",
    [
        ("2026-02-30", "is no date"),
        ("29.11.2026", "is no date"),
        ("2026-11-29T10:00:00", "says no zone"),
        ("2026-11-29T10:00:00.5Z", "parts of a second"),
        ("1969-12-31", "before 1970"),
        ("3000-01-01", "after 2999"),
        (1_764_410_400_000, "milliseconds"),
        (2026, "a year"),
        (0, "or nothing"),
        (-5, "or nothing"),
    ],
)
def test_a_date_that_is_none_is_refused(moment, reason):
    with pytest.raises(ValueError, match=reason):
        unix_seconds(moment)


def test_a_value_is_read_as_it_is_to_be_shown():
    assert shown_value("text", "7") == "7"
    assert shown_value("boost_percentage", "12.5") == 12.5
    assert shown_value("level", "-3") == -3
    assert shown_value("date", "2026-11-29") == shown_value("date", "1795910400") == 1_795_910_400
    with pytest.raises(ValueError):
        shown_value("number", "seven")


# ------------------------------------------------------------------ templates

PLAIN = st.text(string.ascii_letters + " #:éß{}", max_size=8)


@given(st.lists(PLAIN, min_size=1, max_size=4), st.integers(1, 10**6), PLAIN.filter(str.strip))
def test_what_a_template_gives_fits_it_and_braces_are_kept(parts, number, title):
    doubled = [part.replace("{", "{{").replace("}", "}}") for part in parts]
    template = "{title}" + " ".join(doubled) + "#{id}"
    values = {"id": str(number), "title": title}
    assert template_fields(template) == ["title", "id"]
    filled = fill_template(template, values)
    assert filled == title + " ".join(parts) + f"#{number}"
    assert fits_template(filled, template) or folded(filled) != filled.casefold().strip()


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{0}", "{id!r}", "{id:>9}", "{id.real}", "{a[0]}", "{Id}"]
)
def test_a_template_holds_names_alone(template):
    with pytest.raises(ValueError):
        template_fields(template)


def test_a_name_that_another_token_may_have_is_recognised_in_time():
    assert fits_template("FIRST  LIGHT #07", "{title} #{id}")
    assert fits_template("Rings, no. 12", "{motif}, no. {id}")
    assert not fits_template("The Queen", "{title} #{id}")
    assert not fits_template("Rings, no. twelve", "{motif}, no. {id}")
    assert fits_template("12 of 3 rings", "{id} of {supply} {motif}")
    assert not fits_template("x" * WORDS, "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}!")


def test_words_that_markets_may_take_for_one_are_grouped():
    assert lookalikes(["Gold", "gold", "Silver"]) == [["Gold", "gold"]]
    assert lookalikes(["caf\u00e9", "cafe\u0301"]) == [["caf\u00e9", "cafe\u0301"]]
    assert lookalikes(["\uff21da", "Ada", "Ada"]) == [["\uff21da", "Ada"]]
