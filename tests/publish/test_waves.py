"Which drops are told when, on record."

import pytest
from pydantic import ValidationError

from artmint.core.intake import UnreadablePicture
from artmint.publish import waves
from artmint.run.batch import BadBatch, load_batch
from artmint.studio.catalog import Catalog

BATCH = 'name = "b"\ncollection = "c"\nquantity = 2\nstages = ["30_mint"]\n[reveal]\n'
TWO = {"waves": [{"drops": [1], "at": "2026-12-01T18:00:00Z"}, {"drops": [2]}]}


@pytest.mark.parametrize(
    "table, why",
    [
        ("[[reveal.waves]]\nat = 2026-12-01T18:00:00\n", "says no zone"),
        ('[[reveal.waves]]\nat = "tomorrow"\n', "is no time"),
        ("[[reveal.waves]]\ndrops = [1]\n[[reveal.waves]]\ndrops = [1]\n", "told twice"),
        ("[[reveal.waves]]\ndrops = [0]\n", "numbered from 1"),
        ("[[reveal.waves]]\ndrops = [2]\n", "own drop 1 is in no wave"),
        ("[[reveal.waves]]\n[[reveal.waves]]\ndrops = [1]\n", "each says its drops"),
        ("when = 1\n", "when"),
        (
            "[[reveal.waves]]\ndrops = [1]\nat = 2026-12-02T00:00:00Z\n[[reveal.waves]]\ndrops = [2]\nat = 2026-12-01T00:00:00Z\n",
            "put them in order",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_its_batch(tmp_path, table, why):
    path = tmp_path / "b.toml"
    path.write_text(BATCH + table)
    with pytest.raises(BadBatch) as refused:
        load_batch(path)
    assert why in str(refused.value) and refused.value.exit_code == 2


def test_times_are_of_one_form_and_dates_of_toml_are_read(tmp_path):
    path = tmp_path / "b.toml"
    path.write_text(BATCH + "[[reveal.waves]]\nat = 2026-12-01T19:00:00+01:00\n")
    (wave,) = load_batch(path).reveal.told_with(1)
    assert (wave.drops, wave.at, wave.second) == ((1,), "2026-12-01T18:00:00Z", 1796148000)
    with pytest.raises(ValidationError):
        waves.plan_of({"waves": []})


def test_what_two_batches_say_of_a_drop_has_to_agree(tmp_path):
    catalog, plan = Catalog(tmp_path / "studio"), waves.plan_of(TWO)
    waves.record_plan(catalog, "c", "a", 1, plan, tmp_path)
    assert waves.planned_drop(catalog, "c", 2).batch == "a"
    waves.record_plan(catalog, "c", "b", 2, plan, tmp_path)
    later = waves.plan_of({"waves": [{"drops": [2], "at": "2030-01-01T00:00:00Z"}]})
    with pytest.raises(waves.PlansDiffer) as refused:
        waves.record_plan(catalog, "c", "b", 2, later, tmp_path)
    assert "at any time" in str(refused.value) and "2030" in str(refused.value)
    waves.record_plan(
        catalog,
        "c",
        "a",
        1,
        waves.plan_of({"waves": [*TWO["waves"][:1], later.waves[0].model_dump()]}),
        tmp_path,
    )
    assert waves.planned_drop(catalog, "c", 2).at == "2030-01-01T00:00:00Z"


ONE_AND_TWO = {"waves": [{"drops": [1]}, {"drops": [2]}]}
AT = {"at": "2030-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "before, now, moved",
    [
        (ONE_AND_TWO, {"waves": [{"drops": [1, 2]}]}, {2: "another place"}),
        (ONE_AND_TWO, {"waves": [{"drops": [2]}, {"drops": [1]}]}, {1: "another place", 2: "another place"}),
        (ONE_AND_TWO, {"waves": [{"drops": [1]}, {"drops": [3]}, {"drops": [2]}]}, {}),
        (ONE_AND_TWO, ONE_AND_TWO | {"keep": "elsewhere"}, {}),
        (ONE_AND_TWO, {"waves": [{"drops": [1]}, {"drops": [2]} | AT]}, {2: "which is later"}),
        (TWO, {"waves": [{"drops": [1, 2]}]}, {1: "which is earlier", 2: "another place"}),
        (ONE_AND_TWO, {"waves": [{"drops": [1]}]}, {2: "no wave any more"}),
        (ONE_AND_TWO, ONE_AND_TWO | {"open": True}, {1: "committed openly", 2: "committed openly"}),
    ],
)
def test_what_was_sealed_is_moved_by_a_yes_alone_and_until_then_everything_may_change(
    tmp_path, before, now, moved
):
    catalog = Catalog(tmp_path / "studio")

    def record(table, why=""):
        return waves.record_plan(catalog, "c", "a", 1, waves.plan_of(table), tmp_path, why)

    record(now)
    record(before)
    catalog.put("salt", "c/1@1/0xa", {"salt": "00"})
    catalog.put("salt", "c/2@1", {"salt": "00"})
    was = [waves.planned_drop(catalog, "c", drop) for drop in (1, 2)]
    said = waves.moved_drops(catalog, "c", "a", waves.planned_drops(waves.plan_of(now), "a", 1))
    assert said.keys() == moved.keys() and all(words in said[drop] for drop, words in moved.items())
    if moved:
        with pytest.raises(waves.WaveMoved) as refused:
            record(now)
        assert refused.value.exit_code == 4 and all(words in str(refused.value) for words in said.values())
        assert [waves.planned_drop(catalog, "c", drop) for drop in (1, 2)] == was
    record(now, "it snows")
    record(now)
    assert {body["why"] for body in catalog.all("moved_wave").values()} == ({"it snows"} if moved else set())


def test_a_wave_that_another_batch_plans_is_moved_there_and_a_told_one_is_free(tmp_path):
    catalog, both = Catalog(tmp_path / "studio"), waves.plan_of({"waves": [{"drops": [1, 2]}]})
    waves.record_plan(catalog, "c", "a", 1, waves.plan_of(ONE_AND_TWO), tmp_path)
    for drop in (1, 2):
        catalog.put("salt", f"c/{drop}@1/0xa", {"salt": "00"})
    with pytest.raises(waves.WaveMoved):
        waves.record_plan(catalog, "c", "b", 2, both, tmp_path)
    with pytest.raises(waves.PlansDiffer, match="batch a says it is told in wave 2"):
        waves.record_plan(catalog, "c", "b", 2, both, tmp_path, "it snows")
    waves.record_plan(
        catalog, "c", "a", 1, waves.plan_of({"waves": [{"drops": [1]}]}), tmp_path, "to its own"
    )
    own = waves.plan_of({"waves": [{"drops": [2]}]})
    assert waves.record_plan(catalog, "c", "b", 2, own, tmp_path) == {2: waves.planned_drop(catalog, "c", 2)}
    waves.release_drop(catalog, "c", 2, "told")
    waves.record_plan(catalog, "c", "b", 2, waves.plan_of({"waves": [{"drops": [2]} | AT]}), tmp_path)


def test_a_plan_is_taken_back_by_saying_so_and_not_by_silence(tmp_path):
    catalog = Catalog(tmp_path / "studio")
    waves.record_plan(catalog, "c", "a", 1, waves.plan_of({}), tmp_path)
    assert waves.is_held_back(catalog, "c", 1) and not waves.is_held_back(catalog, "c", 2)
    with pytest.raises(waves.PlanForgotten):
        waves.record_plan(catalog, "c", "a", 1, None, tmp_path)
    waves.record_plan(catalog, "c", "a", 1, waves.plan_of({"open": True}), tmp_path)
    waves.record_plan(catalog, "c", "a", 1, None, tmp_path)
    assert not waves.is_held_back(catalog, "c", 1)


def test_a_placeholder_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    catalog = Catalog(tmp_path / "studio")
    with pytest.raises(UnreadablePicture, match="nowhere.png"):
        waves.record_plan(catalog, "c", "a", 1, waves.plan_of({"picture": "nowhere.png"}), tmp_path)
    assert waves.planned_drop(catalog, "c", 1) is None


def test_a_release_is_for_good_and_once(tmp_path):
    catalog = Catalog(tmp_path / "studio")
    waves.record_plan(catalog, "c", "a", 1, waves.plan_of(TWO), tmp_path)
    for _ in range(2):
        waves.release_drop(catalog, "c", 1, "wave 1")
    assert len(catalog.history("release", "c/1")) == 1
    assert [waves.is_held_back(catalog, "c", drop) for drop in (1, 2)] == [False, True]
    assert waves.stay_inside(["folder store", "pinata", "folder /mnt"]) == ["folder store", "folder /mnt"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_in_a_year_that_no_calendar_has_is_refused_in_words(at):
    with pytest.raises(ValidationError, match="no calendar has"):
        waves.plan_of({"waves": [{"drops": [1], "at": at}]})
