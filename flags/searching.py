"""What `search` carries out: a search, the finals that follow it, and the check of its scores."""

from __future__ import annotations

import sys

from blockqnn.runs.rounds import parse_rounds
from blockqnn.settings import RunSettings, SearchSettings


def carry_out(settings: tuple[SearchSettings, RunSettings]) -> int:
    """Carries a search out with all that follows it.

    Args:
        settings: of the search, and how to carry it out.

    Returns:
        The exit status.
    """
    search, run = settings
    status = _searched(search, run)
    if not status and search.supernet is not None and run.check:
        from blockqnn.finals.shared_check import check_scores

        return check_scores(search, run, run.check, sys.stdout)
    return status


def _searched(search: SearchSettings, run: RunSettings) -> int:
    if parse_rounds(run.finals):
        from blockqnn.finals.command import search_and_finals

        return search_and_finals(search, run, sys.stdout)
    from blockqnn.searching.command import run_search

    return run_search(search, run, sys.stdout)
