"""The evaluator that trains nothing: a child's outcome is a score of its initial weights.

A score is an entry of the table below and a function of the form that
`blockqnn.children.zero_cost` has; nothing here imports JAX before one is asked for.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

from blockqnn.evaluation.lowerings import lowerings_record
from blockqnn.networks.layout import Layout
from blockqnn.networks.operations.steps import loaded
from blockqnn.networks.spaces.registry import design_of, design_plan
from blockqnn.settings import DataSettings, Recipe, WorkerSettings
from blockqnn.trial import Job, Outcome, with_filters

_FUNCTIONS = "blockqnn.children.zero_cost:"

PROXIES: Mapping[str, str] = {
    "activation_patterns": _FUNCTIONS + "activation_patterns",
    "gradient_norm": _FUNCTIONS + "gradient_norm",
    "synaptic_flow": _FUNCTIONS + "synaptic_flow",
}
"""Where the function of each score is, as `package.module:name`."""


class ProxyEvaluator:
    """Scores children by one batch of the training part, which is the same for all."""

    slots = 1
    ahead = 0

    def __init__(
        self,
        proxy: str,
        data: DataSettings,
        recipe: Recipe,
        layout: Layout,
        worker: WorkerSettings,
    ):
        """Reads the data set and keeps a batch of it.

        Args:
            proxy: a name of `PROXIES`.
            data: which images.
            recipe: whose batch size it is.
            layout: of the child networks.
            worker: where compiled programs are kept.

        Raises:
            UserError: if the data set cannot be read, or the cache or the table of lowerings cannot
                be used.
        """
        import jax
        import jax.numpy as jnp
        import numpy as np

        from blockqnn.children.compilation import begin_cache
        from blockqnn.children.execution import take_batch
        from blockqnn.children.training import on_device
        from blockqnn.data.datasets import load_search_parts

        self._score, self._layout, self._title = loaded(PROXIES[proxy]), layout, proxy
        begin_cache(worker.compilation_cache)
        lowerings_record()
        train, _ = on_device(*load_search_parts(data))
        count = min(recipe.batch_size, len(train.labels))
        drawn = np.random.default_rng(0).permutation(len(train.labels))[:count]
        self._batch: Any = take_batch(train, jnp.asarray(drawn, jnp.int32), jnp.dtype(jnp.float32))
        self.device = jax.local_devices()[0].device_kind

    def prepare(self, job: Job, slot: int) -> None:
        """See `Evaluator.prepare`."""

    def evaluate(self, job: Job, slot: int) -> Outcome:
        """See `Evaluator.evaluate`; a score that is not finite is the reason of a failure."""
        from blockqnn.networks.initial import initial_parameters

        begun = time.perf_counter()
        score, reason = None, None
        try:
            plan = design_plan(design_of(job.code), with_filters(self._layout, job.filters))
            score = self._score(plan, initial_parameters(plan, job.seed), *self._batch)
        except Exception as error:
            # One child must not end a search.
            first = "".join(str(error).strip().splitlines()[:1])[:300]
            reason = f"{type(error).__name__}: {first}"
        if score is not None and not math.isfinite(score):
            reason, score = f"its {self._title} is {score}", None
        found = Outcome(score=score, reason=reason, device=self.device)
        return dataclasses.replace(found, train_seconds=time.perf_counter() - begun)
