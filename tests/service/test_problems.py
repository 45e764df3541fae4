"A refusal over HTTP says what the console says."

import json

import pytest

from artmint.publish.approve import Unapproved
from artmint.service.problems import NotReady, ScopeMissing, TooManyAtOnce, problem_of, problem_response
from artmint.studio.catalog import MissingRecord
from artmint.studio.editions import EditionFixed
from artmint.studio.files import BadSettings


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (EditionFixed(3, 1), 409),
        (MissingRecord("drop", "demo/1"), 404),
        (BadSettings("studio.toml", "no table"), 422),
        (Unapproved("demo-1", [], 1, ["0x"]), 409),
        (ScopeMissing("ada", "mint", []), 403),
        (NotReady("it starts"), 503),
    ],
)
def test_the_words_are_the_consoles_and_the_values_stand_beside_them(refusal, status):
    body = problem_of(refusal).model_dump()
    assert body["detail"] == str(refusal)
    assert body["status"] == status
    assert body["type"] == f"urn:artmint:{type(refusal).__name__}"
    values = {key: value for key, value in vars(refusal).items() if key not in ("status",)}
    assert values.items() <= body.items()


def test_who_comes_back_later_hears_when():
    answer = problem_response(TooManyAtOnce(7))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.body)["most"] == 7
