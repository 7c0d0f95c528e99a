"""Little folders of images, and a search of one, for tests of trainings on them."""

import hashlib
import pathlib

import numpy as np
from PIL import Image

CLASSES = ("circle", "cross", "stripes")
PER_CLASS = 12


def folder(path, classes=CLASSES, per_class=PER_CLASS, side=8, seed=0):
    """A folder of images for each class, brighter from class to class; returns its path."""
    random = np.random.default_rng(seed)
    for name in classes:
        (path / name).mkdir(parents=True)
        level = 40 + 60 * (CLASSES.index(name) if name in CLASSES else 0)
        for number in range(per_class):
            pixels = random.integers(level, level + 40, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(path / name / f"{number:02}.png")
    return path


def digest_of_files(source):
    """Stands in for the digest of a folder: names and bytes of all of its files."""
    root = pathlib.Path(source.dataset.removeprefix("folder:"))
    said = hashlib.sha256()
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        said.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return said.hexdigest()


def as_set(images):
    """Images as a set, for comparing which ones they are."""
    return {image.tobytes() for image in images}
