/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config: its release, and the two texts that packagers ask for. See config.h. */
#include "toolstack/config.h"

#include <stdlib.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* XAPI matches this line against "QEMU emulator version (\d+)\.\d+\.\d+" and chooses arguments by
 * the number: it must be the release whose dialect we speak, and then say who we are. */
const char config_version_line[] =
    "QEMU emulator version " TEXT(CONFIG_QEMU_MAJOR) "." TEXT(CONFIG_QEMU_MINOR) "." TEXT(
        CONFIG_QEMU_MICRO) " (hvm-dm " HVM_DM_VERSION
                           ": its argument and QMP dialect, another program)\n";

const char config_usage[] =
    "usage: hvm-dm -xen-domid N -machine xenfv -m MiB [option]...\n"
    "The device model of a Xen HVM guest. A toolstack starts it (xl: device_model_override=).\n"
    "\n"
    "Domain and machine\n"
    "  -xen-domid N               the domain to serve\n"
    "  -machine xenfv[,K=V]...    the PC with the Xen platform device; -M is the same\n"
    "  -machine pc,accel=xen      the PC without it\n"
    "      max-ram-below-4g=SIZE  RAM below 4 GiB ends there (at most 0xF0000000)\n"
    "  -machine none              the toolstack's probe: QMP only, no domain\n"
    "  -m MiB | size=SIZE[K|M|G|T]  the guest's RAM\n"
    "  -smp N[,maxcpus=M]         virtual CPUs now, and at most\n"
    "  -name NAME                 of the guest\n"
    "  -boot [order=]LETTERS      of c (disk), d (CD), a (floppy), n (network)\n"
    "  -S                         do not run until QMP's cont\n"
    "  -no-shutdown               wait for QMP's quit when the guest has powered off\n"
    "\n"
    "Disks\n"
    "  -drive file=F,format=raw|qcow2|vpc,if=ide,index=0..3[,media=cdrom][,cache=MODE]\n"
    "         [,readonly=on][,discard=unmap]    MODE: writeback, writethrough, none, directsync, "
    "unsafe\n"
    "  -drive if=none,id=ID[,file=F,format=raw|qcow2|vpc]...  with\n"
    "  -device ide-hd|ide-cd,drive=ID[,id=ID][,bus=ide.0|ide.1][,unit=0|1][,serial=S][,model=S]\n"
    "         [,ver=S][,wwn=N][,cyls=N,heads=N,secs=N][,bios-chs-trans=auto|none|lba|large|rechs]\n"
    "         [,logical_block_size=512|4096][,physical_block_size=N][,discard_granularity=N]\n"
    "  -device ahci,id=ID         an AHCI controller; bus=ID.0 to ID.5 are its ports\n"
    "  -blockdev driver=FORMAT,node-name=ID,file.filename=F[,K=V]...   the same as -drive if=none\n"
    "         of both: [,rerror=P][,werror=P][,throttling.LIMIT=N][,detect-zeroes=on|unmap]\n"
    "  -drive file=F,format=raw,if=floppy,index=0|1[,readonly=on]   a diskette in drive A or B\n"
    "  -device floppy[,drive=ID][,id=ID][,unit=0|1][,drive-type=120|144|288]   a floppy drive\n"
    "  -hda F -hdb F -hdc F -hdd F -cdrom F -fda F -fdb F   the same in short\n"
    "         F: a path, /dev/fdset/N or fd:N; a comma is written twice\n"
    "\n"
    "Network\n"
    "  -device rtl8139|e1000|e1000-82545em|pcnet|ne2k_pci[,netdev=ID][,id=ID][,mac=MAC]\n"
    "         [,addr=SLOT][,romfile=F][,rombar=0][,bootindex=N]   a network card, up to 8\n"
    "         of rtl8139: [,cplus=off]   (-global rtl8139.cplus=off: of all of them)\n"
    "  -device ne2k_isa[,netdev=ID][,id=ID][,mac=MAC][,iobase=PORT][,irq=N]   an ISA one\n"
    "  -netdev tap,id=ID[,ifname=I|fd=N][,br=BRIDGE][,script=F|no][,downscript=F|no]\n"
    "         [,vnet_hdr=off][,sndbuf=SIZE]\n"
    "  -netdev user,id=ID[,net=CIDR][,host=A][,dhcpstart=A][,dns=A][,restrict=on][,ipv6=on]\n"
    "         [,hostname=S][,domainname=S][,tftp=DIR][,bootfile=F]\n"
    "         [,hostfwd=tcp|udp:[A]:PORT-[A]:PORT]...\n"
    "  -netdev socket,id=ID,listen=[A]:PORT|connect=A:PORT|fd=N|mcast=A:PORT[,localaddr=A]\n"
    "         |udp=A:PORT,localaddr=A:PORT\n"
    "  -netdev null,id=ID         what is behind a card\n"
    "  -nic KIND|none[,model=M][,mac=MAC][,K=V]...   both in one; -net nic -net KIND: as of old\n"
    "  -object filter-dump,id=ID,netdev=ID,file=F[,maxlen=N]   frames into a pcap file\n"
    "\n"
    "Screen, keyboard, serial lines\n"
    "  -device VGA|cirrus-vga[,vgamem_mb=N]   the display card; -vga std|cirrus|none\n"
    "  -vnc HOST:D|unix:PATH|fd:N|none [,password=on][,to=D][,share=POLICY][,lock-key-sync=off]\n"
    "      [,ipv4=on|off][,ipv6=on|off][,websocket[=[HOST:]PORT]][,websocket-tls=DIR]\n"
    "      [,require-auth=on]\n"
    "  -vncviewer\n"
    "  -usb                       a USB controller (UHCI), the PIIX3's\n"
    "  -usbdevice tablet|mouse|keyboard   a USB device, and -usb\n"
    "  -device usb-tablet|usb-mouse|usb-kbd|usb-hub[,id=ID][,bus=B][,port=N[.N]...]\n"
    "  -device piix3-usb-uhci|nec-usb-xhci|qemu-xhci[,id=ID]   a further controller, bus ID.0\n"
    "  -display sdl[,full-screen=on][,window-close=off][,grab-mod=lshift-lctrl-lalt|rctrl]\n"
    "         [,show-cursor=on]   a window on $DISPLAY; -sdl is the same; -full-screen\n"
    "  -k MAP                     keyboard layout of viewers that send characters\n"
    "  -L DIR                     look for option ROMs there first\n"
    "  -serial pty|null|none|stdio|file:F|pipe:F|vc[:80Cx24C]|unix:PATH[,server,nowait]\n"
    "          |tcp:HOST:PORT[,server,nowait]|telnet:HOST:PORT,...|udp:HOST:PORT[@HOST:PORT]\n"
    "          |mon:WORD|chardev:ID\n"
    "                             COM1 to COM4, in this order; mon: with a monitor on it\n"
    "  -parallel ...              the same words; the printer port LPT1\n"
    "  -device isa-serial|isa-parallel,chardev=ID[,index=N]   the same\n"
    "  -chardev socket|udp|pty|file|pipe|vc|null|stdio,id=ID[,mux=on][,logfile=F][,K=V]...\n"
    "  -echr N                    the escape character of mux=on: a number, Ctrl+A is 1\n"
    "  -nographic                 no screen; COM1 and the monitor on standard input and output\n"
    "\n"
    "Control and confinement\n"
    "  -mon chardev=ID,mode=control   QMP on a UNIX socket\n"
    "  -qmp unix:PATH,server,nowait   the same in short\n"
    "  -add-fd fd=N,set=M[,opaque=S]  an inherited descriptor as /dev/fdset/M\n"
    "  -xen-domid-restrict        give up the power over all other domains\n"
    "  -chroot DIR, -runas USER|UID:GID, -run-with chroot=DIR,user=UID:GID\n"
    "  -sandbox on|off            the system call filter (default: on)\n"
    "  -pidfile F                 write the process id\n"
    "  -version, -help\n"
    "\n"
    "Everything else that a toolstack may say, and what becomes of it: hvm-dm(8), "
    "docs/toolstack.md.\n";

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->drive_count; i++) {
        struct config_drive *d = &config->drives[i];
        free(d->id);
        free(d->qdev);
        free(d->node_name);
        free(d->throttle_group);
        free(d->file);
        free(d->serial);
        free(d->model);
        free(d->version);
    }
    for (size_t i = 0; i < config->usb_controller_count; i++)
        free(config->usb_controllers[i].id);
    for (size_t i = 0; i < config->usb_device_count; i++) {
        free(config->usb_devices[i].id);
        free(config->usb_devices[i].bus);
        free(config->usb_devices[i].port);
    }
    for (size_t i = 0; i < config->nic_count; i++) {
        free(config->nics[i].id);
        free(config->nics[i].romfile);
    }
    for (size_t i = 0; i < config->netdev_count; i++)
        netdev_config_free(&config->netdevs[i]);
    for (size_t i = 0; i < config->capture_count; i++) {
        free(config->captures[i].id);
        free(config->captures[i].file);
    }
    for (size_t i = 0; i < config->serial_count; i++)
        chardev_config_free(&config->serial[i]);
    chardev_config_free(&config->parallel);
    for (size_t i = 0; i < config->mux_count; i++) {
        free(config->muxes[i].id);
        chardev_config_free(&config->muxes[i].chardev);
    }
    for (size_t i = 0; i < config->hmp_count; i++)
        chardev_config_free(&config->hmps[i].chardev);
    for (size_t i = 0; i < config->monitor_count; i++) {
        free(config->monitors[i].chardev_id);
        free(config->monitors[i].path);
    }
    for (size_t i = 0; i < config->fd_count; i++)
        free(config->fds[i].opaque);
    for (size_t i = 0; i < config->rom_dir_count; i++)
        free(config->rom_dirs[i]);
    free(config->vnc.host);
    free(config->vnc.unix_path);
    free(config->vnc.web_host);
    free(config->vnc.web_tls);
    free(config->name);
    free(config->keymap);
    free(config->chroot_dir);
    free(config->pidfile);
    *config = (struct config){.incoming_fd = -1};
}
