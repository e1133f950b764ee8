# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 13: guests that start from the network: iPXE's ROMs and drivers, a kernel by TFTP from dom0.
LAB_ONLY=pcnet,ncd in the environment: these only."""

import guest as guests
import pxe
from guest import raw_disk
from networks import BRIDGES, address, bridges, counted, mac, vif
from report import expect
from work import wanted

# model of the card, Linux's driver, how long its start may take: iPXE reads an NE2000 word by word, each an exit; 11 MB take half an hour
CARDS = [("e1000", "e1000", 900), ("rtl8139", "8139cp", 900), ("pcnet", "pcnet32", 900), ("e1000-82545em", "e1000", 900),
         ("ne2k_pci", "ne2k-pci", 3600)]
FILES = ("boot.ipxe", "vmlinuz", "initrd")


def from_network(lab, report, number, index, model, driver, seconds):
    """A guest with nothing but a network card."""
    card = 0x40 + index
    text = guests.config(f"pxe{index}", [], "n", memory=256, vif=[vif(model, card)])
    with report.check(number, f"{model}: a guest without disks loads Linux by TFTP with iPXE's driver, and {driver} takes the card over") as notes:
        guest = guests.Guest(lab.outer, f"pxe{index}", text)
        with guests.life(guest):
            before = len(pxe.log(lab))
            guest.create()
            guest.boot(seconds)
            notes.append(f"kernel runs {guest.wait_init():.0f} s when its shell is there")
            log = pxe.log(lab)[before:]
            for name in FILES:
                expect(f"sent {pxe.ROOT}/tftp/{name} to" in log, f"{name} was not sent: {log[-600:]}")
            expect(mac(card) in log, "the DHCP server has not seen the card's address")
            disks = guest.command("disks")
            expect("DISK" not in disks, f"there is a disk: {disks}")
            listed = guest.command(f"net_use {mac(card)} {address(0, 10 + card)}", 120)
            expect(listed.split()[2] == driver, f"the driver is {listed}")
            sent, lost, wrong = counted(guest.command(f"labnet ping {address(0, 1)} 1400 1472", 300), "PING")
            expect(sent == 73 and not lost and not wrong, f"{lost} of {sent} echoes lost, {wrong} wrong")


def next_in_order(lab, report, number):
    """Where nobody answers on the network, the next of the order has its turn."""
    with report.check(number, "boot=\"ncd\": nobody answers on the bridge, so the guest starts from its disk") as notes:
        lab.agent.must("cp /scratch/net.img /scratch/net0.img")
        text = guests.config("ncd", [raw_disk("/scratch/net0.img")], "ncd", memory=256, vif=[vif("rtl8139", 0x50, 1)])
        guest = guests.Guest(lab.outer, "ncd", text)
        with guests.life(guest):
            before = lab.agent.must(f"cat /sys/class/net/{BRIDGES[1]}/statistics/rx_packets").strip()
            guest.create()
            guest.wait(r"LAB grub", 900, "GRUB of the disk")
            after = lab.agent.must(f"cat /sys/class/net/{BRIDGES[1]}/statistics/rx_packets").strip()
            notes.append(f"{int(after) - int(before)} frames came first")
            expect(int(after) > int(before), "nothing was sent to the network before")


def run(lab, report, _points):
    bridges(lab)
    pxe.serve(lab)
    try:
        if wanted("ncd"):
            next_in_order(lab, report, "13.1")
        for index, (model, driver, seconds) in enumerate(CARDS):
            if wanted(model):
                from_network(lab, report, f"13.{index + 2}", index, model, driver, seconds)
    finally:
        pxe.stop(lab)
