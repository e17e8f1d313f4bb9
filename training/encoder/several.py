"""A training that several processes of one machine share, one for each GPU: `accelerate launch` starts them.

A Celery child that has imported torch cannot fork such processes, so they are programs of their own: this
module, run by the launcher. What they are to do lies in a file that the owner alone may read; the first of
them tells how far it is, a line of JSON each time. If the worker is killed, the next line that it writes
finds nobody, and all of them end: the run goes on from its checkpoint elsewhere.
"""

import json
import os
import signal
import subprocess  # nosec B404 # our own program
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from training.encoder.fine_tuning import FineTuned, fine_tune
from training.encoder.jobs import read_job, write_job
from training.encoder.pretraining import Pretrained, pretrain
from training.encoder.progress import Progress
from training.encoder.relating import fine_tune_relations
from training.errors import TrainingRefused
from training.model_folders import read_manifest

TRAININGS = {
    training.__name__: (training, made)
    for training, made in ((fine_tune, FineTuned), (fine_tune_relations, FineTuned), (pretrain, Pretrained))
}
ROOT = Path(__file__).parents[2]
REFUSED = 3  # exit status


def shared(
    training: Callable[..., Any],
    *arguments: Any,
    output_dir: Path,
    n_processes: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> FineTuned | Pretrained:
    """Call fine_tune, fine_tune_relations or pretrain with these, in n_processes; 0: one for each GPU.

    What it raises and returns is theirs, but that several processes sum their gradients in another order, and
    that none of them computes smaller pieces where memory runs out.
    """
    n_processes = n_processes or max(1, torch.cuda.device_count())
    if n_processes == 1:
        return training(*arguments, output_dir=output_dir, on_progress=on_progress, **options)
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shared-", dir=output_dir.parent) as folder:
        job = Path(folder) / "job"
        write_job(job, training.__name__, arguments, options | {"output_dir": output_dir})
        _run(job, n_processes, on_progress)
    manifest = read_manifest(output_dir)
    _, made = TRAININGS[training.__name__]
    return made(output_dir, manifest["sha256"], manifest["history"], manifest)


def _run(job: Path, n_processes: int, on_progress: Callable[[Progress], None] | None) -> None:
    device = ["--multi_gpu"] if torch.cuda.is_available() else ["--cpu"]
    command = [
        sys.executable, "-m", "accelerate.commands.launch", *device, f"--num_processes={n_processes}",
        "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0",
        "-m", "training.encoder.several", str(job),
    ]  # fmt: skip
    with subprocess.Popen(  # nosec B603 # no shell, no word of anybody's
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as launcher:
        try:
            told = _listen(launcher, on_progress)
        except BaseException:
            os.killpg(launcher.pid, signal.SIGKILL)
            raise
    if launcher.returncode:
        raise _reason(told)


def _listen(launcher: subprocess.Popen, on_progress: Callable[[Progress], None] | None) -> dict:
    """Hand on what the first process tells; return the last line that is not of its progress."""
    last: dict = {}
    assert launcher.stdout is not None
    for line in launcher.stdout:
        if not line.startswith("{"):  # something that a library prints
            continue
        told = json.loads(line)
        if "share_done" not in told:
            last = told
        elif on_progress is not None:
            on_progress(Progress(**told))
    return last


def _reason(told: dict) -> Exception:
    if "refused" in told:
        return TrainingRefused(*told["refused"])
    if "errno" in told:
        return OSError(told["errno"], os.strerror(told["errno"]))
    return RuntimeError("one of the processes that shared a training ended")


def main() -> None:
    name, arguments, options = read_job(Path(sys.argv[1]))
    training, _ = TRAININGS[name]
    try:
        training(*arguments, **options, on_progress=lambda progress: _tell(asdict(progress)))
    except TrainingRefused as refused:
        _tell({"refused": [refused.code, refused.sentence]})
        sys.exit(REFUSED)
    except OSError as error:
        if error.errno is not None and not isinstance(error, BrokenPipeError):
            _tell({"errno": error.errno})
        raise


def _tell(what: dict) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
