"Painted again: retouched pictures, other weights, and how far apart."

import hashlib
import json
import math
import re

from itertools import product
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from artmint.core.canon import canonical, read_json
from artmint.core.formats import encode_picture, marked_picture, worded_picture
from artmint.core.picture import MARK, pixel_digest, png_bytes, read_png
from artmint.core.records import Recipe
from artmint.ipfs.cid import cid
from artmint.make.base import load_base
from artmint.make.render import render
from artmint.prove.proof import NotProven
from artmint.prove.regenerate import _difference, worst_block
from artmint.publish.tokens import json_schema
from artmint.publish.weights import WeightsListing, WeightsPlace
from artmint.verify import verify
from tests.families import saved
from tests.lies import altered, failed, repaint, status
from tests.suites import some

# -- how far apart


def test_a_difference_is_measured():
    pytest.importorskip("skimage")
    from artmint.train.drawings import Subject, draw

    image = draw(Subject("rings", "ocean", "night", "dense", "centred"), 3, 64)
    near = image.copy()
    far = draw(Subject("waves", "ember", "paper", "sparse", "offset"), 4, 64)
    near.putpixel((3, 3), tuple(value ^ 1 for value in near.getpixel((3, 3))))
    assert _difference(image, near).startswith("largest difference 1 of 255, PSNR ")
    assert _difference(image, near).endswith("similarity 1.0000")
    found = re.fullmatch(
        r"largest difference (\d+) of 255, PSNR ([\d.]+) dB, similarity (-?[\d.]+)", _difference(image, far)
    )
    assert int(found[1]) > 100
    assert float(found[2]) < 20
    assert float(found[3]) < 0.8
    assert _difference(image, image.resize((32, 32))) == "sizes 64 x 64 and 32 x 32"
    assert (
        read_png(png_bytes(near, Recipe(base="0" * 64, prompt="x", seed=1, width=64, height=64), "m"))[
            0
        ].tobytes()
        == near.tobytes()
    )


# -- a studio that lies, and puts its lie on chain


def test_a_retouched_picture_that_agrees_with_itself_fails_only_when_it_is_painted_again(lie):
    "The best lie there is: every digest, address and root is right, but the recipe doesn't give this picture."

    def change(files):
        picture = altered(files, 2)
        repaint(files, 2, picture, artmint__pixel_digest=pixel_digest(read_png(picture)[0]))

    proof = lie(change, regenerate=True)
    assert set(failed(proof)) == {"regenerate"}
    assert failed(proof)["regenerate"].startswith("token 2: pixels rendered again")
    assert "largest difference 1 of 255" in failed(proof)["regenerate"]
    assert [step.status for step in proof.steps if step.name != "regenerate" and step.asked] == ["held"] * 14


def repainted(files: dict, profile: str, paint, **of_the_second) -> None:
    "Both tokens' recipes in another profile, with the pictures that somebody paints for them."
    for token in (1, 2):
        facts = read_json(files[f"{token}.json"])["artmint"]["recipe"] | {"profile": profile}
        facts |= of_the_second if token == 2 else {}
        recipe = Recipe.parse(facts)
        image = paint(recipe, files, token)
        repaint(
            files,
            token,
            png_bytes(image, recipe, "artmint bundled"),
            artmint__recipe=facts,
            artmint__dna=recipe.dna,
            artmint__pixel_digest=pixel_digest(image),
        )


def elsewhere(recipe, files, token):
    "As another machine rounds: without oneDNN's kernels, and one value by one."
    import torch

    with torch.backends.mkldnn.flags(enabled=False):
        image = render(load_base(), [recipe])[0]
    image.putpixel((3, 3), tuple(value ^ 1 for value in image.getpixel((3, 3))))
    return image


def encoded(files: dict, forge: bool) -> None:
    "Both tokens' pictures as lossy WebP, the second one retouched before it was encoded, or not."
    for token in (1, 2):
        image, texts = read_png(files.pop(f"images/{token}.png"))
        packet = texts.pop(MARK)
        if forge and token == 2:
            ImageDraw.Draw(image).ellipse((20, 20, 34, 34), fill="#ff00aa")
        data = marked_picture(worded_picture(encode_picture(image, "webp", 85), texts), packet)
        files[f"images/{token}.webp"] = data
        said = read_json(files[f"{token}.json"])
        said["image"] = f"ipfs://{cid(data)}"
        said["artmint"]["file_digest"] = hashlib.sha256(data).hexdigest()
        shown = {"mime": "image/webp", "encoding": "lossy", "quality": 85, "encoder": "libwebp 1.6.0"}
        said["artmint"]["picture"] = shown
        files[f"{token}.json"] = canonical(said)
    files["schema.json"] = json_schema(pictures=True)
    page = read_json(files["contract.json"])
    page["image"] = read_json(files["1.json"])["image"]
    files["contract.json"] = canonical(page)


@pytest.mark.slow
def test_a_lossy_picture_is_held_only_when_it_is_rendered_and_encoded_again(lie):
    proof = lie(lambda files: encoded(files, forge=False), regenerate=True)
    assert not failed(proof)
    assert "2 of 2 lossy pictures are the very files" in proof.text()
    assert [step.asked for step in proof.steps if step.name == "pixels"] == [False]


@pytest.mark.slow
def test_a_lossy_picture_that_was_retouched_fails_when_it_is_encoded_again(lie):
    proof = lie(lambda files: encoded(files, forge=True), regenerate=True)
    assert set(failed(proof)) == {"regenerate"}
    assert "token 2" in failed(proof)["regenerate"] and "from its rendering" in failed(proof)["regenerate"]


ALIKE = r"token 1: [\d.]+ levels of 255 apart in the worst square, and rounding explains [\d.]+"


@pytest.mark.slow
def test_what_another_machine_rounds_is_measured_and_held(lie):
    proof = lie(lambda files: repainted(files, "fast", elsewhere), regenerate=True)
    assert proof.exit_code == 0, proof.text()
    (again,) = (step for step in proof.steps if step.name == "regenerate")
    assert again.status == "held"
    assert "2 of 2 pictures are alike and not equal" in again.evidence
    assert re.search(ALIKE, again.evidence)


@pytest.mark.slow
def test_no_studio_is_accused_where_rounding_moves_a_picture_far(lie):
    "Of two dozen steps of UniPC in bfloat16, as unsteady as recipes get, nothing is said; the other picture is told alike."
    unsteady = {"scheduler": "UniPC", "steps": 24}
    proof = lie(lambda files: repainted(files, "half", elsewhere, **unsteady), regenerate=True)
    assert not failed(proof), proof.text()
    again = {step.status: step.evidence for step in proof.steps if step.name == "regenerate"}
    assert re.search(ALIKE, again["held"])
    assert "too much to tell a retouch by" in again["unchecked"]
    assert proof.exit_code == 3


def foreign(recipe, files, token):
    "A picture that the recipe never gave."
    return Image.new("RGB", recipe.size, (200, 30, 30))


def reseeded(recipe, files, token):
    "The picture of another seed."
    return render(load_base(), [recipe.model_copy(update={"seed": recipe.seed ^ 1})])[0]


def touched(recipe, files, token):
    "The right picture with a small disc painted in."
    image = render(load_base(), [recipe])[0]
    ImageDraw.Draw(image).ellipse((20, 20, 26, 26), fill=(255, 0, 0))
    return image


@pytest.mark.slow
@pytest.mark.parametrize(
    "paint, profile",
    some(product([foreign, reseeded, touched], ["fast", "half"]), [(foreign, "fast"), (touched, "half")]),
)
def test_no_profile_excuses_another_picture(lie, profile, paint):
    proof = lie(lambda files: repainted(files, profile, paint), regenerate=True)
    assert set(failed(proof)) <= {"regenerate", "unique"}, proof.text()
    assert "and rounding explains" in failed(proof)["regenerate"]
    assert proof.exit_code == 1


@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    at=st.tuples(st.integers(0, 69), st.integers(0, 69)),
    step=st.integers(1, 255),
)
def test_a_retouch_shows_in_its_square_however_large_the_picture(size, at, step):
    image = Image.new("RGB", size)
    other = image.copy()
    place = at[0] % size[0], at[1] % size[1]
    other.putpixel(place, (step, step, step))
    assert worst_block(image, image) == 0
    assert worst_block(image, other) == pytest.approx(step / 16)  # one pixel of 256
    assert worst_block(image, Image.new("RGB", (size[0] + 1, size[1]))) == math.inf


# -- weights from the archive


def of_weights(files: dict, name: str) -> str:
    "The path of one of the weights' files."
    return next(path for path in files if path.startswith("weights/") and path.endswith(name))


@pytest.mark.slow
@pytest.mark.parametrize("where", ["inside", "apart"])
def test_weights_that_are_another_base(lie, where):
    def change(files):
        path = of_weights(files, "vae/diffusion_pytorch_model.safetensors")
        files[path] = files[path][:-2] + b"\0\x3c"

    proof = lie(change, regenerate=True, weights=where)
    assert set(failed(proof)) == {"regenerate"}
    assert re.search(r"should be base [0-9a-f]{64}, and are [0-9a-f]{64}", failed(proof)["regenerate"])


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "name, where",
    some(
        product(
            ["evil.py", "unet/model.bin", "a/b/c.json", "unet/.hidden.json", "tokenizer/x.pkl", "..json"],
            ["inside", "apart"],
        ),
        [("evil.py", "inside"), ("unet/model.bin", "apart"), ("..json", "inside")],
    ),
)
def test_weights_with_a_strange_file_are_not_loaded(lie, name, where):
    def change(files):
        files[f"weights/{read_json(files['1.json'])['artmint']['base']['digest']}/{name}"] = b"{}"

    proof = lie(change, regenerate=True, weights=where)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert "which is not loaded" in proof.steps[-1].evidence


@pytest.mark.many(1)
@pytest.mark.parametrize("where", ["inside", "apart"])
def test_weights_that_name_other_code_are_not_loaded(lie, where):
    def change(files):
        path = of_weights(files, "model_index.json")
        files[path] = json.dumps(json.loads(files[path]) | {"unet": ["subprocess", "Popen"]}).encode()

    proof = lie(change, regenerate=True, weights=where)
    assert proof.exit_code == 3
    assert "subprocess" in proof.steps[-1].evidence
    assert "which is not loaded" in proof.steps[-1].evidence


@pytest.mark.slow
@pytest.mark.parametrize("where", ["inside", "apart"])
def test_broken_weights_are_unchecked(lie, where):
    def change(files):
        files[of_weights(files, "unet/diffusion_pytorch_model.safetensors")] = b"\xff" * 100

    proof = lie(change, regenerate=True, weights=where)
    assert proof.exit_code == 3
    assert status(proof, "regenerate") == {"unchecked"}


@pytest.mark.parametrize("where", some(["inside", "apart"], ["apart"]))
def test_published_weights_paint_the_pictures(lie, where):
    proof = lie(lambda files: None, regenerate=True, weights=where)
    assert proof.exit_code == 0, proof.text()
    assert ("from ipfs://b" if where == "apart" else "from the archive") in proof.steps[-1].evidence


def listed_nowhere(files: dict) -> None:
    "A page that names an archive which no store has."
    place = WeightsPlace(cid=str(cid(b"nowhere")), bytes=9)
    digest = read_json(files["1.json"])["artmint"]["base"]["digest"]
    files["weights.json"] = WeightsListing(bases={digest: place}).data


@pytest.mark.slow
def test_weights_that_no_store_has_are_those_of_the_package_where_it_has_them(lie):
    proof = lie(listed_nowhere, regenerate=True)
    assert proof.exit_code == 0, proof.text()
    assert "from bundled" in proof.steps[-1].evidence


@pytest.mark.slow
def test_weights_that_no_store_has_are_unchecked(lie, tmp_path):
    proof = lie(listed_nowhere, regenerate=True, base=str(saved("sd1", tmp_path / "another")))
    assert not failed(proof)
    assert proof.exit_code == 3
    assert f"the base's files at {cid(b'nowhere')} weren't had" in proof.steps[-1].evidence


@pytest.mark.slow
def test_a_base_that_is_not_published_comes_from_the_package_or_the_caller(lie, tmp_path):
    from artmint.make.base import load_base

    bundled = load_base()
    with_given = lie(lambda files: None, regenerate=True, base=str(bundled.folder))
    assert with_given.exit_code == 0, with_given.text()
    proof = verify(with_given.address, tmp_path / "lies", regenerate=True)
    assert proof.exit_code == 0
    assert "from bundled" in proof.steps[-1].evidence


@pytest.mark.slow
def test_a_base_that_nobody_has_is_unchecked(lie):
    def change(files):
        for token in (1, 2):
            image, _ = read_png(files[f"images/{token}.png"])
            facts = read_json(files[f"{token}.json"])["artmint"]["recipe"] | {"base": "5" * 64}
            recipe = Recipe.parse(facts)
            repaint(
                files,
                token,
                png_bytes(image, recipe, "artmint bundled"),
                artmint__recipe=facts,
                artmint__dna=recipe.dna,
                artmint__base__digest="5" * 64,
            )

    proof = lie(change, regenerate=True)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert "5" * 64 in proof.steps[-1].evidence
    with pytest.raises(NotProven, match="regenerate"):
        proof.insist()


@pytest.mark.slow
def test_a_base_that_was_not_published_is_named_as_the_studio_names_it(tmp_path):
    from artmint.prove.evidence import Unreachable
    from artmint.prove.regenerate import _base, _Place

    origin = f"our/base@{'4' * 40}"
    with pytest.raises(Unreachable, match=f"the studio says that it is {origin} .--base {origin}."):
        _base(_Place([], [], "0" * 64, "", tmp_path, origin, "diffusers"))
    with pytest.raises(Unreachable, match="say where it can be loaded from$"):
        _base(_Place([], [], "0" * 64, "", tmp_path, "riso", "diffusers"))


def test_pictures_of_another_engine_say_what_it_takes_to_paint_them_again(tmp_path):
    from artmint.prove.evidence import Unreachable
    from artmint.prove.regenerate import _painter, _Place

    def place(engine, stated="hill"):
        return _Place([], [], "0" * 64, "", tmp_path, stated, engine)

    with pytest.raises(Unreachable, match="need ComfyUI with the workflow 'hill', which isn't published"):
        _painter(place("comfyui"))
    with pytest.raises(Unreachable, match="need a server with A1111's API and 'hill' .*--base http"):
        _painter(place("a1111"))
    with pytest.raises(Unreachable, match="need ComfyUI 0.3.75 with the workflow 'hill', which"):
        _painter(place("comfyui", "hill (ComfyUI 0.3.75)"))
    with pytest.raises(Unreachable, match="need Forge f2, or another server with A1111's API, and 'fox'"):
        _painter(place("a1111", "fox (Forge f2)"))


@pytest.mark.parametrize(
    "apart, status", [(0.4, "held"), (1.0, "held"), (1.1, "unchecked"), (90.0, "unchecked")]
)
def test_a_servers_picture_that_differs_is_never_called_false(apart, status):
    from artmint.core.records import Finding, Recipe
    from artmint.prove.regenerate import _Mismatch, _pixel_steps

    recipe = Recipe(base="0" * 64, prompt="a hill", seed=1, width=64, height=64, engine="comfyui")
    mismatch = _Mismatch(Finding(3, "pixels", "a", "b"), recipe, apart, None)
    first, rest = list(_pixel_steps([mismatch], [3, 4], "hill", lambda recipes: []))
    assert (first.status, first.token) == (status, 3)
    assert rest.status == "held"
