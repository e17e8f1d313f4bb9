"""Vectors in half precision in PostgreSQL (pgvector's halfvec), moved in bulk as binary COPY moves them."""

import io
from typing import Any

import numpy as np
from django.db import models

# COPY's binary format: a header, then rows of (number of columns, length of each column, its bytes), all in
# network byte order, then -1. https://www.postgresql.org/docs/18/sql-copy.html
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


class HalfVectorField(models.Field):
    """float16 [D]. Read and written in bulk by the functions below; one at a time as text, "[0.1,0.2]"."""

    def db_type(self, connection) -> str:
        return "halfvec"

    def from_db_value(self, value: str | None, expression, connection) -> np.ndarray | None:
        return None if value is None else np.array(value.strip("[]").split(","), dtype=np.float16)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else "[" + ",".join(map(str, np.asarray(value).tolist())) + "]"


def row_type(n_dimensions: int) -> np.dtype:
    """A row of (uuid, halfvec) as COPY writes it; a halfvec is its length, two bytes unused, its numbers."""
    return np.dtype(
        [
            ("columns", ">i2"),
            ("id_size", ">i4"),
            ("id", "V16"),
            ("vector_size", ">i4"),
            ("n_dimensions", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f2", (n_dimensions,)),
        ]
    )


def packed(ids: np.ndarray, vectors: np.ndarray) -> io.BytesIO:
    """Return what COPY FROM reads, of ids [N] (16 bytes each) and vectors [N, D]."""
    n, n_dimensions = vectors.shape
    rows = np.zeros(n, dtype=row_type(n_dimensions))
    rows["columns"], rows["id_size"], rows["id"] = 2, 16, ids
    rows["vector_size"], rows["n_dimensions"], rows["vector"] = 4 + 2 * n_dimensions, n_dimensions, vectors
    return io.BytesIO(HEADER + rows.tobytes() + TRAILER)


def unpacked(content: bytes | memoryview) -> tuple[np.ndarray, np.ndarray]:
    """Return (ids [N] of 16 bytes, vectors float16 [N, D]) of what COPY TO wrote; rows of one length."""
    n_header = len(HEADER)
    rows = memoryview(content)[n_header : len(content) - len(TRAILER)]
    if not len(rows):
        return np.empty(0, dtype="V16"), np.empty((0, 0), dtype=np.float16)
    # After 2 + 4 + 16 + 4 bytes of the first row comes its number of dimensions.
    n_dimensions = int.from_bytes(rows[26:28], "big")
    read = np.frombuffer(rows, dtype=row_type(n_dimensions))
    return read["id"].copy(), read["vector"].astype(np.float16)
