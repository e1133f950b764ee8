# SPDX-License-Identifier: GPL-2.0-or-later
"""Pass and fail lines, and the count at the end."""

import contextlib
import time

from work import LabError


class Failed(Exception):
    """A check that did not hold; its text is the reason."""


def expect(condition, reason):
    if not condition:
        raise Failed(reason)


def one_line(error):
    return " / ".join(line.strip() for line in str(error).splitlines() if line.strip())


class Report:
    def __init__(self, prefix=""):
        self.prefix = prefix
        self.passed, self.failed, self.skipped = 0, 0, 0

    @contextlib.contextmanager
    def check(self, number, title):
        """One line of the report. The body raises Failed or LabError when it does not hold;
        the list it is given takes remarks for the line."""
        start, notes = time.monotonic(), []
        try:
            yield notes
        except (Failed, LabError) as error:
            self.failed += 1
            print(f"FAIL lab {self.prefix}{number}: {title}: {one_line(error)}", flush=True)
            return
        self.passed += 1
        remark = "".join(f"; {n}" for n in notes)
        print(f"PASS lab {self.prefix}{number}: {title} ({time.monotonic() - start:.1f} s{remark})", flush=True)

    def skip(self, number, title, reason):
        self.skipped += 1
        print(f"SKIP lab {self.prefix}{number}: {title}: {reason}", flush=True)

    def broken(self, number, error):
        """The lab itself could not go on with a point."""
        self.failed += 1
        print(f"FAIL lab {self.prefix}{number}: the point could not be run to its end: {one_line(error)}", flush=True)

    def end(self):
        """Prints the count; the exit status for it."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0
