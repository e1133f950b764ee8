# SPDX-License-Identifier: GPL-2.0-or-later
"""The outer machine: QEMU's TCG with Xen and dom0 in it."""

import json
import os
import signal
import socket
import subprocess
import threading
import time

from agent import Agent
from stream import Stream
from work import PATIENCE, WORK, LabError, say, sh

VNC_PORTS = 4
STATE = WORK / "up.json"
# dom0 has the first CPU to itself and guests the second (guest.config): where TCG's SVM runs two HVM vCPUs
# and the PV dom0 on one CPU, dom0's processes come back with a wrong FS base; 8 in 100 crashed, pinned none in 1,000.
DOM0 = "dom0_mem=1200M dom0_max_vcpus=1 dom0_vcpus_pin"
# With SMAP or SMEP the PV dom0 crashes at once; an HVM guest's RDTSCP exit cannot be decoded.
CPU = os.environ.get("LAB_CPU", "max,-smap,-smep,-rdtscp")


def free_ports(count):
    socks = []
    for _ in range(count):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        socks.append(sock)
    ports = [s.getsockname()[1] for s in socks]
    for sock in socks:
        sock.close()
    return ports


def first_free(port):
    """The first of a run of VNC_PORTS free ports from `port` on."""
    while True:
        try:
            for n in range(VNC_PORTS):
                with socket.socket() as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind(("127.0.0.1", port + n))
            return port
        except OSError:
            port += VNC_PORTS


class Outer:
    """A powered-on Xen. Ports on 127.0.0.1: agent, and vnc[n] for dom0's display n."""

    def __init__(self, tree, folder, lock, echo=False, vnc_from=None):
        self.folder, self.tree = folder, tree
        ports = free_ports(1 + VNC_PORTS)
        self.port, self.vnc = ports[0], ports[1:]
        if vnc_from:
            self.vnc = list(range(vnc_from, vnc_from + VNC_PORTS))
        forwards = f",hostfwd=tcp:127.0.0.1:{self.port}-:7000"
        forwards += "".join(f",hostfwd=tcp:127.0.0.1:{p}-:{5900 + n}" for n, p in enumerate(self.vnc))
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", "4096",
            "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
            "-kernel", str(folder / "xen.bin"),
            "-append", f"console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning {DOM0}",
            "-initrd", f"{tree.kernel} console=hvc0 panic=-1 quiet,{folder / 'initramfs'}",
            "-drive", f"file={folder / 'system.img'},format=raw,if=none,id=system,cache=unsafe",
            "-device", "virtio-blk-pci,drive=system",
            "-nic", "user,model=virtio-net-pci" + forwards,
            "-chardev", f"file,id=com1,path={folder / 'console.log'}", "-serial", "chardev:com1"]
        self.console = Stream("xen", None, echo)
        self.console.quiet_until = "about to get started"  # Xen's own boot messages are only in the file
        (folder / "console.log").write_bytes(b"")
        self.started = time.monotonic()
        with open(folder / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[lock.fileno()], start_new_session=True)
        threading.Thread(target=self._pump, daemon=True).start()
        self.agent = Agent(self.port)

    def _pump(self):
        with open(self.folder / "console.log", "rb") as log:
            while True:
                data = log.read(65536)
                if data:
                    self.console.feed(data)
                elif self.process.poll() is not None:
                    break
                else:
                    time.sleep(0.05)
        self.console.close()

    def wait_ready(self):
        self.console.wait(r"LAB dom0 ready", 300, "dom0 to come up")
        self.agent.must("true")
        say(f"Xen {self.tree.version} and dom0 are up, {time.monotonic() - self.started:.1f} s after power-on")

    def check_alive(self):
        if self.process.poll() is not None:
            raise LabError(f"the outer machine ended; see console.log and qemu.log in {self.folder}")

    def off(self):
        """Power off; dom0's /var/log/xen comes to the host."""
        if self.process.poll() is None:
            try:
                self.agent.run("sync", 30)
            except LabError:
                pass
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            sh("debugfs", "-R", f"rdump /var/log/xen {self.folder}", self.folder / "system.img")


def leave_running(outer):
    """Notes a machine that outlives this command, for `run sh` and `run down`."""
    STATE.write_text(json.dumps({"pid": outer.process.pid, "agent": outer.port, "vnc": outer.vnc,
                                 "xen": outer.tree.version, "folder": str(outer.folder)}))


def running():
    """The state of the machine `run up` left, or None."""
    if not STATE.exists():
        return None
    state = json.loads(STATE.read_text())
    try:
        if b"qemu-system" not in open(f"/proc/{state['pid']}/cmdline", "rb").read():
            raise FileNotFoundError
    except FileNotFoundError:
        STATE.unlink()
        return None
    return state


def take_down(state):
    Agent(state["agent"]).run("sync", 30)
    os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + 20 * PATIENCE
    while running() and time.monotonic() < deadline:
        time.sleep(0.1)
    STATE.unlink(missing_ok=True)
