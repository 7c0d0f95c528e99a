"""Layouts: what cannot be built is refused with a sentence."""

import pytest

from blockqnn.networks.layout import Layout, LayoutError


def test_the_defaults_are_the_papers_cifar_network():
    layout = Layout()
    assert (layout.kind, layout.filters, layout.repeats) == ("cifar", (32, 64, 128), 4)
    assert (layout.image_shape, layout.classes) == ((32, 32, 3), 10)


@pytest.mark.parametrize(
    ("kind", "filters", "downsamplings"),
    [
        ("cifar", (8,), 0),
        ("cifar", (8, 8), 1),
        ("cifar", (32, 64, 128), 2),
        ("imagenet", (8,), 2),
        ("imagenet", (64, 128, 256, 512), 5),
    ],
)
def test_how_often_height_and_width_are_halved(kind, filters, downsamplings):
    layout = Layout(kind=kind, filters=filters, height=224, width=224)
    assert layout.downsamplings == downsamplings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": ()}, "A layout needs the filters of at least one stage, given none."),
        ({"filters": (8, 0)}, "A layout needs filters of at least 1, given 0."),
        ({"filters": (-1, 8)}, "A layout needs filters of at least 1, given -1."),
        ({"repeats": 0}, "A layout needs repeats of at least 1, given 0."),
        ({"height": 0}, "A layout needs image height of at least 1, given 0."),
        ({"width": -2}, "A layout needs image width of at least 1, given -2."),
        ({"channels": 0}, "A layout needs image channels of at least 1, given 0."),
        ({"classes": 0}, "A layout needs classes of at least 1, given 0."),
        (
            {"height": 3},
            "Images of 3x32 pixels are too small for this layout, which halves them 2 times; "
            "allowed: at least 4x4, or fewer stages (--filters).",
        ),
        (
            {"height": 8, "width": 7, "filters": (1, 1, 1, 1)},
            "Images of 8x7 pixels are too small for this layout, which halves them 3 times; "
            "allowed: at least 8x8, or fewer stages (--filters).",
        ),
        (
            {"kind": "imagenet", "filters": (1, 1), "height": 7, "width": 9},
            "Images of 7x9 pixels are too small for this layout, which halves them 3 times; "
            "allowed: at least 8x8, or fewer stages (--filters).",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(settings, message):
    with pytest.raises(LayoutError) as refusal:
        Layout(**settings)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "settings",
    [
        {"height": 4, "width": 4},
        {"height": 1, "width": 1, "filters": (8,)},
        {"kind": "imagenet", "filters": (1, 1), "height": 8, "width": 8},
        {"filters": (1,), "repeats": 1, "channels": 1, "classes": 1},
    ],
)
def test_the_smallest_that_can_be_built(settings):
    assert Layout(**settings)


def test_equal_layouts_are_one_key():
    assert {Layout(): 1, Layout(repeats=2): 2}[Layout(repeats=4)] == 1


def test_a_record_of_a_layout_is_what_it_was_before_there_were_cells_and_makes_it_again():
    layout = Layout(filters=(2, 4), repeats=1, height=8, width=8, channels=1, classes=3)
    assert layout.as_json() == {
        "kind": "cifar",
        "filters": (2, 4),
        "repeats": 1,
        "height": 8,
        "width": 8,
        "channels": 1,
        "classes": 3,
    }
    cells = Layout("cells", (2, 4, 8), cells=20, rules="darts")
    assert Layout(**layout.as_json()) == layout
    assert Layout(**cells.as_json()) == cells


def test_one_number_of_filters_doubles_twice_where_cells_are_stacked():
    assert Layout(filters=(36,)).of_kind("cells").filters == (36, 72, 144)
    assert Layout(filters=(36,)).of_kind("cifar").filters == (36,)
    assert Layout(filters=(3, 5)).of_kind("cells_imagenet").filters == (3, 5)
