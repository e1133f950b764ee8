# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 4: two guests at once, one of them with four virtual CPUs."""

import guest as guests
import point1
from report import expect

TITLES = {"4.1": "two guests start side by side",
          "4.2": "a guest with 4 vCPUs has them all running",
          "4.3": "both do disk I/O at the same time, each to its own image",
          "4.4": "one is destroyed, the other goes on; both images are right on dom0's side"}


def run(lab, report, _points):
    lab.agent.must("cp /scratch/disk.img /scratch/second.img")
    point1.prepare(lab)
    smp = guests.cd_guest(lab.outer, "smp", display=1, vcpus=4)
    other = guests.disk_guest(lab.outer, "other", display=2, disk="/scratch/second.img")
    with guests.life(smp), guests.life(other):
        before = report.failed
        with report.check("4.1", TITLES["4.1"]):
            smp.create()
            other.create()
            expect(smp.pid != other.pid, "one process for both")
            smp.boot()
            other.boot()
        if report.failed > before:
            for number in ("4.2", "4.3", "4.4"):
                report.skip(number, TITLES[number], "the guests did not start")
            return
        with report.check("4.2", TITLES["4.2"]):
            count = smp.command("cpus").strip()
            expect(count == "4", f"the guest sees {count} CPUs")
            smp.command("spread", 300)
        with report.check("4.3", TITLES["4.3"]):
            start, size, _ = point1.BY_DMA
            work = [(smp, 16), (other, 17)]
            for guest, seed in work:
                guest.tell(f"labio write /dev/sda {start} {size // 4} {seed} {point1.SIZES}")
            for guest, _ in work:
                guest.wait(r"^WROTE .*\nLAB done 0$", 600, "its disk to be written")
            for guest, seed in work:
                guest.tell(f"labio verify /dev/sda {start} {size // 4} {seed} {point1.OTHER_SIZES}")
            for guest, _ in work:
                guest.wait(r"^SAME .*\nLAB done 0$", 600, "its disk to be read back")
        with report.check("4.4", TITLES["4.4"]):
            other.destroy()
            other.wait_gone()
            expect(smp.command("cpus").strip() == "4", "no answer from the guest that stayed")
            smp.tell("poweroff -f")
            smp.wait_gone()
            for image, seed in (("blank", 16), ("second", 17)):
                point1.labio_in_dom0(lab, "verify", (start, size // 4, seed), "0", f"/scratch/{image}.img")
