"""The parts of a review page, one file each. Written for a reader who does not know this project."""
