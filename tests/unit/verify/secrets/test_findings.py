"""Hits as findings: exact words, places, repairs; never the secret."""

from layerwright.core.findings import findings_document
from layerwright.verify.secrets import KINDS, SecretScanner, secret_findings

VALUE = "Zx81kfjqP0dkeLw2"
SCANNER = SecretScanner({"token": VALUE.encode()})
LAYER = "sha256:" + "ab" * 32


def test_a_file_that_a_later_layer_deletes():
    hits = SCANNER.scan_file("/root/.netrc", [b"machine h\nlogin a\npassword " + VALUE.encode()], layer=LAYER)
    (found,) = secret_findings(hits, image="app:1", deleted={(LAYER, "/root/.netrc"): "sha256:" + "cd" * 32})
    assert found.code == "LW-SECRET-KNOWN"
    assert found.level == "error"
    assert found.message == (
        "the secret 'token' is in /root/.netrc, line 3 of layer sha256:abababababab; layer sha256:cdcdcdcdcdcd deletes "
        "or replaces the file, but whoever has the image can read it"
    )
    assert (found.where.image, found.where.layer, found.where.path) == ("app:1", LAYER, "/root/.netrc")
    assert found.evidence[0].text == "password ****"
    assert found.fix[0].text.startswith("change the secret")


def test_settings_have_no_path():
    hits = SCANNER.scan_text("env PIP_INDEX_URL", f"PIP_INDEX_URL=https://a:{VALUE}@pypi.corp/simple")
    (found,) = secret_findings(hits)
    assert found.where.path == ""
    assert found.message == "the secret 'token' is in env PIP_INDEX_URL"
    assert any('credentials = "netrc"' in fix.edit for fix in found.fix)


def test_a_rule_names_its_source_and_repair():
    hits = SCANNER.scan_text("env DB_PASSWORD", "DB_PASSWORD=q8Kd2mwpl1")
    (found,) = secret_findings(hits)
    assert found.message == "secret in the image's settings seems to be in env DB_PASSWORD"
    assert found.evidence[1].source.startswith("https://")
    assert found.fix[0].text.startswith("change it")


def test_what_cannot_be_read_is_unknown():
    hits = SCANNER.scan_file("/opt/x.gz", [b"\x1f\x8b\x08" + b"\0" * 20], layer=LAYER)
    (found,) = secret_findings(hits)
    assert found.level == "unknown"
    assert found.message.startswith("/opt/x.gz ")
    assert found.message.endswith("so nobody knows whether a secret is in it")


def test_very_many_places():
    hits = [hit for n in range(50) for hit in SCANNER.scan_file(f"/x/{n}", [VALUE.encode()])]
    found = list(secret_findings(hits))
    assert len(found) == 21
    assert found[-1].level == "note"
    assert "30 more places" in found[-1].message


def test_nothing_that_is_told_holds_the_secret():
    text = f"x={VALUE} {VALUE}={VALUE} https://{VALUE}:{VALUE}@h/{VALUE}"
    hits = (*SCANNER.scan_text("env X", text), *SCANNER.scan_file("/x", [text.encode()]))
    assert VALUE[:4] not in str(findings_document(secret_findings(hits)))


def test_every_kind_is_described():
    assert {kind.code for kind in KINDS} == {"LW-SECRET-KNOWN", "LW-SECRET-RULE", "LW-SECRET-UNREAD"}
    for kind in KINDS:
        assert all((kind.title, kind.why, kind.evidence, kind.repair))
