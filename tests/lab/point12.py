# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 12: network cards under Linux's own drivers, on dom0's bridges.
LAB_ONLY=pcnet,ne2k_pci,8139too in the environment: these only."""

import guest as guests
from guest import raw_disk
from networks import BRIDGES, address, bridges, counted, mac, stats, tap, vif
from report import expect
from work import wanted

MIB = 1 << 20
# model of the card, driver, MiB each way by TCP, datagrams each way; an NE2000 costs some 45 exits a frame, 60 KB/s here
CARDS = [("e1000", "e1000", 64, 20000), ("rtl8139", "8139cp", 64, 20000), ("pcnet", "pcnet32", 64, 20000),
         ("ne2k_pci", "ne2k-pci", 8, 1000)]
# An RTL8139C from before C+, which is all that 8139too takes.
OLD_CARDS = [("rtl8139", "8139too", 64, 20000)]
OLD_ARGS = ["-global", "rtl8139.cplus=off"]
RINGS = {"e1000": [(80, 80), (4096, 4096), (256, 256)], "pcnet32": [(16, 16), (512, 512), (32, 16)]}
STRANGER, GROUP, NO_GROUP = "02:00:00:00:00:99", "01:00:5e:01:02:03", "01:00:5e:7f:00:01"
TYPE = 0x88B5  # IEEE 802, for experiments
SHOTS = 50
VLAN = 5
CHECKS = 6  # of each card


def ping(guest, ip, first=0, last=1472, seconds=600):
    sent, lost, wrong = counted(guest.command(f"labnet ping {ip} {first} {last}", seconds), "PING")
    expect(sent == last - first + 1 and not lost and not wrong, f"{lost} of {sent} echoes lost, {wrong} wrong")
    return sent


def rate(text):
    size, ms = counted(text, "TCP")
    return f"{size / 1e3 / max(ms, 1):.1f} MB/s"


def tcp(guest, dom0, mib, notes):
    for way in ("put", "get"):
        notes.append(f"{way} " + rate(guest.command(f"labnet tcp {dom0} {way} {mib * MIB}", 1800)))


def dom0_stats(lab, device):
    return stats(lab.agent.must(f"/lab/labnet stats {device}"))


def lost_in_guest(guest, device):
    """What guest and card say that they have thrown away: of what came, of what was to go."""
    s = stats(guest.command(f"labnet stats {device}"))
    came, went = counted(guest.command("udp_errors"), "UDPERR")
    return s["rx_errors"] + s["rx_dropped"] + came, s["tx_errors"] + s["tx_dropped"] + went


def lost_in_dom0(lab):
    return counted(lab.agent.must("awk '/^Udp: [0-9]/ {print \"UDPERR\", $4}' /proc/net/snmp"), "UDPERR")[0]


def udp(lab, guest, device, dom0, number, count, notes):
    """Floods each way; every datagram arrives right, or somebody has counted its loss."""
    name = tap(guest, number)
    tap_before, guest_before = dom0_stats(lab, name)["tx_dropped"], lost_in_guest(guest, device)[0]
    sent, received, wrong = counted(guest.command(f"labnet udp {dom0} get {count} 1472", 900), "UDP")
    at_tap = dom0_stats(lab, name)["tx_dropped"] - tap_before
    in_guest = lost_in_guest(guest, device)[0] - guest_before
    expect(not wrong and received + at_tap + in_guest >= sent and received > 0,
           f"to the guest: {sent} sent, {received} right, {wrong} wrong, lost at the tap {at_tap}, in the guest {in_guest}")
    notes.append(f"to the guest {received} of {sent}, lost at the tap {at_tap}, in the guest {in_guest}")
    dom0_before, guest_before = lost_in_dom0(lab), lost_in_guest(guest, device)[1]
    sent, received, wrong = counted(guest.command(f"labnet udp {dom0} put {count} 1472", 900), "UDP")
    in_dom0, in_guest = lost_in_dom0(lab) - dom0_before, lost_in_guest(guest, device)[1] - guest_before
    if received < sent:
        notes.append(lab.agent.must("tail -n 1 /var/log/labnet.log").strip())
    expect(not wrong and received + in_dom0 + in_guest >= sent and received > 0,
           f"from the guest: {sent} sent, {received} right, {wrong} wrong, lost in dom0 {in_dom0}, in the guest {in_guest}")
    notes.append(f"from it {received} of {sent}, lost in it {in_guest}")


def vlan(lab, guest, device, bridge):
    name, here, there = f"{BRIDGES[bridge]}.{VLAN}", "10.9.0.2", "10.9.0.1"
    lab.agent.must(f"[ -d /sys/class/net/{name} ] || {{ vconfig add {BRIDGES[bridge]} {VLAN}; ip addr add {there}/24 dev {name}; ip link set {name} up; }}")
    guest.command(f"vconfig add {device} {VLAN}")
    try:
        guest.command(f"net_add {device}.{VLAN} {here}")
        ping(guest, there, 0, 40)
        ping(guest, there, 1400, 1472)
        guest.command(f"labnet tcp {there} put {4 * MIB}", 600)
        guest.command(f"labnet tcp {there} get {4 * MIB}", 600)
    finally:
        guest.command(f"vconfig rem {device}.{VLAN}")


def arrivals(lab, guest, device, bridge, to, how=""):
    """Of SHOTS frames to an address, those that the guest's kernel gets to see."""
    guest.tell(f"labnet count {device} {TYPE} 4000 {how}")
    guest.wait(r"^COUNTING\s", 60)
    lab.agent.must(f"/lab/labnet shoot {BRIDGES[bridge]} {to} {TYPE} {SHOTS}")
    count = guest.wait(r"^COUNT (\d+)\s", 60)
    guest.wait(r"^LAB done 0", 60)
    return int(count[1])


def filters(lab, guest, device, number, bridge):
    for to, how, want in ((mac(number), "", SHOTS), ("ff:ff:ff:ff:ff:ff", "", SHOTS), (STRANGER, "", 0),
                          (STRANGER, "promisc", SHOTS), (STRANGER, "", 0), (NO_GROUP, "", 0), (GROUP, f"multi {GROUP}", SHOTS),
                          (NO_GROUP, f"multi {GROUP}", 0)):
        got = arrivals(lab, guest, device, bridge, to, how)
        expect(got == want, f"of {SHOTS} frames to {to} ({how or 'as it is'}) {got} arrived, not {want}")


def card(lab, report, guest, number, entry, first):
    model, driver, mib, count = entry
    bridge = 0
    dom0, device = address(bridge, 1), ""
    with report.check(f"12.{first}", f"{driver} on {model}: echoes of every size to the MTU, none lost") as notes:
        listed = guest.command(f"net_use {mac(number)} {address(bridge, 10 + number)}", 120)
        device = listed.split()[1]
        expect(listed.split()[2] == driver, f"the driver is {listed}")
        notes.append(f"{ping(guest, dom0)} sizes")
    if not device:
        return
    with report.check(f"12.{first + 1}", f"{driver}: {mib} MiB by TCP each way") as notes:
        tcp(guest, dom0, mib, notes)
    with report.check(f"12.{first + 2}", f"{driver}: floods of UDP each way, each loss accounted for") as notes:
        udp(lab, guest, device, dom0, number, count, notes)
    with report.check(f"12.{first + 3}", f"{driver}: a VLAN, with frames of full length"):
        vlan(lab, guest, device, bridge)
    with report.check(f"12.{first + 4}", f"{driver}: unicast, broadcast, multicast and promiscuous as they should be"):
        filters(lab, guest, device, number, bridge)
    with report.check(f"12.{first + 5}", f"{driver}: interface down and up 100 times, ring sizes") as notes:
        guest.command(f"labnet updown {device} 100", 600)
        guest.command(f"net_add {device} {address(bridge, 10 + number)}", 120)
        ping(guest, dom0, 0, 50)
        for rx, tx in RINGS.get(driver, []):
            has = counted(guest.command(f"labnet ring {device} {rx} {tx}", 60), "RING")
            expect(has == [rx, tx], f"ring sizes {rx} and {tx} became {has}")
            guest.command(f"net_add {device} {address(bridge, 10 + number)}", 120)
            guest.command(f"labnet tcp {dom0} put {MIB}", 600)
            guest.command(f"labnet tcp {dom0} get {MIB}", 600)
            notes.append(f"{rx}/{tx}")


def two_bridges(report, guest, number, card_number):
    """The last card is on the second bridge: both in use at once."""
    with report.check(number, "two cards on two bridges, both at once"):
        guest.command(f"net_use {mac(0)} {address(0, 10)}", 120)
        second = guest.command(f"net_dev {mac(card_number)}").split()[1]
        guest.command(f"net_add {second} {address(1, 10)}", 120)
        guest.command(f"tcp_both {address(0, 1)} {address(1, 1)} {16 * MIB}", 900)
        ping(guest, address(0, 1), 1400)
        ping(guest, address(1, 1), 1400)


def life(lab, report, name, number, cards, extra, **options):
    """A guest with cards, and one more on the second bridge if wanted; gives the number of the next check."""
    vifs = [vif(model, i) for i, (model, *_) in enumerate(cards)] + ([vif("rtl8139", len(cards), 1)] if extra else [])
    image = f"/scratch/{name}0.img"
    lab.agent.must(f"cp /scratch/net.img {image}")
    guest = guests.Guest(lab.outer, name, guests.config(name, [raw_disk(image)], "c", memory=256, vif=vifs, **options))
    with guests.life(guest):
        before = report.failed
        with report.check(f"12.{number}", f"a guest with {len(vifs)} network cards boots to its shell") as notes:
            guest.create()
            guest.boot()
            notes.append(f"xl create {guest.create_seconds:.1f} s")
        if report.failed != before:
            return
        for i, entry in enumerate(cards):
            card(lab, report, guest, i, entry, number + 1 + CHECKS * i)
        if extra:
            two_bridges(report, guest, f"12.{number + 1 + CHECKS * len(cards)}", len(cards))


def run(lab, report, _points):
    bridges(lab)
    new = [entry for entry in CARDS if wanted(entry[0])]
    old = [entry for entry in OLD_CARDS if wanted(entry[1])]
    if new:
        life(lab, report, "net", 1, new, True)
    if old:
        life(lab, report, "net8139", 3 + CHECKS * len(CARDS), old, False, device_model_args_hvm=OLD_ARGS)
