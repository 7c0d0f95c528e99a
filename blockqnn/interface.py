"""What `import blockqnn` offers: codes, drawings, figures, networks, runs and searches.

Every function imports what it needs when it is called, so that `import
blockqnn` stays light.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from blockqnn.errors import UserError
from blockqnn.networks.layout import Layout
from blockqnn.networks.spaces.contract import MAX_LAYERS, Code
from blockqnn.networks.spaces.registry import DEFAULT, code_of, fitting, space_of

if TYPE_CHECKING:
    from blockqnn.inspection.block_drawing import Drawing
    from blockqnn.inspection.run import Run
    from blockqnn.networks.block import Block
    from blockqnn.networks.child import ChildNetwork
    from blockqnn.trial import Trial


def parse(text: str, max_layers: int = MAX_LAYERS) -> Code:
    """Reads a code, or takes a published one by its name.

    >>> code = blockqnn.parse("[(1,1,3,0,0),(2,1,3,1,0),(3,5,0,0,2)]")
    >>> len(code)  # Terminal included
    4
    >>> blockqnn.parse("residual") == blockqnn.parse(
    ...     "[(1,4,0,0,0),(2,1,3,1,0),(3,1,3,2,0),(4,5,0,1,3),(5,7,0,0,0)]"
    ... )
    True

    Args:
        text: a code of any search space as its papers write it, or a name.
        max_layers: most layers, where the space has such a limit.

    Returns:
        The code: a tuple of decisions.

    Raises:
        blockqnn.networks.spaces.contract.CodeError: if it is none.
    """
    return code_of(text, max_layers)


def draw(code: Code | str, filters: int | None = 32) -> Drawing:
    """Draws a code as it was written.

    >>> blockqnn.draw(blockqnn.parse("residual"), filters=8)
    ●       input          8
    ○    1  identity       8
    ├─■  2  conv 3x3       8
    │ ■  3  conv 3x3       8
    ⊕─╯  4  add            8
    ●       output         8

    Args:
        code: as `parse` returns it, as text, or a published name.
        filters: of the stage, for the widths; None for a drawing without.

    Returns:
        A drawing: a picture in a notebook, text elsewhere; `save` writes it to a file.
    """
    from blockqnn.inspection.block_drawing import drawing

    code = code_of(code)
    layout = None if filters is None else fitting(code, Layout(filters=(filters,)))
    return drawing(code, layout, space_of(code).write(code))


def figures(code: Code | str, layout: Layout | None = None) -> dict[str, Any]:
    """What a code means and what its network costs.

    >>> found = blockqnn.figures(blockqnn.parse("residual"))
    >>> found["parameters"], found["density"]
    (1461866, 1.0)

    Args:
        code: as `parse` returns it, as text, or a published name.
        layout: of its child network; None for the usual one of its space.

    Returns:
        `code`, `hash`, `density`, `depth` (convolutions on the longest path),
        `parameters`, `flops` (2 x multiply-accumulates of one image, forward),
        `block_flops`, and what else the space says.

    Raises:
        LayoutError: if the layout is not one for this code.
    """
    from blockqnn.inspection.show_block import design_facts
    from blockqnn.networks.cost import cost

    code = code_of(code)
    chosen = layout or fitting(code, Layout(named=False))
    return design_facts(code, cost(space_of(code).design(code), chosen))


def network(code: Code | str, layout: Layout | None = None, seed: int = 0) -> ChildNetwork:
    """A child network as an `nnx.Module`.

    >>> import jax.numpy as jnp
    >>> layout = Layout(filters=(4, 8), repeats=1, height=8, width=8, channels=1)
    >>> model = blockqnn.network(blockqnn.parse("residual"), layout)
    >>> model(jnp.zeros((2, 8, 8, 1))).shape
    (2, 10)

    Args:
        code: as `parse` returns it, as text, or a published name.
        layout: what stands around it; None for the usual one of its space.
        seed: of the initial weights.

    Returns:
        A module from normalised images [B, H, W, C] to logits [B, classes].

    Raises:
        LayoutError: if the layout is not one for this code.
    """
    from blockqnn.networks.child import child_network

    code = code_of(code)
    return child_network(code, layout or fitting(code, Layout(named=False)), seed)


def block(code: Code | str, channels: int, filters: int, seed: int = 0) -> Block:
    """One block alone, with the initial weights of a seed; `Block` takes `nnx.Rngs`.

    >>> import jax.numpy as jnp
    >>> layer = blockqnn.block(blockqnn.parse("inception"), channels=16, filters=8)
    >>> layer(jnp.zeros((2, 5, 5, 16))).shape
    (2, 5, 5, 24)

    Args:
        code: as `parse` returns it, as text, or a published name.
        channels: of the map that it reads.
        filters: channels of its convolutions.
        seed: of the initial weights.

    Returns:
        A module from maps [B, H, W, channels] to maps [B, H, W, D]; how large D
        is the block decides.

    Raises:
        LayoutError: if there is no such block, as of cells whose nodes are sums.
    """
    from flax import nnx

    from blockqnn.networks.block import Block
    from blockqnn.networks.initial import initial_parameters, initial_statistics

    code = code_of(code)
    made = Block(code, channels, filters, rngs=nnx.Rngs(seed))
    space = space_of(code)
    plan = space.alone(space.design(code), channels, filters)
    made.set_weights(initial_parameters(plan, seed), initial_statistics(plan))
    return made


def open_run(path: str | os.PathLike[str]) -> Run:
    """Opens a run, whether it has ended, has died or is still going on.

    >>> run = blockqnn.open_run("runs/digits")  # doctest: +SKIP
    >>> run.trials  # a pandas data frame  # doctest: +SKIP
    >>> run.best(3)  # the three best blocks  # doctest: +SKIP
    >>> run.block("best").draw()  # or by trial: run.block(17)  # doctest: +SKIP

    Args:
        path: the run's directory; nothing is written to it.

    Returns:
        The run as it is now; `Run.refresh` reads it again.

    Raises:
        blockqnn.errors.UserError: if there is no run, or it cannot be read.
    """
    # The command line does without data frames.
    from blockqnn.inspection.run import Run

    return Run(path)


def search(
    evaluate: Callable[[Code], Any] | Any = None,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    data: Any = None,
    validation: Any = None,
    test: Any = None,
    budget: int | None = None,
    max_hours: float = 0,
    agent: str | None = None,
    space: str = DEFAULT,
    max_layers: int = MAX_LAYERS,
    layout: Layout | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    workers: int = 0,
    quiet: bool = False,
    on_trial: Callable[[Trial], None] | None = None,
    **flags: Any,
) -> Run:
    """Searches with a function of one's own as the evaluator, or by training on images.

    Everything is stored as the command does it: the same call continues a
    search that was stopped, by Ctrl-C, an error or worse, and returns at once when it
    has ended; a larger budget continues one that has.

    >>> import tempfile
    >>> def accuracy(code):
    ...     return 90.0 - len(code)
    >>> directory = tempfile.mkdtemp()
    >>> run = blockqnn.search(accuracy, directory, budget=20, agent="random", quiet=True)
    >>> len(run.best(3))
    3
    >>> run = blockqnn.search((images, labels), "runs/mine", budget=50)  # doctest: +SKIP

    Args:
        evaluate: a function from a code, as `parse` returns it and `network`,
            `figures` and `draw` take it, to its accuracy in percent, or to a
            sequence of those after each epoch. It is called once for each different
            network. What it raises, and what is no accuracy, is the reason of a
            failed trial; the search goes on. Or what `data` takes.
        run_dir: directory of the run.
        data: images and labels to train on instead: a pair of arrays, uint8
            [N, H, W, C] or [N, H, W] and integers [N]; two pairs, for training and for
            the test; a mapping with the names that `npz:PATH` has; or the name
            of a data set as `--dataset` takes it. Arrays are kept in the run
            directory as `data.npz`, so that every command goes on from there.
        validation: a pair of arrays to judge by; None for one in six of `data`.
        test: a pair of arrays that a later `train` is tested on.
        budget: evaluations, after which the search ends; None for 100 of a
            function, for none if there are `max_hours`, and for what suits the
            data and the machine.
        max_hours: of searching, after which the search ends; 0 for no such end.
        agent: its name; None for `q_learning_plus`, or for what suits the data.
        space: name of the search space.
        max_layers: most layers, where the space has such a limit.
        layout: of the networks whose parameters and FLOPs are recorded; with data,
            `filters`, `repeats` and so on say it.
        options: of the agent, by the names of its flags.
        seed: fixes every random choice.
        workers: with a function, calls at the same time, in threads of this process;
            with data, worker processes; 0 for one call, and for as many processes as
            there is room for.
        quiet: print nothing.
        on_trial: is told of each trial when it is stored; what it raises ends the search.
        **flags: with data any flag of `search`, such as `epochs=4`, `filters=(16, 32)`
            `finals="12:9,4:27"` or `preset="cifar10"`; with a function `epsilon_schedule`,
            `blocks_per_iteration` and options of the agent.

    Returns:
        The run.

    Raises:
        blockqnn.errors.UserError: if an argument cannot be used, or the
            directory holds another search, or one on other data.
        KeyboardInterrupt: if the search was interrupted; it can be continued.
    """
    from blockqnn.python_search import Call, search_by, search_on
    from blockqnn.searching.own_function import USUAL_BUDGET, FunctionSearch

    if (evaluate is None) == (data is None):
        raise UserError("blockqnn.search takes either a function or data.")
    if run_dir is None:
        raise UserError("blockqnn.search needs a run_dir, which keeps what was found.")
    call = Call(os.fspath(run_dir), budget, flags, quiet, on_trial)
    if not callable(evaluate):
        if layout is not None:
            raise UserError("layout goes with a function; with data say filters=, repeats= ...")
        named = {
            "space": (space, DEFAULT),
            "max_layers": (max_layers, MAX_LAYERS),
            "seed": (seed, 0),
            "max_hours": (max_hours, 0),
            "workers": (workers, 0),
            "agent": (agent, None),
        }
        told = {name: value for name, (value, usual) in named.items() if value != usual}
        call = dataclasses.replace(call, flags={**told, **(options or {}), **flags})
        search_on(evaluate if data is None else data, validation, test, call)
        return open_run(run_dir)
    if validation is not None or test is not None:
        raise UserError("validation and test go with data, not with a function.")
    wanted = FunctionSearch(
        budget=(0 if max_hours else USUAL_BUDGET) if budget is None else budget,
        max_hours=max_hours,
        agent=agent or "q_learning_plus",
        space=space,
        max_layers=max_layers,
        layout=layout,
        seed=seed,
        workers=workers or 1,
        options=dict(options or {}),
    )
    search_by(evaluate, wanted, call)
    return open_run(run_dir)
