"Style sets: named by all that they say, every fault by name."

import json

import pytest
from PIL import Image

from artmint.make.base import load_judge
from artmint.train.drawings import GROUNDS, MOTIFS, draw, subjects
from artmint.train.style import BadStyleSet, draft_captions, load_style, practice_style, split_style


def test_a_part_of_the_set_is_held_out(style):
    learnt, held = split_style(style)
    assert (len(learnt.pictures), len(held.pictures)) == (5, 1)
    files, learnt_files, held_files = ({p.file for p in part.pictures} for part in (style, learnt, held))
    assert learnt_files | held_files == files
    assert learnt.digest != style.digest
    assert split_style(style) == (learnt, held)


def test_a_style_set_is_named_by_all_that_it_says(style, tmp_path):
    again = practice_style(tmp_path / "elsewhere", 6, 64)
    assert again.digest == style.digest
    (tmp_path / "elsewhere" / "001.txt").write_text("another caption")
    assert load_style(tmp_path / "elsewhere").digest != style.digest


def test_captions_may_come_in_one_file(tmp_path):
    style = practice_style(tmp_path / "a", 3, 64)
    rows = [json.dumps({"file_name": p.file, "text": p.caption}) for p in style.pictures]
    for text in style.folder.glob("*.txt"):
        text.unlink()
    (style.folder / "metadata.jsonl").write_text("\n".join(rows))
    assert load_style(style.folder).digest == style.digest


def test_captions_are_drafted_by_the_judge():
    dense = [s for s in subjects() if s.density == "dense" and s.placement == "centred"]
    shown = [s for s in dense if s.motif != "nebula"][::5]
    drawn = [draw(s, 9000 + i) for i, s in enumerate(shown)]
    words = {"subject": list(MOTIFS), "ground": [f"mountains on {g}" for g in GROUNDS]}
    drafts = draft_captions(drawn, load_judge(), words)
    right = [s.motif in draft.split(", ")[0] for s, draft in zip(shown, drafts)]
    assert sum(right) >= 0.7 * len(shown)
    assert all(draft.count(", ") == 1 for draft in drafts)


@pytest.mark.parametrize(
    "break_it, word",
    [
        (lambda f: (f / "001.png").write_bytes((f / "001.png").read_bytes()[:500]), "001.png: can't be read"),
        (lambda f: (f / "002.txt").unlink(), "002.png: it has no caption"),
        (lambda f: Image.new("I;16", (64, 64)).save(f / "003.png"), "003.png: its mode"),
        (lambda f: Image.new("RGB", (16, 64)).save(f / "003.png"), "smaller than 64"),
        (lambda f: Image.new("RGBA", (64, 64), (0, 0, 0, 9)).save(f / "003.png"), "transparent"),
        (
            lambda f: (f / "002.png").write_bytes((f / "003.png").read_bytes()),
            "003.png: shows the same as 002.png",
        ),
        (lambda f: (f / "style.toml").write_text('name = "a"\ntrigger = "b"\n'), "no rights"),
        (lambda f: (f / "style.toml").write_text("name = "), "style.toml"),
        (
            lambda f: (f / "style.toml").write_text(
                'name = "a"\ntriger = "b"\n[rights.default]\nauthor = "a"\nlicence = "b"\nconsent = "c"\n'
            ),
            "is it trigger",
        ),
        (lambda f: [p.unlink() for p in f.glob("0*")], "no pictures"),
    ],
)
def test_every_fault_of_a_style_set_is_named(tmp_path, break_it, word):
    folder = practice_style(tmp_path / "style", 3, 64).folder
    break_it(folder)
    with pytest.raises(BadStyleSet, match=word):
        load_style(folder)
