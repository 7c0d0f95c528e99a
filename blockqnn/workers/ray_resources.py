"""What a worker takes of a Ray cluster, and for how many workers there is room."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

MEMORY_OF_A_SHARED_GPU = 0.9
"""What the workers on a GPU may take together; the rest is for their contexts."""

_PASSED_ON = ("JAX_", "XLA_")
"""Variables of the driver's that begin so are set for the workers too."""


@dataclasses.dataclass(frozen=True)
class Order:
    """What a driver wants of Ray.

    Attributes:
        address: of the cluster, `auto`, or `local` for one that is started.
        settings: the first line that each worker is told.
        cpus: CPUs that Ray sets aside for a worker.
        gpus: GPUs or parts of one; None for one where the cluster has any.
        tpus: TPU chips; None for all of a machine where the cluster has any.
        cores: to which a worker is bound that trains on the CPU; 0 for no binding.
        local_cpus: of a cluster that is started; 0 for as many as there are.
        environment: variables for the workers.
    """

    address: str
    settings: str
    cpus: float
    gpus: float | None
    tpus: float | None
    cores: int
    local_cpus: int
    environment: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Share:
    """What a worker gets; the fields are those of `Order`, decided."""

    cpus: float
    gpus: float
    tpus: float
    cores: int
    environment: dict[str, str]


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a driver that its workers on other machines need."""
    return {name: value for name, value in environment.items() if name.startswith(_PASSED_ON)}


def share_of_a_worker(order: Order, nodes: Sequence[Mapping[str, float]]) -> Share:
    """Decides what the order leaves open.

    Args:
        order: what the driver wants.
        nodes: the resources of each machine of the cluster.

    Returns:
        What each worker gets.
    """
    platforms = order.environment.get("JAX_PLATFORMS", "")
    gpus, tpus = order.gpus, order.tpus
    chips = [node["TPU"] for node in nodes if node.get("TPU")]
    if tpus is None:
        # One process must own all chips of a machine.
        tpus = min(chips) if chips and _may_use("tpu", platforms) else 0.0
    if gpus is None:
        found = any(node.get("GPU") for node in nodes) and _may_use("cuda,gpu", platforms)
        gpus = 1.0 if found and not tpus else 0.0
    environment = dict(order.environment)
    # JAX refuses both names at once.
    given = {"XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"} & set(environment)
    if 0 < gpus < 1 and not given:
        share = MEMORY_OF_A_SHARED_GPU * gpus
        environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{share:.3f}"
    cores = 0 if gpus or tpus else order.cores
    return Share(order.cpus, gpus, tpus, cores, environment)


def capacity(share: Share, nodes: Sequence[Mapping[str, float]]) -> int:
    """For how many workers a cluster has room, whoever else uses it.

    Args:
        share: what each worker gets.
        nodes: the resources of each machine of the cluster.

    Returns:
        A number of workers.
    """
    wanted = {"CPU": share.cpus, "GPU": share.gpus, "TPU": share.tpus}
    needs = {name: amount for name, amount in wanted.items() if amount}
    if not needs:
        return len(nodes)
    # Ray keeps ten thousandths of a resource.
    return sum(
        min(math.floor(node.get(name, 0.0) / amount + 1e-4) for name, amount in needs.items())
        for node in nodes
    )


def _may_use(names: str, platforms: str) -> bool:
    return not platforms or bool(set(names.split(",")) & set(platforms.split(",")))
