# SPDX-License-Identifier: GPL-2.0-or-later
"""A growing text (a console, a serial line) that can be kept in a file and waited on."""

import os
import re
import threading
import time

from work import PATIENCE, LabError


class Stream:
    """Text arrives through feed(); wait() blocks until a pattern shows up after the last match."""

    def __init__(self, name, path, echo=False):
        self.name, self.path, self.echo = name, path, echo
        self.quiet_until = None  # echo nothing before this text has come by
        self.text, self.pos, self.closed, self.partial = "", 0, False, ""
        self.file = open(path or os.devnull, "wb")
        self.changed = threading.Condition()
        self.marks = []  # (monotonic time, length of the text by then)

    def feed(self, data):
        self.file.write(data)
        self.file.flush()
        text = data.decode("latin-1").replace("\r", "")
        if self.echo:
            self._show(text)
        with self.changed:
            self.text += text
            self.marks.append((time.monotonic(), len(self.text)))
            self.changed.notify_all()

    def _show(self, text):
        """Prints whole lines, without a terminal's control sequences."""
        *lines, self.partial = (self.partial + text).split("\n")
        for line in lines:
            line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)
            if self.quiet_until:
                self.quiet_until = None if self.quiet_until in line else self.quiet_until
            elif line.strip():
                print(f"  {self.name}| {line}", flush=True)

    def close(self):
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.file.close()

    def when(self, position):
        """The time at which the text had grown past a position."""
        for moment, length in self.marks:
            if length >= position:
                return moment
        return time.monotonic()

    def wait(self, pattern, seconds, what=None, alive=None):
        """Waits for a regular expression and returns its match; consumes the text up to it.

        `alive`, called now and then, may raise to say that waiting has become pointless.
        """
        limit = seconds * PATIENCE
        deadline = time.monotonic() + limit
        compiled = re.compile(pattern, re.M)
        with self.changed:
            while True:
                match = compiled.search(self.text, self.pos)
                if match:
                    self.pos = match.end()
                    return match
                left = deadline - time.monotonic()
                if left <= 0 or self.closed:
                    tail = self.text[-300:].strip().splitlines()[-4:]
                    why = "it ended" if self.closed else f"nothing in {limit:.0f} s"
                    raise LabError(f"waited on {self.name} for {what or pattern}: {why}; "
                                   f"its last lines: {' / '.join(tail) or '(none)'}")
                self.changed.wait(min(left, 5))
                if alive and not compiled.search(self.text, self.pos):
                    self.changed.release()
                    try:
                        alive()
                    finally:
                        self.changed.acquire()

    def seen(self, pattern):
        return re.search(pattern, self.text[self.pos:], re.M)
