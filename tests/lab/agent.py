# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs commands in dom0 through agent.c."""

import os
import select
import socket
import struct
import sys
import termios
import threading
import time
import tty

from work import PATIENCE, LabError


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def text(self):
        return (self.out + self.err).strip()


class Channel:
    """One command in dom0 with its streams."""

    def __init__(self, port, command, terminal=False):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60 * PATIENCE)
        self.sock.settimeout(60 * PATIENCE)
        if self._exactly(5) != b"LAB1\n":
            raise LabError("no agent answers in dom0")
        self.send(b"t" if terminal else b"c", command.encode())

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise EOFError("dom0's agent closed the connection")
            data += part
        return data

    def send(self, kind, data=b""):
        for at in range(0, max(len(data), 1), 65536):
            part = data[at:at + 65536]
            try:
                self.sock.sendall(kind + struct.pack(">I", len(part)) + part)
            except OSError as error:
                raise LabError(f"a command in dom0 has ended ({error}) and takes no more input")

    def frame(self):
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack(">I", head[1:])[0])

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Agent:
    def __init__(self, port):
        self.port = port

    def run(self, command, seconds=60, stdin=b""):
        """A command's Result; raises only when dom0 does not answer in time."""
        try:
            channel = Channel(self.port, command)
            channel.sock.settimeout(seconds * PATIENCE)
            if stdin:
                channel.send(b"i", stdin)
            channel.send(b"z")
            out, err = b"", b""
            while True:
                kind, data = channel.frame()
                if kind == b"o":
                    out += data
                elif kind == b"e":
                    err += data
                elif kind == b"x":
                    return Result(int(data), out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        except TimeoutError:
            raise LabError(f"dom0 did not finish in {seconds * PATIENCE:.0f} s: {command}")
        except (OSError, EOFError) as error:
            raise LabError(f"dom0 is gone ({error}) while running: {command}")
        finally:
            if "channel" in locals():
                channel.close()

    def must(self, command, seconds=60, stdin=b""):
        """A command's output; raises when it fails."""
        result = self.run(command, seconds, stdin)
        if result.code:
            raise LabError(f"in dom0: {command}: status {result.code}: {result.text[-600:]}")
        return result.out

    def until(self, command, seconds, what):
        """Repeats a command until it succeeds. For what dom0 cannot tell us by itself;
        each try costs dom0 a shell, so it asks seldom."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            result = self.run(command)
            if result.code == 0:
                return result.out
            if time.monotonic() > deadline:
                raise LabError(f"waited {seconds * PATIENCE:.0f} s for {what}: {result.text[-300:]}")
            time.sleep(0.5)

    def follow(self, command, stream):
        """Runs a command whose output feeds a stream; the channel returned takes its input."""
        channel = Channel(self.port, command)
        channel.sock.settimeout(None)

        def pump():
            try:
                while True:
                    kind, data = channel.frame()
                    if kind in (b"o", b"e"):
                        stream.feed(data)
                    elif kind == b"x":
                        break
            except (OSError, EOFError):
                pass
            stream.close()
        threading.Thread(target=pump, daemon=True).start()
        return channel

    def interactive(self, command=""):
        """A shell in dom0 on this terminal."""
        channel = Channel(self.port, command, terminal=True)
        channel.sock.settimeout(None)
        saved = termios.tcgetattr(0) if os.isatty(0) else None
        code, inputs = 0, [channel.sock, 0]
        try:
            if saved:
                tty.setraw(0)
            while True:
                ready, _, _ = select.select(inputs, [], [])
                if 0 in ready:
                    data = os.read(0, 4096)
                    if data:
                        channel.send(b"i", data)
                    else:  # a pipe has ended: say so as a terminal would
                        inputs.remove(0)
                        channel.send(b"i", b"\x04")
                if channel.sock in ready:
                    kind, data = channel.frame()
                    if kind == b"x":
                        code = int(data)
                        break
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
        except EOFError:
            code = 1
        finally:
            if saved:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
            channel.close()
        return code
