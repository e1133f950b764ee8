# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's command line; see README.md."""

import argparse
import os
import sys
import time

import baseline
import bootimg
import debs
import demo
import dom0
import guest as guests
import networks
import outer as machine
import pxe
import screen
import screenimg
import storageimg
import suite
from agent import Agent
from guestimg import Guests
from work import WORK, LabError, fresh_dir, lock, say


def run_folder(name):
    """A new folder for a run's artefacts; the run before is kept as NAME.old, without its disk."""
    folder, old = WORK / "run" / name, WORK / "run" / f"{name}.old"
    if folder.exists():
        fresh_dir(old).rmdir()
        folder.rename(old)
        (old / "system.img").unlink(missing_ok=True)
    return fresh_dir(folder)


class Lab:
    """Everything needed to power on: packages, images, the lock."""

    def __init__(self, args, name, points=()):
        self.args = args
        self.lock = lock()
        self.tree = debs.tree_for(args.xen)
        bookworm = debs.tree_for("4.17")
        self.images = Guests(bookworm)
        self.files = self.images.files()
        if {9, 10} & set(points):
            self.files |= storageimg.build(bookworm)
        if 11 in points:
            self.files |= screenimg.build(bookworm)
        if {12, 13} & set(points):
            self.files |= networks.build(bookworm)
        if 13 in points:
            self.files |= pxe.build(bookworm)
        if 14 in points:
            self.files |= bootimg.build(bookworm)
        self.folder = run_folder(name)
        self.stock_program = self.tree.roots.need(dom0.STOCK)
        self.stock_name = "stock " + self.stock_program.name
        self.dm_name = dom0.version_of(args.dm)
        rom = self.tree.roots.need("/usr/share/seabios/vgabios-stdvga.bin")
        self.font = screen.load_font(rom.read_bytes())
        self.outer = self.agent = None

    def power_on(self, echo=False, vnc_from=None):
        dom0.build(self.tree, self.args.dm, self.files, self.folder)
        say(f"device model: {self.dm_name}; artefacts: {os.path.relpath(self.folder)}")
        self.outer = machine.Outer(self.tree, self.folder, self.lock, echo, vnc_from)
        self.agent = self.outer.agent
        self.outer.wait_ready()
        return self.outer

    def off(self):
        if self.outer:
            self.outer.off()

    def stock_pci(self):
        return baseline.pci_spaces(self)


def cmd_boot(args):
    """One guest from power-on to its shell, everything shown, and off again."""
    lab = Lab(args, "boot")
    outer = lab.power_on(echo=True)
    guest = None
    try:
        guests.blank_disk(outer)
        guest = (guests.cd_guest if args.source == "cd" else guests.disk_guest)(outer, echo=True)
        say(f"xl create: boots from {args.source}; VNC on 127.0.0.1:{outer.vnc[0]}")
        guest.create()
        say(f"xl create returned after {guest.create_seconds:.1f} s, domain {guest.domid}, process {guest.pid}")
        guests.report_boot(guest)
        user, system = guest.stat()
        say(f"device model so far: {user:.1f} s user, {system:.1f} s system")
        print(guest.command("disks"))
        if args.keep:
            return 0
        guest.tell("poweroff -f")
        guest.wait_gone()
        say(f"powered off; the device model ended: {guest.ending()}")
        return 0
    finally:
        if guest:
            show_log(guest)
        if args.keep:
            leave(outer)
        else:
            outer.off()


def show_log(guest):
    try:
        path = guest.save_log()
        print(f"--- {guest.log} (also {os.path.relpath(path)})\n{path.read_text().strip() or '(empty)'}\n---")
    except LabError as error:
        say(f"no log: {error}")


def leave(outer):
    machine.leave_running(outer)
    say(f"left running: tests/lab/run sh [COMMAND] for dom0, tests/lab/run down to end; VNC of guests on "
        f"127.0.0.1:{outer.vnc[0]}..{outer.vnc[-1]}")


def cmd_test(args):
    """The points of the list, with a pass or fail line for each check."""
    points = args.points or ("1,3" if args.xen == "4.20" else "1,2,3,4,5,6,8")
    try:
        wanted = {int(p) for p in points.split(",")}
        if not wanted <= {1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14}:
            raise ValueError
    except ValueError:
        raise LabError(f"--points {points}: numbers from 1 to 6 and 8 to 14, with commas; point 7 is points 1 and 3 with XEN=4.20")
    lab = Lab(args, "test", wanted)
    try:
        lab.power_on()
        return suite.run(lab, wanted)
    finally:
        lab.off()


def cmd_demo(args):
    """A guest to look at."""
    lab = Lab(args, "demo")
    try:
        say("powering on: QEMU emulates a machine, on it runs Xen, and dom0")
        lab.power_on(vnc_from=machine.first_free(5901))
        return demo.run(lab, lab.outer)
    finally:
        lab.off()


def cmd_up(args):
    """Power on and leave dom0 running, for `sh`."""
    if machine.running():
        raise LabError("already up; tests/lab/run down ends it")
    outer = Lab(args, "up").power_on()
    guests.blank_disk(outer)
    for name, make in (("cd", guests.cd_guest), ("disk", guests.disk_guest)):
        outer.agent.must(f"cat > /scratch/{name}.cfg", stdin=make(outer, name).text.encode())
    leave(outer)
    say("in dom0: xl create /scratch/cd.cfg (or disk.cfg); the guest's serial port: xl console -t serial cd")
    return 0


def cmd_sh(args):
    """A command, or a shell, in the dom0 that `up` or `boot --keep` left running."""
    state = machine.running()
    if not state:
        raise LabError("nothing is up; tests/lab/run up --dm PROGRAM first")
    agent = Agent(state["agent"])
    if not args.words:
        return agent.interactive()
    result = agent.run(" ".join(args.words), args.seconds)
    sys.stdout.write(result.out)
    sys.stderr.write(result.err)
    return result.code


def cmd_put(args):
    """Copies a host file into the running dom0."""
    state = machine.running()
    if not state or len(args.words) != 2:
        raise LabError("usage: run put HOST-FILE DOM0-PATH, while `up` is running")
    source, dest = args.words
    data = open(source, "rb").read()
    Agent(state["agent"]).must(f"rm -f {dest}; cat > {dest} && chmod 755 {dest}", 120, data)
    return 0


def cmd_down(_args):
    state = machine.running()
    if state:
        machine.take_down(state)
    return 0


def parse(argv):
    parser = argparse.ArgumentParser(prog="tests/lab/run", description="the acceptance lab; see tests/lab/README.md")
    parser.add_argument("command", nargs="?", default="test", choices=sorted(COMMANDS))
    parser.add_argument("words", nargs="*", help="sh: the command; put: from, to")
    parser.add_argument("--dm", default=os.environ.get("DM") or None,
                        help="the device model to test (default: Debian's stock one)")
    parser.add_argument("--xen", default=os.environ.get("XEN") or "4.17", help="4.17 or 4.20")
    parser.add_argument("--from", dest="source", choices=("cd", "disk"), default="cd", help="boot: from which medium")
    parser.add_argument("--keep", action="store_true", help="boot: leave it running, for sh and down")
    parser.add_argument("--seconds", type=float, default=600, help="sh: how long a command may take")
    parser.add_argument("--points", default=None, help="test: which points of the list, such as 1,3,5")
    return parser.parse_args(argv)


COMMANDS = {"test": cmd_test, "demo": cmd_demo, "boot": cmd_boot, "up": cmd_up, "sh": cmd_sh, "put": cmd_put, "down": cmd_down}


def main():
    args = parse(sys.argv[1:])
    try:
        return COMMANDS[args.command](args)
    except LabError as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    start = time.monotonic()
    sys.exit(main())
