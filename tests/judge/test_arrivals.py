"Pictures as other programs write them: what is read of each, what is refused, and for which slot it is."

import os

import pytest

from artmint.judge.arrivals import look_at
from tests.elsewhere import CASES, ending_of


def looked_at(case, folder):
    "A case as it lies in a folder, looked at."
    path = folder / f"{case.name}{ending_of(case)}"
    path.write_bytes(case.data())
    beside = []
    for ending, data in case.beside.items():
        beside.append(folder / f"{case.name}{ending}")
        beside[-1].write_bytes(data)
    return look_at(path.name, path, beside)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_layout_is_read_as_its_program_writes_it(case, tmp_path):
    arrival = looked_at(case, tmp_path)
    if case.refused:
        assert case.refused in arrival.refused
        return
    assert not arrival.refused
    assert arrival.tool == case.tool, arrival
    assert not case.note or any(case.note in note for note in arrival.notes), arrival.notes
    for name, expected in case.said.items():
        value = getattr(arrival.origin, name)
        if name == "loras":
            value = [(lora.name, lora.weight, lora.hash) for lora in value]
        if name == "further":
            value = {key: value.get(key) for key in expected}
        assert value == expected, name


def test_a_pipe_in_a_folder_is_no_picture_and_nobody_waits_for_it(tmp_path):
    from artmint.judge.arrivals import NothingToImport, arrival_files

    for name in ("pipe.csv", "pipe.png"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(NothingToImport, match="2 other files"):
        arrival_files(tmp_path)
