"Sample studios: as far along the line as was asked, and no further."

import pytest

from artmint.core.collection import example
from artmint.run.sample import NoSuchStep, sample_studio
from artmint.seeds import load_collection

DEMO = load_collection(example())


def test_an_unknown_step_is_refused_and_nothing_is_made(tmp_path):
    with pytest.raises(NoSuchStep, match="'sold'") as refused:
        sample_studio(tmp_path / "studio", DEMO, until="sold", drawn=True)
    assert refused.value.exit_code == 2
    assert not (tmp_path / "studio").exists()


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "until, editions, packed, published",
    [
        ("painted", 0, False, False),
        ("chosen", 3, False, False),
        ("filled", 3, False, False),
        ("packed", 3, True, False),
        ("published", 3, True, True),
    ],
)
def test_it_goes_as_far_as_was_asked(tmp_path, until, editions, packed, published):
    catalog = sample_studio(tmp_path, DEMO, until, first=2, quantity=3, drawn=True)
    assert {key for key in catalog.all("edition", "demo/")} == {f"demo/{i + 2}" for i in range(editions)}
    assert len(catalog.all("artifact", "")) == 3
    assert (tmp_path / "drops" / "demo-1" / "drop.car").exists() == packed
    assert (tmp_path / "store").exists() == published
    assert catalog.check() == []


@pytest.mark.slow
def test_making_it_again_adds_nothing(tmp_path):
    before = sample_studio(tmp_path, DEMO, "packed", quantity=2, drawn=True)
    kept = before.all("edition", "demo/"), sorted(before.blob_names())
    again = sample_studio(tmp_path, DEMO, "packed", quantity=2, drawn=True)
    assert (again.all("edition", "demo/"), sorted(again.blob_names())) == kept
