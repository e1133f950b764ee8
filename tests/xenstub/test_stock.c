/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_stock: Debian's stock device model on the same stand-in, as libxl starts it, and our own
 * beside it: the same functions on the PCI bus, byte for byte but for what
 * tests/lab/pci-differences.txt says, and BARs of the same size. Skipped where it is not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/sched.h>

#include "dm.h"
#include "pc.h"

#define RAM_MB     UINT64_C(64)
#define BUFFER     UINT64_C(0x100000)
#define TABLE      UINT64_C(0x90000)
#define START_MS   20000
#define MAX_WORDS  96
#define MAX_LINE   2048
#define FUNCTIONS  16
#define BARS       7
#define EXCEPTIONS 64

/* --- two device models, one after the other --- */

static struct xenstub *open_domain(uint64_t megabytes, unsigned vcpus)
{
    struct xenstub_config config = {.domid = 7, .vcpus = vcpus, .ram_bytes = megabytes << 20};
    struct xenstub *x = xenstub_new(&config);
    assert_non_null(x);
    return x;
}

static bool find(struct dm *dm, enum dm_kind kind, struct xenstub *x)
{
    if (dm_init(dm, kind, x, RAM_MB))
        return true;
    assert_int_equal(kind, DM_STOCK);
    return false;
}

static void end_well(struct xenstub *x)
{
    int status = xenstub_end(x, SIGHUP, 5000);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        print_error("ended with status %#x\n", (unsigned)status);
        dm_show_log(x);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void skip_without_stock(void)
{
    struct xenstub *x = open_domain(RAM_MB, 1);
    struct dm dm;
    bool have = find(&dm, DM_STOCK, x);
    xenstub_free(x);
    if (have)
        return;
    print_message("skip: the stock device model is not here (the lab fetches it)\n");
    skip();
}

/* --- the same accesses --- */

static void expect_disk(struct xenstub *x, uint32_t lba, unsigned sectors)
{
    uint8_t *got = malloc(sectors * 512u);
    assert_true(guest_read(x, BUFFER, got, sectors * 512u));
    for (size_t i = 0; i < sectors * 512u; i++)
        assert_int_equal(got[i], dm_pattern(lba * 512u + i));
    free(got);
}

static void serves_the_same_accesses(void **state)
{
    (void)state;
    skip_without_stock();
    for (enum dm_kind kind = DM_OURS; kind <= DM_STOCK; kind++) {
        struct xenstub *x = open_domain(RAM_MB, 1);
        struct dm dm;
        assert_true(find(&dm, kind, x));
        assert_true(dm_make_image(&dm, 1 << 20));
        assert_true(dm_start(&dm, x, START_MS));
        pc_setup(x, PC_DEVFN(DM_VGA_SLOT, 0));
        assert_true(pc_ide_read_pio(x, 0, 10, 3, BUFFER));
        expect_disk(x, 10, 3);
        assert_true(pc_ide_dma(x, 0, 64, 256, BUFFER, TABLE, false));
        expect_disk(x, 64, 256);
        uint32_t pixel = 0x00C0FFEE, got = 0;
        assert_true(guest_write(x, PC_VRAM, &pixel, sizeof(pixel)));
        assert_true(guest_read(x, PC_VRAM, &got, sizeof(got)));
        assert_int_equal(got, pixel);
        pc_power_off(x);
        assert_true(xenstub_wait_shutdown(x, SHUTDOWN_poweroff, 5000));
        end_well(x);
        xenstub_free(x);
    }
}

/* --- libxl's lines --- */

/* What follows the part that all have (and no password: the stock binary here has no DES); %D is
 * the domain's directory, %V the display card. As recorded from Debian 12's xl, the paths and
 * display numbers apart. */
struct line {
    const char *name, *words;
    bool needs_qcow2;
    bool refused; /* by both */
};

#define USUAL "-boot order=cda -net none -machine xenfv,suppress-vmdesc=on -m 56"
#define VNC   "-vnc 127.0.0.1:0,to=99 -display none "

static const struct line lines[] = {
    {"minimal", VNC "-device %V " USUAL, false, false},
    {"vnc", "-vnc 0.0.0.0:0,to=99 -display none -k de -device %V " USUAL, false, false},
    {"vncdisplay", "-vnc 127.0.0.1:93 -display none -device %V " USUAL, false, false},
    {"nographic", "-vnc none -display none -serial pty -nographic -device %V " USUAL, false, false},
    {"serial2", VNC "-serial pty -serial unix:%D/ser,server,nowait -device %V " USUAL, false,
     false},
    {"disks",
     VNC "-device %V -boot order=cd -net none -machine xenfv,suppress-vmdesc=on -m 56 -drive "
         "file=%D/a.img,if=ide,index=0,media=disk,format=raw,cache=writeback -drive "
         "file=%D/a.qcow2,if=ide,index=1,media=disk,format=qcow2,cache=writeback -drive "
         "if=none,readonly=on,id=ide-5632,file=%D/b.img,format=raw -device "
         "ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0",
     true, false},
    {"emptycd",
     VNC "-device %V -boot order=dc -net none -machine xenfv,suppress-vmdesc=on -m 56 -drive "
         "if=none,readonly=on,id=ide-5632 -device "
         "ide-cd,id=ide-5632,drive=ide-5632,bus=ide.1,unit=0",
     false, false},
    {"scsi",
     VNC "-device lsi53c895a -device %V " USUAL " -drive "
         "file=%D/a.img,id=scsi0-hd0,format=raw,if=none,readonly=off,cache=writeback -device "
         "scsi-hd,drive=scsi0-hd0,scsi-id=0",
     false, false},
    {"ahci",
     VNC "-device %V " USUAL " -device ahci,id=ahci0 -drive "
         "file=%D/a.img,if=none,id=ahcidisk-0,format=raw,cache=writeback -device "
         "ide-hd,bus=ahci0.0,unit=0,drive=ahcidisk-0",
     false, false},
    {"fourdisk",
     VNC "-device %V " USUAL " -drive "
         "file=%D/a.img,if=ide,index=0,media=disk,format=raw,cache=writeback -drive "
         "file=%D/b.img,if=ide,index=1,media=disk,format=raw,cache=writeback -drive "
         "file=%D/c.img,if=ide,index=3,media=disk,format=raw,cache=writeback",
     false, false},
    {"usb",
     VNC "-device %V -boot order=cda -usb -usbdevice tablet -usbdevice mouse -net none "
         "-machine xenfv,suppress-vmdesc=on -m 56",
     false, false},
    {"usbversion=1",
     VNC "-device %V -boot order=cda -device piix3-usb-uhci,id=usb -net none -machine "
         "xenfv,suppress-vmdesc=on -m 56",
     false, false},
    {"usbversion=3",
     VNC "-device %V -boot order=cda -device nec-usb-xhci,id=usb -net none -machine "
         "xenfv,suppress-vmdesc=on -m 56",
     false, false},
    {"sound",
     VNC "-device %V -boot order=cda -device es1370 -net none -machine "
         "xenfv,suppress-vmdesc=on -m 56",
     false, false},
    {"no platform device",
     VNC "-device %V -boot order=cda -smp 4,maxcpus=8 -net none -machine "
         "pc,accel=xen,suppress-vmdesc=on -m 48",
     false, false},
    {"further arguments",
     VNC "-device %V -boot order=cda -smp 4,maxcpus=8 -net none -machine "
         "pc,accel=xen,suppress-vmdesc=on -foo bar -m 48",
     false, true},
    {"no display card",
     VNC "-boot order=cda -net none -machine "
         "xenfv,suppress-vmdesc=on,max-ram-below-4g=3221225472 -m 64",
     false, false},
};

#define PREFIX                                                                   \
    "-xen-domid 7 -no-shutdown -chardev "                                        \
    "socket,id=libxl-cmd,path=%D/qmp-libxl-7,server=on,wait=off -mon "           \
    "chardev=libxl-cmd,mode=control -chardev "                                   \
    "socket,id=libxenstat-cmd,path=%D/qmp-libxenstat-7,server=on,wait=off -mon " \
    "chardev=libxenstat-cmd,mode=control -nodefaults -no-user-config -name stub "

struct words {
    char text[MAX_LINE];
    const char *argv[MAX_WORDS];
};

static void split(struct words *w, const struct dm *dm, const char *dir, const char *line,
                  const char *card)
{
    char *to = w->text;
    size_t n = 0;
    for (const char *part = PREFIX; part; part = part == line ? NULL : line)
        for (const char *p = part; *p; p++) {
            const char *s = p[0] == '%' && p[1] == 'D' ? dir : p[0] == '%' ? card : NULL;
            if (s) {
                to = stpcpy(to, s);
                p++;
            } else {
                *to++ = *p;
            }
        }
    *to = 0;
    w->argv[n++] = dm->binary;
    for (char *save, *p = strtok_r(w->text, " ", &save); p; p = strtok_r(NULL, " ", &save))
        w->argv[n++] = p;
    if (dm->kind == DM_STOCK) { /* an unpacked package does not find its data by itself */
        w->argv[n++] = "-L";
        w->argv[n++] = "/usr/share/qemu";
        w->argv[n++] = "-L";
        w->argv[n++] = "/usr/share/seabios";
    }
    w->argv[n] = NULL;
    assert_true(n < MAX_WORDS);
}

/* --- what the bus shows --- */

struct function {
    uint8_t devfn;
    uint8_t config[256];
    uint32_t bar[BARS]; /* read back after all ones were written */
};

struct bus_image {
    unsigned count;
    struct function function[FUNCTIONS];
};

static uint8_t bar_register(unsigned i)
{
    return (uint8_t)(i < 6 ? 0x10 + 4 * i : 0x30);
}

static void read_bus(struct xenstub *x, struct bus_image *bus)
{
    struct pc_function f[FUNCTIONS];
    bus->count = pc_scan(x, f, FUNCTIONS);
    for (unsigned n = 0; n < bus->count; n++) {
        struct function *to = &bus->function[n];
        to->devfn = f[n].devfn;
        for (unsigned reg = 0; reg < 256; reg += 4) {
            uint32_t v = vcpu_pci_read(x, 0, f[n].devfn, reg, 4);
            memcpy(to->config + reg, &v, 4);
        }
        for (unsigned i = 0; i < BARS; i++) {
            uint8_t reg = bar_register(i);
            uint32_t was = vcpu_pci_read(x, 0, f[n].devfn, reg, 4);
            vcpu_pci_write(x, 0, f[n].devfn, reg, 4, i < 6 ? 0xFFFFFFFF : 0xFFFFFFFE);
            to->bar[i] = vcpu_pci_read(x, 0, f[n].devfn, reg, 4);
            vcpu_pci_write(x, 0, f[n].devfn, reg, 4, was);
            assert_int_equal(vcpu_pci_read(x, 0, f[n].devfn, reg, 4), was);
        }
    }
}

/* tests/lab/pci-differences.txt: of a place, or of a chip wherever it is */
static struct exception {
    uint8_t devfn;
    unsigned vendor, device; /* 0: of a place */
    unsigned first, last;
} exceptions[EXCEPTIONS];
static unsigned exception_count;

static void read_exceptions(void)
{
    char line[1024];
    FILE *f = fopen(DIFFERENCES, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned bus, slot, function;
        struct exception e = {0};
        int n = sscanf(line, "%x:%x.%x %x-%x", &bus, &slot, &function, &e.first, &e.last) - 3;
        if (n >= 1)
            e.devfn = PC_DEVFN(slot, function);
        else
            n = sscanf(line, "%4x:%4x %x-%x", &e.vendor, &e.device, &e.first, &e.last) - 2;
        if (n < 1)
            continue;
        if (n == 1)
            e.last = e.first;
        assert_true(exception_count < EXCEPTIONS);
        exceptions[exception_count++] = e;
    }
    fclose(f);
    assert_true(exception_count > 0);
}

static bool excepted(const struct function *f, unsigned reg)
{
    static const uint8_t subsystem[4] = {0x53, 0x58, 0x01, 0x00};
    unsigned vendor = f->config[0] | f->config[1] << 8, device = f->config[2] | f->config[3] << 8;
    if ((reg & ~3u) == 0x2C && f->config[reg] == subsystem[reg & 3])
        return true; /* as that file says, whatever the slot */
    for (unsigned i = 0; i < exception_count; i++) {
        const struct exception *e = &exceptions[i];
        bool of_this =
            e->vendor ? e->vendor == vendor && e->device == device : e->devfn == f->devfn;
        if (of_this && reg >= e->first && reg <= e->last)
            return true;
    }
    return false;
}

static unsigned differences(const struct bus_image *ours, const struct bus_image *stock)
{
    unsigned wrong = 0;
    for (unsigned n = 0; n < ours->count && n < stock->count; n++) {
        const struct function *a = &ours->function[n], *b = &stock->function[n];
        if (a->devfn != b->devfn) {
            print_error("function %u: %02x, stock %02x\n", n, a->devfn, b->devfn);
            return wrong + 1;
        }
        for (unsigned reg = 0; reg < 256; reg++)
            if (a->config[reg] != b->config[reg] && !excepted(a, reg)) {
                print_error("00:%02x.%x %02x: %02x, stock %02x\n", a->devfn >> 3, a->devfn & 7, reg,
                            a->config[reg], b->config[reg]);
                wrong++;
            }
        for (unsigned i = 0; i < BARS; i++)
            if (a->bar[i] != b->bar[i]) {
                print_error("00:%02x.%x BAR %u sized: %08x, stock %08x\n", a->devfn >> 3,
                            a->devfn & 7, i, a->bar[i], b->bar[i]);
                wrong++;
            }
    }
    if (ours->count != stock->count)
        print_error("%u functions, stock %u\n", ours->count, stock->count);
    return wrong + (ours->count != stock->count);
}

/* --- the tests --- */

static void make_images(const char *dir)
{
    char path[160];
    for (char c = 'a'; c <= 'c'; c++) {
        snprintf(path, sizeof(path), "%s/%c.img", dir, c);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0 && !ftruncate(fd, 4 << 20));
        close(fd);
    }
    snprintf(path, sizeof(path), "qemu-img create -q -f qcow2 %s/a.qcow2 4M 2>/dev/null", dir);
    if (system(path)) /* without it, that line is left out */
        unlink(path);
}

static bool has_qcow2(const char *dir)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/a.qcow2", dir);
    return !access(path, R_OK);
}

enum outcome { RUNS, REFUSES, LEFT_OUT };

/* Starts it, reads the bus, ends it. */
static enum outcome look(enum dm_kind kind, const struct line *line, const char *card,
                         struct bus_image *bus)
{
    static struct words w;
    const char *cpus = strstr(line->words, "maxcpus=");
    struct xenstub *x = open_domain(strtoul(strstr(line->words, " -m ") + 4, NULL, 10),
                                    cpus ? (unsigned)strtoul(cpus + 8, NULL, 10) : 1);
    struct dm dm;
    enum outcome outcome = LEFT_OUT;
    assert_true(find(&dm, kind, x));
    make_images(xenstub_dir(x));
    if (!line->needs_qcow2 || has_qcow2(xenstub_dir(x))) {
        split(&w, &dm, xenstub_dir(x), line->words, card);
        assert_true(xenstub_start(x, w.argv));
        outcome = xenstub_wait_state(x, "running", START_MS) ? RUNS : REFUSES;
    }
    if (outcome == RUNS) {
        read_bus(x, bus);
        end_well(x);
    } else if (outcome == REFUSES) {
        int status = xenstub_end(x, 0, 5000);
        if (kind == DM_STOCK && !line->refused)
            dm_show_log(x);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 0);
    }
    xenstub_free(x);
    return outcome;
}

static void shows_what_stock_shows(void **state)
{
    static struct bus_image recorded, stock, ours;
    const struct line *line = *state;
    skip_without_stock();
    enum outcome first = look(DM_STOCK, line, "cirrus-vga,vgamem_mb=8", &recorded);
    if (first == LEFT_OUT) {
        print_message("skip: %s: there is no qemu-img\n", line->name);
        skip();
    }
    assert_int_equal(first, line->refused ? REFUSES : RUNS);
    /* What we have not got yet we refuse; what we take must look the same. */
    static const char *const cards[] = {"cirrus-vga,vgamem_mb=8", "VGA,vgamem_mb=16"};
    for (unsigned i = 0; i < 2; i++) {
        enum outcome is = look(DM_OURS, line, cards[i], &ours);
        if (line->refused)
            assert_int_equal(is, REFUSES);
        if (!strcmp(line->name, "minimal"))
            assert_int_equal(is, RUNS);
        if (is == REFUSES)
            continue;
        assert_int_equal(look(DM_STOCK, line, cards[i], &stock), RUNS);
        assert_int_equal(differences(&ours, &stock), 0);
    }
}

int main(void)
{
    enum { LINES = sizeof(lines) / sizeof(lines[0]) };
    struct CMUnitTest tests[1 + LINES] = {cmocka_unit_test(serves_the_same_accesses)};
    read_exceptions();
    for (size_t i = 0; i < LINES; i++)
        tests[1 + i] = (struct CMUnitTest){.name = lines[i].name,
                                           .test_func = shows_what_stock_shows,
                                           .initial_state = (void *)(uintptr_t)&lines[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
