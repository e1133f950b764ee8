/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pvdisk: see pvdisk.h. */
#include "pvdisk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE        4096u
#define ENTRY       112u
#define HEADER      64u
#define PAGES_KNOWN 4096u

static void write_key(struct xenstub *x, const char *dir, const char *key, const char *value)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", dir, key);
    xenstub_xs_write(x, path, value);
}

static void write_number(struct xenstub *x, const char *dir, const char *key, uint32_t n)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", n);
    write_key(x, dir, key, text);
}

void pvdisk_describe(struct pvdisk *d, struct xenstub *x, uint32_t devid, const char *name,
                     const char *params, bool cdrom, bool writable)
{
    unsigned domid = xenstub_shm(x)->domid;
    char mine[160];
    *d = (struct pvdisk){.x = x, .devid = devid};
    snprintf(d->back, sizeof(d->back), "/local/domain/0/backend/qdisk/%u/%u", domid, devid);
    snprintf(d->front, sizeof(d->front), "/local/domain/%u/device/vbd/%u", domid, devid);
    snprintf(mine, sizeof(mine), "%s", d->back);
    write_key(x, d->front, "backend", mine);
    write_key(x, d->front, "backend-id", "0");
    write_number(x, d->front, "virtual-device", devid);
    write_key(x, d->front, "device-type", cdrom ? "cdrom" : "disk");
    write_key(x, d->front, "state", "1");
    write_number(x, d->back, "frontend-id", domid);
    write_key(x, d->back, "frontend", d->front);
    write_key(x, d->back, "online", "1");
    write_key(x, d->back, "removable", cdrom ? "1" : "0");
    write_key(x, d->back, "bootable", "1");
    write_key(x, d->back, "dev", name);
    write_key(x, d->back, "type", "qdisk");
    write_key(x, d->back, "mode", writable ? "w" : "r");
    write_key(x, d->back, "device-type", cdrom ? "cdrom" : "disk");
    write_key(x, d->back, "discard-enable", "1");
    write_key(x, d->back, "direct-io-safe", "0");
    write_key(x, d->back, "params", params);
    write_key(x, d->back, "state", "1");
}

char *pvdisk_back(struct pvdisk *d, const char *key)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", d->back, key);
    return xenstub_xs_read(d->x, path);
}

bool pvdisk_wait_back(struct pvdisk *d, const char *state, unsigned timeout_ms)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/state", d->back);
    return xenstub_xs_wait(d->x, path, state, timeout_ms);
}

/* The grant of a page: kept ones are given once. */
static uint32_t grant(struct pvdisk *d, uint64_t gfn)
{
    uint64_t i = gfn - d->options.first_gfn;
    if (i >= PAGES_KNOWN)
        return 0;
    if (!d->refs[i])
        d->refs[i] = front_grant(d->x, gfn, false);
    return d->refs[i];
}

/* Where byte `at` of the ring is. Entries straddle its pages: they need not be in a row. */
static void ring_copy(struct pvdisk_queue *q, uint32_t at, void *buf, size_t len, bool in)
{
    uint8_t *p = buf;
    while (len--) {
        uint8_t *byte = q->ring[at / PAGE] + at % PAGE;
        if (in)
            *byte = *p++;
        else
            *p++ = *byte;
        at++;
    }
}

static uint32_t slot(const struct pvdisk_queue *q, uint32_t index)
{
    return HEADER + (index & (q->entries - 1)) * ENTRY;
}

static uint32_t *word(struct pvdisk_queue *q, unsigned i)
{
    return (uint32_t *)(void *)q->ring[0] + i;
}

static bool make_ring(struct pvdisk *d, unsigned n)
{
    struct pvdisk_queue *q = &d->queue[n];
    char dir[128], key[32];
    *q = (struct pvdisk_queue){.pages = 1u << d->options.order};
    snprintf(dir, sizeof(dir), d->options.queues > 1 ? "%s/queue-%u" : "%s", d->front, n);
    for (unsigned i = 0; i < q->pages; i++) {
        q->ring[i] = guest_page(d->x, d->next_gfn);
        if (!q->ring[i])
            return false;
        memset(q->ring[i], 0, PAGE);
        q->ring_ref[i] = front_grant(d->x, d->next_gfn++, false);
        if (q->pages > 1)
            snprintf(key, sizeof(key), "ring-ref%u", i);
        else
            snprintf(key, sizeof(key), "ring-ref");
        write_number(d->x, dir, key, q->ring_ref[i]);
    }
    for (q->entries = 1; q->entries * 2 <= (q->pages * PAGE - HEADER) / ENTRY;)
        q->entries *= 2;
    *word(q, 1) = *word(q, 3) = 1;
    q->channel = front_channel(d->x);
    write_number(d->x, dir, "event-channel", q->channel);
    return q->channel;
}

bool pvdisk_ask(struct pvdisk *d, const struct pvdisk_options *options, unsigned timeout_ms)
{
    d->options = *options;
    if (!d->options.queues)
        d->options.queues = 1;
    d->next_gfn = options->first_gfn;
    free(d->refs);
    d->refs = calloc(PAGES_KNOWN, sizeof(*d->refs));
    write_key(d->x, d->front, "state", "1");
    if (!d->refs || !pvdisk_wait_back(d, "2", timeout_ms))
        return false;
    if (d->options.queues > 1)
        write_number(d->x, d->front, "multi-queue-num-queues", d->options.queues);
    if (d->options.order)
        write_number(d->x, d->front, "ring-page-order", d->options.order);
    for (unsigned i = 0; i < d->options.queues; i++)
        if (!make_ring(d, i))
            return false;
    write_key(d->x, d->front, "protocol", "x86_64-abi");
    write_number(d->x, d->front, "feature-persistent", d->options.persistent);
    write_key(d->x, d->front, "state", "3");
    return true;
}

bool pvdisk_connect(struct pvdisk *d, const struct pvdisk_options *options, unsigned timeout_ms)
{
    if (!pvdisk_ask(d, options, timeout_ms) || !pvdisk_wait_back(d, "4", timeout_ms))
        return false;
    write_key(d->x, d->front, "state", "4");
    return true;
}

static void put(struct pvdisk *d, unsigned queue, const uint8_t *entry)
{
    struct pvdisk_queue *q = &d->queue[queue];
    uint8_t copy[ENTRY];
    memcpy(copy, entry, ENTRY);
    ring_copy(q, slot(q, q->produced++), copy, ENTRY, true);
}

static void put_segment(struct pvdisk *d, uint8_t *at, uint64_t gfn)
{
    uint32_t ref = grant(d, gfn);
    memcpy(at, &ref, 4);
    at[4] = 0;
    at[5] = 7;
}

void pvdisk_put(struct pvdisk *d, unsigned queue, enum pvdisk_op op, uint64_t id, uint64_t sector,
                unsigned pages, uint64_t gfn)
{
    uint8_t e[ENTRY] = {(uint8_t)op, op == PVDISK_DISCARD ? 0 : (uint8_t)pages};
    memcpy(e + 8, &id, 8);
    memcpy(e + 16, &sector, 8);
    if (op == PVDISK_DISCARD) {
        uint64_t sectors = pages * 8ull;
        memcpy(e + 24, &sectors, 8);
    }
    for (unsigned i = 0; op != PVDISK_DISCARD && i < pages; i++)
        put_segment(d, e + 24 + i * 8, gfn + i);
    put(d, queue, e);
}

void pvdisk_put_indirect(struct pvdisk *d, unsigned queue, enum pvdisk_op op, uint64_t id,
                         uint64_t sector, unsigned pages, uint64_t gfn, uint64_t list)
{
    uint8_t e[ENTRY] = {6, (uint8_t)op}, *at = guest_page(d->x, list);
    uint16_t count = (uint16_t)pages;
    uint32_t ref = grant(d, list);
    memcpy(e + 2, &count, 2);
    memcpy(e + 8, &id, 8);
    memcpy(e + 16, &sector, 8);
    memcpy(e + 28, &ref, 4);
    for (unsigned i = 0; i < pages; i++)
        put_segment(d, at + i * 8, gfn + i);
    put(d, queue, e);
}

void pvdisk_kick(struct pvdisk *d, unsigned queue)
{
    struct pvdisk_queue *q = &d->queue[queue];
    uint32_t old = __atomic_load_n(word(q, 0), __ATOMIC_RELAXED);
    __atomic_store_n(word(q, 0), q->produced, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (q->produced - __atomic_load_n(word(q, 1), __ATOMIC_SEQ_CST) < q->produced - old)
        front_notify(d->x, q->channel);
}

bool pvdisk_next(struct pvdisk *d, unsigned queue, uint64_t *id, int *status, unsigned timeout_ms)
{
    struct pvdisk_queue *q = &d->queue[queue];
    uint8_t e[16];
    int16_t s;
    while (__atomic_load_n(word(q, 2), __ATOMIC_ACQUIRE) == q->consumed) {
        __atomic_store_n(word(q, 3), q->consumed + 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(word(q, 2), __ATOMIC_SEQ_CST) != q->consumed)
            break;
        if (!front_wait(d->x, q->channel, timeout_ms))
            return false;
    }
    ring_copy(q, slot(q, q->consumed++), e, sizeof(e), false);
    memcpy(id, e, 8);
    memcpy(&s, e + 10, 2);
    *status = s;
    return e[8] != 6; /* the operation inside it, else Linux gives the disk up */
}

int pvdisk_do(struct pvdisk *d, enum pvdisk_op op, uint64_t sector, unsigned pages, uint64_t gfn)
{
    uint64_t id;
    int status;
    pvdisk_put(d, 0, op, 1, sector, pages, gfn);
    pvdisk_kick(d, 0);
    return pvdisk_next(d, 0, &id, &status, 10000) ? status : 99;
}

bool pvdisk_close(struct pvdisk *d, unsigned timeout_ms)
{
    write_key(d->x, d->front, "state", "5");
    bool ok = pvdisk_wait_back(d, "5", timeout_ms);
    write_key(d->x, d->front, "state", "6");
    ok = ok && pvdisk_wait_back(d, "6", timeout_ms);
    for (unsigned i = 0; i < d->options.queues; i++) {
        for (unsigned p = 0; p < d->queue[i].pages; p++)
            ok = ok && front_revoke(d->x, d->queue[i].ring_ref[p]);
        front_close_channel(d->x, d->queue[i].channel);
    }
    for (unsigned i = 0; d->refs && i < PAGES_KNOWN; i++) {
        if (d->refs[i])
            ok = ok && front_revoke(d->x, d->refs[i]);
    }
    free(d->refs);
    d->refs = NULL;
    return ok;
}
