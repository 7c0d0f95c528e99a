"""Data sets in folders of the user's, and what is refused of them."""

import numpy as np
import pytest
from PIL import Image

from blockqnn.data import folder_source
from blockqnn.data.datasets import describe, load_search_parts, search_part_sizes, source_of
from blockqnn.data.images import ImageInfo
from blockqnn.errors import UserError
from blockqnn.settings import DataSettings

CLASSES = ("ant", "bee", "cat")
PIXELS = np.random.default_rng(0).integers(0, 256, (36, 6, 5, 3), np.uint8)


def write(root, pixels=PIXELS, suffix=".png", classes=CLASSES):
    """Writes image i into the folder of class i mod 3."""
    for number, image in enumerate(pixels):
        folder = root / classes[number % len(classes)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}{suffix}")


def source(name, **more):
    """The source of a name."""
    return source_of(DataSettings(name, **more))


def read(name, split="train", **more):
    """All images of a split."""
    opened = source(name, **more).open(split)
    return opened.read(np.arange(len(opened)))


def described(name, **more):
    """Shape and classes."""
    return source(name, **more).info()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "own"


def test_images_are_split_with_the_labels_of_their_folders(root):
    write(root)
    settings = DataSettings(f"folder:{root}")
    assert describe(settings) == ImageInfo((6, 5, 3), 3)
    assert search_part_sizes(settings) == (30, 6)
    assert source(settings.dataset).class_names() == ("ant", "bee", "cat")
    train, validation = load_search_parts(settings)
    assert (len(train), len(validation)) == (30, 6)
    known = {image.tobytes(): number % 3 for number, image in enumerate(PIXELS)}
    for part in (train, validation):
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int32)
        assert [known[image.tobytes()] for image in part.images] == part.labels.tolist()


def test_a_search_sees_the_train_folder_alone_and_test_labels_are_those_of_training(root):
    write(root / "train")
    write(root / "test", PIXELS[:4] // 2, classes=("cat", "bee"))
    name = f"folder:{root}"
    assert source(name).counts() == {"train": 36, "test": 4}
    assert np.array_equal(np.sort(read(name).images, 0), np.sort(PIXELS, 0))
    test = read(name, "test")
    assert test.labels.tolist() == [1, 1, 2, 2]
    assert np.array_equal(test.images, PIXELS[[1, 3, 0, 2]] // 2)


def test_without_folders_train_and_test_there_is_no_test_split(root):
    write(root)
    name = f"folder:{root}"
    assert source(name).counts() == {"train": 36}
    with pytest.raises(UserError, match=f"{root} has no test split with folders of classes"):
        read(name, "test")


def test_grey_images_have_one_channel_unless_one_is_coloured(root):
    write(root, PIXELS[..., 0])
    name = f"folder:{root}"
    assert described(name).shape == (6, 5, 1)
    assert np.array_equal(read(name).images[1, ..., 0], PIXELS[3, ..., 0])
    Image.fromarray(PIXELS[0]).save(root / "cat" / "99.png")
    assert described(name).shape == (6, 5, 3)
    first = read(name).images[0]
    assert np.array_equal(first, np.repeat(PIXELS[0, ..., :1], 3, axis=-1))


@pytest.mark.parametrize("suffix", [".jpg", ".BMP", ".gif", ".webp", ".tiff", ".ppm"])
def test_other_formats_are_read(root, suffix):
    write(root, suffix=suffix)
    assert described(f"folder:{root}") == ImageInfo((6, 5, 3), 3)
    assert read(f"folder:{root}").images.shape == (36, 6, 5, 3)


def test_hidden_files_and_files_of_other_kinds_are_passed_over(root):
    write(root)
    (root / "README.txt").write_text("mine")
    (root / "ant" / "notes.txt").write_text("none")
    (root / "ant" / "._00.png").write_text("none")
    (root / ".git").mkdir()
    assert source(f"folder:{root}").counts() == {"train": 36}


def test_a_size_in_the_name_scales_images_and_cuts_the_longer_side_evenly(root):
    write(root)
    # Twice as wide as high: black, white in the middle half, black.
    wide = np.zeros((8, 16), np.uint8)
    wide[:, 4:12] = 255
    Image.fromarray(wide).save(root / "ant" / "00.png")
    with pytest.raises(UserError, match=r"03.png has 6x5 pixels and .*00.png 8x16; name one"):
        described(f"folder:{root}")
    name = f"folder:{root}:4x4"
    assert described(name) == ImageInfo((4, 4, 3), 3)
    images = read(name).images
    assert images.shape == (36, 4, 4, 3)
    # The black sides are cut off; what the filter draws in of them is little.
    assert images[0].min() > 200


def test_test_images_of_another_size_are_refused_by_file(root):
    write(root / "train")
    write(root / "test", PIXELS[:3, :5])
    with pytest.raises(UserError, match=r"ant/00.png has 5x5 pixels; the training images have 6x5"):
        read(f"folder:{root}", "test")
    assert read(f"folder:{root}:3x3", "test").images.shape == (3, 3, 3, 3)


def nothing(root):
    pass


def one_class(root):
    write(root, classes=("ant",))


def an_empty_class(root):
    write(root)
    (root / "dog").mkdir()


def no_image(root):
    write(root)
    (root / "bee" / "50.png").write_text("not an image")


def cut_short(root):
    write(root)
    whole = (root / "bee" / "01.png").read_bytes()
    (root / "bee" / "01.png").write_bytes(whole[: len(whole) // 2])


def sixteen_bits(root):
    write(root)
    Image.fromarray(np.zeros((6, 5), np.uint16)).save(root / "bee" / "50.png")


def strange_test_class(root):
    write(root / "train")
    write(root / "test", classes=("ant", "dog"))


def empty_test(root):
    write(root / "train")
    (root / "test").mkdir()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nothing, "there is no folder {root}"),
        (one_class, "{root} has 1 folder (ant); wanted is one for each class, at least 2"),
        (an_empty_class, "{root}/dog has no image; read are files of .apng, .avif, .bmp, "),
        (no_image, "{root}/bee/50.png is no image, whatever its name says."),
        (cut_short, "{root}/bee/01.png cannot be read ("),
        (sixteen_bits, "{root}/bee/50.png has pixels of more than 8 bits (16 bits a channel)"),
        (strange_test_class, "{root}/test/dog is a class that {root}/train does not have"),
        (empty_test, "{root} has no test split"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_place(root, make, words):
    make(root)
    name = f"folder:{root}"
    with pytest.raises(UserError) as refusal:
        read(name)
        read(name, "test")
    assert str(refusal.value).startswith(f"--dataset {name}: {words.format(root=root)}")


@pytest.mark.parametrize("name", ["folder:", "folder:\0", "folder:" + "x" * 5000, "folder:a:0x4"])
def test_names_that_are_no_folder_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--dataset folder:"):
        described(name)


def test_more_than_memory_holds_is_refused(root, monkeypatch):
    write(root)

    def empty(shape, dtype):
        raise MemoryError(shape)

    monkeypatch.setattr(folder_source.np, "empty", empty)
    with pytest.raises(UserError, match="36 images of 64x48x3 do not fit into memory"):
        read(f"folder:{root}:64x48")


def test_a_search_takes_a_folder_and_trains_on_it(blockqnn, root):
    write(root)
    status, out, err = blockqnn(
        "search",
        "--preset=smoke",
        "--executor=inline",
        "--train_examples=0",
        f"--dataset=folder:{root}",
        "--run_dir=run",
    )
    assert (status, err) == (0, "")
    assert "Best blocks" in out


def test_a_search_refuses_a_damaged_folder_and_leaves_nothing(blockqnn, root):
    cut_short(root)
    for executor in ("inline", "local"):
        status, _, err = blockqnn(
            "search",
            "--preset=smoke",
            f"--executor={executor}",
            "--train_examples=0",
            f"--dataset=folder:{root}",
            "--run_dir=run",
        )
        assert status == 2
        assert err.startswith(f"blockqnn: --dataset folder:{root}: {root}/bee/01.png cannot be")
        assert len(err.splitlines()) == 1
        assert not (blockqnn.directory / "run" / "search.flags").exists()
