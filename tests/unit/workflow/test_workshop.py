from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.sources.apt import DebianMirror
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop
from support.spec import spec_of


def test_where_debian_s_archives_are_is_the_caller_s_to_say(tmp_path):
    def mirror(**variables):
        session = Session(
            host=HostEnvironment.gather({"HOME": str(tmp_path), **variables}),
            reporter=SilentReporter(),
            start=tmp_path,
            spec_file=None,
            store_root=tmp_path / "store",
            offline=False,
        )
        return make_workshop(session, spec_of('[images.a]\nfrom = "debian:bookworm"\n', tmp_path)).mirror

    assert mirror() == DebianMirror()
    assert mirror().snapshot == "https://snapshot.debian.org"
    assert mirror(
        LAYERWRIGHT_DEBIAN_MIRROR="http://m/debian http://m/security",
        LAYERWRIGHT_DEBIAN_SNAPSHOT="https://m/everything/",
    ) == DebianMirror(main="http://m/debian", security="http://m/security", snapshot="https://m/everything")
