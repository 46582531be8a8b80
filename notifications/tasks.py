"""The tasks of this app, on the queue default: each a wake-up for rows, harmless when it comes twice."""

from celery import shared_task

from notifications.services import delivering


@shared_task(name="notifications.deliver")
def deliver(delivery_id: int) -> None:
    """Try one delivery."""
    delivering.deliver(delivery_id=delivery_id)


@shared_task(name="notifications.reap")
def reap() -> None:
    """Beat: deliveries that are due and that nobody was woken for."""
    delivering.reap()
