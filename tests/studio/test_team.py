"People at one address: who is in, who was, and what a stranger gets."

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.core.collection import People
from artmint.studio.team import (
    ADMITTED,
    BadPublicAddress,
    BadRoster,
    NoSuchMember,
    NotInvited,
    SamePerson,
    Team,
    Throttle,
    TooManyTries,
    admit_member,
    invitation_link,
    invite_member,
    public_address,
    revoke_member,
    role_of,
)


@pytest.fixture
def team(tmp_path):
    "A studio's people: nobody yet."
    return Team(tmp_path)


def test_a_link_opens_once_and_what_it_gives_is_a_session(team):
    secret = invite_member(team, "Ada", "artist")
    member, session = admit_member(team, secret)
    assert (member.name, member.role) == ("Ada", "artist")
    assert team.member_of(session).name == "Ada"
    with pytest.raises(NotInvited):
        admit_member(team, secret)
    for stranger in ("", "x", secret, session[:-1], session + "x"):
        assert team.member_of(stranger) is None


def test_of_twenty_who_try_a_link_at_once_one_is_let_in(team):
    secret = invite_member(team, "Ada", "guest")

    def attempt(_):
        try:
            return admit_member(Team(team.path.parent.parent), secret)[1]
        except NotInvited:
            return None

    with ThreadPoolExecutor(8) as pool:
        sessions = [session for session in pool.map(attempt, range(20)) if session]
    assert len(sessions) == 1


def test_the_file_opens_nothing_and_is_nobody_elses(team):
    secret = invite_member(team, "Ada", "artist")
    _, session = admit_member(team, secret)
    later = invite_member(team, "Ben", "guest")
    kept = team.path.read_bytes()
    for word in (secret, session, later):
        assert word.encode() not in kept
    assert stat.S_IMODE(team.path.stat().st_mode) == 0o600


def test_links_and_sessions_run_out(team, monkeypatch):
    secret = invite_member(team, "Ada", "artist", days=2)
    other = invite_member(team, "Ben", "artist", days=2)
    _, session = admit_member(team, secret)
    now = time.time()
    monkeypatch.setattr("artmint.studio.team.time.time", lambda: now + 3 * 86400)
    with pytest.raises(NotInvited):
        admit_member(team, other)
    assert team.member_of(session).name == "Ada"
    monkeypatch.setattr("artmint.studio.team.time.time", lambda: now + (ADMITTED + 1) * 86400)
    assert team.member_of(session) is None


def test_a_new_link_takes_the_place_of_the_old_one_and_leaves_browsers_in(team):
    first = invite_member(team, "Ada", "guest")
    _, session = admit_member(team, first)
    second, third = (invite_member(team, "Ada", "lead") for _ in range(2))
    with pytest.raises(NotInvited):
        admit_member(team, second)
    assert admit_member(team, third)[0].role == "lead"
    assert team.member_of(session).role == "lead"
    assert len(team.members) == 1


def test_who_is_shut_out_is_out_at_once_everywhere(team):
    _, session = admit_member(team, invite_member(team, "Ada", "lead"))
    unused = invite_member(team, "Ada", "lead")
    revoke_member(team, " ADA ")
    assert team.member_of(session) is None
    with pytest.raises(NotInvited):
        admit_member(team, unused)
    assert role_of(team.path.parent.parent, "ada", People()) == "guest"
    with pytest.raises(NoSuchMember, match="there are"):
        revoke_member(team, "Eve")


def test_another_studios_link_opens_nothing_here(team, tmp_path):
    other = Team(tmp_path / "other")
    secret = invite_member(other, "Ada", "lead")
    with pytest.raises(NotInvited):
        admit_member(team, secret)


def test_sessions_survive_a_restart(team, tmp_path):
    _, session = admit_member(team, invite_member(team, "Ada", "artist"))
    team.served_at("https://art.example/review/")
    again = Team(tmp_path)
    assert again.member_of(session).name == "Ada"
    assert again.address == "https://art.example/review/"


@pytest.mark.parametrize("name", ["ada", "ADA", "\uff21da", "A\u200dda"])
def test_nobody_is_there_twice_under_two_spellings(team, name):
    invite_member(team, "Ada", "artist")
    with pytest.raises((SamePerson, ValueError)):
        invite_member(team, name, "lead")
    assert [one.name for one in team.members] == ["Ada"]
    assert team.members[0].role == "artist"


@pytest.mark.parametrize("name", ["", " ", "machine", "people", "<b>x", "a\n", "x" * 65, "\u0410da"])
def test_a_name_that_tells_nobody_is_refused_and_nothing_is_written(team, name):
    with pytest.raises(ValueError):
        invite_member(team, name, "lead")
    assert not team.path.exists()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"people": 1}', b'{"people": [{"name": "Ada", "role": "god"}]}']
)
def test_a_damaged_file_lets_nobody_in_and_is_not_written_over(team, data):
    team.path.parent.mkdir(parents=True)
    team.path.write_bytes(data)
    for act in (
        lambda: team.members,
        lambda: team.member_of("x"),
        lambda: invite_member(team, "Ada", "lead"),
    ):
        with pytest.raises(BadRoster):
            act()
    assert team.path.read_bytes() == data


def test_roles_by_name_and_by_the_collection(team):
    studio = team.path.parent.parent
    invite_member(team, "Ada", "guest")
    invite_member(team, "Ben", "lead")
    people = People(last_word="lead", lead="Cem")
    assert [role_of(studio, name, people) for name in ("ada", "BEN", "cem", "Dan")] == [
        "guest",
        "lead",
        "lead",
        "artist",
    ]


@given(st.lists(st.sampled_from(["wrong", "wait"]), max_size=40))
def test_wrong_tries_are_counted_and_forgotten(steps):
    throttle = Throttle(most=3, seconds=10)
    clock = [1000.0]
    tries = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artmint.studio.team.time.monotonic", lambda: clock[0])
        for step in steps:
            recent = [at for at in tries if at > clock[0] - 10]
            if len(recent) >= 3:
                with pytest.raises(TooManyTries):
                    throttle.check()
            else:
                throttle.check()
            if step == "wrong":
                throttle.add()
                tries.append(clock[0])
            clock[0] += 4 if step == "wait" else 1


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://art.example/review", "https://art.example/review/"),
        ("https://art.example", "https://art.example/"),
        ("https://art.example:443/a/b/", "https://art.example/a/b/"),
        ("https://art.example:8443", "https://art.example:8443/"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
    ],
)
def test_addresses_as_browsers_write_them(text, url):
    place = public_address(text)
    assert place.url == url
    assert place.secure is text.startswith("https")
    assert invitation_link(place.url, "s3cret") == f"{url}join#s3cret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "art.example",
        "ftp://art.example",
        "http://art.example",
        "https://me:pass@art.example",
        "https://art.example?x=1",
        "https://art.example/#x",
        "https://art.example/../x",
        "https://art.example/a b",
        "https://art.example:99999",
        "https://",
        "https://[::1",
    ],
)
def test_other_addresses_are_refused(text):
    with pytest.raises(BadPublicAddress):
        public_address(text)


def test_a_person_has_a_bounded_number_of_browsers_in(team):
    sessions = [admit_member(team, invite_member(team, "Ada", "artist"))[1] for _ in range(23)]
    assert team.member_of(sessions[-1]).name == "Ada"
    assert sum(team.member_of(session) is not None for session in sessions) == 20
    assert os.path.getsize(team.path) < 10_000
