/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config_net: network cards and their back-ends in the argument line. */
#include "tests/unit/config_rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define LIBXL_TAP(n, domid)                                                              \
    "-netdev type=tap,id=net" #n ",ifname=vif" #domid "." #n "-emu,br=xenbr0,script=no," \
    "downscript=no "
#define USER "-netdev user,id=n0"

static const struct config_nic *nic(size_t index)
{
    assert_true(index < config.nic_count);
    return &config.nics[index];
}

static const struct netdev_config *netdev(size_t index)
{
    assert_true(index < config.netdev_count);
    return &config.netdevs[index];
}

static void assert_mac(size_t index, const char *text)
{
    char mac[18];
    const uint8_t *m = nic(index)->mac;
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    assert_string_equal(mac, text);
}

static void assert_address(struct in_addr address, const char *text)
{
    char buf[INET_ADDRSTRLEN];
    assert_string_equal(inet_ntop(AF_INET, &address, buf, sizeof(buf)), text);
}

/* The line recorded from xl 4.17. */
static void test_libxl(void **state)
{
    (void)state;
    accepted(
        PREFIX
        "-vnc 127.0.0.1:0,to=99 -display none -device cirrus-vga,vgamem_mb=8 "
        "-boot order=cda "
        "-device ne2k_pci,id=nic0,netdev=net0,mac=00:16:3e:00:00:01 " LIBXL_TAP(
            0, 13) "-device rtl8139,id=nic1,netdev=net1,mac=00:16:3e:00:00:02 " LIBXL_TAP(1, 13)
            SUFFIX);
    assert_int_equal(config.nic_count, 2);
    assert_int_equal(config.netdev_count, 2);
    assert_int_equal(nic(0)->model, CONFIG_NE2K_PCI);
    assert_int_equal(nic(1)->model, CONFIG_RTL8139);
    assert_string_equal(nic(1)->id, "nic1");
    assert_mac(0, "00:16:3e:00:00:01");
    assert_mac(1, "00:16:3e:00:00:02");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(nic(i)->netdev, i);
        assert_int_equal(nic(i)->bootindex, -1);
        assert_false(nic(i)->placed);
        assert_false(nic(i)->no_rom);
        assert_null(nic(i)->romfile);
        assert_int_equal(netdev(i)->kind, NETDEV_TAP);
        assert_int_equal(netdev(i)->fd, -1);
        assert_string_equal(netdev(i)->bridge, "xenbr0");
        assert_null(netdev(i)->script);
        assert_null(netdev(i)->downscript);
        assert_true(netdev(i)->vnet_hdr);
        assert_int_equal(netdev(i)->sndbuf, 0);
    }
    assert_string_equal(netdev(1)->id, "net1");
    assert_string_equal(netdev(1)->ifname, "vif13.1-emu");
    assert_string_equal(config.boot_order, "cda");

    accepted(BASE "-net none");
    assert_int_equal(config.nic_count, 0);
    accepted(BASE); /* none by itself, whatever -nodefaults says */
    assert_int_equal(config.nic_count, 0);
    assert_int_equal(config.netdev_count, 0);
}

static void test_models(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum config_nic_model model;
        const char *said;
    } models[] = {
        {"rtl8139", CONFIG_RTL8139, "rtl8139"},
        {"e1000", CONFIG_E1000, "e1000"},
        {"e1000-82540em", CONFIG_E1000, "e1000"},
        {"e1000-82545em", CONFIG_E1000_82545EM, "e1000-82545em"},
        {"pcnet", CONFIG_PCNET, "pcnet"},
        {"ne2k_pci", CONFIG_NE2K_PCI, "ne2k_pci"},
        {"ne2k_isa", CONFIG_NE2K_ISA, "ne2k_isa"},
    };
    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), BASE "-device %s,netdev=n0 " USER, models[i].name);
        accepted(line);
        assert_int_equal(nic(0)->model, models[i].model);
        assert_int_equal(nic(0)->netdev, 0);
        assert_string_equal(config_nic_name(nic(0)->model), models[i].said);
        snprintf(line, sizeof(line), BASE "-nic user,model=%s", models[i].name);
        accepted(line);
        assert_int_equal(nic(0)->model, models[i].model);
        snprintf(line, sizeof(line), BASE "-net nic,model=%s -net user", models[i].name);
        accepted(line);
        assert_int_equal(nic(0)->model, models[i].model);
        assert_int_equal(nic(0)->no_rom, models[i].model == CONFIG_NE2K_ISA);
    }
    static const struct refusal refusals[] = {
        {"-device virtio-net-pci,netdev=n0 " USER,
         "-device virtio-net-pci|e1000 or rtl8139|type=vif"},
        {"-device virtio-net,netdev=n0 " USER, "-device virtio-net|type=vif"},
        {"-device vmxnet3", "vmxnet3|e1000|type=vif"},
        {"-device i82559er", "i82559er|e1000"},
        {"-device e1000e", "e1000e|e1000"},
        {"-device e1000-82544gc", "e1000-82544gc|e1000"},
        {"-device igb", "igb|e1000"},
        {"-device tulip", "tulip|e1000"},
        {"-device rocker", "rocker|e1000"},
        {"-net nic,model=virtio", "-net|model=virtio|e1000|type=vif"},
        {"-nic user,model=virtio-net-pci", "-nic|model=virtio-net-pci|e1000"},
        {"-nic user,model=help", "-nic|model=help"},
        {"-net nic,model=", "model="},
    };
    REFUSED_ALL(refusals);
}

static void test_addresses(void **state)
{
    (void)state;
    accepted(BASE "-device e1000,mac=00-16-3E-aB-cD-0f");
    assert_mac(0, "00:16:3e:ab:cd:0f");
    accepted(BASE "-device e1000 -device rtl8139 -net nic -nic user");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(nic(i)->mac[0], 0x00);
        assert_int_equal(nic(i)->mac[1], 0x16);
        assert_int_equal(nic(i)->mac[2], 0x3E);
        assert_int_equal(nic(i)->mac[3] & 0x80, 0);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(nic(i)->mac, nic(j)->mac, 6);
    }
    accepted(BASE "-device e1000,mac=52:54:00:12:34:56 -device e1000,mac=52:54:00:12:34:56");
    static const struct refusal refusals[] = {
        {"-device e1000,mac=01:16:3e:00:00:01", "mac=01:16:3e:00:00:01|multicast"},
        {"-device e1000,mac=ff:ff:ff:ff:ff:ff", "mac=|multicast"},
        {"-device e1000,mac=00:00:00:00:00:00", "mac=|no address"},
        {"-device e1000,mac=00:16:3e:00:00", "mac=|00:16:3e:00:00:01"},
        {"-device e1000,mac=00:16:3e:00:00:1", "mac="},
        {"-device e1000,mac=00:16:3e:00:00:0g", "mac="},
        {"-device e1000,mac=00:16-3e:00:00:01", "mac="},
        {"-device e1000,mac=00:16:3e:00:00:01:02", "mac="},
        {"-device e1000,mac=", "mac="},
        {"-net nic,macaddr=03:00:00:00:00:01", "-net|macaddr=|multicast"},
        {"-nic user,mac=03:00:00:00:00:01", "-nic|mac=|multicast"},
        {"-net nic,mac=00:16:3e:00:00:01", "-net|mac= is not known"},
    };
    REFUSED_ALL(refusals);
}

static void test_places(void **state)
{
    (void)state;
    accepted(BASE "-device e1000,addr=5 -device rtl8139,addr=0x1f.0,rombar=0 "
                  "-device pcnet,romfile= -device ne2k_pci,romfile=/r.rom,rombar=1,bus=pci.0");
    assert_true(nic(0)->placed && nic(1)->placed && !nic(2)->placed);
    assert_int_equal(nic(0)->devfn, 5 << 3);
    assert_int_equal(nic(1)->devfn, 0x1f << 3);
    assert_false(nic(0)->no_rom);
    assert_true(nic(1)->no_rom);
    assert_true(nic(2)->no_rom);
    assert_null(nic(2)->romfile);
    assert_false(nic(3)->no_rom);
    assert_string_equal(nic(3)->romfile, "/r.rom");

    accepted(BASE "-device ne2k_isa -device ne2k_isa,iobase=0x320,irq=10 -device ne2k_isa");
    assert_int_equal(nic(0)->iobase, 0x300);
    assert_int_equal(nic(0)->irq, 9);
    assert_int_equal(nic(1)->iobase, 0x320);
    assert_int_equal(nic(1)->irq, 10);
    assert_int_equal(nic(2)->iobase, 0x340);
    assert_int_equal(nic(2)->irq, 11);
    accepted(BASE "-net nic,model=ne2k_isa -net nic,vlan=1,model=ne2k_isa");
    assert_int_equal(nic(1)->iobase, 0x320);
    accepted(BASE "-nic-ne2000 -net nic -net user");
    assert_int_equal(nic(0)->model, CONFIG_NE2K_ISA);
    assert_int_equal(nic(0)->netdev, 0);
    accepted(BASE "-nic-ne2000 -net nic,model=e1000");
    assert_int_equal(nic(0)->model, CONFIG_E1000);

    static const struct refusal refusals[] = {
        {"-device e1000,addr=3", "addr=3|4 to 1f"},
        {"-device e1000,addr=20", "addr=20"},
        {"-device e1000,addr=4.1", "addr=4.1"},
        {"-device e1000,addr=4 -device rtl8139,addr=4", "rtl8139|addr=4|two"},
        {"-usb -device piix3-usb-uhci,id=u,addr=6 -device e1000,addr=6", "e1000|addr=6|two"},
        {"-device e1000,bus=pci.1", "bus="},
        {"-device e1000,rombar=2", "rombar="},
        {"-device e1000,multifunction=on", "multifunction="},
        {"-device e1000,iobase=0x300", "iobase"},
        {"-device ne2k_isa,iobase=0x301", "iobase=0x301|0x20"},
        {"-device ne2k_isa,iobase=0x100", "iobase="},
        {"-device ne2k_isa,irq=8", "irq=8|taken"},
        {"-device ne2k_isa,irq=14", "irq=14|taken"},
        {"-device ne2k_isa,irq=16", "irq="},
        {"-device ne2k_isa,iobase=0x300 -device ne2k_isa,iobase=0x300", "iobase=0x300|two"},
        {"-device ne2k_isa,irq=5 -device ne2k_isa,irq=5", "irq=5|two"},
        {"-device ne2k_isa,addr=4", "addr=|iobase="},
        {"-device ne2k_isa,romfile=x", "romfile=|ne2k_pci"},
        {"-device ne2k_isa,bootindex=1", "bootindex=|ne2k_pci"},
        {"-net nic,model=ne2k_isa,addr=4", "-net|addr="},
        {"-device e1000,foo=1", "-device|foo"},
    };
    REFUSED_ALL(refusals);
}

/* An RTL8139C in the place of an RTL8139C+: said of one card, or of all wherever in the line. */
static void test_cplus(void **state)
{
    (void)state;
    accepted(BASE "-device rtl8139 -device rtl8139,cplus=on -device rtl8139,cplus=off "
                  "-device rtl8139,nocplus -device e1000");
    assert_false(nic(0)->no_cplus || nic(1)->no_cplus || nic(4)->no_cplus);
    assert_true(nic(2)->no_cplus && nic(3)->no_cplus);
    accepted(BASE "-device rtl8139 -device rtl8139,cplus=on -device e1000 -net nic "
                  "-global rtl8139.cplus=off -device rtl8139 -device rtl8139,cplus");
    assert_true(nic(0)->no_cplus && nic(3)->no_cplus && nic(4)->no_cplus);
    assert_false(nic(1)->no_cplus || nic(2)->no_cplus || nic(5)->no_cplus);
    accepted(BASE "-global rtl8139.cplus=off -global rtl8139.cplus=on -device rtl8139 "
                  "-device rtl8139,cplus=off"); /* the last one counts */
    assert_false(nic(0)->no_cplus);
    assert_true(nic(1)->no_cplus);
    accepted(BASE "-global rtl8139.cplus=off -device e1000"); /* nobody it concerns */
    assert_false(nic(0)->no_cplus);

    static const struct refusal refusals[] = {
        {"-device rtl8139,cplus=maybe", "-device|cplus= is on or off|maybe"},
        {"-device rtl8139,cplus=", "cplus= is on or off"},
        {"-device e1000,cplus=off", "-device e1000|cplus= is of rtl8139 only"},
        {"-device pcnet,cplus=on", "cplus= is of rtl8139 only"},
        {"-device ne2k_isa,cplus=off", "cplus= is of rtl8139 only"},
        {"-global rtl8139.cplus=2", "-global|rtl8139.cplus= is on or off|2"},
        {"-global rtl8139.cplus=", "rtl8139.cplus= is on or off"},
        {"-global rtl8139.cplus=off,x=y", "-global|x="},
        {"-global rtl8139.cplus", "-global|rtl8139.cplus=on|off"},
        {"-global rtl8139.mac=00:16:3e:00:00:01", "-global|rtl8139.cplus=|at their -device"},
        {"-global e1000.cplus=off", "-global|e1000.cplus|at their -device"},
        {"-global isa-fdc.driveA=x", "-global|isa-fdc.driveA|at their -device"},
        {"-global", "-global|missing"},
    };
    REFUSED_ALL(refusals);
}

static void test_boot(void **state)
{
    (void)state;
    accepted(BASE "-device e1000,bootindex=1");
    assert_string_equal(config.boot_order, "ncad");
    assert_int_equal(nic(0)->bootindex, 1);
    accepted(BASE "-boot order=dcn -device e1000,bootindex=1");
    assert_string_equal(config.boot_order, "dcn");
    accepted(BASE "-boot order=c -device e1000,bootindex=1"); /* said in the log */
    assert_string_equal(config.boot_order, "c");
    accepted(BASE "-device e1000");
    assert_string_equal(config.boot_order, "cad");
    accepted(BASE "-device e1000,bootindex=1,addr=8 -device e1000,bootindex=0,addr=7");
    static const struct refusal refusals[] = {
        {"-device e1000,bootindex=0 -device rtl8139,bootindex=0", "bootindex=0|twice"},
        {"-device e1000,bootindex=2 -device rtl8139,bootindex=1", "bootindex=1|before 2|PCI slots"},
        {"-device e1000,bootindex=1,addr=7 -device rtl8139,bootindex=0,addr=8",
         "bootindex=0|addr="},
        {"-device e1000,bootindex=-1", "bootindex="},
    };
    REFUSED_ALL(refusals);
}

/* Which card belongs to which back-end. */
static void test_joins(void **state)
{
    (void)state;
    /* The order of the cards, of whatever kind, is that of the line. */
    accepted(BASE "-device e1000 -device piix3-usb-uhci,id=u -device rtl8139 -net nic -nic none");
    assert_true(nic(0)->order < config.usb_controllers[0].order);
    assert_true(config.usb_controllers[0].order < nic(1)->order);
    assert_true(nic(1)->order < nic(2)->order);

    accepted(BASE "-device e1000,netdev=b -netdev user,id=a " /* before or behind */
                  "-netdev null,id=b -device rtl8139,netdev=a");
    assert_int_equal(nic(0)->netdev, 1);
    assert_int_equal(nic(1)->netdev, 0);
    assert_int_equal(netdev(1)->kind, NETDEV_NULL);
    accepted(BASE "-device e1000"); /* no cable: said in the log */
    assert_true(nic(0)->netdev == CONFIG_NO_NETDEV);
    accepted(BASE USER); /* no card: said in the log */
    assert_int_equal(config.netdev_count, 1);

    /* -net of the traditional dialect, and of today's. */
    accepted(BASE "-net nic,vlan=0,macaddr=00:16:3e:00:00:01,model=ne2k_pci "
                  "-net tap,vlan=0,ifname=vif21.0-emu,bridge=xenbr0,script=no,downscript=no "
                  "-net nic,vlan=1,name=second,addr=9 -net user,vlan=1,name=slirp");
    assert_int_equal(nic(0)->model, CONFIG_NE2K_PCI);
    assert_mac(0, "00:16:3e:00:00:01");
    assert_int_equal(nic(0)->netdev, 0);
    assert_string_equal(netdev(0)->id, "tap.0");
    assert_string_equal(netdev(0)->bridge, "xenbr0");
    assert_int_equal(nic(1)->model, CONFIG_RTL8139);
    assert_string_equal(nic(1)->id, "second");
    assert_int_equal(nic(1)->devfn, 9 << 3);
    assert_int_equal(nic(1)->netdev, 1);
    assert_string_equal(netdev(1)->id, "slirp");
    accepted(BASE "-net nic,netdev=x -netdev null,id=x -net user,vlan=3 -net nic,vlan=3");
    assert_int_equal(nic(0)->netdev, 0);
    assert_int_equal(nic(1)->netdev, 1);
    assert_string_equal(netdev(1)->id, "user.0");
    accepted(BASE "-nic tap,id=n,model=pcnet,mac=00:16:3e:00:00:09,ifname=t0 -nic null -nic none");
    assert_int_equal(config.nic_count, 2);
    assert_string_equal(nic(0)->id, "n");
    assert_mac(0, "00:16:3e:00:00:09");
    assert_int_equal(nic(0)->netdev, 0);
    assert_int_equal(nic(1)->netdev, 1);
    assert_string_equal(netdev(1)->id, "null.0");

    accepted(BASE
             "-nic user -nic user -nic user -nic user -nic user -nic user -nic user -nic user");
    assert_int_equal(config.nic_count, 8);
    assert_string_equal(netdev(7)->id, "user.7");

    static const struct refusal refusals[] = {
        {"-device e1000,netdev=x", "e1000|netdev=x|no -netdev"},
        {USER " -device e1000,netdev=n0 -device e1000,netdev=n0", "netdev=n0|already"},
        {USER " " USER, "-netdev user|id=n0|twice"},
        {"-device e1000,id=a -device e1000,id=a", "id=a|twice"},
        {"-usb -device usb-tablet,id=a -device e1000,id=a", "id=a|twice"},
        {"-device piix3-usb-uhci,id=a -device e1000,id=a", "id=a|twice"},
        {"-drive if=none,id=d -device ide-cd,id=a,drive=d -device e1000,id=a", "id=a|twice"},
        {"-net nic -net nic -net user", "vlan=0|2 network cards"},
        {"-net nic -net user -net tap", "vlan=0|2 back-ends"},
        {"-net user -net tap", "vlan=0|2 back-ends"},
        {"-net user,name=a -net user,vlan=1,name=a", "name=a|twice"},
        {"-net user,name=9", "name=9"},
        {"-net nic,name=9", "name=9"},
        {"-net nic,vlan=x", "vlan="},
        {"-net dump,file=x", "-net dump|filter-dump"},
        {"-net none,x=1", "-net|x"},
        {"-net ''", "-net"},
        {"-nic none,x=1", "-nic|x"},
        {"-netdev user", "-netdev user|id="},
        {"-netdev id=a", "-netdev|type="},
        {"-netdev user,id=1", "id=1"},
        {"-netdev '{\"type\":\"user\",\"id\":\"a\"}'", "-netdev|JSON"},
        {"-nic user -nic user -nic user -nic user -nic user -nic user -nic user -nic user -nic "
         "user",
         "-nic|at most 8"},
        {"-netdev null,id=a -netdev null,id=b -netdev null,id=c -netdev null,id=d -netdev "
         "null,id=e "
         "-netdev null,id=f -netdev null,id=g -netdev null,id=h -netdev null,id=i",
         "-netdev|at most 8"},
        {"-netdev bridge,id=a,br=b", "-netdev bridge|tap,br="},
        {"-netdev hubport,id=a,hubid=0", "hubport|mcast="},
        {"-netdev vhost-user,id=a", "vhost-user|tap, user, socket"},
        {"-netdev vde,id=a", "vde|tap, user, socket"},
        {"-netdev stream,id=a", "stream|socket"},
        {"-netdev null,id=a,foo=1", "-netdev|foo"},
        {"-netdev null,id=a,vlan=1", "-netdev|vlan"},
    };
    REFUSED_ALL(refusals);
}

static void test_tap(void **state)
{
    (void)state;
    accepted(BASE "-netdev tap,id=t,ifname=tap%d,script=/etc/up,downscript=/etc/down,br=b0,"
                  "vnet_hdr=off,vhost=off,sndbuf=1M,queues=1 -device e1000,netdev=t");
    assert_string_equal(netdev(0)->ifname, "tap%d");
    assert_string_equal(netdev(0)->script, "/etc/up");
    assert_string_equal(netdev(0)->downscript, "/etc/down");
    assert_string_equal(netdev(0)->bridge, "b0");
    assert_false(netdev(0)->vnet_hdr);
    assert_int_equal(netdev(0)->sndbuf, 1 << 20);
    accepted(BASE "-netdev tap,id=t,script=,downscript=");
    assert_null(netdev(0)->ifname);
    assert_null(netdev(0)->script);

    int ends[2];
    char line[256];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    snprintf(line, sizeof(line),
             BASE "-device rtl8139,netdev=t,mac=00:16:3e:00:00:01,addr=4 "
                  "-netdev tap,id=t,fd=%d",
             ends[0]);
    accepted(line);
    assert_int_equal(netdev(0)->fd, ends[0]);
    assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    snprintf(line, sizeof(line), BASE "-netdev tap,id=t,fd=%d,ifname=x", ends[0]);
    refused(line, "-netdev|ifname=|fd=");
    snprintf(line, sizeof(line), BASE "-netdev tap,id=t,script=no,fd=%d", ends[0]);
    refused(line, "-netdev|script=|fd=");
    snprintf(line, sizeof(line), BASE "-netdev tap,id=t,fd=%d -netdev tap,id=u,fd=%d", ends[0],
             ends[0]);
    refused(line, "tap|twice");
    close(ends[0]);
    close(ends[1]);
    refused(line, "tap: fd=|Bad file descriptor");

    static const struct refusal refusals[] = {
        {"-netdev tap,id=t,fd=1", "fd=1|inherited"},
        {"-netdev tap,id=t,fd=x", "fd=x|inherited"},
        {"-netdev tap,id=t,ifname=sixteen-letters-", "ifname=|15"},
        {"-netdev tap,id=t,ifname=a/b", "ifname=a/b"},
        {"-netdev tap,id=t,ifname=..", "ifname=.."},
        {"-netdev tap,id=t,ifname=a:0", "ifname="},
        {"-netdev tap,id=t,ifname=%s", "ifname="},
        {"-netdev tap,id=t,ifname=%d%d", "ifname="},
        {"-netdev tap,id=t,ifname=", "ifname="},
        {"-netdev tap,id=t,br=a/b", "br=a/b"},
        {"-netdev tap,id=t,vhost=on", "vhost="},
        {"-netdev tap,id=t,queues=4", "queues="},
        {"-netdev tap,id=t,fds=3:4", "fds|one queue"},
        {"-netdev tap,id=t,vhostfd=3", "vhostfd"},
        {"-netdev tap,id=t,helper=/x", "helper=|br="},
        {"-netdev tap,id=t,sndbuf=x", "sndbuf=x"},
        {"-netdev tap,id=t,vnet_hdr=2", "vnet_hdr="},
    };
    REFUSED_ALL(refusals);
}

static void test_user(void **state)
{
    (void)state;
    accepted(BASE "-netdev user,id=u,net=192.168.5.0/24,host=192.168.5.1,dhcpstart=192.168.5.9,"
                  "dns=192.168.5.4,restrict=on,ipv6=on,hostname=guest,domainname=example.org,"
                  "tftp=/srv/tftp,bootfile=pxelinux.0,hostfwd=tcp::2222-:22,"
                  "hostfwd=udp:127.0.0.1:53-192.168.5.10:5353,hostfwd=::80-:8080 "
                  "-device e1000,netdev=u");
    const struct netdev_config *n = netdev(0);
    assert_int_equal(n->kind, NETDEV_USER);
    assert_address(n->network, "192.168.5.0");
    assert_address(n->netmask, "255.255.255.0");
    assert_address(n->host, "192.168.5.1");
    assert_address(n->dhcp_start, "192.168.5.9");
    assert_address(n->dns, "192.168.5.4");
    assert_true(n->restricted);
    assert_true(n->ipv6);
    assert_false(n->no_ipv4);
    assert_string_equal(n->hostname, "guest");
    assert_string_equal(n->domain, "example.org");
    assert_string_equal(n->tftp, "/srv/tftp");
    assert_string_equal(n->bootfile, "pxelinux.0");
    assert_int_equal(n->forward_count, 3);
    assert_false(n->forwards[0].udp);
    assert_int_equal(n->forwards[0].host_port, 2222);
    assert_int_equal(n->forwards[0].guest_port, 22);
    assert_int_equal(n->forwards[0].host.s_addr, 0);
    assert_true(n->forwards[1].udp);
    assert_address(n->forwards[1].host, "127.0.0.1");
    assert_address(n->forwards[1].guest, "192.168.5.10");
    assert_int_equal(n->forwards[1].guest_port, 5353);
    assert_false(n->forwards[2].udp);
    accepted(BASE "-netdev user,id=u");
    assert_int_equal(netdev(0)->network.s_addr, 0);
    assert_int_equal(netdev(0)->netmask.s_addr, 0);
    assert_int_equal(netdev(0)->forward_count, 0);
    accepted(BASE "-netdev user,id=u,ipv4=off,ipv6=on");
    assert_true(netdev(0)->no_ipv4);
    assert_true(netdev(0)->ipv6);
    accepted(BASE "-netdev user,id=u,net=10.9.8.7/255.255.0.0");
    assert_address(netdev(0)->network, "10.9.0.0");
    assert_address(netdev(0)->netmask, "255.255.0.0");
    accepted(BASE "-netdev user,id=u,net=10.9.8.0");
    assert_address(netdev(0)->netmask, "255.255.255.0");
    accepted(BASE "-nic user,hostfwd=tcp::1-:1,hostfwd=tcp::2-:2");
    assert_int_equal(netdev(0)->forward_count, 2);
    accepted(BASE "-net nic -net user,hostfwd=tcp::1-:1,hostfwd=udp::1-:1");
    assert_int_equal(netdev(0)->forward_count, 2);

    static const struct refusal refusals[] = {
        {USER ",net=10.0.2.0/3", "net=10.0.2.0/3"},
        {USER ",net=10.0.2.0/28", "net=10.0.2.0/28"},
        {USER ",net=10.0.2.0/255.0.255.0", "net="},
        {USER ",net=10.0.2/24", "net="},
        {USER ",net=", "net="},
        {USER ",net=2001:db8::/64", "net="},
        {USER ",host=10.0.3.2", "host=10.0.3.2|10.0.2.0/24|net="},
        {USER ",net=10.0.3.0/24,dns=10.0.2.3", "dns=10.0.2.3|net="},
        {USER ",dhcpstart=10.0.2.255", "dhcpstart="},
        {USER ",dhcpstart=10.0.2.0", "dhcpstart="},
        {USER ",host=x", "host=x"},
        {USER ",host=10.0.2.7,dns=10.0.2.7", "host=|dns=|same"},
        {USER ",ipv4=off", "ipv4=off|ipv6=on"},
        {USER ",ipv4=off,ipv6=on,hostfwd=tcp::1-:1", "hostfwd=|ipv4=off"},
        {USER ",restrict=maybe", "restrict="},
        {USER ",hostfwd=tcp::22", "hostfwd=tcp::22|tcp::2222-:22"},
        {USER ",hostfwd=sctp::1-:1", "hostfwd=sctp"},
        {USER ",hostfwd=tcp::0-:1", "hostfwd="},
        {USER ",hostfwd=tcp::1-:65536", "hostfwd="},
        {USER ",hostfwd=tcp:host:1-:1", "hostfwd="},
        {USER ",hostfwd=-", "hostfwd="},
        {USER ",hostfwd=1-:2", "hostfwd="},
        {USER ",hostfwd=", "hostfwd="},
        {USER ",hostfwd", "-netdev|'hostfwd'"},
        {USER ",hostfwd=tcp::1-:1,hostfwd=tcp::1-:2", "hostfwd=tcp::1-:2|already"},
        {USER ",dns=10.0.2.3,dns=10.0.2.4", "dns|twice"},
        {USER ",guestfwd=tcp:10.0.2.100:80-cmd:x", "guestfwd"},
        {USER ",smb=/x", "smb"},
        {USER ",dnssearch=a", "dnssearch|domainname="},
        {USER ",ipv6-net=fec0::/64", "ipv6-net"},
        {USER ",hostname=abcdefghijklmnopqrstuvwxyzabcdefg", "hostname=|32"},
        {USER ",ifname=x", "-netdev|ifname= is not known"},
    };
    REFUSED_ALL(refusals);
    char line[2048] = BASE USER;
    for (int i = 0; i <= NETDEV_MAX_FORWARDS; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), ",hostfwd=tcp::%d-:22", 100 + i);
    refused(line, "hostfwd=|16");
}

static void test_socket(void **state)
{
    (void)state;
    accepted(BASE "-netdev socket,id=a,listen=:1234 -netdev socket,id=b,connect=host:1234 "
                  "-netdev socket,id=c,mcast=230.0.0.1:1234,localaddr=10.0.0.1 "
                  "-netdev socket,id=d,udp=host:1,localaddr=:2 "
                  "-netdev socket,id=e,connect=[::1]:7 -netdev socket,id=f,listen=127.0.0.1:5");
    static const struct {
        enum netdev_socket kind;
        const char *address, *local;
    } wanted[] = {
        {NETDEV_SOCKET_LISTEN, ":1234", NULL},
        {NETDEV_SOCKET_CONNECT, "host:1234", NULL},
        {NETDEV_SOCKET_MCAST, "230.0.0.1:1234", "10.0.0.1"},
        {NETDEV_SOCKET_UDP, "host:1", ":2"},
        {NETDEV_SOCKET_CONNECT, "[::1]:7", NULL},
        {NETDEV_SOCKET_LISTEN, "127.0.0.1:5", NULL},
    };
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(netdev(i)->kind, NETDEV_SOCKET);
        assert_int_equal(netdev(i)->socket, wanted[i].kind);
        assert_string_equal(netdev(i)->address, wanted[i].address);
        assert_int_equal(netdev(i)->fd, -1);
        if (wanted[i].local)
            assert_string_equal(netdev(i)->local_addr, wanted[i].local);
        else
            assert_null(netdev(i)->local_addr);
    }
    int ends[2];
    char line[256];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    snprintf(line, sizeof(line), BASE "-netdev socket,id=a,fd=%d", ends[0]);
    accepted(line);
    assert_int_equal(netdev(0)->socket, NETDEV_SOCKET_FD);
    assert_int_equal(netdev(0)->fd, ends[0]);
    assert_null(netdev(0)->address);
    close(ends[0]);
    close(ends[1]);

#define SOCKET "-netdev socket,id=s"
    static const struct refusal refusals[] = {
        {SOCKET, "socket|listen=|connect="},
        {SOCKET ",listen=:1,connect=a:1", "listen=|connect="},
        {SOCKET ",listen=", "listen="},
        {SOCKET ",listen=1234", "listen=1234|HOST:PORT"},
        {SOCKET ",listen=:0", "listen=:0"},
        {SOCKET ",connect=:1234", "connect=:1234|HOST:PORT"},
        {SOCKET ",connect=::1:1234", "connect="},
        {SOCKET ",connect=h:70000", "connect="},
        {SOCKET ",mcast=10.0.0.1:1234", "mcast=10.0.0.1:1234|224.0.0.0"},
        {SOCKET ",mcast=group:1234", "mcast="},
        {SOCKET ",mcast=230.0.0.1:1,localaddr=eth0", "localaddr=eth0"},
        {SOCKET ",udp=h:1", "udp=|localaddr="},
        {SOCKET ",udp=h:1,localaddr=x", "localaddr=x|HOST:PORT"},
        {SOCKET ",listen=:1,localaddr=1.2.3.4", "localaddr=|listen="},
        {SOCKET ",fd=2", "fd=2|inherited"},
    };
    REFUSED_ALL(refusals);
}

static void test_captures(void **state)
{
    (void)state;
    accepted(BASE "-object filter-dump,id=f0,netdev=n0,file=/tmp/a.pcap " USER
                  " -device e1000,netdev=n0 "
                  "-object filter-dump,id=f1,netdev=n0,file=/tmp/b.pcap,maxlen=96,queue=all");
    assert_int_equal(config.capture_count, 2);
    assert_string_equal(config.captures[0].id, "f0");
    assert_int_equal(config.captures[0].netdev, 0);
    assert_string_equal(config.captures[0].file, "/tmp/a.pcap");
    assert_int_equal(config.captures[0].maxlen, 65536);
    assert_int_equal(config.captures[1].maxlen, 96);
#define DUMP "-object filter-dump,"
    static const struct refusal refusals[] = {
        {USER " " DUMP "netdev=n0,file=x", "-object|id="},
        {USER " " DUMP "id=f,file=x", "-object|netdev="},
        {USER " " DUMP "id=f,netdev=n0", "-object|file="},
        {DUMP "id=f,netdev=n0,file=x", "-object filter-dump|netdev=n0|no -netdev"},
        {USER " " DUMP "id=f,netdev=n0,file=x " DUMP "id=f,netdev=n0,file=y", "id=f|twice"},
        {USER " " DUMP "id=f,netdev=n0,file=x " DUMP "id=g,netdev=n0,file=x", "file=x|already"},
        {USER " " DUMP "id=f,netdev=n0,file=x,maxlen=0", "maxlen="},
        {USER " " DUMP "id=f,netdev=n0,file=x,queue=rx", "queue="},
        {USER " " DUMP "id=f,netdev=n0,file=x,status=off", "status="},
        {"-object iothread,id=a", "-object iothread|filter-dump"},
        {"-object filter-mirror,id=a", "-object filter-mirror"},
        {"-object id=a", "-object|qom-type"},
    };
    REFUSED_ALL(refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_libxl, teardown),
        cmocka_unit_test_teardown(test_models, teardown),
        cmocka_unit_test_teardown(test_addresses, teardown),
        cmocka_unit_test_teardown(test_places, teardown),
        cmocka_unit_test_teardown(test_cplus, teardown),
        cmocka_unit_test_teardown(test_boot, teardown),
        cmocka_unit_test_teardown(test_joins, teardown),
        cmocka_unit_test_teardown(test_tap, teardown),
        cmocka_unit_test_teardown(test_user, teardown),
        cmocka_unit_test_teardown(test_socket, teardown),
        cmocka_unit_test_teardown(test_captures, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
