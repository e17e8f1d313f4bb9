"""Records in: a file is stored, read row by row, cut into tasks, written in batches; the bad are reported."""

from annotation.services.intake.imports import (
    delete_orphans,
    refusal_counts,
    run_import,
    start_import,
    store_upload,
    waiting_imports,
)

__all__ = [
    "delete_orphans",
    "refusal_counts",
    "run_import",
    "start_import",
    "store_upload",
    "waiting_imports",
]
