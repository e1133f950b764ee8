# SPDX-License-Identifier: GPL-2.0-or-later
"""An initramfs (a newc cpio archive) from Python: needs neither root nor cpio."""

import gzip
import os


class Cpio:
    def __init__(self):
        self.parts, self.ino, self.dirs = [], 0, set()

    def _entry(self, path, mode, data=b"", rdev=(0, 0)):
        self.ino += 1
        name = path.strip("/").encode() + b"\0"
        fields = [self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
        self.parts.append(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def directory(self, path):
        path = path.strip("/")
        if path and path not in self.dirs:
            self.directory(os.path.dirname(path))
            self.dirs.add(path)
            self._entry(path, 0o040755)

    def file(self, path, data, mode=0o644):
        self.directory(os.path.dirname(path))
        self._entry(path, 0o100000 | mode, data)

    def link(self, path, target):
        self.directory(os.path.dirname(path))
        self._entry(path, 0o120777, target.encode())

    def node(self, path, major, minor):
        self.directory(os.path.dirname(path))
        self._entry(path, 0o020600, rdev=(major, minor))

    def write(self, dest, compress=False):
        self._entry("TRAILER!!!", 0)
        data = b"".join(self.parts)
        data += b"\0" * (-len(data) % 512)
        if compress:
            data = gzip.compress(data, 9, mtime=0)
        dest.write_bytes(data)
