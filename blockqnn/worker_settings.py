"""How processes that evaluate children use their machines, which does not change what they find."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class DrySettings:
    """How long a child takes whose accuracies are made up.

    Attributes:
        seconds: median.
        spread: standard deviation of the logarithm of the seconds.
    """

    seconds: float = 0.0
    spread: float = 0.0


@dataclasses.dataclass(frozen=True)
class WorkerSettings:
    """How a process that trains uses its machine, which does not change what it finds.

    Attributes:
        devices: that train different children at the same time, or share each batch of a
            supernet; 0 for all on a TPU and one elsewhere.
        compilation_cache: directory of compiled programs, `off` for none, or
            empty for one per user.
        compile_threads: children compiled at once while others train.
        dry: how long children take whose accuracies are made up.
        sharing_cores: that share the batches of a child, where the processor trains layer by layer.
    """

    devices: int = 0
    compilation_cache: str = ""
    compile_threads: int = 1
    dry: DrySettings = DrySettings()
    sharing_cores: int = 1


@dataclasses.dataclass(frozen=True)
class RaySettings:
    """Which Ray cluster, and what a worker takes of it.

    Attributes:
        address: of the cluster, `auto` for the one that runs here, `local` to start one.
        cpus: CPUs set aside for a worker; 0 for as many as it is bound to, at least one.
        gpus: GPUs or a part of one; 0 for one where the cluster has any.
        tpus: TPU chips; 0 for all of a machine where the cluster has any.
    """

    address: str = "auto"
    cpus: float = 0.0
    gpus: float = 0.0
    tpus: float = 0.0
