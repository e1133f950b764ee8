/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disks: us a request on images of several kinds: one at a time on IDE, 32 at once by AHCI's queue
 * (NCQ) and by a PV disk's ring. The limit is plain system calls that move the same bytes of the
 * same file (pread, pwrite; 32 at once and O_DIRECT: io_submit), between the accesses that the
 * driver makes, which the null device model answers. A figure is the fastest of the rounds: what
 * else the computer did is in all others.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pvdisk.h"

#define BYTES   (64u << 20)
#define PAGE    4096u
#define LARGE   (64u << 10)
#define DEPTH   32u
#define BUFFER  UINT64_C(0x1000000) /* guest memory: 32 buffers of 64 KiB */
#define TABLE   UINT64_C(0x90000)
#define LISTS   UINT64_C(0x100000) /* AHCI: command list, received FISes, command tables */
#define FISES   UINT64_C(0x101000)
#define TABLES  UINT64_C(0x110000)
#define GFN     UINT64_C(0x800) /* PV: rings and list pages from here on */
#define ABAR    UINT64_C(0xF2000000)
#define PORT    (ABAR + 0x100)
#define WAIT_MS 5000

enum way { IDE, AHCI, PV, WAYS };
enum op { SEQ_READ, RANDOM_READ, SEQ_WRITE, RANDOM_WRITE, OPS };

static const char *const way_name[WAYS] = {"IDE, 1 at once", "AHCI, 32 at once", "PV, 32 at once"};
static const char *const op_name[OPS] = {"read 64K in order", "read 4K at random",
                                         "write 64K in order", "write 4K at random"};

/* All are made in a folder that has `data`, a raw file that is full. */
static const struct image {
    const char *name, *format, *make;
    bool filled; /* its clusters are there: judged by the limit */
} images[] = {
    {"raw", "raw", "cp data image", true},
    {"qcow2, preallocation=metadata", "qcow2",
     "qemu-img create -q -f qcow2 -o preallocation=metadata image 64M && "
     "qemu-img convert -q -n -f raw -O qcow2 data image",
     true},
    {"qcow2, fresh", "qcow2", "qemu-img create -q -f qcow2 image 64M", false},
    {"qcow2 over raw", "qcow2", "qemu-img create -q -f qcow2 -F raw -b data image 64M", false},
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

struct run {
    enum way way;
    enum dm_kind kind;
    bool direct;
    struct xenstub *x;
    struct pvdisk disk;
    unsigned slot; /* PCI, of AHCI */
    /* Of the null device model: the file, … */
    int fd;
    uint8_t *memory;
    aio_context_t aio;
    unsigned count; /* requests so far: where in the image the next one is */
};

static bool is_write(enum op op)
{
    return op >= SEQ_WRITE;
}

static uint32_t size_of(enum op op)
{
    return op == SEQ_READ || op == SEQ_WRITE ? LARGE : PAGE;
}

/* Byte offset of request n. */
static uint64_t place_of(enum op op, unsigned n)
{
    uint64_t all = BYTES / size_of(op);
    return (size_of(op) == LARGE ? n : (n * UINT64_C(0x9e3779b97f4a7c15)) >> 20) % all *
           size_of(op);
}

/* --- plain system calls --- */

static bool plain_one(const struct run *r, enum op op, unsigned n)
{
    ssize_t len = size_of(op);
    off_t at = (off_t)place_of(op, n);
    return (is_write(op) ? pwrite(r->fd, r->memory, (size_t)len, at)
                         : pread(r->fd, r->memory, (size_t)len, at)) == len;
}

static bool plain_many(const struct run *r, enum op op, unsigned n)
{
    struct iocb cb[DEPTH], *list[DEPTH];
    struct io_event events[DEPTH];
    if (!r->direct) {
        bool ok = true;
        for (unsigned i = 0; i < DEPTH; i++)
            ok &= plain_one(r, op, n + i);
        return ok;
    }
    memset(cb, 0, sizeof(cb));
    for (unsigned i = 0; i < DEPTH; i++) {
        cb[i].aio_fildes = (uint32_t)r->fd;
        cb[i].aio_lio_opcode = is_write(op) ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
        cb[i].aio_buf = (uintptr_t)(r->memory + i * LARGE);
        cb[i].aio_nbytes = size_of(op);
        cb[i].aio_offset = (int64_t)place_of(op, n + i);
        list[i] = &cb[i];
    }
    if (syscall(SYS_io_submit, r->aio, DEPTH, list) != (long)DEPTH ||
        syscall(SYS_io_getevents, r->aio, DEPTH, DEPTH, events, NULL) != (long)DEPTH)
        return false;
    for (unsigned i = 0; i < DEPTH; i++)
        if (events[i].res != size_of(op))
            return false;
    return true;
}

/* --- IDE --- */

static bool ide_once(struct run *r, enum op op, unsigned n)
{
    uint32_t lba = (uint32_t)(place_of(op, n) / 512), sectors = size_of(op) / 512;
    if (r->kind != DM_NULL)
        return pc_ide_dma(r->x, 0, lba, sectors, BUFFER, TABLE, is_write(op));
    /* pc_ide_dma's accesses. */
    for (unsigned i = 0; i < 3; i++)
        vcpu_out(r->x, 0, PC_BMDMA, 1, 0);
    for (unsigned i = 0; i < 7; i++)
        vcpu_out(r->x, 0, 0x1F1, 1, 0);
    vcpu_out(r->x, 0, PC_BMDMA, 1, 1);
    bool ok = plain_one(r, op, n);
    vcpu_in(r->x, 0, PC_BMDMA + 2, 1);
    vcpu_out(r->x, 0, PC_BMDMA, 1, 0);
    vcpu_out(r->x, 0, PC_BMDMA + 2, 1, 6);
    vcpu_in(r->x, 0, 0x1F7, 1);
    return ok;
}

/* --- AHCI 1.3: one port, native command queuing --- */

static void reg_write(struct run *r, uint64_t reg, uint32_t v)
{
    vcpu_write(r->x, 0, r->kind == DM_NULL ? 0xA0000 : reg, 4, v);
}

static uint32_t reg_read(struct run *r, uint64_t reg)
{
    return (uint32_t)vcpu_read(r->x, 0, r->kind == DM_NULL ? 0xA0000 : reg, 4);
}

static bool intx_is_high(struct xenstub *x, uint64_t slot)
{
    return __atomic_load_n(&xenstub_shm(x)->intx[slot][0], __ATOMIC_SEQ_CST);
}

static bool ahci_start(struct run *r)
{
    struct pc_function f[32];
    unsigned n = pc_scan(r->x, f, 32), i = 0;
    while (i < n && f[i].class_code >> 8 != 0x0106)
        i++;
    if (i == n)
        return false;
    r->slot = f[i].devfn >> 3;
    vcpu_pci_write(r->x, 0, f[i].devfn, 0x24, 4, (uint32_t)ABAR);
    vcpu_pci_write(r->x, 0, f[i].devfn, 0x04, 2, 7);
    reg_write(r, ABAR + 0x04, 0x80000000u); /* AE */
    reg_write(r, PORT + 0x00, (uint32_t)LISTS);
    reg_write(r, PORT + 0x04, 0);
    reg_write(r, PORT + 0x08, (uint32_t)FISES);
    reg_write(r, PORT + 0x0C, 0);
    reg_write(r, PORT + 0x30, 0xFFFFFFFFu);
    reg_write(r, PORT + 0x18, 0x10); /* FRE */
    reg_write(r, PORT + 0x18, 0x11); /* ST */
    reg_write(r, PORT + 0x10, 0xFFFFFFFFu);
    reg_write(r, ABAR + 0x08, 0xFFFFFFFFu);
    reg_write(r, PORT + 0x14, 0x78000009u); /* set device bits, register FIS, errors */
    reg_write(r, ABAR + 0x04, 0x80000002u); /* IE */
    return true;
}

static void ahci_put(struct run *r, unsigned slot, enum op op, unsigned n)
{
    uint64_t lba = place_of(op, n) / 512, table = TABLES + slot * 0x1000;
    uint32_t sectors = size_of(op) / 512;
    uint32_t header[8] = {5u | (is_write(op) ? 0x40u : 0) | 1u << 16, 0, (uint32_t)table};
    uint8_t fis[20] = {0x27,
                       0x80,
                       is_write(op) ? 0x61 : 0x60,
                       (uint8_t)sectors,
                       (uint8_t)lba,
                       (uint8_t)(lba >> 8),
                       (uint8_t)(lba >> 16),
                       0x40,
                       (uint8_t)(lba >> 24),
                       0,
                       0,
                       (uint8_t)(sectors >> 8),
                       (uint8_t)(slot << 3)};
    uint32_t prd[4] = {(uint32_t)(BUFFER + slot * LARGE), 0, 0, size_of(op) - 1};
    guest_write(r->x, LISTS + slot * 32, header, sizeof(header));
    guest_write(r->x, table, fis, sizeof(fis));
    guest_write(r->x, table + 0x80, prd, sizeof(prd));
}

static bool ahci_many(struct run *r, enum op op, unsigned n)
{
    for (unsigned i = 0; i < DEPTH; i++)
        ahci_put(r, i, op, n + i);
    reg_write(r, PORT + 0x34, 0xFFFFFFFFu);
    reg_write(r, PORT + 0x38, 0xFFFFFFFFu);
    bool ok = true, null = r->kind == DM_NULL;
    if (null)
        ok = plain_many(r, op, n);
    uint32_t left;
    do {
        if (!null && !xenstub_wait(r->x, intx_is_high, r->slot, WAIT_MS))
            return false;
        uint32_t is = reg_read(r, PORT + 0x10);
        reg_write(r, PORT + 0x10, is);
        reg_write(r, ABAR + 0x08, 1);
        left = reg_read(r, PORT + 0x34);
        ok &= null || !(is & 0x78000000u);
    } while (ok && !null && left);
    return ok;
}

/* --- PV --- */

static bool pv_start(struct run *r, const struct image *image, const char *path)
{
    char params[256];
    struct pvdisk_options options = {.first_gfn = GFN, .order = 1, .persistent = true};
    snprintf(params, sizeof(params), "%s:%s", strcmp(image->format, "raw") ? image->format : "aio",
             path);
    pvdisk_describe(&r->disk, r->x, 51792, "xvdf", params, false, true);
    if (r->direct) {
        char key[160];
        snprintf(key, sizeof(key), "%s/direct-io-safe", r->disk.back);
        xenstub_xs_write(r->x, key, "1");
    }
    return pvdisk_connect(&r->disk, &options, WAIT_MS);
}

static bool pv_many(struct run *r, enum op op, unsigned n)
{
    if (r->kind == DM_NULL)
        return plain_many(r, op, n);
    unsigned pages = size_of(op) / PAGE;
    for (unsigned i = 0; i < DEPTH; i++) {
        enum pvdisk_op what = is_write(op) ? PVDISK_WRITE : PVDISK_READ;
        uint64_t sector = place_of(op, n + i) / 512, gfn = BUFFER / PAGE + i * (LARGE / PAGE);
        if (pages > 11)
            pvdisk_put_indirect(&r->disk, 0, what, i, sector, pages, gfn, GFN + 64 + i);
        else
            pvdisk_put(&r->disk, 0, what, i, sector, pages, gfn);
    }
    pvdisk_kick(&r->disk, 0);
    bool ok = true;
    for (unsigned i = 0; ok && i < DEPTH; i++) {
        uint64_t id;
        int status = 0;
        ok = pvdisk_next(&r->disk, 0, &id, &status, WAIT_MS) && !status;
    }
    return ok;
}

/* --- one device model on one image --- */

/* us a request. Fresh places all the time, as long as there are any. */
static double measure(struct run *r, enum op op)
{
    unsigned each = r->way == IDE ? 1 : DEPTH, batches = size_of(op) == LARGE ? 64 : 192;
    if (r->way != IDE)
        batches = size_of(op) == LARGE ? 4 : 12;
    double best = INFINITY;
    unsigned n = 0;
    for (unsigned round = 0; round < rounds; round++) {
        double t = now_us();
        for (unsigned i = 0; i < batches; i++, n += each) {
            bool ok = r->way == IDE    ? ide_once(r, op, n)
                      : r->way == AHCI ? ahci_many(r, op, n)
                                       : pv_many(r, op, n);
            if (!ok)
                return NAN;
        }
        t = (now_us() - t) / batches / each;
        best = t < best ? t : best;
    }
    return best;
}

/* Every page by itself: how the file was written would decide about the page cache's pieces. For
 * O_DIRECT none: as long as there are some, no write there can be started without waiting. */
static void warm(const char *path, bool direct)
{
    char page[PAGE];
    int fd = open(path, O_RDONLY);
    off_t end = lseek(fd, 0, SEEK_END);
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    for (off_t at = 0; !direct && at < end; at += PAGE)
        if (pread(fd, page, PAGE, at) < 0)
            break;
    close(fd);
}

static bool prepare(const char *dir, const struct image *image, bool direct)
{
    char line[600], path[200];
    snprintf(line, sizeof(line),
             "cd '%s' && { [ -f data ] || head -c 64M /dev/zero | tr '\\0' x "
             ">data; } && rm -f image && %s && sync data image",
             dir, image->make);
    if (system(line))
        return false;
    snprintf(path, sizeof(path), "%s/data", dir);
    warm(path, direct);
    snprintf(path, sizeof(path), "%s/image", dir);
    warm(path, direct);
    return true;
}

static bool start(struct run *r, struct dm *dm, const struct image *image, const char *path)
{
    static char drive[300];
    static const char *const ahci[] = {"-device", "ahci,id=ahci0",
                                       "-drive",  drive,
                                       "-device", "ide-hd,bus=ahci0.0,unit=0,drive=ahcidisk-0",
                                       NULL};
    const char *cache = r->direct ? "none" : "writeback";
    if (!dm_init(dm, r->kind, r->x, RAM_MB))
        return false;
    if (r->way == IDE)
        snprintf(dm->drive_arg, sizeof(dm->drive_arg),
                 "file=%.120s,if=ide,index=0,media=disk,format=%s,cache=%s", path, image->format,
                 cache);
    else if (!dm_make_image(dm, 1 << 20)) /* hda is another disk */
        return false;
    snprintf(drive, sizeof(drive), "file=%.120s,if=none,id=ahcidisk-0,format=%s,cache=%s", path,
             image->format, cache);
    if (r->way == AHCI)
        dm_add(dm, ahci);
    if (!dm_start(dm, r->x, 30000))
        return false;
    if (r->kind == DM_NULL) {
        void *memory;
        r->fd = open(path, O_RDWR | (r->direct ? O_DIRECT : 0));
        if (r->fd < 0 || posix_memalign(&memory, PAGE, (size_t)DEPTH * LARGE) ||
            syscall(SYS_io_setup, DEPTH, &r->aio))
            return false;
        r->memory = memory;
        memset(memory, 0x5A, (size_t)DEPTH * LARGE);
        return true;
    }
    pc_setup(r->x, PC_DEVFN(DM_VGA_SLOT, 0));
    return r->way == IDE ? true : r->way == AHCI ? ahci_start(r) : pv_start(r, image, path);
}

static void child(enum way way, enum dm_kind kind, bool direct, const struct image *image, int out)
{
    static struct dm dm;
    struct xenstub_config config = {.domid = 90, .ram_bytes = (uint64_t)RAM_MB << 20};
    double us[OPS] = {NAN, NAN, NAN, NAN};
    char path[200];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct run r = {.way = way, .kind = kind, .direct = direct, .x = xenstub_new(&config)};
    /* The limit is that of a raw file, whatever the image is. */
    const struct image *used = kind == DM_NULL ? &images[0] : image;
    bool ok = r.x && prepare(xenstub_dir(r.x), used, direct);
    if (ok) {
        snprintf(path, sizeof(path), "%s/image", xenstub_dir(r.x));
        ok = start(&r, &dm, used, path);
    }
    for (enum op op = 0; ok && op < OPS; op++)
        us[op] = measure(&r, op);
    if (r.x)
        xenstub_end(r.x, kind == DM_NULL ? SIGKILL : SIGHUP, 5000);
    xenstub_free(r.x);
    (void)!write(out, us, sizeof(us));
    _exit(0);
}

static void in_child(enum way way, enum dm_kind kind, bool direct, const struct image *image,
                     double us[OPS])
{
    int from[2];
    double got[OPS] = {NAN, NAN, NAN, NAN};
    if (pipe2(from, O_CLOEXEC))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid)
        child(way, kind, direct, image, from[1]);
    close(from[1]);
    if (read(from[0], got, sizeof(got)) == sizeof(got))
        for (unsigned i = 0; i < OPS; i++)
            us[i] = got[i];
    close(from[0]);
    waitpid(pid, NULL, 0);
}

static void print_row(enum way way, bool direct, const struct image *image, enum op op,
                      const double *v, double raw)
{
    double ours = v[DM_OURS], stock = v[DM_STOCK], limit = v[DM_NULL];
    printf("| %s, %s, %s, %s | %.1f |", way_name[way], image->name, direct ? "O_DIRECT" : "cached",
           op_name[op], ours);
    if (isnan(stock))
        printf(" | |");
    else
        printf(" %.1f | %.2f%s |", stock, ours / stock, ours <= stock ? "" : " **missed**");
    if (image == &images[0])
        printf(" %.1f | %.2f%s | |\n", limit, ours / limit,
               ours / limit <= 1.2 ? "" : " **missed 1.2**");
    else
        printf(" | | %.2f%s |\n", ours / raw,
               !image->filled || ours / raw <= 1.1 ? "" : " **missed 1.1**");
}

bool disks_table(unsigned pairs, const char *only)
{
    bool ok = true;
    printf("\n| disk, us a request | hvm-dm | stock | ratio | limit | ours/limit | qcow2/raw |\n"
           "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (enum way way = 0; way < WAYS; way++) {
        if (only && strncmp(way_name[way], only, strlen(only)) != 0)
            continue;
        for (unsigned direct = 0; direct < 2; direct++) {
            double raw[OPS];
            for (unsigned i = 0; i < IMAGES; i++) {
                double best[OPS][KINDS];
                for (unsigned o = 0; o < OPS; o++)
                    for (unsigned k = 0; k < KINDS; k++)
                        best[o][k] = INFINITY;
                for (unsigned p = 0; p < pairs; p++)
                    for (unsigned turn = 0; turn < KINDS; turn++) {
                        enum dm_kind kind = (turn + p) % KINDS;
                        double us[OPS] = {NAN, NAN, NAN, NAN};
                        if (kind == DM_NULL && i)
                            continue;
                        /* Debian's stock back-end wants a Xen that the stand-in is not. */
                        if (kind == DM_STOCK && way == PV)
                            continue;
                        in_child(way, kind, direct, &images[i], us);
                        for (unsigned o = 0; o < OPS; o++)
                            best[o][kind] = us[o] < best[o][kind] ? us[o] : best[o][kind];
                    }
                for (unsigned o = 0; o < OPS; o++) {
                    for (unsigned k = 0; k < KINDS; k++)
                        if (isinf(best[o][k]))
                            best[o][k] = NAN;
                    if (!i)
                        raw[o] = best[o][DM_OURS];
                    ok &= !isnan(best[o][DM_OURS]);
                    print_row(way, direct, &images[i], (enum op)o, best[o], raw[o]);
                }
                fflush(stdout);
            }
        }
    }
    return ok;
}
