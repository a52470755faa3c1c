"""The rule library: every rule finds its examples, and placeholders are let be."""

import re

import pytest

from layerwright.verify.secrets import SecretScanner
from layerwright.verify.secrets.judge import entropy, is_example_path
from layerwright.verify.secrets.rules import load_rules
from support.secret_samples import expand

RULES = load_rules()
SCANNER = SecretScanner({})
PLACES = {"url-in-config": "/etc/pip.conf"}


def place_of(files: tuple[str, ...]) -> str:
    return "/" + files[0].replace("**/", "root/").replace("*", "x") if files else "/opt/app/config.txt"


def names(text: str, where: str) -> set[str]:
    data = text.encode()
    hits = SCANNER.scan_file(where, [data]) if where.startswith("/") else SCANNER.scan_text(where, text)
    return {hit.name for hit in hits}


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        pytest.param(rule, example, id=f"{rule.id}-{n}")
        for rule in RULES
        for n, example in enumerate(rule.examples)
    ],
)
def test_every_example_is_found(rule, example):
    where = "history 3" if rule.scope == "settings" else place_of(rule.files)
    found = names(expand(example), where)
    assert rule.id in found or (rule.id == "basic-auth-header" and found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_whole(rule):
    assert re.fullmatch(r"[a-z0-9-]+", rule.id)
    assert rule.source.startswith("https://")
    assert rule.examples
    assert rule.repair[-1] != "."
    assert rule.scope == "files" or not rule.files
    assert "secret" in rule.compiled.groupindex
    assert all(any(keyword in expand(example) for keyword in rule.keywords) for example in rule.examples)


def test_ids_are_unique():
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "text",
    [
        "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D",
        "PYTHON_SHA256=5bd33cf5f3a4e3f5d9a4bdd05d5a5e5d5fcb7ea5a0a1a2f3ae2f1b4c8ee3f0a1",
        "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471 brand=unknown",
        "NV_CUDNN_PACKAGE=libcudnn9-cuda-12=9.1.0.70-1",
        "TOKENIZERS_PARALLELISM=false",
        "MAX_TOKENS=4096",
        "TOKEN_LIMIT_POLICY=strict-mode",
        "DB_PASSWORD_FILE=/run/secrets/db",
        "DB_PASSWORD=$DB_PASSWORD",
        "DB_PASSWORD=${DB_PASSWORD:?set it}",
        "POSTGRES_PASSWORD=changeme",
        "HF_TOKEN=<your token>",
        "HF_TOKEN=",
        "API_KEY=your-api-key-here",
        "PWD=/workspace",
        "SSH_AUTH_SOCK=/tmp/agent.sock",
        "PATH=/usr/local/sbin:/usr/local/bin",
        "PIP_INDEX_URL=https://pypi.example.org/simple",
        "PIP_INDEX_URL=https://user:password@pypi.corp.net/simple",
        "PROXY=http://alice:fj38dk2x@localhost:3128",
        "RUN pip install --index-url https://${USER}:${PASSWORD}@pypi.corp.net/simple x",
        "RUN --mount=type=secret,id=token pip install --token $(cat /run/secrets/token) x",
        "RUN git clone git+ssh://git@github.com/a/b.git",
        "RUN curl -u $USER:$PASS https://h/x",
        "/bin/sh -c wget --no-check-certificate -O python.tar.xz https://www.python.org/ftp/python/3.11.9/Python.tar.xz",
        "COPY --from=docker.io/library/python@sha256:0123456789abcdef /x /y",
    ],
)
def test_settings_that_hold_no_secret(text):
    assert not names(text, "history 1")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("/opt/x.py", "model = 'hf_internal_testing_tiny_random_bert_for_tests'"),
        ("/opt/x.py", "key = 'AKIAIOSFODNN7EXAMPLE'"),
        ("/opt/x.py", "password = 'correct horse battery staple'"),
        ("/opt/x.py", "url = 'https://user:pass@example.com/'"),
        ("/opt/x.py", "requests.get('http://user:hunter2@host/')"),
        ("/opt/x.txt", "-----BEGIN PRIVATE KEY-----"),
        ("/opt/x.txt", "-----BEGIN PUBLIC KEY-----\n" + "A1b2C3d4" * 20),
        ("/opt/x.txt", "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----"),
        ("/opt/x.txt", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("/opt/x.txt", "Authorization: Bearer <token>"),
        ("/opt/x.txt", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("/opt/config.json", '{"auth": "none", "auths": {"r": {"auth": "bm90LWFuLWFjY291bnQ="}}}'),
        ("/etc/pip.conf", "[global]\nindex-url = https://pypi.org/simple\n"),
        ("/root/.netrc", "# machine h login a password\n"),
        ("/etc/shadow", "root:*:19000:0:99999:7:::\ndaemon:!:19000:0:99999:7:::\n"),
    ],
)
def test_files_that_hold_no_secret(where, text):
    assert not names(text, where)


def test_what_is_looked_for_only_in_certain_files():
    text = expand("machine h login a password <alnum:12>")
    assert names(text, "/root/.netrc") == {"netrc-password"}
    assert not names(text, "/root/notes.txt")


def test_tests_and_documentation_of_packages_give_notes():
    key = expand("-----BEGIN RSA PRIVATE KEY-----\n<base64:64>\n<base64:64>\n").encode()
    levels = {
        path: SCANNER.scan_file(path, [key])[0].level
        for path in (
            "/usr/lib/python3/dist-packages/tornado/test/test.key",
            "/usr/share/doc/openssl/examples/key.pem",
            "/opt/tornado.whl",
            "/app/tests/key.pem",
            "/etc/ssl/private/server.key",
        )
    }
    assert list(levels.values()) == ["note", "note", "error", "error", "error"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("usr/lib/python3.11/site-packages/ecdsa/test_keys.py", True),
        ("tmp/ecdsa.whl/ecdsa/test_keys.py", True),
        ("usr/lib/python3.11/site-packages/receipts/settings.py", False),
        ("home/me/tests/x.pem", False),
        ("usr/lib/python3.11/site-packages/attestation/keys.py", False),
    ],
)
def test_whose_example_it_is(path, answer):
    assert is_example_path(path) is answer


def test_entropy():
    assert entropy(b"") == 0
    assert entropy(b"aaaa") == 0
    assert entropy(b"abcdefgh") == 3


def test_a_placeholder_word_inside_a_long_key_is_no_placeholder():
    body = expand("<base64:60>") + "fake" + expand("<base64:64>\n<base64:64>", 2)
    text = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    assert names(text, "/etc/x.pem") == {"private-key"}
