"""What `assay bench` measures: each module offers ``comparisons()``, ours beside what anyone could write."""
