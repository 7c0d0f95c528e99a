"""The flags of where and how a search is carried out, which do not change what it finds."""

from __future__ import annotations

import pathlib
from typing import Any

from blockqnn.errors import UserError
from blockqnn.evaluation.contract import TRAIN
from blockqnn.flags import evaluators
from blockqnn.flags.flag_text import as_text
from blockqnn.flags.parsing import FlagSet, Owner
from blockqnn.settings import FinalsRecipe, RaySettings, RunSettings, WorkerSettings
from blockqnn.workers.contract import INLINE, LOCAL, RAY

SHARING, IDLE = "share", "idle"

OPERATIONAL = (
    "preset",
    "flagfile",
    "run_dir",
    "executor",
    "workers",
    "cores_per_worker",
    "spare_cores",
    "devices_per_worker",
    "compilation_cache",
    "child_timeout_seconds",
    "child_retries",
    "children_per_worker",
    "ray_address",
    "cpus_per_child",
    "gpus_per_child",
    "tpus_per_child",
    "dry_seconds",
    "dry_spread",
    "data_dir",
    "execution",
    "tensorboard",
    "check",
)
"""Flags that do not change what the search is; the others must stay in a run."""

_WHO_TRAINS = ("executor", "ray_address")
"""What `compare`, too, has of these flags."""


def define(flags: FlagSet) -> None:
    """Adds the flags that all executors have, in the present group."""
    define_executor(flags)
    flags.integer(
        "devices_per_worker",
        0,
        "devices on which a worker trains different children at the same time, or that share each "
        "batch of a supernet; 0 for all of a TPU and for one elsewhere",
    )
    flags.path(
        "compilation_cache",
        "",
        "directory that keeps compiled programs for other runs, or off; empty for one in the "
        "user's cache; JAX_COMPILATION_CACHE_DIR wins",
    )
    flags.switch("tensorboard", False, "write events for TensorBoard to RUN_DIR/tensorboard")


def define_executor(flags: FlagSet) -> None:
    """Adds the flag that says who trains."""
    flags.choice(
        "executor",
        LOCAL,
        (LOCAL, RAY, INLINE),
        "train in worker processes on this machine, on a Ray cluster, or in this process, without "
        "timeout, for debugging",
    )


def define_ray_address(flags: FlagSet) -> None:
    """Adds the flag that says where a cluster is."""
    flags.text(
        "ray_address",
        "auto",
        "HOST:PORT of the cluster's head, auto for the cluster that this machine is part of, "
        "local to start one on this machine for this run",
    )


def executor_words(flags: FlagSet) -> list[str]:
    """What a command line says of who trains, as words of `search`."""
    return [f"--{name}={flags.values[name].value}" for name in _named(flags)]


def refuse_executor(flags: FlagSet) -> None:
    """Refuses what says who trains, where nobody trains since a table is looked up.

    Raises:
        UserError: if there is such a flag.
    """
    for name in _named(flags):
        raise UserError(
            f"--{name} says where children are trained, and agents look a table up; give "
            f"--evaluator={TRAIN}, or leave it out."
        )


def _named(flags: FlagSet) -> list[str]:
    return [name for name in _WHO_TRAINS if flags.values[name].present]


def define_each(flags: FlagSet) -> None:
    """Adds a group for the executors with workers, and one for Ray alone."""
    flags.group("Executor local or ray (worker processes)", Owner("executor", (LOCAL, RAY)))
    flags.integer(
        "workers",
        0,
        "worker processes; 0 for one a GPU, one for a TPU, or else one for each cores_per_worker "
        "cores, but at most blocks_per_iteration; on Ray as many as the cluster has room for, "
        "and more when machines join",
    )
    flags.integer(
        "cores_per_worker",
        1,
        "cores that a worker is bound to where the CPU trains; 0 for no binding",
    )
    flags.choice(
        "spare_cores",
        SHARING,
        (SHARING, IDLE),
        "where the CPU trains fewer children at once than it has cores: share the batches of each, "
        "where they are large enough, or leave cores idle",
    )
    flags.number(
        "gpus_per_child",
        0.0,
        "GPUs of a worker, or a part of one, as 0.5, with its share of the memory; 0 for one "
        "where there are any; workers on this machine share GPUs so too",
        least=0,
    )
    flags.number(
        "child_timeout_seconds", 3600.0, "seconds after which a child is given up", above=0
    )
    flags.integer(
        "child_retries",
        3,
        "how often a child is tried again elsewhere if its worker died, hung or ran out of memory; "
        "an error that the child itself reports is final",
    )
    flags.integer(
        "children_per_worker",
        0,
        "children after which a worker process is renewed; 0 for never",
    )
    flags.group("Executor ray (a cluster)", Owner("executor", (RAY,)))
    define_ray_address(flags)
    flags.number(
        "cpus_per_child",
        0.0,
        "CPUs that Ray sets aside for a worker, or a part of one; 0 for cores_per_worker, at "
        "least one",
        least=0,
    )
    flags.number(
        "tpus_per_child",
        0.0,
        "TPU chips of a worker; 0 for all of a machine where there are any",
        least=0,
    )


def run_settings(
    values: dict[str, Any], flag_file: str, finals_recipe: FinalsRecipe | None = None
) -> RunSettings:
    """How a search is carried out.

    Args:
        values: of the flags of `search`, by name.
        flag_file: the text to keep in the run directory.
        finals_recipe: how its finals train; None for the search's recipe.

    Returns:
        The settings.
    """
    return RunSettings(
        run_dir=pathlib.Path(values["run_dir"]),
        executor=values["executor"],
        workers=values["workers"],
        cores_per_worker=values["cores_per_worker"],
        share_batches=values["spare_cores"] == SHARING,
        worker=WorkerSettings(
            devices=values["devices_per_worker"],
            compilation_cache=values["compilation_cache"],
            dry=evaluators.dry(values),
        ),
        child_timeout_seconds=values["child_timeout_seconds"],
        child_retries=values["child_retries"],
        children_per_worker=values["children_per_worker"],
        ray=RaySettings(
            address=values["ray_address"],
            cpus=values["cpus_per_child"],
            gpus=values["gpus_per_child"],
            tpus=values["tpus_per_child"],
        ),
        flag_values={
            name: as_text(value) for name, value in values.items() if name not in OPERATIONAL
        },
        flag_file=flag_file,
        finals=values["finals"],
        finals_recipe=finals_recipe,
        tensorboard=values["tensorboard"],
    )
