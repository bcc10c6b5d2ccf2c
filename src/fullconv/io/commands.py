"""Write commands as a shell reads them, so that a user can paste what a message says."""

import os
import shlex
import subprocess


def pasted(*words: object) -> str:
    """Return a command of these words; those with blanks or other signs of a shell are quoted.

    Args:
        words: the program, its options and its arguments: "fullconv", "predict", Path("my run").
    """
    texts = [str(word) for word in words]
    return subprocess.list2cmdline(texts) if os.name == "nt" else shlex.join(texts)
