"""Everything of Annotune that needs torch: the Celery workers and the training engine."""
