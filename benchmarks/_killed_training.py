"""A training that its caller may kill: saves after every step, and prints each step that it has done.

`python _killed_training.py FOLDER`, where FOLDER/arguments is a pickle of (examples, config) that the caller
has just written.
"""

import math
import pickle  # nosec B403 # read from the process that started this one
import sys
from pathlib import Path

from training.encoder import checkpoints, fine_tune, progress

checkpoints.BYTES_PER_SECOND, progress.INTERVAL_SECONDS = math.inf, 0.0
folder = Path(sys.argv[1])
examples, config = pickle.loads((folder / "arguments").read_bytes())  # nosec B301 # as above
fine_tune(
    examples,
    config,
    output_dir=folder / "model",
    checkpoint_dir=folder / "checkpoint",
    on_progress=lambda progress: progress.stage == "training" and print(progress.step, flush=True),
)
