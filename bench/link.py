"""A slow link: a proxy in front of a server that lets so many bytes a second through each way, and counts them."""

import socket
import threading
import time

#: What goes on at once; small, so that the delay is spread evenly.
CHUNK = 16 << 10


class Pace:
    """Lets bytes go at a rate, counted from when the link was last idle."""

    def __init__(self, rate):
        self.rate, self.free, self.bytes = rate, 0.0, 0

    def wait(self, count):
        now = time.monotonic()
        self.free = max(self.free, now) + count / self.rate
        self.bytes += count
        if self.free > now:
            time.sleep(self.free - now)


class SlowLink:
    """Stands in front of a server of this machine; one connection or several share the rate. Use it in a `with`."""

    def __init__(self, port, rate):
        self.behind, self.rate = port, rate

    def __enter__(self):
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.ways = [Pace(self.rate), Pace(self.rate)]
        self.locks = [threading.Lock(), threading.Lock()]
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Wakes who waits in accept; closing alone does not.
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()

    def crossed(self):
        """How many bytes went through, both ways."""
        return sum(pace.bytes for pace in self.ways)

    def accept(self):
        while True:
            try:
                near, _ = self.door.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.behind))
            for way, (source, target) in enumerate(((near, far), (far, near))):
                threading.Thread(target=self.carry, args=(way, source, target), daemon=True).start()

    def carry(self, way, source, target):
        """Carries bytes one way until their end, which it passes on."""
        try:
            while chunk := source.recv(CHUNK):
                with self.locks[way]:
                    self.ways[way].wait(len(chunk))
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # The other end is gone; so is this one then.
            for end in (source, target):
                end.close()
