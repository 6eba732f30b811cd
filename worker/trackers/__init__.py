"""Telling MLflow and TensorBoard of runs, beside the runs and after them: a tracker that is away keeps
nothing waiting, and is told when it is back."""

from worker.trackers.thread import Tracking, send_next

__all__ = ["Tracking", "send_next"]
