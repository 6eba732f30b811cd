"""Where the files of a run lie in the storage."""


def model_key(run_id: str) -> str:
    """The model's folder."""
    return f"models/{run_id}"


def evaluation_key(run_id: str) -> str:
    """The examples of an evaluation on a file, one JSON line each, as a version has them."""
    return f"evaluations/{run_id}.jsonl"


def keys(run_id: str) -> tuple[str, ...]:
    """All that a run may have left."""
    return model_key(run_id), predictions_key(run_id), evaluation_key(run_id)


def predictions_key(run_id: str) -> str:
    """What it predicted for the examples it was evaluated on, one JSON line each."""
    return f"predictions/{run_id}.jsonl"
