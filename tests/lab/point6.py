# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 6: side by side with the stock device model, in one run on one machine."""

import os
import platform
import re

import guest as guests
from report import expect
from work import say

MIB = 1 << 20
ORDER = ("stock", "test")
# (key, what it is, unit)
ROWS = [
    ("grub", "`xl create` to the boot loader", "s"),
    ("grub_cpu", "CPU time of the process by then", "s"),
    ("kernel", "`xl create` to kernel and initramfs loaded", "s"),
    ("kernel_cpu", "CPU time of the process by then", "s"),
    ("shell", "`xl create` to the guest's shell", "s"),
    ("shell_cpu", "CPU time of the process by then", "s"),
    ("rss", "VmRSS", "MB"),
    ("anon", "RssAnon", "MB"),
    ("peak", "VmHWM", "MB"),
    ("threads", "threads", ""),
    ("read", "64 MiB O_DIRECT read, 1 MiB blocks", "s"),
    ("write", "64 MiB O_DIRECT write, 1 MiB blocks", "s"),
    ("random", "2,000 O_DIRECT reads of 4 KiB", "s"),
    ("user", "CPU of the process over the guest's life, user", "s"),
    ("system", "CPU of the process over the guest's life, system", "s"),
    ("cpu", "CPU of the process over the guest's life, both", "s"),
]


def stages(guest, out):
    for key, pattern, what in (("grub", "LAB grub", "GRUB"), ("kernel", "LAB kernel", "the kernel to be loaded"),
                               ("shell", "LAB shell", "the guest's shell")):
        guest.wait(pattern, 600, what)
        out[key] = guest.serial.when(guest.serial.pos) - guest.created
        out[key + "_cpu"] = sum(guest.stat())


def memory(guest, out):
    status = guest.agent.must(f"cat /proc/{guest.pid}/status")
    for key, name in (("rss", "VmRSS"), ("anon", "RssAnon"), ("peak", "VmHWM"), ("threads", "Threads")):
        number = int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1])
        out[key] = number if key == "threads" else number / 1024


def timed(guest, line):
    return int(re.search(r"(\d+) ms", guest.command(line, 900))[1]) / 1000


def life(lab, dm):
    """One guest's whole life under a device model: its figures."""
    out = {}
    guests.blank_disk(lab.outer)
    lab.agent.must("echo 3 > /proc/sys/vm/drop_caches")
    guest = guests.cd_guest(lab.outer, f"side-{dm}", dm)
    with guests.life(guest):
        guest.create()
        stages(guest, out)
        memory(guest, out)
        out["write"] = timed(guest, f"labio time /dev/sda write {64 * MIB} {64 * MIB} {MIB}")
        out["read"] = timed(guest, f"labio time /dev/sda read {64 * MIB} {64 * MIB} {MIB}")
        out["random"] = timed(guest, f"labio random /dev/sda 2000 4096 {128 * MIB}")
        guest.tell("poweroff -f")
        guest.wait_gone()
        line = re.search(rf"^{guest.pid} \S+ \S+ \d+ (\d+) (\d+) ", lab.agent.must("cat /run/reaped"), re.M)
        expect(line, "dom0 has not seen the process end")
        out["user"], out["system"] = int(line[1]) / 1000, int(line[2]) / 1000
        out["cpu"] = out["user"] + out["system"]
    return out


def figure(value, unit):
    return str(value) if unit == "" else f"{value:.1f} {unit}"


def table(lab, figures):
    lines = [f"| what | {lab.stock_name} | {os.path.basename(lab.dm_name)} | ratio |", "| --- | --- | --- | --- |"]
    for key, what, unit in ROWS:
        stock, test = figures["stock"][key], figures["test"][key]
        ratio = f"{test / stock:.2f}" if stock else "-"
        lines.append(f"| {what} | {figure(stock, unit)} | {figure(test, unit)} | {ratio} |")
    return lines


def write(lab, lines):
    head = [f"Xen {lab.tree.version}, dom0 Linux {lab.tree.release}, guest Linux {lab.images.release}, all in QEMU's TCG "
            f"on {platform.processor() or platform.machine()}; one run, each device model with one CD guest in turn. "
            "Absolute times are those of an emulated machine; the ratios count.", ""]
    path = lab.folder.parents[1] / "table.md"
    path.write_text("\n".join(head + lines) + "\n")
    say(f"side by side with the stock device model (also in {os.path.relpath(path)}):")
    for line in lines:
        cells = [c.strip().replace("`", "") for c in line.strip("|").split("|")]
        if set(cells[0]) != {"-"}:
            print(f"  {cells[0]:<50}{cells[1]:>34}{cells[2]:>22}{cells[3]:>8}", flush=True)


def run(lab, report, _points):
    figures = {}
    with report.check("6.1", "the same guest's life under both device models"):
        for dm in ORDER:
            figures[dm] = life(lab, dm)
        write(lab, table(lab, figures))
    titles = (("6.2", "boot to the shell in at most 0.6 of stock's time", "shell", 0.6),
              ("6.3", "at most 0.5 of stock's CPU time", "cpu", 0.5),
              ("6.4", "at most 0.2 of stock's RssAnon", "anon", 0.2))
    if len(figures) < 2:
        for number, title, _key, _limit in titles:
            report.skip(number, title, "there are no figures")
        return
    for number, title, key, limit in titles:
        with report.check(number, title) as notes:
            ratio = figures["test"][key] / figures["stock"][key]
            expect(ratio <= limit, f"{ratio:.2f}")
            notes.append(f"{ratio:.2f}")
    with report.check("6.5", "at most 3 threads"):
        expect(figures["test"]["threads"] <= 3, f"{figures['test']['threads']}")
