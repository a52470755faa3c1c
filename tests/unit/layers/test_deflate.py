import gzip
import zlib

import pytest

from layerwright.layers.deflate import MAX_STORED, encode_literal, gzip_literal, gzip_trailer, stored_blocks


def test_plain_bytes_are_one_stored_block():
    assert encode_literal(b"abc") == b"\x01\x03\x00\xfc\xffabc"


def test_the_rule_as_bytes():
    # Worked out from RFC 1951 by hand, so that no change moves a blob's digest unseen. 32 zeros: header 010, literal
    # 00110000, length 31 is code 272 = 0010000 and extra bits 00, distance 00000, end 0000000; stored header 100.
    assert encode_literal(bytes(32)).hex() == "6220000001" + "0000ffff"
    assert encode_literal(bytes(31)).hex() == "01" + "1f00e0ff" + "00" * 31
    assert encode_literal(b"ab" + bytes(40) + b"c" + bytes(300)).hex() == (
        "00" + "0200fdff" + "6162" + "6220120000" + "0100feff" + "63" + "62180544034000" + "0000ffff"
    )


@pytest.mark.parametrize("length", [*range(600), 32 + 258 * 7, 65535, 65536, 200_000])
def test_zero_runs_of_every_length_come_back(length):
    for data in (
        bytes(length),
        b"x" + bytes(length),
        bytes(length) + b"y",
        b"a" + bytes(length) + b"b" + bytes(40),
    ):
        assert zlib.decompress(encode_literal(data), -15) == data


@pytest.mark.parametrize("length", [1, MAX_STORED - 1, MAX_STORED, MAX_STORED + 1, 3 * MAX_STORED])
def test_long_plain_stretches_come_back(length):
    data = (b"0123456789" * (length // 10 + 1))[:length]
    for case in (data, bytes(50) + data, data + bytes(50), data + bytes(50) + data):
        assert zlib.decompress(encode_literal(case), -15) == case


def test_a_tar_header_shrinks_to_its_text():
    header = b"opt/venv/lib".ljust(100, b"\0") + b"0000644\0" + bytes(404)
    assert len(encode_literal(header)) < 60


def test_a_gzip_member_has_no_name_time_or_system():
    member = gzip_literal(b"hello")
    assert member[:10].hex() == "1f8b08000000000000ff"
    assert gzip.decompress(member * 3) == b"hellohellohello"
    assert gzip_literal(b"") == b""


def test_stored_blocks_may_be_given_in_pieces():
    data = bytes(range(256)) * 1024
    cut = 2 * MAX_STORED
    pieces = stored_blocks(data[:cut], final=False) + stored_blocks(data[cut:], final=True)
    assert pieces == stored_blocks(data, final=True)
    assert zlib.decompress(pieces, -15) == data


def test_the_length_of_a_member_wraps_at_four_gibibytes():
    assert gzip_trailer(1, (1 << 32) + 5) == b"\x01\0\0\0\x05\0\0\0"
