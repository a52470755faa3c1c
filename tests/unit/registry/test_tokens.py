"""Challenges and the headers that answer them."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import NetworkError
from layerwright.registry.credentials import Credentials
from layerwright.registry.tokens import Authorizer, Challenge, parse_challenges

BEARER = 'Bearer realm="https://auth.example.org/token",service="registry.example.org",scope="repository:a/b:pull,push"'


class Response:
    def __init__(self, document: object, status: int = 200) -> None:
        self.document, self.status_code = document, status

    def json(self) -> object:
        return self.document


class Service:
    """An authorization service; ``asked`` is what came."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def get(self, url: str, **rest: Any) -> Any:
        self.asked.append(("GET", url, rest))
        return self.answers.pop(0)

    def post(self, url: str, **rest: Any) -> Any:
        self.asked.append(("POST", url, rest))
        return self.answers.pop(0)


def authorizer(service: Service, credentials: Credentials, **rest: Any) -> Authorizer:
    return Authorizer(
        registry="r.example.org", credentials=credentials, get=service.get, post=service.post, **rest
    )


def test_a_bearer_challenge_is_read() -> None:
    assert parse_challenges(BEARER) == (
        Challenge(
            scheme="bearer",
            realm="https://auth.example.org/token",
            service="registry.example.org",
            scope="repository:a/b:pull,push",
        ),
    )


def test_several_challenges_and_quoted_signs_are_read() -> None:
    found = parse_challenges('Basic realm="a \\"b\\", c", Bearer realm=x,service="y, z"')
    assert [(one.scheme, one.realm, one.service) for one in found] == [
        ("basic", 'a "b", c', ""),
        ("bearer", "x", "y, z"),
    ]


@given(st.text())
def test_any_header_is_survived(text: str) -> None:
    parse_challenges(text)


def test_basic_sends_the_account() -> None:
    made = authorizer(Service(), Credentials(user="ann", password="pw"))
    assert made.header(()) == {}
    assert made.learn('Basic realm="x"')
    assert made.header(()) == {"Authorization": "Basic " + base64.b64encode(b"ann:pw").decode()}


def test_a_token_is_kept_for_its_scopes_and_life() -> None:
    now = 0.0
    service = Service(*(Response({"token": f"t{number}", "expires_in": 100}) for number in range(3)))
    made = authorizer(service, Credentials(), clock=lambda: now)
    made.learn(BEARER)
    assert made.header(("a",)) == made.header(("a",)) == {"Authorization": "Bearer t0"}
    assert made.header(("b",)) == {"Authorization": "Bearer t1"}
    now = 90.0
    assert made.header(("a",)) == {"Authorization": "Bearer t2"}
    assert service.asked[0][2]["params"] == [("service", "registry.example.org"), ("scope", "a")]


def test_an_identity_token_is_exchanged() -> None:
    service = Service(Response({"access_token": "t"}))
    made = authorizer(service, Credentials(identity_token="long-lived"))
    made.learn(BEARER)
    assert made.header(("a", "b")) == {"Authorization": "Bearer t"}
    method, _, rest = service.asked[0]
    assert (method, rest["data"]["refresh_token"], rest["data"]["scope"]) == ("POST", "long-lived", "a b")


def test_accounts_do_not_go_out_unencrypted() -> None:
    made = authorizer(Service(), Credentials(user="ann", password="pw"))
    made.learn(BEARER.replace("https", "http"))
    with pytest.raises(NetworkError, match="without encryption"):
        made.header(("a",))


@pytest.mark.parametrize("document", [{}, [], "text", {"token": ""}, None])
def test_an_answer_without_a_token_is_an_error(document: object) -> None:
    made = authorizer(Service(Response(document)), Credentials())
    made.learn(BEARER)
    with pytest.raises(NetworkError, match="gives no token"):
        made.header(("a",))


def test_nothing_that_is_known_is_told_apart() -> None:
    assert not authorizer(Service(), Credentials()).learn("Negotiate")
