# SPDX-License-Identifier: GPL-2.0-or-later
"""What point 13 needs in dom0: a kernel and an initramfs to be loaded, iPXE's script that says so, a server for DHCP and TFTP."""

import debs
import networks
from guestimg import CMDLINE
from networks import BRIDGES, address
from work import WORK

ROOT = "/scratch/pxe"
SCRIPT = f"#!ipxe\nkernel vmlinuz {CMDLINE}\ninitrd initrd\nboot\n"


def build(tree):
    """{name under /scratch: file}"""
    networks.build(tree)  # the guest's initramfs, with the cards' drivers
    script = WORK / "guest" / "boot.ipxe"
    script.write_text(SCRIPT)
    roots = debs.with_group(tree, "networks")
    server = roots.need("/usr/sbin/dnsmasq")
    files = {"pxe/tftp/vmlinuz": tree.kernel, "pxe/tftp/initrd": WORK / "guest" / "initrd-net", "pxe/tftp/boot.ipxe": script,
             "pxe/dnsmasq": server}
    for name, path in roots.libraries(server).items():
        base = name.rpartition("/")[2]
        if not base.startswith(("ld-", "libc.")):  # dom0's own
            files["pxe/lib/" + base] = path
    return files


def serve(lab, bridge=0):
    """Answers DHCP and TFTP on a bridge; what it did is in its log."""
    lab.agent.must(f"""set -e; cd {ROOT}
        grep -q ^dnsmasq /etc/passwd || echo 'dnsmasq:x:65533:65534::/:/bin/false' >> /etc/passwd
        [ ! -s dnsmasq.pid ] || kill $(cat dnsmasq.pid); rm -f dnsmasq.pid; mkdir -p /var/lib/misc
        LD_LIBRARY_PATH={ROOT}/lib ./dnsmasq --conf-file=/dev/null --port=0 --interface={BRIDGES[bridge]} --bind-interfaces --user=root \\
            --dhcp-range={address(bridge, 100)},{address(bridge, 199)},12h --dhcp-authoritative --no-ping --dhcp-boot=boot.ipxe --enable-tftp \\
            --tftp-root={ROOT}/tftp --pid-file={ROOT}/dnsmasq.pid --log-facility={ROOT}/log --log-dhcp --dhcp-leasefile={ROOT}/leases
        sleep 0.3; kill -0 $(cat dnsmasq.pid)""")


def log(lab):
    return lab.agent.run(f"cat {ROOT}/log").out


def stop(lab):
    lab.agent.run(f"kill $(cat {ROOT}/dnsmasq.pid)")
