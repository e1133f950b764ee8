# SPDX-License-Identifier: GPL-2.0-or-later
"""What points 12 and 13 need: a system disk with the drivers of network cards; bridges in dom0, with somebody on them who answers."""

import re

from dom0 import build_tool
from guestimg import CMDLINE, hard_disk, initramfs, inputs_of
from report import expect
from work import HERE, WORK, cached, made

DRIVERS = ["e1000", "8139cp", "8139too", "pcnet32", "ne2k-pci"]
MODULES = [*DRIVERS, "8021q"]
BRIDGES = ("xenbr0", "xenbr1")
SCRIPT = "/etc/xen/scripts/vif-lab"


def build(tree):
    """{name under /scratch: image}"""
    folder = WORK / "guest"
    image = folder / "net.img"
    inputs = (*inputs_of(tree), HERE / "networks.py", HERE / "labnet.c")
    if not cached(image, *inputs):
        initrd = folder / "initrd-net"
        initramfs(tree, initrd, MODULES, programs={"labnet": build_tool("labnet")})
        hard_disk(image, tree.kernel.read_bytes(), initrd.read_bytes(), CMDLINE)
        made(image, *inputs)
    return {"net.img": image}


def address(bridge, host):
    """10.1.0.1 is dom0 on the first bridge."""
    return f"10.1.{bridge}.{host}"


def bridges(lab):
    """dom0's bridges, each with an address and the counterpart of the guests' tests."""
    for i, name in enumerate(BRIDGES):
        lab.agent.must(f"""[ ! -d /sys/class/net/{name} ] || exit 0; set -e
            brctl addbr {name}; echo 0 > /sys/class/net/{name}/bridge/forward_delay
            echo 1 > /proc/sys/net/ipv6/conf/{name}/disable_ipv6
            echo 0 > /sys/class/net/{name}/bridge/multicast_snooping
            ip addr add {address(i, 1)}/24 dev {name}; ip link set {name} up""")
    lab.agent.must("pidof labnet > /dev/null || { setsid /lab/labnet serve > /var/log/labnet.log 2>&1 < /dev/null & sleep 0.3; pidof labnet; }")


def vif(model, number, bridge=0):
    """An emulated card of a model; its address ends with its number."""
    return f"type=ioemu,model={model},mac={mac(number)},bridge={BRIDGES[bridge]},script={SCRIPT}"


def mac(number):
    return f"00:16:3e:00:12:{number:02x}"


def tap(guest, number):
    """dom0's name of the emulated card that is the number-th of the list."""
    return f"vif{guest.domid}.{number}-emu"


def stats(text):
    return {name: int(value) for name, value in re.findall(r"^STAT (\S+) (\d+)", text, re.M)}


def counted(text, word):
    """The numbers of a line that labnet prints."""
    match = re.search(rf"^{word}((?: \d+)+)\s*$", text, re.M)
    expect(match, f"no {word} in: {text[-300:]}")
    return [int(n) for n in match[1].split()]
