"""Training and evaluation: the Celery tasks, the sandbox, and the science in `w2s`."""
