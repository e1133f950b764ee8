# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives vncdrive, a real VNC client."""

import os
import subprocess
import time

from screen import Screen
from work import HERE, PATIENCE, WORK, LabError, cached, made, sh


def build():
    program = WORK / "vncdrive"
    inputs = (HERE / "vncdrive.c",)
    if not cached(program, *inputs):
        flags = sh("pkg-config", "--cflags", "--libs", "libvncclient", "libpng").split()
        sh("gcc", "-O2", "-Wall", "-o", program, HERE / "vncdrive.c", *flags)
        made(program, *inputs)
    return program


class Viewer:
    def __init__(self, outer, display=0, encoding="raw"):
        self.folder = outer.folder
        with open(outer.folder / "vncdrive.log", "ab") as log:  # what the client library has to say
            self.process = subprocess.Popen(
                [build(), "127.0.0.1", str(outer.vnc[display]), encoding], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True)
        self._answer("connecting")

    def _answer(self, command):
        line = self.process.stdout.readline().strip()
        if not line.startswith("ok"):
            raise LabError(f"VNC client, {command}: {line or 'it ended'}")
        return line[2:].strip()

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except OSError:
            raise LabError(f"VNC client ended before: {command}")
        return self._answer(command)

    def screen(self):
        path = self.folder / f"screen-{os.getpid()}.ppm"
        self.ask(f"ppm {path}")
        screen = Screen.load(path)
        path.unlink()
        return screen

    def png(self, name):
        path = self.folder / name
        self.ask(f"png {path}")
        return path

    def until(self, test, seconds, what):
        """Looks at the screen after each change of it until test(screen) gives something true."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            screen = self.screen()
            result = test(screen)
            if result:
                return result
            if time.monotonic() > deadline:
                path = self.png(f"waited-{time.monotonic():.0f}.png")
                raise LabError(f"waited {seconds * PATIENCE:.0f} s to see {what} on the screen: {path}")
            self.ask("wait 3")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
