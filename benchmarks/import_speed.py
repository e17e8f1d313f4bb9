"""How fast records come in: CSV rows are read, cut into sentences and written, by one process.

    ./hc bench import_speed --rows 1000000

The file is made first; the import then runs in a process of its own, whose time and greatest memory are
printed as JSON. PostgreSQL works beside it on the same machine.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _stack as stack

SENTENCES = (
    "Patient {n} was seen by Dr. Lee for a cough.",
    "No fever, no rash after amoxicillin 500 mg t.i.d.",
    "Blood pressure was 128/76, heart rate {n}.",
)


def write_rows(path: Path, n_rows: int) -> None:
    """Short records of one or two sentences."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,text,ward\n")
        for n in range(n_rows):
            text = " ".join(SENTENCES[(n + k) % 3].format(n=n) for k in range(1 + n % 2))
            file.write(f'r{n},"{text}",{n % 7}\n')


def import_rows(path: Path) -> dict:
    from annotation.models import Campaign
    from annotation.services import intake

    labels = [{"key": "yes", "name": "Yes", "hint": ""}, {"key": "no", "name": "No", "hint": ""}]
    campaign = Campaign.objects.create(
        name="Import speed", question="?", labels=labels, unit=Campaign.Unit.SENTENCE
    )
    batch = intake.start_import(campaign, path, file_name=path.name, deidentified=True, by=None)
    start, cpu = time.perf_counter(), time.process_time()
    batch = intake.run_import(batch.pk)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "rows": batch.n_rows,
        "tasks": batch.n_tasks,
        "refused": batch.n_refused,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "tasks_per_s": round(batch.n_tasks / seconds),
        "max_rss_mb": memory,
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)  # the child's
    arguments = parser.parse_args()
    if arguments.file:
        with stack.data_directory():
            print(json.dumps(import_rows(arguments.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.csv")
        write_rows(path, arguments.rows)
        subprocess.run([sys.executable, __file__, "--file", path], check=True)


if __name__ == "__main__":
    main()
