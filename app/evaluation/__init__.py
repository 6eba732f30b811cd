"""How good predictions are, and whether some are better than others: pure functions of annotations."""
