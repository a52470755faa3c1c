"""The record files: all of them hold what their types say, and each is read only when it is asked."""

import re
from collections import Counter

import msgspec
import pytest
import tomli
from msgspec.structs import fields

from layerwright.core.errors import IntegrityError
from layerwright.facts.compat import (
    cuda,
    cuda_images,
    cuda_wheels,
    cudnn,
    elf,
    glibc,
    musa,
    ngc,
    numpy,
    onnxruntime,
    opencv,
    records,
    torch,
    vision,
)

FILES = {
    torch.TorchFile: 193,
    vision.VisionFile: 147,
    onnxruntime.OnnxRuntimeFile: 160,
    cuda.CudaFile: 160,
    cudnn.CudnnFile: 81,
    cuda_wheels.CudaWheelsFile: 137,
    cuda_images.CudaImagesFile: 61,
    ngc.NgcFile: 52,
    opencv.OpenCvFile: 85,
    numpy.NumpyFile: 109,
    glibc.GlibcFile: 95,
    musa.MusaFile: 19,
    elf.ElfFile: 164,
}
HEAD = {"schema_version", "subject", "as_of", "notes"}


def tables(kind):
    return [field.name for field in fields(kind) if field.name not in HEAD]


def all_records(kind):
    loaded = records.load(kind)
    return [record for table in tables(kind) for record in getattr(loaded, table)]


@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.FILE)
def test_every_record_has_its_type(kind):
    found = all_records(kind)
    assert len(found) >= FILES[kind], "records only come to the files, they do not go"
    assert all(isinstance(record, records.Record) for record in found)


def test_no_record_of_the_first_collection_is_lost():
    assert sum(FILES.values()) == 1463


def test_every_file_has_a_type():
    assert {path.name for path in records.DATA.glob("*.toml")} == {kind.FILE for kind in FILES}


@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.FILE)
def test_every_table_of_a_file_is_typed_and_nothing_is_left_out(kind):
    """Decoding loses nothing: what the types give back is what the file says."""
    raw = tomli.loads((records.DATA / kind.FILE).read_text(encoding="utf-8"))
    assert set(raw) == {*HEAD, *tables(kind)}
    for table in tables(kind):
        for typed, plain in zip(getattr(records.load(kind), table), raw[table], strict=True):
            whole = msgspec.json.decode(msgspec.json.encode(typed))
            assert {key: whole[key] for key in plain} == plain


@pytest.mark.parametrize("kind", FILES, ids=lambda kind: kind.FILE)
def test_every_record_names_its_source(kind):
    for record in all_records(kind):
        assert len(record.source) > 5
        assert record.confidence in {"metadata", "docs", "community"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", records.load(kind).as_of)


def test_rules_are_named_once():
    for kind in FILES:
        names = Counter((type(record), record.id) for record in all_records(kind) if hasattr(record, "id"))
        per_table = Counter(
            (table, record.id)
            for table in tables(kind)
            for record in getattr(records.load(kind), table)
            if hasattr(record, "id")
        )
        assert max(per_table.values(), default=1) == 1, names


def test_a_question_reads_the_file_of_its_subject_alone(monkeypatch):
    records._load.cache_clear()
    read = []
    true = records.convert

    def convert(obj, kind):
        read.append(kind.FILE)
        return true(obj, kind)

    monkeypatch.setattr(records, "convert", convert)
    assert read == []
    musa.release("1.3.0")
    glibc.operating_system("debian12")
    musa.release("2.0.0")
    assert read == ["torch_musa.toml", "glibc.toml"]


class Small(records.RecordFile, frozen=True, kw_only=True):
    FILE = "small.toml"
    fact: tuple[records.Rule, ...] = ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "schema_version"),
        ("schema_version = 2\nsubject = ''\nas_of = ''\nnotes = []", "schema_version"),
        ("schema_version = 1\nsubject = ''\nas_of = ''\nnotes = []\nother = 1", "other"),
        (
            "schema_version = 1\nsubject = ''\nas_of = ''\nnotes = []\n[[fact]]\nid = 'a'\ntext = 'b'\nsource = 'c'",
            "confidence",
        ),
        (
            "schema_version = 1\nsubject = ''\nas_of = ''\nnotes = []\n[[fact]]\nid = 'a'\nconfidence = 'sure'",
            "sure",
        ),
        ("[[", "small.toml"),
    ],
)
def test_a_broken_file_is_named(tmp_path, monkeypatch, text, complaint):
    monkeypatch.setattr(records, "DATA", tmp_path)
    (tmp_path / "small.toml").write_text(text)
    records._load.cache_clear()
    with pytest.raises(IntegrityError) as raised:
        records.load(Small)
    assert complaint in raised.value.what
    assert "small.toml" in raised.value.what
    assert "install layerwright again" in raised.value.hint
    records._load.cache_clear()


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "DATA", tmp_path)
    records._load.cache_clear()
    with pytest.raises(IntegrityError, match=r"small\.toml"):
        records.load(Small)
    records._load.cache_clear()


def test_what_was_read_from_binaries_counts_as_such():
    read = records.Record(source="PyPI wheel metadata, ELF of whole wheel", confidence="metadata")
    listed = records.Record(source="PyPI wheel metadata", confidence="metadata")
    said = records.Record(source="a page about ELF", confidence="docs")
    assert [one.binary("x").confidence for one in (read, listed, said)] == ["binary", "metadata", "docs"]
    assert read.evidence("x").confidence == "metadata"
