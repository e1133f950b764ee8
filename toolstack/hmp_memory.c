/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp_memory: a look at the guest's memory; formats as GDB's and QEMU's x command. */
#include "toolstack/hmp_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/paging.h"

#define MAX_BYTES 16384 /* of one command */

struct format {
    unsigned long count;
    char kind;     /* x d u o c */
    unsigned size; /* 1 2 4 8 */
};

/* What is said last stays for the next command, as in GDB; here each begins anew. */
static bool parse(struct hmp *h, struct format *f)
{
    const char *at = h->format;
    *f = (struct format){.count = 1, .kind = 'x', .size = 4};
    if (isdigit((unsigned char)*at)) {
        char *end;
        f->count = strtoul(at, &end, 10);
        at = end;
    }
    bool sized = false;
    for (; *at; at++)
        switch (*at) {
        case 'x':
        case 'd':
        case 'u':
        case 'o':
        case 'c':
            f->kind = *at;
            if (*at == 'c' && !sized)
                f->size = 1;
            break;
        case 'b':
        case 'h':
        case 'w':
        case 'g':
            f->size = *at == 'b' ? 1 : *at == 'h' ? 2 : *at == 'w' ? 4 : 8;
            sized = true;
            break;
        default:
            hmp_say(h, *at == 'i' ? "Error: there is no disassembler; use xl debug tools (gdbsx)"
                                  : "Error: a format is a count, one of x d u o c, one of b h w g");
            return false;
        }
    if (f->count && f->count <= MAX_BYTES / f->size)
        return true;
    hmp_say(h, "Error: one to %d units at once", MAX_BYTES / (int)f->size);
    return false;
}

static void print(FILE *out, const struct format *f, uint64_t v)
{
    unsigned bits = 8 * f->size;
    int64_t s = (int64_t)(v << (64 - bits)) >> (64 - bits);
    switch (f->kind) {
    case 'x':
        fprintf(out, " 0x%0*" PRIx64, (int)bits / 4, v);
        break;
    case 'o':
        fprintf(out, " 0%0*" PRIo64, (int)(bits + 2) / 3, v);
        break;
    case 'u':
        fprintf(out, " %" PRIu64, v);
        break;
    case 'd':
        fprintf(out, " %" PRId64, s);
        break;
    default:
        if (v >= ' ' && v < 0x7F)
            fprintf(out, " '%c'", (char)v);
        else
            fprintf(out, " '\\x%02" PRIx64 "'", v & 0xFF);
        break;
    }
}

/* Where the bytes come from. */
struct view {
    struct hmp *h;
    const struct hv_paging *paging; /* NULL: addresses are physical */
    uint64_t page, at;              /* the last page that was looked for, and where it lies */
    bool known;
};

static bool find(struct view *v, uint64_t addr, uint64_t *physical)
{
    const struct qmp_target *t = v->h->target;
    uint64_t page = addr & ~(uint64_t)(PAGING_PAGE - 1);
    if (!v->known || v->page != page) {
        v->known = paging_walk(v->paging, t->read_memory, t->opaque, page, &v->at);
        v->page = page;
    }
    *physical = v->at + (addr - page);
    return v->known;
}

/* NULL: done; else why not. */
static const char *fetch(struct view *v, uint64_t addr, uint8_t *buf, size_t len)
{
    const struct qmp_target *t = v->h->target;
    while (len) {
        size_t n = PAGING_PAGE - (addr & (PAGING_PAGE - 1));
        uint64_t physical = addr;
        n = n < len ? n : len;
        if (v->paging && !find(v, addr, &physical))
            return "not mapped";
        if (!t->read_memory(t->opaque, physical, buf, n))
            return "no memory here";
        addr += n;
        buf += n;
        len -= n;
    }
    return NULL;
}

static void show(struct hmp *h, bool is_virtual)
{
    const struct qmp_target *t = h->target;
    struct hv_paging paging;
    struct format f;
    struct err err;
    char *end;
    uint64_t addr = strtoull(h->words[0], &end, 0);
    if (*end || !isdigit((unsigned char)h->words[0][0])) {
        hmp_say(h, "Error: '%.64s' is not an address", h->words[0]);
        return;
    }
    if (!parse(h, &f))
        return;
    if (!t->read_memory || (is_virtual && !t->paging)) {
        hmp_done(h, false, false, NULL);
        return;
    }
    if (is_virtual && !t->paging(t->opaque, &paging, &err)) {
        hmp_done(h, true, false, &err);
        return;
    }
    struct view v = {.h = h, .paging = is_virtual ? &paging : NULL};
    unsigned per_line = f.kind == 'c' ? 8 : f.size == 8 ? 2 : f.size == 1 ? 8 : 16 / f.size;
    for (unsigned long i = 0; i < f.count; i++, addr += f.size) {
        uint64_t value = 0; /* little-endian, as we are */
        if (i % per_line == 0)
            fprintf(h->out, "%s%016" PRIx64 ":", i ? "\r\n" : "", addr);
        const char *why = fetch(&v, addr, (uint8_t *)&value, f.size);
        if (why) {
            fprintf(h->out, " %s\r\n", why);
            return;
        }
        print(h->out, &f, value);
    }
    fputs("\r\n", h->out);
}

void hmp_xp(struct hmp *h)
{
    show(h, false);
}

void hmp_x(struct hmp *h)
{
    show(h, true);
}
