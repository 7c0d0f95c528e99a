"""Reading events as TensorBoard itself reads them."""

import pathlib

import pytest
from tensorboard.backend.event_processing import event_accumulator, event_file_loader


def read(directory):
    """What TensorBoard makes of a directory."""
    everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    accumulator = event_accumulator.EventAccumulator(str(directory), everything)
    return accumulator.Reload()


def scalars(accumulator):
    """Step and value of all scalars, by tag."""
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def raw_steps(directory, tag):
    """The steps of a tag in order of writing, nothing purged."""
    return [
        event.step
        for path in sorted(pathlib.Path(directory).glob("*tfevents*"))
        for event in event_file_loader.EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == tag
    ]


def session(accumulator, name, parse):
    content = accumulator.SummaryMetadata(f"_hparams_/{name}").plugin_data.content
    return parse(content)


def about(value):
    """Scalars are floats of 32 bits."""
    return pytest.approx(value, rel=1e-6)
