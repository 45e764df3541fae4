"A disk that is full at any write: words in place of a traceback, nothing half under a good name, and the same bytes once there is room."

import errno
import os
import sys
import traceback
from pathlib import Path

import pytest

import artmint
from artmint.run.console import console_words
from artmint.studio.catalog import Catalog
from tests.faults.disks import can_mount, mount, unmount
from tests.kills.points import EVENTS, _is_change

from .act import mint_drawings, minted, publish_drawings, published, sound

PACKAGE = Path(artmint.__file__).parent


def site() -> str:
    "Where in artmint this change to a disk is asked for; empty: elsewhere."
    frames = traceback.extract_stack(sys._getframe(2))
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    return ">".join(f"{Path(one.filename).relative_to(PACKAGE)}:{one.lineno}" for one in own[-3:])


def forked(act, folder: Path, *given) -> tuple[int, str]:
    "Run an act in a fork, whose hooks end with it; its code, and what it said."
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        words, code = "", 0
        try:
            act(folder, *given)
        except BaseException as error:
            words, code = (
                console_words(error)[0],
                3 if isinstance(error, OSError) or hasattr(error, "exit_code") else 4,
            )
            words = words if code == 3 else f"{type(error).__name__}: {error}"
        os.write(write, words.encode())
        os._exit(code)
    os.close(write)
    with open(read, encoding="utf-8") as pipe:
        words = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), words


def sites_of(folder: Path) -> None:
    "Say at which places an act changes a disk, in their order."
    found: dict[str, None] = {}

    def audited(event: str, arguments: tuple) -> None:
        if _is_change(event, arguments) and (place := site()):
            found.setdefault(place)

    sys.addaudithook(audited)
    mint_drawings(folder)
    raise OSError(errno.ENOSPC, "sites", " ".join(found))


def fail_at(folder: Path, place: str) -> None:
    "An act on a disk that is full from the first change that is asked for at a place on."
    full = False

    def audited(event: str, arguments: tuple) -> None:
        nonlocal full
        if not _is_change(event, arguments):
            return
        full = full or site() == place
        if full and event not in ("os.remove", "os.rmdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    sys.addaudithook(audited)
    mint_drawings(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "What the act leaves when there is room, and the places at which it writes."
    folder = tmp_path_factory.mktemp("whole")
    code, words = forked(sites_of, folder / "sites")
    assert code == 3
    publish_drawings(folder / "studio")
    return published(folder / "studio"), words.split(": ", 1)[1].split(". What was")[0].split()


@pytest.mark.slow
def test_the_places_at_which_a_disk_is_written_to_are_found(whole):
    left, places = whole
    assert len(left) > 5
    assert len(places) > 20
    assert any("studio/files.py" in place for place in places)
    assert set(EVENTS) >= {"os.rename", "os.mkdir"}


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_write_is_told_in_words_and_loses_nothing(whole, tmp_path):
    left, places = whole
    for number, place in enumerate(places):
        folder = tmp_path / str(number)
        code, words = forked(fail_at, folder, place)
        assert code in (0, 3), (place, words)
        if code:
            assert "disk is full" in words or "unable to open" in words, (place, words)
        mint_drawings(folder)
        assert published(folder) == left, place
        assert minted(folder) == (1, [1, 2]), place
        assert sound(folder) == [], place


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="no small file system can be mounted here")
@pytest.mark.parametrize("kilobytes", [64, 96, 128, 160, 192, 224, 256, 320, 384, 448])
def test_on_a_small_disk_the_database_too_says_so_and_goes_on_when_there_is_room(whole, tmp_path, kilobytes):
    left, _ = whole
    place = tmp_path / "disk"
    place.mkdir()
    mount(place, f"{kilobytes}k")
    try:
        code, words = forked(publish_drawings, place / "studio")
        room = os.statvfs(place)
        (tmp_path / "copy").mkdir()
        if (place / "studio").exists():
            os.system(f"cp -a {place}/studio {tmp_path}/copy/")
    finally:
        unmount(place)
    assert code in (0, 3, 4), words
    if code:
        assert "full" in words, (room.f_bavail, words)
    publish_drawings(tmp_path / "copy" / "studio")
    assert published(tmp_path / "copy" / "studio") == left
    assert Catalog(tmp_path / "copy" / "studio").check() == []
