import base64
from urllib.parse import quote

from layerwright.core.events import BytesMoved, Notice, OutputLine, TaskEnded, TaskStarted, Warned
from layerwright.host.seen import SeenSecrets
from layerwright.workflow.masking import Mask, MaskingReporter

VALUE = "p:a@s%s w/örd?"


def masked(*texts, seen=None):
    seen = seen or SeenSecrets()
    seen.add("token", VALUE)
    return [Mask(seen)(text) for text in texts]


def test_secrets_are_masked_as_tools_write_them():
    written = [
        VALUE,
        quote(VALUE, safe=""),
        base64.b64encode(b"xy" + VALUE.encode()).decode(),
        VALUE.encode().hex(),
    ]
    for text in masked(*(f"<{one}>" for one in written)):
        assert "***" in text
        assert text.startswith("<")
        assert text.endswith(">")


def test_what_holds_none_stays_as_it_is():
    assert masked("plain", "", "p:a@", "\udcff") == ["plain", "", "p:a@", "\udcff"]
    assert Mask(SeenSecrets())(VALUE) == VALUE


def test_several_in_one_line_and_secrets_that_come_later():
    seen = SeenSecrets()
    mask = Mask(seen)
    seen.add("one", "firstsecret")
    assert mask("a firstsecret b secondvalue c") == "a *** b secondvalue c"
    seen.add("two", b"secondvalue\n")
    assert mask("a firstsecret b secondvalue c firstsecret") == "a *** b *** c ***"


def test_short_values_and_words_do_not_spoil_messages():
    seen = SeenSecrets()
    seen.add("short", "app")
    seen.add("word", "password")
    assert Mask(seen)("app: the password is missing") == "app: the password is missing"


def test_every_text_of_events_is_masked_and_printing_is_told_once():
    seen = SeenSecrets()
    seen.add("token", VALUE)
    events = []
    reporter = MaskingReporter(events.append, Mask(seen))
    reporter(TaskStarted(task="t", title=f"run {VALUE}", kind="run"))
    reporter(OutputLine(task="t", line=VALUE))
    reporter(OutputLine(task="t", line=f"again {VALUE}"))
    reporter(BytesMoved(task="t", amount=3))
    reporter(TaskEnded(task="t", detail=VALUE))
    reporter(Notice(message=VALUE))
    reporter(Warned(message=VALUE, hint=VALUE))
    assert events[0] == TaskStarted(task="t", title="run ***", kind="run")
    assert events[1] == OutputLine(task="t", line="***")
    assert isinstance(events[2], Warned)
    assert events[3:] == [
        OutputLine(task="t", line="again ***"),
        BytesMoved(task="t", amount=3),
        TaskEnded(task="t", detail="***"),
        Notice(message="***"),
        Warned(message="***", hint="***"),
    ]


def test_values_with_one_name_are_all_kept():
    seen = SeenSecrets()
    for value in ("first", "second", "first", "  ", ""):
        seen.add("password", value)
    assert seen.values() == {"password": b"first", "password (2)": b"second"}
    assert len(seen) == 2
