"""The training engine: from a working folder with a job to a model. Knows no database, broker or HTTP."""
