"""tests experiments/live.py: who is woken up."""

import redis
from django.conf import settings

from experiments import live


def test_labs_with_databases_of_their_own_on_one_server_do_not_hear_each_other(monkeypatch):
    """A server's channels are the same in each of its databases, so the name of one has to say whose it is."""
    address, _, number = settings.REDIS_URL.rpartition("/")
    other = redis.Redis.from_url(f"{address}/{(int(number) + 1) % 16}")
    with live.client().pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(live.channel(live.CHANNEL))
        heard.get_message(timeout=30)  # the subscription itself
        with monkeypatch.context() as patch:
            patch.setattr(live, "client", lambda: other)
            live.wake(7)
        live.wake(8)
        assert heard.get_message(timeout=30)["data"] == b"8"
    other.close()
