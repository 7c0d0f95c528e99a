"""The flags of `bench`: defaults, blocks with commas, and what a preset gives."""

import pytest

from blockqnn.bench.floor import PresetChildren
from blockqnn.errors import UserError
from blockqnn.flags.bench import parse, parse_blocks
from blockqnn.flags.preset_files import preset_names
from blockqnn.networks.layout import Layout, LayoutError


def test_the_defaults():
    settings = parse([])
    assert settings.references == ("block-qnn-s", "residual", "inception")
    assert settings.layout == Layout(filters=(16, 32, 64), repeats=2, height=8, width=8)
    assert (settings.recipe.batch_size, settings.recipe.bfloat16) == (64, False)
    assert (settings.recipe.execution, settings.steps, settings.against) == ("auto", 10, "none")
    assert settings.children == PresetChildren("digits", 4, 1250, 250)
    assert not settings.as_json


def test_what_is_given_wins():
    settings = parse(
        [
            "--blocks=residual",
            "--image_size=16",
            "--channels=1",
            "--classes=7",
            "--layout=imagenet",
            "--filters=4",
            "--repeats=3",
            "--batch_size=9",
            "--bfloat16",
            "--execution=whole",
            "--steps=3",
            "--against=torch",
            "--format=json",
            "--preset=cifar10_cpu",
            "--max_layers=5",
        ]
    )
    assert settings.layout == Layout("imagenet", (4,), 3, 16, 16, 1, 7)
    recipe = settings.recipe
    assert (recipe.batch_size, recipe.bfloat16, recipe.execution) == (9, True, "whole")
    assert (settings.steps, settings.against, settings.max_layers) == (3, "torch", 5)
    assert settings.as_json
    # 50,000 images, of which one in six is held out, and of the rest 6,000.
    assert settings.children == PresetChildren("cifar10_cpu", 3, 6000, 8333)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_has_children_whether_or_not_its_data_are_prepared(preset):
    children = parse([f"--preset={preset}"]).children
    assert min(children.epochs, children.training_images, children.validation_images) > 0


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("residual", ("residual",)),
        ("residual, inception", ("residual", "inception")),
        ("[(1,1,3,0,0),(2,7,0,0,0)]", ("[(1,1,3,0,0),(2,7,0,0,0)]",)),
        ("a,[(1,1,3,0,0)],runs/x#3", ("a", "[(1,1,3,0,0)]", "runs/x#3")),
        ("[(1,1,3,0,0)],[(1,1,5,0,0)]", ("[(1,1,3,0,0)]", "[(1,1,5,0,0)]")),
    ],
)
def test_commas_within_a_code_separate_no_blocks(text, blocks):
    assert parse_blocks(text) == blocks


@pytest.mark.parametrize("text", ["", ",", "residual,", " , residual"])
def test_an_empty_block_is_refused(text):
    with pytest.raises(ValueError):
        parse_blocks(text)


def test_words_and_layouts_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="flags alone"):
        parse(["residual"])
    with pytest.raises(LayoutError, match="too small"):
        parse(["--image_size=3"])
