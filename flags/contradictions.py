"""Flags of `search` that contradict one another, refused before anything begins."""

from __future__ import annotations

from typing import Any

from blockqnn.agents.decision_tables import SKIP
from blockqnn.errors import UserError
from blockqnn.evaluation.contract import OF_IMAGES, TABLE
from blockqnn.language_settings import ASGD
from blockqnn.networks.layout import LANGUAGE, Layout
from blockqnn.networks.sizing import Match, can_scale
from blockqnn.networks.spaces.contract import SearchSpace
from blockqnn.networks.spaces.registry import SPACES, design_of, parse, space_named
from blockqnn.runs.rounds import check_rounds, parse_rounds
from blockqnn.settings import UNCHANGED


def refuse_contradictions(values: dict[str, Any], layout: Layout) -> None:
    """Refuses flags that cannot be meant together.

    Args:
        values: of the flags, by name.
        layout: of the children.

    Raises:
        UserError: if there are such.
        LayoutError: if the space does not have the rules of a language model.
    """
    space = space_named(values["space"])
    if layout.kind not in space.layouts:
        raise UserError(
            f"--space={space.name} does not go with --layout={layout.kind}; allowed: "
            f"{' or '.join(space.layouts)}."
        )
    if space.tabular and values["evaluator"] in OF_IMAGES:
        raise UserError(
            f"{space.unshared(layout)}; this search's evaluator is {values['evaluator']}."
        )
    if space.tabular and (values["mu"] or values["rho"]):
        raise UserError(
            "--mu and --rho take FLOPs and density off a reward, and of the rows of a table nobody "
            "knows either; leave them out."
        )
    if layout.of_words:
        # Rules that the space does not have are refused by its plan.
        space.plan(design_of(parse(space.example)), layout)
    if values["evaluator"] == TABLE and not (values["table"] and values["search_column"]):
        raise UserError("--evaluator=table needs --table and --search_column.")
    rounds = parse_rounds(values["finals"])
    check_rounds(rounds, "--finals")
    if rounds and values["evaluator"] == TABLE:
        raise UserError(
            "--finals trains blocks for longer, and with --evaluator=table nothing is trained."
        )
    if values["match"] is not None:
        _refuse_no_match(values, layout)
    longer = space_named(values["space"], values["max_layers"])
    if values["agent"] == "reinforce" and values["reinforce_skip_weight"] and not _skips(longer):
        raise UserError(
            f"--reinforce_skip_weight={values['reinforce_skip_weight']:g} draws skips to a rate, "
            f"and --space={space.name} has no layers that decide on skips; leave it out, or take a "
            "space of whole networks."
        )


def refuse_other_data(values: dict[str, Any], of_words: bool) -> None:
    """Refuses images for language models, words for other children, and what goes with neither.

    Args:
        values: of the flags, by name.
        of_words: whether the data are a text.

    Raises:
        UserError: naming what to take instead.
    """
    if (LANGUAGE in space_named(values["space"]).layouts) != of_words:
        able = [s.name for s in SPACES.values() if (LANGUAGE in s.layouts) == of_words]
        read, given = ("images", "a text") if of_words else ("words", "images")
        raise UserError(
            f"--space={values['space']} reads {read}, and --dataset={values['dataset']} is "
            f"{given}; allowed for it: --space={' or '.join(able)}"
            f"{'' if of_words else ', or --dataset=text'}."
        )
    if not of_words and values["optimiser"] == ASGD:
        raise UserError(
            "--optimiser=asgd is for language models; allowed for images: adam, momentum."
        )
    if of_words and values["augmentation"] != UNCHANGED:
        raise UserError(
            f"--augmentation is about images; leave it out with --space={values['space']}."
        )


def refuse_one_program(values: dict[str, Any], reason: str) -> None:
    """Refuses what needs one program for all paths, where there is none.

    Args:
        values: of the flags, by name.
        reason: why there is none, as a sentence; empty where there is one.

    Raises:
        UserError: naming what does without.
    """
    if not reason:
        return
    if values["execution"] == "whole":
        raise UserError(f"{reason}, so --execution=whole cannot be; --execution=layers can.")
    if values["devices_per_worker"] > 1:
        raise UserError(
            f"{reason}, so there is no one program for all paths in which the "
            f"{values['devices_per_worker']} devices of --devices_per_worker could share a batch."
        )


def _skips(space: SearchSpace) -> bool:
    """Whether layers decide of each earlier one whether they read it."""
    state = space.start
    while True:
        actions = [action for group in space.choices(state) for action in group]
        if any((k, v) == SKIP for action in actions for k, v, _ in space.fields(state, action)):
            return True
        # What goes on, where there is any such action.
        state = next((a for a in actions if not space.is_end(a)), actions[0])
        if space.is_end(state):
            return False


def _refuse_no_match(values: dict[str, Any], layout: Layout) -> None:
    """Refuses a size that no child can have."""
    wanted: Match = values["match"]
    if values["evaluator"] == TABLE:
        raise UserError(
            "--match scales children that are trained, and the accuracies of --evaluator=table "
            "were measured with filters of their own."
        )
    limit = f"max_{wanted.figure}"
    if 0 < values[limit] < wanted.target:
        raise UserError(
            f"--{limit}={values[limit]:_} allows no more, so no child can have the {wanted.words} "
            f"of --match; raise it to --{limit}={wanted.most:_}, or to 0 for no limit."
        )
    space = space_named(values["space"])
    if not can_scale(design_of(parse(space.example)), layout, wanted):
        raise UserError(
            f"--match={wanted} needs filters to scale, and those of --space={space.name} do not "
            f"change how many {wanted.noun} a network has."
        )
