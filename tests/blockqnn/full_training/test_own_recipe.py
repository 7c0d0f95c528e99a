"""The recipe for images that no preset is made for: hand-computed values."""

from blockqnn.full_training.own_recipe import OwnRecipe, own_recipe


def test_five_hundred_photographs_on_a_processor():
    # 500 / 8 = 62.5: batches of 32, of which an epoch has 15; 1,500 / 15 = 100 epochs, at most 60.
    assert own_recipe(500, (64, 64, 3), accelerator=False) == OwnRecipe(
        epochs=60,
        batch_size=32,
        learning_rate=0.025,
        warmup_epochs=2,
        milestones=(30, 45),
        crop_padding=8,
        flip=True,
    )


def test_fifty_thousand_images():
    # Batches of 128, 390 an epoch: 15 epochs are the least on a processor, and
    # 20,000 / 390 = 51.3 are 52 elsewhere.
    assert own_recipe(50_000, (32, 32, 3), accelerator=False).epochs == 15
    found = own_recipe(50_000, (32, 32, 3), accelerator=True)
    assert (found.epochs, found.batch_size, found.milestones) == (52, 128, (26, 39))
    assert (found.learning_rate, found.crop_padding) == (0.1, 4)


def test_a_batch_is_never_larger_than_the_number_of_images():
    assert [own_recipe(n, (8, 8, 1), accelerator=False).batch_size for n in (1, 5, 8, 20)] == [
        1,
        5,
        8,
        8,
    ]


def test_images_of_one_channel_are_not_mirrored():
    found = own_recipe(100, (8, 8, 1), accelerator=False)
    assert (found.flip, found.crop_padding) == (False, 1)


def test_milestones_follow_from_epochs_that_were_named():
    def milestones(epochs):
        return own_recipe(100, (8, 8, 1), accelerator=False, epochs=epochs).milestones

    assert [milestones(n) for n in (1, 2, 4, 10)] == [(), (1,), (2, 3), (5, 7)]
    assert own_recipe(100, (8, 8, 1), accelerator=False, batch_size=64).batch_size == 64


def test_it_is_written_as_flags():
    assert own_recipe(100, (8, 8, 1), accelerator=False, epochs=4).flags() == [
        "--epochs=4",
        "--batch_size=8",
        "--learning_rate=0.0063",
        "--warmup_epochs=0",
        "--milestones=2,3",
        "--crop_padding=1",
        "--flip=false",
    ]
