"""``assay table``: from runs to cells, from cells to statistics, from those to text. Of any tree of runs."""
