"Mastodon: a server's own limits, and its form of parts as the standard library reads it."

from email import message_from_bytes

import pytest

from artmint.report.drafts import PostDraft, PostPicture, raw_cid
from artmint.report.mastodon import _form, server_faults
from tests.posted import MOMENT

DATA = b"\x89PNG\r\n\x1a\n\r\n--x\r\n\0\xff"
PICTURE = PostPicture(
    token=3,
    file_digest="0" * 64,
    kind="image/png",
    width=64,
    height=64,
    size=len(DATA),
    cid=raw_cid(DATA),
    own=True,
    alt='Größe "3"\nring',
)


def draft(text: str, pictures=()) -> PostDraft:
    facts = {"collection": "demo", "drop": 1, "tokens": (3,), "facts": (), "wording": "templates"}
    return PostDraft(platform="mastodon", text=text, made=MOMENT, pictures=pictures, **facts)


def test_the_form_holds_the_bytes_and_the_description():
    kind, body = _form(PICTURE, DATA)
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.get_payload()}
    assert parts["file"].get_content_type() == "image/png"
    assert parts["file"].get_filename() == "token-3.png"
    assert body.count(DATA) == 1 and PICTURE.alt.encode() in body
    assert _form(PICTURE, DATA) == (kind, body)


@pytest.mark.parametrize(
    "described, reason",
    [
        ({}, ""),
        ({"statuses": {"max_characters": 10}}, "counts 20, and 10"),
        ({"statuses": {"max_characters": "many", "max_media_attachments": None}}, ""),
        ({"statuses": {"max_media_attachments": 1}}, "2 pictures"),
        ({"media_attachments": {"description_limit": 3}}, "alt text of token 3"),
        ({"media_attachments": {"image_size_limit": 3}}, "larger"),
        ({"media_attachments": {"image_matrix_limit": 64}}, "larger"),
        (None, ""),
        ([], ""),
    ],
)
def test_a_server_s_own_limits_are_held(described, reason):
    faults = "; ".join(server_faults(draft("A ring. Made with AI", (PICTURE, PICTURE)), described))
    assert reason in faults and bool(reason) == bool(faults)
