"""What flags of supernets are for recurrent cells, and which mean nothing for them."""

from __future__ import annotations

import dataclasses
from typing import Any

from blockqnn.errors import UserError
from blockqnn.mixture_settings import MixtureSettings
from blockqnn.supernet_settings import SupernetSettings

OF_WORDS = {
    "supernet_rate": 20.0,
    "supernet_least_rate": 20.0,
    "supernet_momentum": 0.0,
    "supernet_weight_decay": 8e-7,
    "supernet_gradient_norm": 0.25,
}
"""What flags are for recurrent cells unless they are named: those of the language models of Pham
et al., ICML 2018, in the authors' code, but for the bound of gradients, that of Liu et al."""
OF_WORDS_MIXED = {"supernet_weight_decay": 5e-7, "alpha_rate": 3e-3, "alpha_beta1": 0.9}
"""Those of a mixture of them: of Liu, Simonyan, Yang, ICLR 2019."""
_OF_IMAGES = {
    "score_statistics": "batch norm's statistics, which recurrent cells do not have",
    "recalibration_batches": "batch norm's statistics, which recurrent cells do not have",
    "norm_scale": "batch norms, which recurrent cells do not have",
    "augmentation": "images",
    "rematerialise": "maps",
    "stop_skips": "skip connections, which recurrent cells do not have",
}
"""What flags are about that mean nothing for recurrent cells."""


def refuse_of_images(values: dict[str, Any]) -> None:
    """Refuses what means nothing for recurrent cells."""
    usual = dataclasses.asdict(SupernetSettings()) | dataclasses.asdict(MixtureSettings())
    usual["score_statistics"] = usual["statistics"]
    for name, what in _OF_IMAGES.items():
        if values[name] != usual[name]:
            raise UserError(
                f"--{name} is about {what}; leave it out with --space={values['space']}."
            )
    if values["devices_per_worker"] > 1:
        raise UserError(
            f"--devices_per_worker={values['devices_per_worker']} has devices share a batch of "
            "images; a supernet of recurrent cells is trained on one."
        )
