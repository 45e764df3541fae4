"Events: every record that tells of something, read as it stands, in order, for programs of every kind."

import asyncio
import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from artmint.service.events import (
    EVENT_TYPES,
    TOLD_KINDS,
    UnknownEvent,
    chosen_types,
    event_frames,
    event_schema,
    events_since,
    run_progress,
    stream_events,
)
from artmint.service.keys import find_key, new_key, note_refused
from artmint.studio.catalog import JOB_TABLE, WATCHED, Catalog

ROOT = Path(__file__).parents[2]


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path)


def written():
    "The script that writes what depends on the types."
    spec = importlib.util.spec_from_file_location("event_files", ROOT / "scripts" / "events.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def state(catalog: Catalog, run: str, *states: str) -> None:
    "A run comes to some states."
    for one in states:
        with catalog.together() as connection:
            catalog.add(connection, "run-state", run, {"state": one}, run=run)


def test_schemas_examples_and_the_page_are_what_the_types_say():
    "Where this fails: python scripts/events.py"
    wrong = [path.name for path, text in written().files().items() if path.read_text("utf-8") != text]
    assert wrong == []


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_an_example_fits_its_schema_and_one_that_lacks_a_fact_does_not(type):
    schema = event_schema(type)
    jsonschema.Draft202012Validator.check_schema(schema)
    example = written().examples()[type].model_dump(mode="json")
    jsonschema.validate(example, schema)
    for name in EVENT_TYPES[type][1].split():
        fewer = {key: value for key, value in example["data"].items() if key != name}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(example | {"data": fewer}, schema)


def test_what_a_studio_records_is_told_and_fits(minted):
    "Of a collection that was packed, pinned and minted."
    catalog = Catalog(minted[0])
    _, events = events_since(catalog, 0)
    for event in events:
        jsonschema.validate(event.model_dump(mode="json"), event_schema(event.type))
    told = {event.type for event in events}
    assert {"drop.packed", "transaction.sent", "transaction.mined"} <= told
    signed = [sent["raw"][2:] for sent in catalog.all("transaction").values()]
    assert signed and not any(raw in event.model_dump_json() for event in events for raw in signed)
    ids = [event.id for event in events]
    assert len(set(ids)) == len(ids) and [event.record for event in events] == sorted(
        e.record for e in events
    )


def test_an_event_reads_the_same_every_time_and_in_every_process(catalog):
    state(catalog, "friday", "queued", "running", "done")
    first = events_since(catalog, 0)[1]
    again = events_since(Catalog(catalog.folder), 0)[1]
    assert [one.body for one in first] == [one.body for one in again]
    assert [one.type for one in first] == ["run.queued", "run.started", "run.finished"]
    assert events_since(catalog, first[1].record)[1] == first[2:]


def test_kinds_that_are_told_are_watched():
    assert set(TOLD_KINDS) <= set(WATCHED)


def test_a_key_outside_of_its_scope_is_told(catalog):
    key = find_key(catalog, new_key(catalog, "Ada", ["read"]))
    note_refused(catalog, key, "mint")
    (event,) = events_since(catalog, 0)[1]
    assert (event.type, event.subject, event.data["scope"]) == ("key.refused", "Ada", "mint")
    jsonschema.validate(event.model_dump(mode="json"), event_schema(event.type))


def test_a_proof_that_could_not_be_finished_is_neither_held_nor_failed(catalog):
    proof = {"address": "1:0xC0", "levels": {}, "steps": []}
    for code in (0, 3, 1):
        catalog.append("proof", "demo/1-2", proof | {"exit_code": code})
    assert [one.type for one in events_since(catalog, 0)[1]] == ["proof.held", "proof.failed"]


def test_people_are_asked_by_a_run_once_and_not_by_its_batch_as_well(catalog):
    asked = {"state": "needed", "batch": "friday", "collection": "demo", "slots": [1]}
    catalog.append("people", "demo/friday", asked)
    with catalog.together() as connection:
        catalog.add(connection, "people", "demo/friday", asked, run="friday")
        catalog.add(connection, "run-state", "friday", {"state": "waiting", "waiting": [1]}, run="friday")
    told = [(one.type, one.run) for one in events_since(catalog, 0)[1]]
    assert told == [("people.needed", ""), ("people.needed", "friday")]


def test_types_are_chosen_by_name_by_their_first_word_or_all():
    assert chosen_types(["run.queued"]) == {"run.queued"}
    assert chosen_types(["drop.*"]) == {type for type in EVENT_TYPES if type.startswith("drop.")}
    assert chosen_types(["*"]) == set(EVENT_TYPES)
    for wrong in ("", "run", "run.q*", "drop.burnt", "RUN.*"):
        with pytest.raises(UnknownEvent):
            chosen_types([wrong])


# ------------------------------------------------------------------ streams


def taken(stream, most: int = 1000, seconds: float = 8.0) -> list[str]:
    "Frames of a stream, to its end or so many."

    async def take():
        frames = []
        async for frame in stream:
            frames.append(frame)
            if len(frames) == most:
                break
        return frames

    return asyncio.run(asyncio.wait_for(take(), seconds))


def ids_in(frames: list[str]) -> list[int]:
    "The ids of frames that have one."
    lines = [line for frame in frames for line in frame.splitlines()]
    return [int(line[4:]) for line in lines if line.startswith("id: ")]


def test_a_runs_stream_ends_with_the_run_and_goes_on_from_anywhere(catalog):
    state(catalog, "sunday", "queued")
    state(catalog, "friday", "queued", "running", "done")
    frames = taken(stream_events(catalog, "friday", pause=0.01))
    assert frames[0].startswith("retry: ")
    assert [frame.splitlines()[1] for frame in frames[1:]] == [
        "event: run.queued",
        "event: run.started",
        "event: run.finished",
    ]
    ids = ids_in(frames)
    for at, id in enumerate(ids):
        assert ids_in(taken(stream_events(catalog, "friday", id, pause=0.01))) == ids[at + 1 :]


def test_a_stream_of_all_begins_now_and_brings_what_comes(catalog):
    state(catalog, "friday", "queued")

    async def take():
        frames = []
        async for frame in stream_events(catalog, pause=0.01):
            frames.append(frame)
            if len(frames) == 1:
                state(catalog, "sunday", "queued")
            if len(frames) == 2:
                return frames

    frames = asyncio.run(asyncio.wait_for(take(), 8))
    assert '"subject": "sunday"' in frames[1]


def test_progress_comes_in_between_without_an_id(catalog):
    state(catalog, "friday", "queued", "running")
    catalog.offer("runs", ["friday"])
    text = json.dumps({"stage": "15_generate", "done": 3, "total": 16})
    with catalog._write() as connection:
        connection.execute(JOB_TABLE.update().values(progress=text))
    assert run_progress(catalog, "friday")["done"] == 3 and run_progress(catalog, "none") == {}
    frames = taken(stream_events(catalog, "friday", pause=0.01), 4)
    assert frames[3].splitlines()[0] == "event: progress" and "id:" not in frames[3]


def test_of_two_events_in_one_record_only_the_last_says_where_to_go_on():
    told = written().examples()
    pair = [told["transaction.mined"].model_copy(update={"id": "evt_5_aa"})]
    pair.append(told["drop.revealed"].model_copy(update={"id": "evt_5_aa_2"}))
    first, second = event_frames(pair)
    assert "id:" not in first and second.startswith("id: 5\n")
    assert event_frames(pair, frozenset({"transaction.mined"}))[0].startswith("id: 5\n")


def test_a_stream_stays_open_while_nothing_happens(catalog):
    assert taken(stream_events(catalog, pause=0.01, silence=0.02), 3)[1:] == [": still here\n\n"] * 2
