"""What `assay bench` measures: each module offers ``comparisons()``, ours beside a reference that anyone could write."""
