"""The process between a driver and a Ray cluster: lines of JSON on one side, actors on the other.

Whatever Ray does to the processes that use it, such as ending them when the
cluster's head is gone, it does to this one, and the driver starts another.
The driver itself imports no Ray and unpickles nothing.

The first line in is an `Order`. The first line out says that the cluster was
reached, or why not. Then {"spawn": ID}, {"tell": ID, "line": ...} and
{"kill": ID} come in, and {"said": ID, "lines": [...]}, {"ended": ID, "how": ...,
"killed": ...} and {"capacity": N} go out.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray

from blockqnn.workers.allocation import KEPT_MEMORY
from blockqnn.workers.ray_actor import RayWorker
from blockqnn.workers.ray_resources import Order, Share, capacity, share_of_a_worker

LOST_SECONDS = 20.0
"""A cluster that has not answered for so long is lost."""

_LOOK_SECONDS = 2.0
_SHUTDOWN_SECONDS = 10.0


def main() -> None:
    """Carries lines until standard input closes or the cluster is lost."""
    stream, lock = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8"), threading.Lock()
    os.dup2(2, 1)

    def say(message: Mapping[str, Any]) -> None:
        with lock:
            stream.write(json.dumps(message) + "\n")

    order = Order(**json.loads(sys.stdin.readline()))
    try:
        _connect(order)
        nodes = _alive_nodes()
    except Exception as error:
        say({"error": f"{type(error).__name__}: {_first_line(error)}"})
        return
    share = share_of_a_worker(order, [node["Resources"] for node in nodes])
    say({"connected": len(nodes), "share": dataclasses.asdict(share)})
    crew = _Crew(share, order.settings, say)
    threading.Thread(target=_look_after, args=(share, say), daemon=True).start()
    threading.Thread(target=crew.pass_on, daemon=True).start()
    for line in sys.stdin:
        crew.obey(json.loads(line))
    # Ray ends the actors with this process, and a cluster that was started here too.
    threading.Timer(_SHUTDOWN_SECONDS, os._exit, [1]).start()
    ray.shutdown()
    os._exit(0)


def _connect(order: Order) -> None:
    options: dict[str, Any] = {}
    if order.address == "local":
        options = {"include_dashboard": False}
        if order.local_cpus:
            options["num_cpus"] = order.local_cpus
    ray.init(address=order.address, log_to_driver=False, logging_level="warning", **options)


class _Crew:
    """The actors of this process, by the numbers that the driver gave them."""

    def __init__(self, share: Share, settings: str, say: Callable[[Mapping[str, Any]], None]):
        self._share, self._settings, self._say = share, settings, say
        self._actors: dict[int, Any] = {}
        self._answers: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    def obey(self, message: Mapping[str, Any]) -> None:
        """Does what the driver asks for."""
        if "spawn" in message:
            share = self._share
            environment = dict(share.environment)
            if share.cores:
                environment = KEPT_MEMORY | environment
            worker_class: Any = RayWorker
            actor = worker_class.options(
                num_cpus=share.cpus,
                num_gpus=share.gpus,
                resources={"TPU": share.tpus} if share.tpus else None,
                max_restarts=0,
                scheduling_strategy="SPREAD",
                runtime_env={"env_vars": environment},
            ).remote(share.cores)
            self._actors[message["spawn"]] = actor
            actor.take.remote(self._settings)
            self._listen(message["spawn"], actor)
        elif "tell" in message:
            if (actor := self._actors.get(message["tell"])) is not None:
                actor.take.remote(message["line"])
        elif (actor := self._actors.get(message["kill"])) is not None:
            ray.kill(actor, no_restart=True)

    def pass_on(self) -> None:
        """Tells the driver what the actors say, and how they end, for ever."""
        while True:
            number, answer = self._answers.get()
            actor = self._actors[number]
            try:
                lines = answer.result()
            except Exception as error:
                del self._actors[number]
                killed = isinstance(error, ray.exceptions.RayActorError)
                self._say({"ended": number, "how": how_it_ended(error), "killed": killed})
                if isinstance(error, ray.exceptions.ActorUnavailableError):
                    # What it said meanwhile is lost, so it is of no use any more.
                    ray.kill(actor, no_restart=True)
                continue
            self._say({"said": number, "lines": lines})
            self._listen(number, actor)

    def _listen(self, number: int, actor: Any) -> None:
        answer = actor.listen.remote().future()
        answer.add_done_callback(lambda done: self._answers.put((number, done)))


def _look_after(share: Share, say: Callable[[Mapping[str, Any]], None]) -> None:
    """Tells for how many workers there is room, and ends the process when the cluster is lost."""
    answered = [time.monotonic()]
    threading.Thread(target=_give_up_when_silent, args=(answered,), daemon=True).start()
    here = ray.get_runtime_context().get_node_id()
    before = None
    while True:
        try:
            nodes = _alive_nodes()
        except Exception as error:
            # It may answer again; if not, the other thread ends this.
            print(f"Ray: {_first_line(error)}", file=sys.stderr, flush=True)
            nodes = []
        if here in [node["NodeID"] for node in nodes]:
            answered[0] = time.monotonic()
            now = capacity(share, [node["Resources"] for node in nodes])
            if now != before:
                say({"capacity": now})
                before = now
        time.sleep(_LOOK_SECONDS)


def _give_up_when_silent(answered: list[float]) -> None:
    while time.monotonic() - answered[0] < LOST_SECONDS:
        time.sleep(1.0)
    print("The Ray cluster does not answer any more.", file=sys.stderr, flush=True)
    os._exit(1)


def _alive_nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def how_it_ended(error: Exception) -> str:
    """Why an actor died, in words that go on with "the worker".

    Args:
        error: what Ray raised.

    Returns:
        A few words.
    """
    text = str(error)
    for sign, words in (
        ("low on memory", "was killed by Ray because its machine ran out of memory"),
        ("its node has died", "was lost with its machine"),
        ("node failure", "was lost with its machine"),
        ("worker process has died", "was killed or crashed, perhaps for lack of memory"),
        ("unavailable", "could not be reached any more"),
        ("ray.kill", "was ended"),
    ):
        if sign in text:
            return words
    return f"ended ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    return "".join(str(error).strip().splitlines()[:1])[:300]


if __name__ == "__main__":
    main()
