"""A measuring process as the one that asks it sees it; see `blockqnn.bench.child`."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from blockqnn.bench.child import MeasuredSetting, encode_block, encode_setting
from blockqnn.errors import UserError
from blockqnn.networks.spaces.contract import Code

_PATIENCE_SECONDS = 20
"""What a process gets to end by itself."""


class MeasuringProcess:
    """Measures on request; a context manager, whose end is the process's end."""

    def __init__(
        self,
        setting: MeasuredSetting,
        log: pathlib.Path,
        cache: pathlib.Path | None,
        share: bool,
        cores: Sequence[int] = (),
    ):
        """Starts the process and waits until it is ready.

        Args:
            setting: what it is told first.
            log: file for its standard error.
            cache: directory of compiled programs, for JAX.
            share: whether another process will use the device at the same time.
            cores: to which it is bound; empty for no binding.

        Raises:
            UserError: if it cannot start.
        """
        environment = dict(os.environ)
        if cache is not None:
            environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
        if share:
            # JAX takes most of a GPU's memory at once, unless it is told not to.
            environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        self._framework = setting.framework
        self._log = log
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "blockqnn.bench.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                encoding="utf-8",
            )
        if cores and hasattr(os, "sched_setaffinity"):
            # Both frameworks make as many threads as there are cores, and have not begun yet.
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self._process.pid, cores)
        try:
            self.device: str = self._exchange(encode_setting(setting), "starting")["device"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> MeasuringProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self, code: Code, filters: Sequence[int] = ()) -> dict[str, float]:
        """Makes and compiles the child of a block.

        Args:
            code: the block.
            filters: of its stages; empty for those of the setting.

        Returns:
            The seconds that this took, by name.

        Raises:
            UserError: if it cannot be done.
        """
        return self._ask(encode_block(code, filters))

    def prepare_mixture(self, space: str) -> dict[str, float]:
        """Makes and compiles the mixture of all designs of a space.

        Args:
            space: its name.

        Returns:
            The seconds that this took, by name.

        Raises:
            UserError: if it cannot be done.
        """
        return self._ask({"measure": "prepare", "mixture": space})

    def train(self, discarded: int, timed: int) -> list[float]:
        """Trains the child.

        Args:
            discarded: steps before those that are timed.
            timed: steps to time.

        Returns:
            Seconds of a step, several times.

        Raises:
            UserError: if it cannot be done.
        """
        return self._ask({"measure": "train", "discarded": discarded, "timed": timed})

    def evaluate(self) -> float:
        """Seconds to evaluate `bench_child.IMAGES` images; for JAX."""
        return self._ask({"measure": "evaluate"})

    def profile(self) -> list[dict[str, Any]]:
        """Where a step of the child goes; see `blockqnn.bench.profile.as_facts`."""
        return self._ask({"measure": "profile"})

    def rates(self) -> dict[str, float]:
        """FLOP/s and bytes/s of the device at best; for JAX."""
        return self._ask({"measure": "rates"})

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        return self._exchange(json.dumps(request), request["measure"])["answer"]

    def _exchange(self, line: str, doing: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            status = self._process.wait()
            raise UserError(
                f"The process that measures {self._framework} ended with status {status} at "
                f"{doing!r}{self._last_words()}."
            )
        message: dict[str, Any] = json.loads(answer)
        if "refused" in message:
            raise UserError(message["refused"])
        if "error" in message:
            raise UserError(f"{self._framework} fails at {doing!r}: {message['error']}.")
        return message

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1][:300].rstrip('.')}" if lines else ""
