"""The random number generators of a program are neither used nor changed by the library.

It runs as a program of its own, since the type checks of the tests draw random numbers.
"""

import random
import sys
from pathlib import Path

import numpy as np
import torch

import fullconv as fc
from children import print_result, result_of
from toy_training import CONFIG, equal, make_trainer, state, toy_data


def test_the_caller_s_random_numbers_are_neither_used_nor_changed(tmp_path):
    found = result_of(__file__, tmp_path)
    assert found == {"changed": [], "equal": True}


def states():
    return str((random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()))


def main(folder):
    changed, ends = [], []
    for seed, workers in ((1, 0), (2, 0), (3, 1)):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = states()
        trainer = make_trainer(CONFIG.model_copy(update={"workers": workers, "epochs": 1}))
        for step in trainer.run():
            changed += [f"step {step.number}"] * (states() != before)
        trainer.model.save(folder / "model.safetensors")
        model = fc.load(folder / "model.safetensors")
        changed += ["load"] * (states() != before)
        fc.evaluate(model, toy_data())
        changed += ["evaluate"] * (states() != before)
        model.predict(toy_data()[0].image)
        changed += ["predict"] * (states() != before)
        ends.append(state(trainer))
    return {"changed": changed, "equal": all(equal(ends[0], end) for end in ends)}


if __name__ == "__main__":
    print_result(main(Path(sys.argv[1])))
