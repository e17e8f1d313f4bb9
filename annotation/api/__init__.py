"""The API under /api/v1/: everything the pages do. Views translate; services decide."""
