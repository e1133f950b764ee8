/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * access: the rows that are timed one access or one disk command after the other. The null device
 * model answers the very same requests; to what that takes the plain pread or pwrite of the same
 * bytes is added: the limit.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SECTOR 512u

static const uint8_t vga = PC_DEVFN(DM_VGA_SLOT, 0);

/* --- single accesses --- */

/* A planar graphics mode, so that the window is the device's. */
static void planar(struct xenstub *x)
{
    static const uint16_t sequencer[] = {0x0300, 0x0F02, 0x0E04},
                          graphics[] = {0x0005, 0x0506, 0xFF08};
    vcpu_out(x, 0, 0x3C2, 1, 0x63);
    for (unsigned i = 0; i < 3; i++) {
        vcpu_out(x, 0, 0x3C4, 2, sequencer[i]);
        vcpu_out(x, 0, 0x3CE, 2, graphics[i]);
    }
}

/* A string instruction less a single access made just before it, out of reads of many sectors. */
static double insw(struct xenstub *x, bool null)
{
    double block[MAX_PAIRS];
    for (unsigned b = 0; b < rounds; b++) {
        double difference[50];
        for (unsigned i = 0; i < 50; i++) {
            vcpu_out(x, 0, 0x1F6, 1, 0xE0);
            vcpu_out(x, 0, 0x1F2, 1, 1);
            vcpu_out(x, 0, 0x1F7, 1, 0xEC);
            if (!null)
                xenstub_wait_isa(x, 14, true, 1000);
            vcpu_in(x, 0, 0x1F7, 1);
            double t = now_us();
            vcpu_in(x, 0, 0x3F6, 1);
            double between = now_us();
            vcpu_ins(x, 0, 0x1F0, 2, 256, VCPU_BUFFER, false);
            difference[i] = now_us() - between - (between - t);
        }
        block[b] = median(difference, 50);
    }
    return median(block, rounds);
}

/* The same for a copy of 4 KiB to the VGA window. */
static double movs(struct xenstub *x)
{
    double block[MAX_PAIRS];
    for (unsigned b = 0; b < rounds; b++) {
        double difference[50];
        for (unsigned i = 0; i < 50; i++) {
            double t = now_us();
            vcpu_write(x, 0, 0xA0000, 4, i);
            double between = now_us();
            vcpu_movs(x, 0, 0xA0000, 4, 1024, VCPU_BUFFER, false, false);
            difference[i] = now_us() - between - (between - t);
        }
        block[b] = median(difference, 50);
    }
    return median(block, rounds);
}

static void accesses(struct xenstub *x, double *at)
{
    planar(x);
    for (unsigned i = 0; i < 1000; i++) /* warm */
        vcpu_in(x, 0, 0x3F6, 1);
    at[PORT_READ] = TIMED_US(500, vcpu_in(x, 0, 0x3F6, 1));
    at[PORT_WRITE] = TIMED_US(500, vcpu_out(x, 0, 0x1F2, 1, i_));
    at[MEM_READ] = TIMED_US(500, vcpu_read(x, 0, 0xA0000, 4));
    at[MEM_WRITE] = TIMED_US(500, vcpu_write(x, 0, 0xA0000, 4, i_));
    at[CONFIG_READ] = TIMED_US(500, vcpu_pci_read(x, 0, vga, 0, 4));
    double pause = TIMED_US(20, usleep(300));
    at[PORT_PAUSE] = TIMED_US(20, (usleep(300), vcpu_in(x, 0, 0x3F6, 1))) - pause;
    vcpu_movs(x, 0, 0xA0000, 4, 1024, VCPU_BUFFER, false, false);
    at[MOVS] = movs(x);
}

/* --- disk commands --- */

/* What the null device model stands for: the command, the bytes from the page cache, the end. */
struct plain {
    struct xenstub *x;
    int fd;
    uint8_t *buffer;
};

static void command(struct xenstub *x, unsigned sectors, uint32_t lba, uint8_t code)
{
    vcpu_out(x, 0, 0x3F6, 1, 0);
    vcpu_out(x, 0, 0x1F6, 1, 0xE0);
    vcpu_out(x, 0, 0x1F2, 1, sectors);
    vcpu_out(x, 0, 0x1F3, 1, lba);
    vcpu_out(x, 0, 0x1F4, 1, lba >> 8);
    vcpu_out(x, 0, 0x1F5, 1, lba >> 16);
    vcpu_out(x, 0, 0x1F7, 1, code);
}

static bool move(const struct plain *p, uint32_t lba, unsigned sectors, bool write)
{
    size_t n = sectors * SECTOR;
    off_t at = (off_t)lba * SECTOR;
    return (write ? pwrite(p->fd, p->buffer, n, at) : pread(p->fd, p->buffer, n, at)) == (ssize_t)n;
}

static bool plain_pio(const struct plain *p, uint32_t lba, unsigned sectors, bool write)
{
    bool ok = true;
    command(p->x, sectors, lba, write ? 0x30 : 0x20);
    for (unsigned i = 0; i < sectors; i++) {
        ok &= move(p, lba + i, 1, write);
        vcpu_in(p->x, 0, 0x1F7, 1);
        if (write)
            vcpu_outs(p->x, 0, 0x1F0, 2, SECTOR / 2, VCPU_BUFFER, false);
        else
            vcpu_ins(p->x, 0, 0x1F0, 2, SECTOR / 2, VCPU_BUFFER, false);
    }
    return ok;
}

static bool plain_dma(const struct plain *p, uint32_t lba, unsigned sectors, bool write)
{
    vcpu_out(p->x, 0, PC_BMDMA + 4, 4, (uint32_t)VCPU_TABLE);
    vcpu_out(p->x, 0, PC_BMDMA, 1, write ? 0 : 8);
    vcpu_out(p->x, 0, PC_BMDMA + 2, 1, 6);
    command(p->x, sectors & 0xFF, lba, write ? 0xCA : 0xC8);
    vcpu_out(p->x, 0, PC_BMDMA, 1, write ? 1 : 9);
    bool ok = move(p, lba, sectors, write);
    vcpu_in(p->x, 0, PC_BMDMA + 2, 1);
    vcpu_out(p->x, 0, PC_BMDMA, 1, 0);
    vcpu_out(p->x, 0, PC_BMDMA + 2, 1, 6);
    vcpu_in(p->x, 0, 0x1F7, 1);
    return ok;
}

static bool pio(const struct plain *p, uint32_t lba, unsigned sectors, bool write)
{
    if (p->fd >= 0)
        return plain_pio(p, lba, sectors, write);
    return write ? pc_ide_write_pio(p->x, 0, lba, sectors, VCPU_BUFFER)
                 : pc_ide_read_pio(p->x, 0, lba, sectors, VCPU_BUFFER);
}

static bool dma(const struct plain *p, uint32_t lba, unsigned sectors, bool write)
{
    if (p->fd >= 0)
        return plain_dma(p, lba, sectors, write);
    return pc_ide_dma(p->x, 0, lba, sectors, VCPU_BUFFER, VCPU_TABLE, write);
}

static bool disk(const struct plain *p, bool busy, double *at)
{
    static const struct {
        enum row row;
        unsigned sectors;
        bool write;
    } transfer[] = {{DMA_R4K, 8, false}, {DMA_R64K, 128, false}, {DMA_R128K, 256, false},
                    {DMA_W4K, 8, true},  {DMA_W64K, 128, true},  {DMA_W128K, 256, true}};
    const unsigned sectors = busy ? 16 : 128;
    bool ok = pio(p, 0, sectors, false) && dma(p, 0, 256, false);
    if (!ok)
        return false;
    if (!busy)
        at[INSW] = insw(p->x, p->fd >= 0);
    at[PIO_READ] = TIMED_US(2, ok &= pio(p, i_ * 128, sectors, false)) / sectors;
    at[PIO_WRITE] = TIMED_US(2, ok &= pio(p, i_ * 128, sectors, true)) / sectors;
    for (unsigned i = 0; ok && i < sizeof(transfer) / sizeof(transfer[0]); i++)
        at[transfer[i].row] = TIMED_US(
            20, ok &= dma(p, i_ * transfer[i].sectors, transfer[i].sectors, transfer[i].write));
    return ok;
}

bool timed_rows(struct xenstub *x, const struct setup *s, struct figures *f)
{
    struct plain p = {.x = x, .fd = -1, .buffer = malloc(256 * SECTOR)};
    cpu_set_t all;
    bool ok = p.buffer;
    sched_getaffinity(0, sizeof(all), &all);
    int other = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0;
    memset(p.buffer, 0x5A, 256 * SECTOR);
    if (s->kind == DM_NULL) {
        char path[128];
        snprintf(path, sizeof(path), "%s/disk", xenstub_dir(x));
        p.fd = open(path, O_RDWR);
        ok &= p.fd >= 0;
    }
    for (enum place place = APART; ok && place < PLACES; place++) {
        double at[TIMED_END];
        for (unsigned r = TIMED_FIRST; r < TIMED_END; r++)
            at[r] = NAN;
        place_on(xenstub_pid(x), 0, place == APART ? other : 0);
        if (place == BUSY)
            hogs_start();
        accesses(x, at);
        ok = disk(&p, place == BUSY, at);
        if (place == BUSY)
            hogs_end();
        memcpy(&f->at[TIMED_FIRST + place * TIMED], &at[TIMED_FIRST], TIMED * sizeof(*at));
    }
    sched_setaffinity(0, sizeof(all), &all);
    if (p.fd >= 0)
        close(p.fd);
    free(p.buffer);
    return ok;
}

static const char *loop_work;
static unsigned loop_seconds;
static bool loop_apart;

/* CPU of the calling thread. */
static double own_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool loop_on(struct xenstub *x, const struct setup *s, struct figures *f)
{
    struct plain p = {.x = x, .fd = -1};
    bool ok = true;
    unsigned n = 0;
    (void)s, (void)f;
    place_on(xenstub_pid(x), 0, loop_apart && sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0);
    double start = now_us(), end = start + loop_seconds * 1e6;
    struct usage before = usage_of(xenstub_pid(x), false);
    double vcpu = own_cpu_us();
    for (; ok && now_us() < end; n++)
        for (unsigned i = 0; ok && i < 16; i++) {
            if (!strcmp(loop_work, "read"))
                vcpu_in(x, 0, 0x3F6, 1);
            else if (!strcmp(loop_work, "write"))
                vcpu_out(x, 0, 0x1F2, 1, i);
            else if (!strcmp(loop_work, "pio"))
                ok = pio(&p, i * 128, 128, false);
            else
                ok = dma(&p, i * 8, 8, !strcmp(loop_work, "dmaw"));
        }
    struct usage after = usage_of(xenstub_pid(x), false);
    vcpu = own_cpu_us() - vcpu;
    printf("%.2f us each; CPU: vCPU %.2f us, device model %.2f us; its voluntary switches: %.2f\n",
           (now_us() - start) / n / 16, vcpu / n / 16, (after.cpu_us - before.cpu_us) / n / 16,
           (after.switches - before.switches) / n / 16);
    return ok;
}

bool loop_for_profile(enum dm_kind kind, const char *work, unsigned seconds, bool apart)
{
    struct setup s = {.kind = kind, .disk = 16u << 20};
    struct figures f;
    loop_work = work;
    loop_seconds = seconds;
    loop_apart = apart;
    return held_run(&s, loop_on, &f);
}
