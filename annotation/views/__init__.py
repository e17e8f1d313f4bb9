"""The pages. Views translate; services decide."""
