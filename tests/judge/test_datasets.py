"FiftyOne's and Label Studio's layouts. What they hold was loaded by FiftyOne 1.22 and held against label-studio-sdk 2.1 once; here it is held against what those need."

import json

import pytest
from defusedxml.ElementTree import fromstring

from artmint.judge.datasets import (
    LABEL_CONFIG,
    export_fiftyone,
    export_labelstudio,
    read_fiftyone,
    read_labelstudio,
)
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.exchange import UnreadableDecisions, entries, plan_import, record_import
from tests.drawn import DEMO, SLOTS, table


@pytest.fixture
def catalog(tmp_path):
    "A studio on which ada and bo decided."
    catalog = table(tmp_path / "studio", 2, SLOTS[:2])
    for by, decision, stars in (("ada", "accept", 4), ("bo", "reject", None)):
        look = ReviewSession(catalog, DEMO, by)
        first = next(iter(look.candidates()))
        record_action(look, Action(id="1", dnas=(first,), decision=decision, stars=stars, note=f"{by}'s"))
    return catalog


def planned(catalog, reading, by="cleo"):
    plan = plan_import(catalog, DEMO, reading, by, "test")
    return [(opinion.by, opinion.decision, opinion.stars, opinion.note) for _, opinion in plan.opinions], plan


def test_a_fiftyone_dataset_describes_every_field_that_its_samples_have(catalog, tmp_path):
    folder = tmp_path / "fo"
    assert export_fiftyone(catalog, entries(catalog, DEMO), folder) == 4
    metadata = json.loads((folder / "metadata.json").read_text())
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    described = {field["name"]: field for field in metadata["sample_fields"]}
    for sample in samples:
        hidden = {"_media_type", "_rand"}
        assert set(sample) - hidden <= set(described)
        assert (folder / sample["filepath"]).read_bytes().startswith(b"\x89PNG")
    assert {"tags", "filepath", "metadata", "id", "stars", "decision"} <= set(described)
    assert described["score_palette"]["ftype"] == "fiftyone.core.fields.FloatField"
    assert described["slot"]["ftype"] == "fiftyone.core.fields.IntField"
    assert samples[0]["tags"] == ["reject"] and samples[0]["people"] == [
        "ada accept, 4 stars: ada's",
        "bo reject: bo's",
    ]
    assert metadata["media_type"] == "image" and metadata["version"]


def test_what_was_tagged_in_fiftyone_is_the_word_of_who_imports(catalog, tmp_path):
    folder = tmp_path / "fo"
    export_fiftyone(catalog, entries(catalog, DEMO), folder)
    assert planned(catalog, read_fiftyone(folder))[0] == []
    document = json.loads((folder / "samples.json").read_text())
    one, two, three, four = document["samples"]
    one["tags"].append("accept")
    two["decision"] = {"_cls": "Classification", "label": "reject", "tags": []}
    three["stars"], three["note"] = 5, "warm"
    (folder / "samples.json").write_text(json.dumps(document))
    words, plan = planned(catalog, read_fiftyone(folder))
    assert words == [
        ("cleo", "accept", None, ""),
        ("cleo", "reject", None, ""),
        ("cleo", "withdrawn", 5, "warm"),
    ]
    assert plan.unchanged == 1
    four["tags"] = ["accept", "reject"]
    three["stars"] = 9
    (folder / "samples.json").write_text(json.dumps(document))
    reading = read_fiftyone(folder)
    assert len(reading.statements) == 2
    assert "stars" in reading.faults[0] and "contradict" in reading.faults[1]


def test_a_file_that_an_editor_of_windows_saved_is_read(catalog, tmp_path):
    folder = tmp_path / "fo"
    export_fiftyone(catalog, entries(catalog, DEMO), folder)
    text = (folder / "samples.json").read_bytes()
    (folder / "samples.json").write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert read_fiftyone(folder).unchanged == 4
    (folder / "samples.json").write_text("dna,decision")
    with pytest.raises(UnreadableDecisions, match="it is no JSON: Expecting value"):
        read_fiftyone(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"samples": 3}', '{"samples": [3]}', "{", '{"a": NaN}'])
def test_what_is_no_dataset_is_refused(tmp_path, text):
    (tmp_path / "samples.json").write_text(text)
    for read in (read_fiftyone, read_labelstudio):
        if text != "[]" or read is read_fiftyone:
            with pytest.raises(UnreadableDecisions):
                read(tmp_path / "samples.json")
    with pytest.raises(UnreadableDecisions, match="no such file"):
        read_labelstudio(tmp_path / "none.json")


def test_label_studio_s_tasks_fit_their_configuration(catalog, tmp_path):
    folder = tmp_path / "ls"
    assert export_labelstudio(catalog, entries(catalog, DEMO), folder) == 4
    config = fromstring(LABEL_CONFIG)
    controls = {control.get("name"): control for control in config if control.get("toName")}
    words = {choice.get("value") for choice in controls["decision"]}
    tasks = json.loads((folder / "tasks.json").read_text())
    for task in tasks:
        for tag in config:
            if tag.get("value"):
                assert tag.get("value")[1:] in task["data"]
        for part in (*task["annotations"], *task["predictions"]):
            for result in part["result"]:
                control = controls[result["from_name"]]
                assert control.tag.lower() == result["type"] and control.get("toName") == result["to_name"]
                assert set(result["value"].get("choices", ())) <= words
        assert (folder / "pictures" / task["data"]["image"].rsplit("/", 1)[1]).exists()
        assert task["data"]["image"].startswith("/data/local-files/?d=ls/pictures/")
    assert [len(task["annotations"]) for task in tasks] == [2, 0, 0, 0]
    assert [len(task["predictions"]) for task in tasks] == [0, 1, 0, 1]


def annotation(who, at="2026-03-01T09:30:00.123456Z", **values):
    "An annotation as Label Studio exports it."
    kinds = {"decision": ("choices", "choices"), "stars": ("rating", "rating"), "note": ("textarea", "text")}
    results = []
    for name, value in values.items():
        kind, key = kinds[name]
        place = {"from_name": name, "to_name": "image", "type": kind, "id": "x1Yz", "origin": "manual"}
        results.append(place | {"value": {key: value}})
    return {"id": 7, "completed_by": who, "updated_at": at, "was_cancelled": False, "result": results}


def test_annotators_decide_under_their_names_and_at_their_times_once(catalog, tmp_path):
    folder = tmp_path / "ls"
    export_labelstudio(catalog, entries(catalog, DEMO), folder)
    file = tmp_path / "project.json"
    tasks = json.loads((folder / "tasks.json").read_text())
    dora = {"id": 3, "email": "dora@studio.example", "first_name": "Dora", "last_name": "Maar"}
    emil = {"id": 4, "email": "emil@studio.example", "first_name": "", "last_name": ""}
    tasks[0]["annotations"] += [annotation(dora, decision=["accept"], stars=3, note=["two", "lines"])]
    tasks[1]["annotations"] = [
        annotation(emil, decision=["reject"]),
        annotation(emil) | {"was_cancelled": True},
    ]
    tasks[2]["annotations"] = [annotation(emil)]
    file.write_text(json.dumps(tasks))
    words, plan = planned(catalog, read_labelstudio(file))
    assert words == [
        ("Dora Maar", "accept", 3, "two\nlines"),
        ("emil@studio.example", "reject", None, ""),
    ]
    assert {opinion.at for _, opinion in plan.opinions} == {"2026-03-01T09:30:00.123456+00:00"}
    assert (plan.unchanged, plan.empty) == (2, 1) and "skipped" in plan.notes[0]
    record_import(catalog, "project.json", plan)
    assert planned(catalog, read_labelstudio(file))[0] == []


def test_annotators_without_names_are_asked_for(catalog, tmp_path):
    folder = tmp_path / "ls"
    export_labelstudio(catalog, entries(catalog, DEMO), folder)
    file = tmp_path / "project.json"
    tasks = json.loads((folder / "tasks.json").read_text())
    tasks[1]["annotations"] = [annotation(3, decision=["reject"])]
    file.write_text(json.dumps(tasks))
    assert planned(catalog, read_labelstudio(file))[0] == [("cleo", "reject", None, "")]
    tasks[2]["annotations"] = [annotation(4, decision=["maybe"])]
    file.write_text(json.dumps(tasks))
    with pytest.raises(UnreadableDecisions, match="annotators 3, 4 .*--who 3=NAME"):
        read_labelstudio(file)
    words, plan = planned(catalog, read_labelstudio(file, {"3": "dora", "4": "emil"}))
    assert words == [("dora", "reject", None, "")] and "maybe" in plan.faults[0]
