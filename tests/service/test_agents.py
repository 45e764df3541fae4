"The service's verbs as an agent has them: shown by scope, called through the routes, refused in the same words."

import base64
import io
import json
import os
import re
import shutil
import sys
import time

import anyio
import pytest
from PIL import Image

from artmint.core.canon import Refusal
from artmint.service import agents as room
from artmint.service.agents import agent_key, agent_server, open_agent
from artmint.service.keys import new_key, revoke_key
from artmint.service.problems import WrongKey
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.services import ROOT

mcp = pytest.importorskip("mcp")


@pytest.fixture(scope="module")
def place(minted, tmp_path_factory):
    "A folder with a minted studio, and a batch about its collection."
    folder = tmp_path_factory.mktemp("agents")
    shutil.copytree(minted[0], folder / "studio")
    (folder / "batches").mkdir()
    words = (
        f'name = "tiny"\ncollection = "{TINY}"\nquantity = 2\nstages = ["00_seeds", "30_mint", "35_verify"]\n'
    )
    (folder / "batches/tiny.toml").write_text(words)
    return folder


def opened(place, *scopes):
    "The tools of a caller with these scopes, without a key for none; and its key."
    if not scopes:
        return open_agent(place / "studio", place / "batches")
    name = f"agent {'-'.join(scopes)} {len(list(Catalog(place / 'studio').rows('api-key')))}"
    return open_agent(place / "studio", place / "batches", new_key(Catalog(place / "studio"), name, scopes))


def told(agent, tool, /, **given):
    "What a tool gives, by mcp's own client."

    async def ask():
        async with mcp.Client(agent_server(agent)) as client:
            return await client.call_tool(tool, given)

    return anyio.run(ask)


def shown(agent):
    "The tools that an agent is told of, by name."

    async def ask():
        async with mcp.Client(agent_server(agent)) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return anyio.run(ask)


def test_without_a_key_everything_is_read_and_nothing_changed(place):
    agent = opened(place)
    tools = shown(agent)
    assert {"list_runs", "read_run", "plan_batch", "list_attempts", "read_picture", "read_kpis"} <= set(tools)
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    refused = told(agent, "start_run", run="a", batch="tiny")
    assert refused.is_error and refused.structured_content["type"] == "urn:artmint:ScopeMissing"
    assert told(agent, "list_runs").structured_content["items"] == []


def test_scopes_open_tools_and_no_others(place):
    assert {"start_run", "cancel_run"} <= set(shown(opened(place, "runs:write")))
    assert set(shown(opened(place, "verify"))) == {"prove_drop"}
    assert "mint_drop" in shown(opened(place, "mint"))


def test_every_tool_stands_on_its_page_with_its_scope(place):
    rows = [
        line.split("|")
        for line in (ROOT / "docs/agents.md").read_text().splitlines()
        if line.startswith("| `")
    ]
    told = {name: row[2] for row in rows for name in re.findall(r"`([a-z_]+)`", row[1])}
    assert set(told) == set(opened(place).verbs)
    assert all(f"`{verb.scope}`" in told[name] for name, verb in opened(place).verbs.items())


@pytest.mark.slow
def test_a_tool_is_told_with_all_its_arguments(place):
    "The body's fields and the address's, written out: nothing refers to a document that an agent doesn't have."
    tools = shown(opened(place, "read", "runs:write", "decide"))
    schema = tools["start_run"].input_schema
    assert {"run", "batch", "drop", "priority"} <= set(schema["properties"])
    assert set(schema["required"]) == {"run", "batch"}
    assert not any("$ref" in json.dumps(tool.input_schema) for tool in tools.values())


def test_a_run_is_asked_for_once_by_its_name(place):
    agent = opened(place, "read", "runs:write", "mint")
    first = told(agent, "start_run", run="by-agent", batch="tiny").structured_content
    assert first["state"] == "queued" and told(agent, "read_run", run="by-agent").structured_content == first
    assert told(agent, "start_run", run="by-agent", batch="tiny").structured_content == first
    other = told(agent, "start_run", run="by-agent", batch="tiny", priority=3)
    assert other.is_error and other.structured_content["type"] == "urn:artmint:OtherRequest"
    assert told(agent, "cancel_run", run="by-agent").structured_content["state"] == "cancelled"


@pytest.mark.slow
def test_a_picture_is_a_picture_and_small(place, monkeypatch):
    agent = opened(place)
    edition = told(agent, "list_editions", collection="tiny").structured_content["items"][0]
    (content,) = told(agent, "read_picture", file_digest=edition["file_digest"]).content
    with Image.open(io.BytesIO(base64.b64decode(content.data))) as picture:
        assert max(picture.size) <= 384 and content.mime_type == Image.MIME[picture.format]
    monkeypatch.setattr(room, "MOST_PICTURE", 100)
    refused = told(agent, "read_picture", file_digest=edition["file_digest"], size="full")
    assert refused.is_error and "100 are given at most" in refused.content[0].text


def test_a_list_is_short_unless_more_is_asked(place, monkeypatch):
    agent = opened(place)
    monkeypatch.setattr(room, "MOST_WORDS", 1200)
    assert told(agent, "list_slots", collection="tiny", limit=1).structured_content["next"]
    assert (
        told(agent, "list_slots", collection="tiny").structured_content["type"]
        == "urn:artmint:AnswerTooLarge"
    )
    assert agent.verbs["list_slots"].schema["properties"]["limit"]["default"] == 20


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "tool, given, kind",
    [
        ("plan_batch", {}, "OtherArguments"),
        ("plan_batch", {"name": "tiny", "studio": "/elsewhere"}, "OtherArguments"),
        ("read_run", {"run": "night/events"}, "OtherArguments"),
        ("list_slots", {"collection": "tiny", "limit": [1, 2]}, "OtherArguments"),
        ("list_slots", {"collection": "tiny", "limit": 10**6}, "BadBody"),
        ("read_run", {"run": ".."}, "OtherArguments"),
        ("read_run", {"run": "nobody"}, "NoSuchRun"),
        ("read_drop", {"collection": "tiny", "drop": 9}, "NoSuchDrop"),
        ("new_key", {}, "NoSuchTool"),
    ],
)
def test_refusals_are_the_services_own(place, tool, given, kind):
    refused = told(opened(place), tool, **given)
    assert refused.is_error and refused.structured_content["type"] == f"urn:artmint:{kind}"
    assert refused.content[0].text == refused.structured_content["detail"]


def test_a_key_that_opens_nothing_is_refused_at_once_and_later(place):
    catalog = Catalog(place / "studio")
    key = new_key(catalog, "gone soon", ["read"])
    agent = open_agent(place / "studio", place / "batches", key)
    revoke_key(catalog, "gone soon")
    with pytest.raises(WrongKey):
        open_agent(place / "studio", place / "batches", key)
    time.sleep(1.1)  # for a second a key that was looked up isn't looked up again
    late = told(agent, "list_runs")
    assert late.is_error and late.structured_content["type"] == "urn:artmint:WrongKey"


def test_a_key_comes_from_the_environment_or_from_a_file_of_ones_own(tmp_path):
    assert agent_key({}) == "" and agent_key({"ARTMINT_API_KEY": "am_x\n"}) == "am_x"
    path = tmp_path / "key"
    path.write_text("am_y\n")
    path.chmod(0o644)
    with pytest.raises(Refusal, match="others can read it"):
        agent_key({}, path)
    path.chmod(0o600)
    assert agent_key({"ARTMINT_API_KEY": "am_x"}, path) == "am_y"


@pytest.mark.slow
def test_over_standard_input_and_output(place):
    "As a client starts it: by mcp's own client, in a process of its own."
    words = [
        "-c",
        "from artmint.__main__ import main; main()",
        "mcp",
        "--studio",
        str(place / "studio"),
        "--batches",
        str(place / "batches"),
    ]
    started = mcp.StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))

    async def ask():
        async with mcp.Client(mcp.stdio_client(started)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, await client.call_tool("read_collection", {"collection": "tiny"})

    names, answer = anyio.run(ask)
    assert "list_drops" in names and "mint_drop" not in names
    assert answer.structured_content["minted"] == 4
