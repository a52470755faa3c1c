import pytest

from layerwright.core.errors import UsageError
from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.workflow.build import BuildRequest, prepare
from layerwright.workflow.session import Session

SPEC = """
[project]
name = "demo"
[images.tools]
from = "debian:bookworm"
[images.tools.matrix]
variant = ["plain", "tables"]
"""


def test_one_image_is_asked_for_before_anything_is_done(tmp_path):
    (tmp_path / "layerwright.toml").write_text(SPEC)
    session = Session(
        host=HostEnvironment.gather({"HOME": str(tmp_path)}),
        reporter=SilentReporter(),
        start=tmp_path,
        spec_file=None,
        store_root=tmp_path / "store",
        offline=True,
    )
    for images, subject in ((("tools",), "tools"), ((), "the spec")):
        with pytest.raises(UsageError, match=f"^{subject} stands for 2 images") as caught:
            prepare(session, BuildRequest(images=images, single=True))
        assert caught.value.hint == "name one of tools-plain, tools-tables"
    assert not (tmp_path / "layerwright.lock").exists()
