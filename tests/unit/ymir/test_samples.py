"""The pictures of a new project: what the document says is what is on them."""

import hashlib
import io
import json

from PIL import Image

from layerwright.ymir.samples import sample_pictures


def test_the_document_says_what_is_on_the_pictures():
    files = sample_pictures()
    document = json.loads(files.pop("coco.json"))
    assert {image["file_name"] for image in document["images"]} == set(files)
    assert len({hashlib.sha1(content).digest() for content in files.values()}) == len(files) == 24
    for image in document["images"]:
        picture = Image.open(io.BytesIO(files[image["file_name"]]))
        picture.load()
        assert picture.size == (image["width"], image["height"]) == (160, 120)
        own = [one for one in document["annotations"] if one["image_id"] == image["id"]]
        assert [one["category_id"] for one in own] == ([1, 2] if image["id"] % 2 else [1])
        for one in own:
            x, y, w, h = one["bbox"]
            inside = picture.crop((x, y, x + w, y + h)).getcolors()
            assert inside is not None
            assert len(inside) == 1
            around = picture.crop((x - 1, y - 1, x + w + 1, y + h + 1)).getcolors()
            assert around is not None
            assert {colour: count for count, colour in around}[inside[0][1]] == w * h


def test_they_are_small_and_always_the_same():
    files = sample_pictures()
    assert files == sample_pictures()
    assert sum(map(len, files.values())) < 60_000
