import pytest

from layerwright.core.addresses import has_credential, mask_credentials, split_userinfo


@pytest.mark.parametrize(
    "text",
    [
        "https://me:pw@example.org/x",
        "https://ghp_token@example.org/x",
        "https://example.org/x?a=b&access_token=1",
        "https://example.org/x?X-Amz-Signature=1",
        "https://example.org/x#token=1",
        "https://example.org/x?%2574oken=1",
        "see https://a.org and https://me:pw@example.org",
        "ssh://git:pw@example.org/x",
    ],
)
def test_credentials_are_seen(text):
    assert has_credential(text)
    masked = mask_credentials(text)
    assert "pw" not in masked
    assert "ghp_token" not in masked
    assert "****" in masked


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/simple/@scope/x",
        "https://example.org/x?version=1",
        "ssh://git@example.org/x.git",
        "git@example.org:me/x.git",
        "https://example.org/x?token=",
        "C:\\x",
    ],
)
def test_plain_addresses_pass(text):
    assert not has_credential(text)
    assert mask_credentials(text) == text


def test_userinfo_is_split_off_and_decoded():
    assert split_userinfo("https://me:p%40w@example.org/x@y") == ("https://example.org/x@y", "me", "p@w")
    assert split_userinfo("https://example.org/x@y") == ("https://example.org/x@y", "", "")
