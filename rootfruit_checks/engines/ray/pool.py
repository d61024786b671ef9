"""Ray actors that compute units: one pool for policy and reference, started when first needed.

We use our own actors instead of a Ray Data pipeline: a pipeline's actors live for one execution, so each of a model's
four stages of work would start its processes and load the weights again. Here a worker lives as long as the run and
loads each model once. Ray restarts lost workers and retries their units.
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from rootfruit_checks.base.errors import EngineError, RootfruitError
from rootfruit_checks.engines.work_units import Unit

# A worker is restarted whenever it is lost, but a unit that kills more workers than this would kill them all.
_RETRIES = 4
# One is computed while the next waits; more would waste time if a worker is slow.
_IN_FLIGHT = 2
_STORE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker creates the engine that computes tasks (`run_task`), and the fingerprint that it must have there."""

    make: Callable[[], Any]
    fingerprint: str


class Worker:
    """Runs in an actor, with one engine at a time. A RootfruitError is returned as text, not as a traceback."""

    def __init__(self) -> None:
        self._engine: Any = None
        self._fingerprint = ""

    def ready(self) -> int:
        """Return the process id."""
        return os.getpid()

    def run(self, recipe: Recipe, key: str, task: Any) -> tuple[str, bytes | None, str]:
        """Return (key, value, fault)."""
        try:
            return key, self._of(recipe).run_task(task), ""
        except RootfruitError as error:
            return key, None, str(error)

    def _of(self, recipe: Recipe) -> Any:
        if self._fingerprint != recipe.fingerprint:
            if self._engine is not None:
                self._engine.close()
            self._engine, self._fingerprint = None, ""
            engine = recipe.make()
            if engine.fingerprint != recipe.fingerprint:
                raise EngineError(
                    f"the Ray worker on {os.uname().nodename} sees different weights under this path, or has different "
                    "versions of torch, transformers or rootfruit-checks; make all nodes the same"
                )
            self._engine, self._fingerprint = engine, recipe.fingerprint
        return self._engine


class Pool:
    """The workers, and the Ray that they run in. Engines get their pool from `shared`.

    Args:
        address: address of a running cluster; None starts Ray on this machine, and stops it with the last user.
        workers: number of workers; 0 means one per GPU, or without GPUs one per node and at least two.
        gpu: whether a worker needs a GPU; None means "if there are any".

    """

    _shared: ClassVar[Pool | None] = None
    _users: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()

    def __init__(self, address: str | None, workers: int, gpu: bool | None) -> None:
        self.asked = (address, workers, gpu)
        self.actors: list[Any] = []
        self._ours = False
        self.ray = _ray()
        try:
            if not self.ray.is_initialized():
                self._ours = True
                _connect(self.ray, address, workers)
            self.actors = self._start()
        except BaseException:
            self.stop()
            raise

    @classmethod
    def join(cls, user: object) -> None:
        """Register an engine that may need the pool; it lasts until the last such engine leaves or is collected."""
        cls._users.add(user)

    @classmethod
    def shared(cls, user: object, address: str | None, workers: int, gpu: bool | None) -> Pool:
        """Return the pool that all engines of this process share; the first call starts it."""
        cls.join(user)
        asked, pool = (address, workers, gpu), cls._shared
        if pool is not None and not pool.ray.is_initialized():  # other code has shut Ray down
            pool = cls._shared = None
        if pool is None:
            pool = cls._shared = cls(*asked)
        elif pool.asked != asked:
            raise EngineError("engines with other Ray options are open in this process; close them first")
        return pool

    @classmethod
    def leave(cls, user: object) -> None:
        """Unregister an engine that no longer needs the pool."""
        cls._users.discard(user)
        if cls._shared is not None and not len(cls._users):
            pool, cls._shared = cls._shared, None
            pool.stop()

    def _start(self) -> list[Any]:
        ray, (_, workers, gpu) = self.ray, self.asked
        have = ray.cluster_resources()
        gpus = int(have.get("GPU", 0))
        kind = "GPU" if gpu or (gpu is None and gpus) else "CPU"
        nodes = sum(1 for node in ray.nodes() if node["Alive"])
        count = workers or (gpus if kind == "GPU" else max(2, nodes))
        if count > have.get(kind, 0) or not count:
            raise EngineError(
                f"--rootfruit-workers: {count or 1} Ray workers need a {kind} each and the cluster has "
                f"{int(have.get(kind, 0))}; ask for fewer"
            )
        options = {"num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}
        actor = ray.remote(Worker).options(max_restarts=-1, max_task_retries=_RETRIES, **options)
        return [actor.remote() for _ in range(count)]

    def pids(self) -> list[int]:
        """Return the workers' process ids."""
        found: list[int] = self.ray.get([actor.ready.remote() for actor in self.actors])
        return found

    def stream(self, recipe: Recipe, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        """Yield (key, value) of the units as they finish.

        Raises:
            EngineError: a unit cannot be computed, or kills its worker repeatedly.

        """
        with heeded() as heed:
            for answer in self._stream(recipe, units):
                heed()
                yield answer
                heed()

    def _stream(self, recipe: Recipe, units: Sequence[Unit]) -> Iterator[tuple[str, bytes]]:
        ray = self.ray
        self.actors = self.actors or self._start()
        todo = deque(units)
        flying: dict[Any, Any] = {}
        # Only workers that are running get units, so a worker that the cluster cannot place yet blocks nothing.
        starting = {actor.ready.remote(): actor for actor in self.actors}
        try:
            while todo or flying:
                done, _ = ray.wait([*flying, *starting], num_returns=1)
                if done[0] in starting:
                    actor, places = starting.pop(done[0]), _IN_FLIGHT
                    ray.get(done[0])
                else:
                    actor, places = flying.pop(done[0]), 1
                    key, value, fault = ray.get(done[0])
                    if fault:
                        raise EngineError(fault)
                    yield key, value
                for _ in range(min(places, len(todo))):
                    unit = todo.popleft()
                    flying[actor.run.remote(recipe, unit.key, unit.task)] = actor
        except ray.exceptions.RayError as error:
            raise EngineError(f"a Ray worker failed: {_line(error)}") from error
        finally:
            for ref in (*flying, *starting):
                ray.cancel(ref)

    def stop(self) -> None:
        """End the workers, and Ray if we started it."""
        if self.ray.is_initialized():
            self.rest()
        if self._ours:
            self.ray.shutdown()

    def rest(self) -> None:
        """End the workers to free their GPUs; they start again when needed."""
        for actor in self.actors:
            self.ray.kill(actor)
        self.actors = []


@contextmanager
def heeded() -> Iterator[Callable[[], None]]:
    """Make sure that Ctrl-C works: the yielded function raises KeyboardInterrupt if one came and was swallowed.

    Python raises it wherever execution happens to be; in a callback or destructor of Ray's it is printed and lost.
    """
    came = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        came.append(number)
        if callable(before):
            before(number, frame)

    def heed() -> None:
        if came and callable(before):
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield heed
        heed()
    finally:
        signal.signal(signal.SIGINT, before)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise EngineError(
            f'--rootfruit-engine=ray needs an extra: pip install "rootfruit-checks[ray]" ({error})'
        ) from error
    return ray


def _connect(ray: Any, address: str | None, workers: int) -> None:
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    # Turn off Ray's usage statistics: nothing is sent anywhere.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(
                address="local",
                num_cpus=workers or max(2, os.cpu_count() or 1),
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                **quiet,
            )
    except Exception as error:
        # Ray raises bare Exceptions among others here; for the user they all mean that Ray is not available.
        where = f"--rootfruit-ray-address={address}: no cluster answers there" if address else "Ray cannot be started"
        raise EngineError(f"{where} ({_line(error)})") from error


def _line(error: BaseException) -> str:
    """The main message of a Ray error, which may contain whole tracebacks of other processes."""
    heart = getattr(error, "cause", None) or error
    text = " ".join(str(heart).split())
    return f"{type(heart).__name__}: {text[:300]}".removesuffix(": ")
