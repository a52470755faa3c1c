from layerwright.sandbox.namespace import subordinate_ids


def test_ranges_are_found_by_name_or_number() -> None:
    text = "ann:100000:65536\nbob:200000:10\n# note\n1000:300000:5\nbob:bad:10\nbob:5:0\n"
    assert subordinate_ids(text, ("bob", "1001")) == ((200000, 10),)
    assert subordinate_ids(text, ("ann", "1000")) == ((100000, 65536), (300000, 5))
    assert subordinate_ids("", ("ann",)) == ()
