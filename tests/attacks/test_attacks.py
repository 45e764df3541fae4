"More than a thousand things that strangers try: each is refused in words that help, or does nothing."

from collections import Counter

import pytest

from tests.attacks.suite import attacks, page_table, table, tried

SLOW = ("folder of 10^9", "of 2^50 bytes", "million pieces", "megabyte", "20 MB", "50 MB", "512 MB")


def test_a_sample_of_every_gate():
    "Each gate's attacks, every so many of them."
    seen: Counter = Counter()
    chosen = []
    for one in attacks():
        seen[one.gate] += 1
        quick = one.gate != "HTTP" or not one.name.startswith("the service")
        if seen[one.gate] % 9 == 1 and quick and not any(word in one.name for word in SLOW):
            chosen.append(one)
    counts, lines = tried(chosen)
    assert lines == []
    assert len(counts) == 9 and counts.keys() == {one.gate for one in attacks()}


def test_the_page_tells_how_many_there_are():
    "docs/threats.md has the table of all of them, with nothing further and nothing unclear."
    counts: dict[str, Counter] = {}
    for one in attacks():
        counts.setdefault(one.gate, Counter())["held"] += 1
    assert sum(sum(count.values()) for count in counts.values()) > 2000
    assert page_table() == table(counts)
    names = Counter((one.gate, one.name) for one in attacks())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.slow
def test_every_attack_is_held(capsys):
    "All of them; the table is printed, and is the page's."
    counts, lines = tried(list(attacks()))
    with capsys.disabled():
        print("\n" + table(counts))
    assert lines == []
    assert page_table() == table(counts)
