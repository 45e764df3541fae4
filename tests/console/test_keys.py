"Keys on the console: printed once, listed without their secret, taken back."

import json

import pytest
from typer.testing import CliRunner

from artmint.console.keys import key_app
from artmint.run.models import NoStudioHere
from artmint.service.keys import NoScope, NoSuchKey, UnknownScope, find_key
from artmint.studio.catalog import Catalog


@pytest.fixture
def say(tmp_path):
    "What a command says: its result."
    Catalog(tmp_path)

    def command(*words):
        return CliRunner().invoke(key_app, [*words, "--studio", str(tmp_path)])

    return command


def test_a_key_is_the_only_thing_on_standard_output_and_opens_its_scopes(say, tmp_path):
    made = say("new", "Ada", "--scope", "runs:write", "--scope", "read", "--days", "3")
    secret = made.stdout.strip()
    assert "only time" in made.stderr and secret not in made.stderr
    key = find_key(Catalog(tmp_path), secret)
    assert (key.name, key.scopes) == ("Ada", ("read", "runs:write")) and key.until
    listed = json.loads(say("list", "--json").stdout)
    assert [(row["name"], row["open"]) for row in listed] == [("Ada", True)]
    assert secret not in say("list").stdout and listed[0]["used"]
    assert key.id in say("revoke", "ada").stdout
    assert find_key(Catalog(tmp_path), secret) is None
    assert "shut" in say("list").stdout


def test_a_key_for_programs_is_one_json_document(say):
    made = json.loads(say("new", "Ada", "--scope", "read", "--json").stdout)
    assert made["key"].startswith("am_") and made["scopes"] == ["read"]


def test_looking_begins_nothing(tmp_path):
    for words in (["list"], ["revoke", "Ada"]):
        done = CliRunner().invoke(key_app, [*words, "--studio", str(tmp_path)])
        assert isinstance(done.exception, NoStudioHere)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("new", "Ada"), NoScope),
        (("new", "Ada", "--scope", "all"), UnknownScope),
        (("revoke", "Ada"), NoSuchKey),
        (("list", "--studio", "/nowhere"), NoStudioHere),
    ],
)
def test_wrong_use_is_refused_with_2(say, tmp_path, words, refusal):
    if "--studio" in words:
        done = CliRunner().invoke(key_app, list(words))
    else:
        done = say(*words)
    assert isinstance(done.exception, refusal) and refusal.exit_code == 2
