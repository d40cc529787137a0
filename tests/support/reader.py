"""What comes from a descriptor, and waiting for something in it."""
import os
import select

import segtest


class Reader:
    def __init__(self, fd):
        self.fd = fd
        self.data = b""
        self.ended = False

    def take(self):
        if not self.ended and select.select([self.fd], [], [], 0.01)[0]:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:  # the end of a terminal
                chunk = b""
            self.data += chunk
            self.ended = not chunk

    def wait_for(self, condition, what):
        """Until condition(data) is true; what has come."""
        def come():
            self.take()
            return condition(self.data)
        try:
            segtest.wait_until(come, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is: {self.data[-3000:]!r}") from None
        return self.data

    def wait_for_end(self):
        self.wait_for(lambda _: self.ended, "its end")
        return self.data
