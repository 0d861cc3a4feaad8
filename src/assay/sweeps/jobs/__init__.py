"""The processes that train the points of a sweep, and what they are lent."""
