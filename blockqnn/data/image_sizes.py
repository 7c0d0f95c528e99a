"""How large images are before they are scaled."""

from __future__ import annotations

from blockqnn.data import datasets, folder_source
from blockqnn.data.contents import ImageSizes
from blockqnn.settings import DataSettings


def image_sizes(settings: DataSettings, images_needed: bool = True) -> ImageSizes:
    """Looks up how large the training images are; opens those of a folder, but decodes none.

    Args:
        settings: which data set.
        images_needed: whether they will be read.

    Returns:
        A size for each image of a folder; one alone where a data set has a single size.

    Raises:
        UserError: if there is no such data set.
    """
    if not settings.dataset.startswith(folder_source.PREFIX):
        height, width, _ = datasets.describe(settings, images_needed).shape
        return ImageSizes((height,), (width,))
    found = []
    for file in folder_source._split(settings.dataset, "train").files:
        with folder_source._opened(settings.dataset, file) as image:
            found.append((image.height, image.width))
    heights, widths = zip(*found, strict=True)
    return ImageSizes(heights, widths)
