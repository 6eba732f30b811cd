"""A worker of both queues does one training at a time, and other jobs beside it.

Celery has one pool for all queues, so a second training would take the place of the jobs that people wait for.
While one is in hand, the worker does not consume the queue of trainings: their messages stay with the broker, where
other workers find them.
"""

from typing import Any

from celery import bootsteps
from celery.worker import state

_LOOK_SECONDS = 0.5


class OneTraining(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of the worker's consumer; does nothing in a worker of one queue."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        names = list(consumer.app.amqp.queues.consume_from)
        self._consumer = consumer
        self._queues = [name for name in names if is_of_trainings(name)]
        self.enabled = 0 < len(self._queues) < len(names)

    def start(self, consumer: Any) -> None:
        # Called before a message goes to the pool, so a second one cannot slip in.
        consumer.on_task_message.add(self._settle)
        self._settle()  # the broker may have been away, and a training goes on

    def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
        hub.call_repeatedly(_LOOK_SECONDS, self._settle)

    def _settle(self, _request: Any = None) -> None:
        """Consume the queues of trainings exactly while none is in hand."""
        training = any(
            is_of_trainings(request.delivery_info["routing_key"])
            for request in state.reserved_requests
        )
        for name in self._queues:
            consuming = self._consumer.task_consumer.consuming_from(name)
            if training and consuming:
                self._consumer.cancel_task_queue(name)
            elif not training and not consuming:
                self._consumer.add_task_queue(name)


def is_of_trainings(queue: str) -> bool:
    """Whether trainings wait in this queue of the broker, pinned to a kind of device or not."""
    return queue.partition(".")[0] == "gpu"
