"""Free ports for what a test starts. They lie above the range from which Linux takes the ports of outgoing connections (32768 to 60999) and each lane
of a suite has its own part, so that nobody takes a port between the moment when it is found free and the moment when it is listened on."""
import random
import socket

FIRST, LAST = 61000, 65500


class _Lane:
    def __init__(self):
        self.part(0, 1)

    def part(self, index, count):
        width = (LAST - FIRST) // count
        self.first, self.width = FIRST + index * width, width
        self.at = random.SystemRandom().randrange(width)

    def next(self):
        self.at = (self.at + 1) % self.width
        return self.first + self.at


_lane = _Lane()


def take_lane(index, count):
    """For the runner: from now on this process takes ports of its own part."""
    _lane.part(index, count)


def _is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port():
    """A port that is free for TCP and for UDP."""
    for _ in range(_lane.width):
        port = _lane.next()
        if _is_free(port):
            return port
    raise AssertionError("no free port")


def free_udp_ports(count):
    """So many in a row, the first one even, as for RTP."""
    for _ in range(_lane.width):
        first = _lane.next()
        if first % 2 == 0 and first + count <= _lane.first + _lane.width and all(_is_free(first + i) for i in range(count)):
            _lane.at += count - 1
            return first
    raise AssertionError(f"no {count} free ports in a row")


def stop_accepting(listener, thread):
    """Closes a listener on which a thread waits in accept. Without waiting for the thread it may take the connections of the next listener, which
    gets the same descriptor."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    thread.join(10)
    listener.close()
