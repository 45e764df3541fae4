"Films' settings, the moments that frames show, and their dna."

import numpy as np
import pytest
from pydantic import ValidationError

from artmint.core.films import FilmFacts, FilmSettings, blended, film_frames

FACTS = FilmFacts(pictures=("a" * 64,), captions=(("One",),), settings=FilmSettings(), format="mp4")


@pytest.mark.parametrize("easing", ["linear", "in", "out", "in-out"])
@pytest.mark.parametrize("pictures", [2, 3, 21])
def test_a_film_begins_at_the_first_guess_never_goes_back_and_ends_at_the_picture(easing, pictures):
    settings = FilmSettings(seconds=2, fps=10, hold=0.5, easing=easing)
    frames = film_frames(settings, pictures)
    places = [index * 256 + share for index, share in frames]
    assert (len(frames), places[0], places[19:]) == (25, 0, [(pictures - 1) * 256] * 6)
    assert places == sorted(places)


def test_a_film_that_goes_back_ends_where_it_began():
    frames = film_frames(FilmSettings(seconds=1, fps=10, hold=0, loop="back"), 5)
    assert len(frames) == 20 and frames == frames[::-1]


def test_easings_are_what_they_are_called():
    half = {
        easing: film_frames(FilmSettings(seconds=0.5, fps=50, easing=easing), 101)[12]
        for easing in ("in", "linear", "out")
    }
    assert half == {"in": (25, 0), "linear": (50, 0), "out": (75, 0)}


def test_pictures_are_blended_in_whole_numbers():
    first, second = (np.full((2, 2, 3), value, np.uint8) for value in (10, 250))
    assert blended(first, second, 0) is first
    assert [int(blended(first, second, share)[0, 0, 0]) for share in (1, 128, 255)] == [11, 130, 249]
    assert blended(second, second, 77).max() == 250


def test_every_field_but_what_tokens_name_is_in_the_dna():
    other = {
        **{"seconds": 3.0, "fps": 25, "easing": "in", "hold": 1.0, "loop": "once", "template": "portrait"},
        **{"side": 256, "caption": ("x",), "traits": True, "ground": "#000000", "ink": "#ffffff"},
    }
    assert set(other) == set(FilmSettings.model_fields) - {"animation"}
    changed = [
        FACTS.model_copy(update={"settings": FilmSettings(**{name: value})}) for name, value in other.items()
    ]
    changed += [
        FACTS.model_copy(update=update)
        for update in (
            {"format": "gif"},
            {"sheet": True},
            {"captions": (("Two",),)},
            {"pictures": ("b" * 64,)},
        )
    ]
    assert len({facts.dna for facts in [FACTS, *changed]}) == len(changed) + 1
    named = FACTS.model_copy(update={"settings": FilmSettings(animation="mp4")})
    assert named.dna == FACTS.dna


@pytest.mark.parametrize("template", ["square", "portrait", "landscape"])
def test_a_canvas_has_even_sides_and_its_shape(template):
    for side in (64, 66, 512, 1080):
        width, height = FilmSettings(template=template, side=side).canvas
        assert width % 2 == height % 2 == 0 and min(width, height) == side
        assert abs(width / height - {"square": 1, "portrait": 9 / 16, "landscape": 16 / 9}[template]) < 0.03


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.1, "fps": 5}, {"side": 65}, {"fps": 120}, {"caption": ("",)}, {"ground": "red"}]
)
def test_settings_that_make_no_film_are_refused(wrong):
    with pytest.raises(ValidationError):
        FilmSettings(**wrong)
