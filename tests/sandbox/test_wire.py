"""tests workers/code_method/wire.py: frames between parent and child."""

import os
import socket
import threading

from workers.code_method import wire


class QuickPeer:
    """A channel whose peer has read the frame and hung up before `sendall` can be called."""

    def __init__(self, channel, peer):
        self.channel, self.peer = channel, peer

    def sendmsg(self, *args):
        sent = self.channel.sendmsg(*args)
        assert wire.receive(self.peer)[0] == wire.TASK
        self.peer.sendall(b"an answer")
        self.peer.close()
        return sent

    def sendall(self, data):
        self.channel.sendall(data)


def test_a_peer_that_answers_and_ends_at_once_is_still_heard():
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    wire.send(QuickPeer(ours, theirs), wire.TASK, fds=[reader])
    assert ours.recv(100) == b"an answer"
    for each in (reader, writer):
        os.close(each)
    ours.close()


def test_a_frame_larger_than_the_socket_arrives_whole():
    ours, theirs = socket.socketpair()
    payload = bytes(range(256)) * 10_000
    sender = threading.Thread(target=wire.send, args=(ours, wire.FAILED, payload))
    sender.start()
    assert wire.receive(theirs) == (wire.FAILED, payload, [])
    sender.join()
    ours.close()
    theirs.close()
