"Answers are whole, and a run's leads to what it made."

import pytest
from pydantic import ValidationError

from artmint.service.answers import Page, TokenAnswer, run_answer
from artmint.service.queue import RunRequest, RunView


def test_an_answer_takes_no_field_that_it_does_not_describe():
    with pytest.raises(ValidationError):
        TokenAnswer(id=1, chain_id=1, contract="0x", drop=1, uri="ipfs://", owner="ada")


def test_a_run_that_waits_leads_to_the_board():
    facts = {"id": "a", "request": RunRequest(batch="b"), "collection": "demo"}
    times = {"created": "2026-01-01T00:00:00+00:00", "at": "2026-01-01T00:00:00+00:00", "priority": 0}
    waiting = run_answer(RunView(**facts, **times, state="waiting", waiting=(3,)))
    done = run_answer(RunView(**facts, **times, state="done"))
    assert waiting.links["board"] == "/board/demo/"
    assert "board" not in done.links
    assert done.links["tokens"] == "/v1/collections/demo/tokens"
    assert Page[TokenAnswer](items=[]).next == ""
