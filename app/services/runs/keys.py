"""Where the files of a run lie in the storage."""


def model_key(run_id: str) -> str:
    """The model's folder."""
    return f"models/{run_id}"


def predictions_key(run_id: str) -> str:
    """What it predicted for the examples it was evaluated on, one JSON line each."""
    return f"predictions/{run_id}.jsonl"
