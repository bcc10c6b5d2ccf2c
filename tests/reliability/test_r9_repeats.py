"""The same command ten times gives the same weights and numbers."""

import sys
from pathlib import Path

import pytest

from children import code_of, files, fork, print_result, result_of, train

TIMES = 10


@pytest.mark.slow
def test_the_same_command_gives_the_same_bytes(tmp_path):
    assert result_of(__file__, tmp_path) == {"runs": TIMES, "contents": 1, "seeds": 2}


def main(folder):
    import torch

    torch.set_num_threads(1)
    contents = []
    for number in range(TIMES):
        out = folder / str(number)
        assert code_of(fork(lambda out=out: train(out))) == 0
        contents += [found] if (found := files(out)) not in contents else []
    assert code_of(fork(lambda: train(folder / "other", "--seed", 1))) == 0
    other = files(folder / "other")["best.safetensors"] != contents[0]["best.safetensors"]
    print_result({"runs": TIMES, "contents": len(contents), "seeds": 1 + other})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
