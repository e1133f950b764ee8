#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Replays what test_vga_draw did to our VGA (VGA_TRACE=FILE) on QEMU's, and compares the pictures.

usage: vga_peer.py TRACE [QEMU]      (QEMU: default qemu-system-i386)
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib

LFB = 0xE0000000


class Peer:
    def __init__(self, qemu):
        self.dir = tempfile.mkdtemp()
        listeners = []
        for name in ("qtest", "qmp"):
            s = socket.socket(socket.AF_UNIX)
            s.bind(f"{self.dir}/{name}")
            s.listen(1)
            listeners.append(s)
        # -S: the machine never runs; QEMU's clock stands, and with it the cursor.
        self.process = subprocess.Popen(
            [qemu, "-qtest", f"unix:{self.dir}/qtest", "-qtest-log", "/dev/null",
             "-qmp", f"unix:{self.dir}/qmp", "-display", "none", "-nodefaults",
             "-machine", "pc-i440fx-3.1", "-m", "32", "-accel", "tcg", "-S",
             "-device", "VGA,vgamem_mb=16,addr=3"])
        self.qtest, self.qmp = (s.accept()[0].makefile("rw") for s in listeners)
        self.qmp.readline()
        self.command("qmp_capabilities")
        self.ask("outl 0xcf8 0x80001810")
        self.ask(f"outl 0xcfc {LFB}")
        self.ask("outl 0xcf8 0x80001804")
        self.ask("outl 0xcfc 3")

    def ask(self, line):
        self.qtest.write(line + "\n")
        self.qtest.flush()
        reply = self.qtest.readline()
        if not reply.startswith("OK"):
            sys.exit(f"{line[:80]}: {reply}")

    def command(self, name, **arguments):
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            reply = json.loads(self.qmp.readline())
            if "event" not in reply:
                if "return" not in reply:
                    sys.exit(str(reply))
                return reply["return"]

    def picture(self):
        file = f"{self.dir}/picture.ppm"
        self.command("screendump", filename=file)
        with open(file, "rb") as f:
            _, size, _, pixels = f.read().split(b"\n", 3)
        width, height = map(int, size.split())
        return width, height, pixels

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)


def main():
    qemu = sys.argv[2] if len(sys.argv) > 2 else "qemu-system-i386"
    peer, differ = None, 0
    for line in open(sys.argv[1]):
        word, _, rest = line.strip().partition(" ")
        if word == "scene":
            if peer:
                peer.close()
            peer = Peer(qemu)
        elif word == "write":
            addr, data = rest.split()
            for at in range(0, len(data), 4096):
                part = data[at:at + 4096]
                peer.ask(f"write {int(addr) + at // 2} {len(part) // 2} 0x{part}")
        elif word == "picture":
            width, height, crc, what = rest.split(" ", 3)
            w, h, pixels = peer.picture()
            same = (w, h, zlib.crc32(pixels)) == (int(width), int(height), int(crc, 16))
            differ += not same
            print(f"{'same   ' if same else 'DIFFERS'} {what}: {width}x{height} {crc}"
                  + ("" if same else f", there {w}x{h} {zlib.crc32(pixels):08x}"))
            if not same and os.environ.get("VGA_PICTURES"):
                with open(f"{os.environ['VGA_PICTURES']}/{what.replace(' ', '-')}.ppm", "wb") as f:
                    f.write(b"P6\n%d %d\n255\n" % (w, h) + pixels)
        else:
            peer.ask(line.strip())
    if peer:
        peer.close()
    sys.exit(1 if differ else 0)


main()
