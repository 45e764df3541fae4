"Runs by name: asked for, told, stopped, taken up again, followed."

import json
import threading

import pytest

from artmint.run.batch import chapters, declared
from artmint.service.problems import BadBody
from artmint.service.queue import RunRequest
from artmint.service.runs import OVER_HTTP, refuse_moved
from tests.served import problem


def test_the_same_request_is_the_same_run_and_another_one_is_refused(empty_service):
    writer = empty_service.client("writer", "read", "runs:write")
    first = writer.put("/v1/runs/night", json={"batch": "making", "priority": 3})
    assert (first.status_code, first.headers["location"]) == (202, "/v1/runs/night")
    again = writer.put("/v1/runs/night", json={"priority": 3, "batch": "making"})
    assert again.json() == first.json()
    problem(writer.put("/v1/runs/night", json={"batch": "making"}), 422, "OtherRequest")
    assert writer.get("/v1/runs/night").json()["state"] == "queued"
    assert [one["id"] for one in writer.get("/v1/runs").json()["items"]] == ["night"]


def test_what_cannot_run_is_refused_before_anything_is_recorded(empty_service):
    writer = empty_service.client("writer", "read", "runs:write", "mint")
    asked = (
        ({"batch": "none"}, "NoSuchBatch"),
        ({"batch": "making", "first": "99_none"}, "NoSuchPart"),
        ({"batch": "making", "parameters": {"15_generate": {"speed": 9}}}, "BadBody"),
        ({"batch": "making", "parameters": {"42_gate": {"sample": 9}}}, "UnknownStage"),
        ({"batch": "making", "parameters": {"15_generate": {"workers": "two"}}}, "WrongType"),
        ({"batch": "making", "first_slot": 400}, "SlotsBeyond"),
        ({"batch": "making", "parameters": {"15_generate": {"studio": "/tmp/x"}}}, "BadBody"),
        ({"batch": "making", "parameters": {"00_seeds": {"collection": "/tmp/x"}}}, "BadBody"),
        ({"batch": "making", "hurry": True}, "BadBody"),
        ({"batch": "../making"}, "BadBody"),
        ({"batch": "making", "not_before": "tomorrow"}, "BadBody"),
    )
    for body, name in asked:
        problem(writer.put("/v1/runs/a", json=body), 422, name)
    problem(writer.get("/v1/runs/a"), 404, "NoSuchRun")
    assert not empty_service.service.catalog.rows("run")


def test_a_run_is_stopped_moved_and_taken_up_again(empty_service):
    writer = empty_service.client("writer", "read", "runs:write")
    writer.put("/v1/runs/a", json={"batch": "making"})
    assert writer.patch("/v1/runs/a", json={"priority": 9}).json()["priority"] == 9
    assert writer.post("/v1/runs/a/pause").json()["state"] == "paused"
    assert writer.post("/v1/runs/a/resume").json()["state"] == "queued"
    assert writer.post("/v1/runs/a/cancel").json()["state"] == "cancelled"
    problem(writer.post("/v1/runs/a/pause"), 409, "NotNow")
    listed = writer.get("/v1/runs", params={"state": "cancelled"}).json()["items"]
    assert [one["id"] for one in listed] == ["a"]
    problem(writer.get("/v1/runs", params={"state": "odd"}), 422, "BadBody")
    problem(writer.post("/v1/runs/none/cancel"), 404, "NoSuchRun")


def test_an_answer_that_is_told_again_is_told_anew_after_a_write(empty_service):
    writer = empty_service.client("writer", "read", "runs:write")
    writer.put("/v1/runs/a", json={"batch": "making"})
    states = []
    for verb in ("pause", "resume", "cancel"):
        states += [writer.get("/v1/runs/a").json()["state"] for _ in range(3)]
        writer.post(f"/v1/runs/a/{verb}")
    states.append(writer.get("/v1/runs/a").json()["state"])
    assert states == ["queued"] * 3 + ["paused"] * 3 + ["queued"] * 3 + ["cancelled"]
    stranger = empty_service.client("stranger", "verify")
    problem(stranger.get("/v1/runs/a"), 403, "ScopeMissing")


def test_a_stream_goes_on_from_the_last_event_and_ends_with_its_run(empty_service):
    writer = empty_service.client("writer", "read", "runs:write")
    writer.put("/v1/runs/a", json={"batch": "making"})
    threading.Timer(0.5, lambda: writer.post("/v1/runs/a/cancel")).start()
    seen = []
    with empty_service.client("reader", "read").stream("GET", "/v1/runs/a/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith(("id:", "data:")):
                seen.append(line.partition(":")[2].strip())
    types = [json.loads(line)["type"] for line in seen[1::2]]
    assert types[0] == "run.queued"
    assert types[-1] == "run.cancelled"
    rest = writer.get("/v1/runs/a/events", headers={"Last-Event-ID": seen[0]}).text
    assert "run.queued" not in rest
    assert "run.cancelled" in rest
    problem(writer.get("/v1/runs/none/events"), 404, "NoSuchRun")
    problem(writer.get("/v1/events", params={"types": "run.odd"}), 422, "UnknownEvent")
    problem(writer.get("/v1/events", headers={"Last-Event-ID": "x"}), 422, "BadBody")


@pytest.mark.parametrize(
    "stage, name, value",
    [
        ("27_pin", "also", "/etc"),
        ("27_pin", "copies", 0),
        ("10_lora_train", "style", "/home"),
        ("10_lora_train", "base", "somebody/else"),
        ("10_lora_train", "tracker", "wandb"),
        ("18_evaluate", "base", "/home"),
        ("18_evaluate", "most_lost", 1.0),
        ("22_review", "by", "Ada"),
        ("30_mint", "treasury", "0x" + "1" * 40),
        ("30_mint", "chain_id", 1),
        ("30_mint", "dry_run", False),
        ("35_verify", "chain", "http://127.0.0.1:1"),
        ("60_serve", "port", 80),
        ("90_unknown", "x", 1),
    ],
)
def test_what_only_the_batch_file_says_is_refused_by_name(stage, name, value):
    with pytest.raises(BadBody) as refusal:
        refuse_moved(RunRequest(batch="night", parameters={stage: {name: value}}))
    assert f"parameters.{stage}.{name}: " in str(refusal.value)


def test_what_may_be_given_are_parameters_that_chapters_have():
    for stage, names in OVER_HTTP.items():
        assert set(names) <= set(declared(chapters()[stage]))
        refuse_moved(RunRequest(batch="night", parameters={stage: dict.fromkeys(names, 1)}))
