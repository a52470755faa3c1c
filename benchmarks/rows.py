"""The rows of the table: what is done, in which order, and which number goes where."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from measure import Command, Memory, Samples, run, timed, watched
from ours import Ours
from peer import Peer
from wheel_layer import layer, limit

from engine import Engine, folder_size

OURS = {"app": "layerwright", "plain": "layerwright, `bytecode = false`"}
PEERS = {"uv": "docker + uv", "uv-bytecode": "docker + uv, bytecode", "pip": "docker + pip"}
ROWS = {
    "cold-run": "nothing built → process has run",
    "cold-docker": "nothing built → image in Docker",
    "cold-registry": "nothing built → image in a registry",
    "pin-run": "one small pin changed, locked → process has run",
    "pin-resolve-run": "one small pin changed, not locked → process has run",
    "pin-docker": "one small pin changed, locked → image in Docker",
    "pin-docker-run": "one small pin changed, locked → run with Docker",
    "source-run": "one source file changed → process has run",
    "source-docker": "one source file changed → image in Docker",
    "source-docker-run": "one source file changed → run with Docker",
}
_STARTS = 5
_HEAVY = 1_000_000


@dataclass(slots=True, kw_only=True)
class Results:
    """What was measured of one set.

    Attributes:
        seconds: by row and side.
        starts: by what was started.
        rates: bytes of tar a second, ``limit`` and ``layer``, for all wheels.
        memory: of a cold build, by side.
        grid: seconds and bytes of the six images, by side.
    """

    seconds: dict[tuple[str, str], Samples] = field(default_factory=lambda: defaultdict(Samples))
    starts: dict[str, Samples] = field(default_factory=lambda: defaultdict(Samples))
    rates: dict[str, Samples] = field(default_factory=lambda: defaultdict(Samples))
    memory: dict[str, Memory] = field(default_factory=dict)
    grid: dict[str, tuple[Samples, int]] = field(default_factory=dict)


class Bench:
    """Measures one set.

    The two images of ours go into an engine each: they share all layers of wheels, so in one engine the second would
    be faster. The peers share the second engine with the one that has no bytecode; their layers are others.
    """

    def __init__(
        self, ours: Ours, engines: tuple[Engine, Engine], peer: Peer, *, once: Sequence[str], tidy: bool
    ) -> None:
        """Take what is prepared.

        Args:
            ours: layerwright's side.
            engines: for ``app`` and for ``plain``.
            peer: the others' side.
            once: slow peers, and ``push``, that are measured in the first turn only.
            tidy: remove stores and images after every side rather than after every turn.
        """
        self.ours = ours
        self.engines = dict(zip(OURS, engines, strict=True))
        self.peer = peer
        self.once = once
        self.tidy = tidy
        self.results = Results()
        self.turn = 0

    def _note(self, row: str, side: str, command: Command, *, more: float = 0.0) -> float:
        seconds = timed(command) + more
        self.results.seconds[row, side].add(seconds)
        print(
            f"{self.ours.set.name} {self.turn + 1} {row} {side}: {seconds:.2f} s", file=sys.stderr, flush=True
        )
        return seconds

    def one_turn(self, rows: Sequence[str]) -> None:
        """Measure the asked rows once on every side; the cold ones always."""
        tools = [tool for tool in PEERS if self.turn == 0 or tool not in self.once]
        with_pushes = "registry" in rows and (self.turn == 0 or "push" not in self.once)
        for image, tool in _alternate(list(OURS), tools):
            if image:
                self._natively(image, rows)
                self._tidy()
            if tool:
                self._by_peer(tool, rows, push=with_pushes and tool == "uv")
                self._tidy()
            if image and "docker" in rows:
                self._into_docker(image, rows)
                self._tidy()
            if image and "registry" in rows:
                self._into_registry(image)
                self._tidy()
        self.turn += 1

    def forget(self) -> None:
        """Remove what the turn made."""
        self.ours.forget()
        for engine in self.engines.values():
            engine.forget(self.peer.kept)

    def _tidy(self) -> None:
        if self.tidy:
            self.forget()

    # Ours.

    def _natively(self, image: str, rows: Sequence[str]) -> None:
        """Cold, pin, pin with resolution, source: each on what the one before left, as at work."""
        ours = self.ours
        store = ours.store()

        def start(row: str, number: int, word: str) -> None:
            arguments, expect = ours.check(number, word)
            self._note(row, OURS[image], ours.command(store, "run", image, *arguments, expect=expect))

        ours.state(0)
        start("cold-run", 0, "first")
        if "pin" in rows:
            ours.state(1)
            start("pin-run", 1, "first")
            ours.spec(2)
            start("pin-resolve-run", 2, "first")
        if "source" in rows:
            number = 2 if "pin" in rows else 0
            ours.source(f"turn-{self.turn}-{image}")
            start("source-run", number, f"turn-{self.turn}-{image}")

    def _into_docker(self, image: str, rows: Sequence[str]) -> None:
        ours, engine = self.ours, self.engines[image]
        store = ours.store()
        name = f"bench-{ours.set.name}:{image}"

        def bring(row: str, number: int, word: str) -> None:
            command = ours.command(store, "build", image, "--output", "docker", engine=engine)
            taken = self._note(row, OURS[image], command)
            begin = self.peer.start_in(engine, name, *ours.check(number, word))
            if row == "cold-docker":
                run(begin)
            else:
                self._note(f"{row}-run", OURS[image], begin, more=taken)

        ours.state(0)
        bring("cold-docker", 0, "first")
        number = 1 if "pin" in rows else 0
        if "pin" in rows:
            ours.state(1)
            bring("pin-docker", 1, "first")
        if "source" in rows:
            ours.source(f"docker-{self.turn}-{image}")
            bring("source-docker", number, f"docker-{self.turn}-{image}")

    def _into_registry(self, image: str) -> None:
        ours, engine = self.ours, self.engines[image]
        store = ours.store()
        ours.state(0)
        with engine.registry() as (address, _):
            output = f"registry:{address}"
            run(ours.command(store, "build", "base", "--output", output, engine=engine))
            self._note(
                "cold-registry",
                OURS[image],
                ours.command(store, "build", image, "--output", output, engine=engine),
            )

    # Theirs.

    def _by_peer(self, tool: str, rows: Sequence[str], *, push: bool) -> None:
        peer, side = self.peer, PEERS[tool]
        name = peer.reference(tool)

        def start(number: int, word: str) -> Command:
            return peer.start_in(peer.engine, name, *self.ours.check(number, word))

        peer.pin(0)
        peer.source("first")
        built = self._note("cold-docker", side, peer.build(tool, cold=True))
        self._note("cold-run", side, start(0, "first"), more=built)
        if push:
            self._push(name, side, built)
        if "pin" in rows:
            peer.pin(1)
            built = self._note("pin-docker", side, peer.build(tool))
            for row in ("pin-run", "pin-docker-run"):
                self.results.seconds[row, side].add(built)
            ran = timed(start(1, "first"))
            for row in ("pin-run", "pin-docker-run"):
                self.results.seconds[row, side].values[-1] += ran
            if tool == "uv":
                resolved = timed(peer.compile(2))
                self.results.seconds["pin-resolve-run", side].add(resolved + built + ran)
        if "source" in rows:
            number = 1 if "pin" in rows else 0
            word = f"turn-{self.turn}-{tool}"
            peer.source(word)
            built = self._note("source-docker", side, peer.build(tool))
            ran = timed(start(number, word))
            for row in ("source-run", "source-docker-run"):
                self.results.seconds[row, side].add(built + ran)

    def _push(self, name: str, side: str, built: float) -> None:
        """The base goes first and is not counted, as on our side."""
        engine = self.peer.engine
        with engine.registry() as (address, _):
            for reference in (self.peer.base, name):
                target = f"{address}/bench-{self.ours.set.name}:{reference.partition(':')[2]}"
                run(engine.docker("tag", reference, target))
                if reference == name:
                    self._note("cold-registry", side, engine.docker("push", "--quiet", target), more=built)
                else:
                    run(engine.docker("push", "--quiet", target))

    # What is not a row of the big table.

    def starts(self) -> None:
        """Small things, several times each in turn; on the store of a finished build, in the middle of a day's work."""
        ours, engine = self.ours, self.engines["app"]
        ours.state(0)
        store = ours.store()
        name = f"bench-{ours.set.name}:app"
        run(ours.command(store, "run", "app", "-c", "pass"))
        run(ours.command(store, "build", "app", "--output", "docker", engine=engine))
        self.peer.pin(0)
        build = self.peer.build("uv")
        run(build)
        things = {
            "`layerwright plan app`": ours.command(store, "plan", "app"),
            "`layerwright build app`, nothing to do": ours.command(store, "build", "app"),
            "`docker build`, nothing to do": build,
            "`layerwright run app`, program `true`": ours.command(
                store, "run", "--entrypoint", "true", "app"
            ),
            "`docker run --rm`, program `true`": engine.docker("run", "--rm", "--entrypoint", "true", name),
            "`docker run --rm --network host`, program `true`": engine.docker(
                "run", "--rm", "--network", "host", "--entrypoint", "true", name
            ),
            "`layerwright run --engine docker app`, program `true`": ours.command(
                store, "run", "--engine", "docker", "--entrypoint", "true", "app", engine=engine
            ),
        }
        for _ in range(_STARTS):
            for title, command in things.items():
                self.results.starts[title].add(timed(command))

    def throughput(self) -> None:
        """All wheels of the set, one after the other, against the bare loop (``wheel_layer.py``)."""
        heavy = [wheel for wheel in self.ours.wheels(0, "app") if wheel.size >= _HEAVY]
        paths = [self.ours.wheelhouse / wheel.file for wheel in heavy]
        for name, work in (("limit", limit), ("layer", lambda path: layer(path, tree=False))):
            begin = time.perf_counter()
            size = sum(work(path) for path in paths)
            self.results.rates[name].add(size / (time.perf_counter() - begin) / 1e6)

    def memory(self) -> None:
        """Of a cold build."""
        self.ours.state(0)
        for image, side in OURS.items():
            self.results.memory[side] = watched(self.ours.command(self.ours.store(), "build", image))

    def grid(self) -> None:
        """Six images, built and pushed to an empty registry that has the base."""
        ours, peer, engine = self.ours, self.peer, self.peer.engine
        ours.state(0)
        store = ours.store()
        with engine.registry() as (address, root):
            output = f"registry:{address}"
            run(ours.command(store, "build", "base", "--output", output, engine=engine))
            before = folder_size(root)
            taken = timed(ours.command(store, "build", "grid", "--output", output, engine=engine))
            self._grid_result(OURS["app"], taken, folder_size(root) - before)
        with engine.registry() as (address, root):
            base = f"{address}/bench-{ours.set.name}-grid:base"
            run(engine.docker("tag", peer.base, base))
            run(engine.docker("push", "--quiet", base))
            for word in ("one", "two"):
                peer.source(word, folder=word)
            for kind in ("table", "serve"):  # so that uv's cache has what only these need
                peer.pin(0, image=kind, cell=f"grid-{kind}-one")
                run(peer.build("uv", image=kind, source="one"))
            before, taken = folder_size(root), 0.0
            for kind in ("read", "table", "serve"):
                peer.pin(0, image=kind, cell=f"grid-{kind}-one")
                for word in ("one", "two"):
                    target = f"{address}/bench-{ours.set.name}-grid:{kind}-{word}"
                    taken += timed(peer.build("uv", image=kind, source=word, name=target))
                    taken += timed(engine.docker("push", "--quiet", target))
            self._grid_result(PEERS["uv"], taken, folder_size(root) - before)

    def _grid_result(self, side: str, seconds: float, size: int) -> None:
        samples, _ = self.results.grid.setdefault(side, (Samples(), 0))
        samples.add(seconds)
        self.results.grid[side] = samples, size
        print(f"{self.ours.set.name} grid {side}: {seconds:.1f} s, {size / 1e6:.0f} MB", file=sys.stderr)


def _alternate(ours: list[str], theirs: list[str]) -> Iterator[tuple[str, str]]:
    """One of ours, one of theirs, and so on."""
    for index in range(max(len(ours), len(theirs))):
        yield (ours[index] if index < len(ours) else ""), (theirs[index] if index < len(theirs) else "")
