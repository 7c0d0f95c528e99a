"""The official archives of the data sets that `prepare` knows."""

from __future__ import annotations

import dataclasses

from blockqnn.preparing.class_names import CIFAR10, CIFAR100, CIFAR100_COARSE

_HOME = "https://www.cs.toronto.edu/~kriz/"
IMAGE_SHAPE = (32, 32, 3)
"""Height, width and channels of every image of CIFAR."""

TRAIN, TEST = "train", "test"


@dataclasses.dataclass(frozen=True)
class ArchivedFile:
    """A file of records in an archive: label bytes, then an image, one channel after another.

    Attributes:
        name: of the file.
        split: that its images belong to.
        images: how many it has.
        sha256: of its bytes.
    """

    name: str
    split: str
    images: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive, and what is in it.

    Attributes:
        dataset: its name for `--dataset`.
        title: its name for people.
        version: of the TFDS data set with the same content.
        module: of TFDS that would prepare it, as its own files say.
        url: of the archive.
        size: bytes of the archive.
        sha256: of the archive.
        folder: in the archive that holds the files.
        files: in the order in which TFDS numbers their images.
        labels: for each label byte of a record its name, and the names of its classes.
    """

    dataset: str
    title: str
    version: str
    module: str
    url: str
    size: int
    sha256: str
    folder: str
    files: tuple[ArchivedFile, ...]
    labels: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def file_name(self) -> str:
        """The archive's own name, without the rest of its address."""
        return self.url.rpartition("/")[2]

    @property
    def record_bytes(self) -> int:
        """Bytes of an image with its labels."""
        height, width, channels = IMAGE_SHAPE
        return len(self.labels) + height * width * channels

    @property
    def classes(self) -> int:
        """How many classes the label has that networks learn."""
        return len(dict(self.labels)["label"])

    def images(self, split: str) -> int:
        """How many images a split has."""
        return sum(file.images for file in self.files if file.split == split)


# Sizes and sums of the archives are those that tensorflow-datasets checks as well. The sums of
# the files make an archive that somebody has unpacked or packed anew as good as the official one.
ARCHIVES = {
    archive.dataset: archive
    for archive in (
        Archive(
            dataset="cifar10",
            title="CIFAR-10",
            version="3.0.2",
            module="tensorflow_datasets.image_classification.cifar",
            url=_HOME + "cifar-10-binary.tar.gz",
            size=170_052_171,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            folder="cifar-10-batches-bin",
            files=(
                ArchivedFile(
                    "data_batch_1.bin",
                    TRAIN,
                    10_000,
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                ),
                ArchivedFile(
                    "data_batch_2.bin",
                    TRAIN,
                    10_000,
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                ),
                ArchivedFile(
                    "data_batch_3.bin",
                    TRAIN,
                    10_000,
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                ),
                ArchivedFile(
                    "data_batch_4.bin",
                    TRAIN,
                    10_000,
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                ),
                ArchivedFile(
                    "data_batch_5.bin",
                    TRAIN,
                    10_000,
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                ),
                ArchivedFile(
                    "test_batch.bin",
                    TEST,
                    10_000,
                    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
                ),
            ),
            labels=(("label", CIFAR10),),
        ),
        Archive(
            dataset="cifar100",
            title="CIFAR-100",
            version="3.0.2",
            module="tensorflow_datasets.image_classification.cifar",
            url=_HOME + "cifar-100-binary.tar.gz",
            size=168_513_733,
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            folder="cifar-100-binary",
            files=(
                ArchivedFile(
                    "train.bin",
                    TRAIN,
                    50_000,
                    "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
                ),
                ArchivedFile(
                    "test.bin",
                    TEST,
                    10_000,
                    "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
                ),
            ),
            labels=(("coarse_label", CIFAR100_COARSE), ("label", CIFAR100)),
        ),
    )
}
"""By the name for `--dataset`."""
