/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protocol: QEMU's qtest line protocol (docs/devel/qtest, and the comment that opens
 * softmmu/qtest.c, of QEMU 7.2), and a few words of our own behind it, for what a guest or a person
 * can do and that protocol cannot say: string accesses to ports, keys, the screen, saved state.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/pc/machine.h"
#include "tests/qtest/door.h"
#include "ui/display.h"
#include "ui/input.h"

#define READ_SIZE (64u << 10)
#define MAX_LINE  (64u << 20)
#define MAX_WORDS 8
#define MAX_BYTES (16u << 20) /* of one read, write, memset or string access */
#define OUT_HIGH  (32u << 10)

struct protocol {
    struct door *door;
    int fd_in, fd_out, log_fd;
    struct loop_source source;
    struct deferred more;
    bool busy; /* inside a request: a turn of the loop must not start the next */
    bool eof;
    char *in;
    size_t in_len, in_size, in_at, scanned;
    char *out;
    size_t out_len, out_size;
    bool intercepting;
    enum hv_pin_kind intercepted;
    struct timeval start;
};

/* ---- Output ---- */

static void die(struct protocol *p)
{
    p->eof = true;
    loop_unwatch(p->door->loop, &p->source);
    loop_quit(p->door->loop, 0);
}

static void write_all(int fd, const char *s, size_t len, struct protocol *p)
{
    while (len) {
        ssize_t n = write(fd, s, len);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            if (p)
                die(p); /* nobody is left to serve */
            return;
        } else if (n > 0) {
            s += n;
            len -= (size_t)n;
        }
    }
}

static void flush(struct protocol *p)
{
    if (p->out_len)
        write_all(p->fd_out, p->out, p->out_len, p);
    p->out_len = 0;
}

static void put(struct protocol *p, const char *s, size_t len)
{
    if (p->out_len + len > p->out_size) {
        size_t size = (p->out_len + len) * 2;
        char *bigger = realloc(p->out, size);
        if (!bigger)
            abort();
        p->out = bigger;
        p->out_size = size;
    }
    memcpy(p->out + p->out_len, s, len);
    p->out_len += len;
}

static void log_line(struct protocol *p, char who, const char *s, size_t len)
{
    char stamp[64];
    struct timeval now, since;
    if (p->log_fd < 0)
        return;
    gettimeofday(&now, NULL);
    timersub(&now, &p->start, &since);
    int n = snprintf(stamp, sizeof(stamp), "[%c +%ld.%06ld] ", who, (long)since.tv_sec,
                     (long)since.tv_usec);
    write_all(p->log_fd, stamp, (size_t)n, NULL);
    write_all(p->log_fd, s, len, NULL);
    write_all(p->log_fd, "\n", 1, NULL);
}

static void reply(struct protocol *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void reply(struct protocol *p, const char *fmt, ...)
{
    char line[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(line))
        n = sizeof(line) - 1;
    log_line(p, 'S', line, (size_t)n);
    put(p, line, (size_t)n);
    put(p, "\n", 1);
}

void protocol_pin(struct protocol *p, enum hv_pin_kind kind, unsigned n, bool level)
{
    if (!p || !p->intercepting || kind != p->intercepted)
        return;
    reply(p, "IRQ %s %u", level ? "raise" : "lower", n);
    if (!p->busy)
        flush(p);
}

/* ---- Text and bytes ---- */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void reply_hex(struct protocol *p, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef"; /* libqtest reads no others */
    char *s = malloc(2 * len + 1);
    if (!s) {
        reply(p, "FAIL out of memory");
        return;
    }
    for (size_t i = 0; i < len; i++) {
        s[2 * i] = digits[bytes[i] >> 4];
        s[2 * i + 1] = digits[bytes[i] & 15];
    }
    s[2 * len] = '\n';
    log_line(p, 'S', "OK 0x...", 8);
    put(p, "OK 0x", 5);
    put(p, s, 2 * len + 1);
    free(s);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "0x0123…" into bytes; what is missing at the end is zero. */
static bool from_hex(const char *s, uint8_t *bytes, size_t len)
{
    if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X'))
        return false;
    s += 2;
    memset(bytes, 0, len);
    for (size_t i = 0; i < 2 * len && s[i]; i++) {
        int digit = hex_digit(s[i]);
        if (digit < 0)
            return false;
        bytes[i / 2] |= (uint8_t)(i % 2 ? digit : digit << 4);
    }
    return true;
}

static void reply_base64(struct protocol *p, const uint8_t *b, size_t len)
{
    put(p, "OK ", 3);
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)b[i] << 16;
        if (n > 1)
            v |= (uint32_t)b[i + 1] << 8;
        if (n > 2)
            v |= b[i + 2];
        char s[4] = {base64[v >> 18], base64[v >> 12 & 63], base64[v >> 6 & 63], base64[v & 63]};
        if (n < 3)
            s[3] = '=';
        if (n < 2)
            s[2] = '=';
        put(p, s, 4);
    }
    put(p, "\n", 1);
    log_line(p, 'S', "OK ...", 6);
}

/* RFC 4648; false unless it makes exactly len bytes. */
static bool from_base64(const char *s, uint8_t *bytes, size_t len)
{
    uint32_t v = 0;
    unsigned bits = 0;
    size_t have = 0;
    for (; *s && *s != '='; s++) {
        const char *at = strchr(base64, *s);
        if (!at)
            return false;
        v = v << 6 | (uint32_t)(at - base64);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (have == len)
                return false;
            bytes[have++] = (uint8_t)(v >> bits);
        }
    }
    return have == len;
}

/* ---- Requests ---- */

struct request {
    struct protocol *p;
    struct door *door;
    char *word[MAX_WORDS];
    unsigned words; /* with the command's own */
    uint64_t number[MAX_WORDS];
};

static unsigned width_of(char suffix)
{
    return suffix == 'b' ? 1 : suffix == 'w' ? 2 : suffix == 'l' ? 4 : 8;
}

static unsigned request_width(const struct request *r)
{
    return width_of(r->word[0][strlen(r->word[0]) - 1]);
}

static void do_in(struct request *r)
{
    if (r->number[1] > 0xFFFF)
        reply(r->p, "FAIL a port has 16 bits");
    else {
        unsigned width = request_width(r);
        uint32_t v = door_in(r->door, (uint16_t)r->number[1], width);
        reply(r->p, "OK 0x%04x", width == 4 ? v : v & ((1u << 8 * width) - 1));
    }
}

static void do_out(struct request *r)
{
    if (r->number[1] > 0xFFFF) {
        reply(r->p, "FAIL a port has 16 bits");
        return;
    }
    door_out(r->door, (uint16_t)r->number[1], request_width(r), (uint32_t)r->number[2]);
    reply(r->p, "OK");
}

static void do_load(struct request *r)
{
    unsigned width = request_width(r);
    uint64_t v = hv_cpu_load(r->door->hv, r->number[1], width);
    reply(r->p, "OK 0x%016" PRIx64, width == 8 ? v : v & ((UINT64_C(1) << 8 * width) - 1));
}

static void do_store(struct request *r)
{
    hv_cpu_store(r->door->hv, r->number[1], request_width(r), r->number[2]);
    reply(r->p, "OK");
}

/* A buffer for the request's length, which is its n-th number; NULL: it has failed. */
static uint8_t *buffer(struct request *r, unsigned n)
{
    uint8_t *bytes = r->number[n] <= MAX_BYTES ? malloc((size_t)r->number[n] + 1) : NULL;
    if (!bytes)
        reply(r->p, "FAIL at most %u bytes", MAX_BYTES);
    return bytes;
}

static void do_read(struct request *r)
{
    size_t len = (size_t)r->number[2];
    uint8_t *bytes = buffer(r, 2);
    if (!bytes)
        return;
    hv_cpu_read(r->door->hv, r->number[1], bytes, len);
    if (r->word[0][0] == 'b')
        reply_base64(r->p, bytes, len);
    else
        reply_hex(r->p, bytes, len);
    free(bytes);
}

static void do_write(struct request *r)
{
    size_t len = (size_t)r->number[2];
    uint8_t *bytes = buffer(r, 2);
    if (!bytes)
        return;
    bool ok = true;
    if (r->word[0][0] == 'b')
        ok = from_base64(r->word[3], bytes, len);
    else if (r->word[0][0] == 'm')
        memset(bytes, (int)(r->number[3] & 0xFF), len);
    else
        ok = from_hex(r->word[3], bytes, len);
    if (ok)
        hv_cpu_write(r->door->hv, r->number[1], bytes, len);
    free(bytes);
    reply(r->p, ok ? "OK" : "FAIL the bytes are not what their length or format says");
}

static void clock_to(struct request *r, uint64_t until)
{
    if (door_clock_to(r->door, until))
        reply(r->p, "OK %" PRIu64, r->door->now);
    else
        reply(r->p, "FAIL a timer fires without end at %" PRIu64, r->door->now);
}

static void do_clock_step(struct request *r)
{
    uint64_t now = r->door->now, next = clock_deadline(&r->door->clock);
    uint64_t until = next == CLOCK_NEVER || next < now ? now : next;
    if (r->words > 1)
        until = r->number[1] > INT64_MAX - now ? INT64_MAX : now + r->number[1];
    clock_to(r, until);
}

static void do_clock_set(struct request *r)
{
    clock_to(r, r->number[1] > INT64_MAX ? INT64_MAX : r->number[1]);
}

static void intercept(struct request *r, enum hv_pin_kind kind)
{
    if (r->p->intercepting && r->p->intercepted != kind) {
        reply(r->p, "FAIL other interrupts are being reported already");
        return;
    }
    r->p->intercepting = true;
    r->p->intercepted = kind;
    reply(r->p, "OK");
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void do_intercept_in(struct request *r)
{
    if (strcmp(last_part(r->word[1]), "ioapic"))
        reply(r->p, "FAIL Unknown device: there is ioapic");
    else
        intercept(r, HV_PIN_IOAPIC);
}

static void do_intercept_out(struct request *r)
{
    const char *name = last_part(r->word[1]);
    if (!strcmp(name, "isa"))
        intercept(r, HV_PIN_ISA);
    else if (!strcmp(name, "intx"))
        intercept(r, HV_PIN_INTX);
    else
        reply(r->p, "FAIL Unknown device: there are isa and intx");
}

static void do_set_irq_in(struct request *r)
{
    char *end;
    uint64_t n = strtoull(r->word[3], &end, 0);
    if (strcmp(last_part(r->word[1]), "ioapic") || *end || n >= HV_PINS) {
        reply(r->p, "FAIL there are ioapic NAME 0..%u LEVEL", HV_PINS - 1);
        return;
    }
    hv_drive_pin(r->door->hv, HV_SOURCE_TEST, (unsigned)n, r->number[4] != 0);
    reply(r->p, "OK");
}

static void do_endianness(struct request *r)
{
    reply(r->p, "OK little");
}

/* ---- Words of our own ---- */

/* insw PORT COUNT: one `rep insw`, as Xen hands it over in one piece. */
static void do_ins(struct request *r)
{
    unsigned width = request_width(r);
    uint64_t count = r->number[2];
    if (r->number[1] > 0xFFFF || count > MAX_BYTES / 4) {
        reply(r->p, "FAIL a port has 16 bits, and a count at most %u", MAX_BYTES / 4);
        return;
    }
    uint8_t *bytes = calloc((size_t)count + 1, width);
    if (!bytes) {
        reply(r->p, "FAIL out of memory");
        return;
    }
    bus_port_read_run(r->door->bus, (uint32_t)r->number[1], width, bytes, (uint32_t)count);
    reply_hex(r->p, bytes, (size_t)count * width);
    free(bytes);
}

/* outsw PORT COUNT 0xHEX: one `rep outsw` of these bytes, repeated to make COUNT units. */
static void do_outs(struct request *r)
{
    unsigned width = request_width(r);
    size_t len = (size_t)r->number[2] * width, given = strlen(r->word[3]);
    given = given > 2 ? (given - 2) / 2 : 0;
    if (r->number[1] > 0xFFFF || r->number[2] > MAX_BYTES / 4 || !given) {
        reply(r->p, "FAIL outsw PORT COUNT 0xHEX");
        return;
    }
    uint8_t *bytes = calloc(len + given, 1);
    bool ok = bytes && from_hex(r->word[3], bytes, given);
    for (size_t i = given; ok && i < len; i++)
        bytes[i] = bytes[i - given];
    if (ok)
        bus_port_write_run(r->door->bus, (uint32_t)r->number[1], width, bytes,
                           (uint32_t)r->number[2]);
    free(bytes);
    reply(r->p, ok ? "OK" : "FAIL the bytes are not hexadecimal");
}

/* key CODE DOWN: a key of the person at the screen (linux/input-event-codes.h). */
static void do_key(struct request *r)
{
    input_key(r->door->input, (unsigned)r->number[1], r->number[2] != 0);
    reply(r->p, "OK");
}

/* pointer X Y BUTTONS: where the person points, on a screen of 1024x768. */
static void do_pointer(struct request *r)
{
    input_pointer_at(r->door->input, (int)(r->number[1] & 0xFFFF), (int)(r->number[2] & 0xFFFF),
                     1024, 768, 0, (unsigned)r->number[3] & 31);
    reply(r->p, "OK");
}

/* screen: draws it; "OK WIDTHxHEIGHT FNV-1a of its pixels". */
static void do_screen(struct request *r)
{
    display_refresh_now(r->door->display);
    const struct surface *s = display_surface(r->door->display);
    uint32_t hash = 2166136261u;
    for (int n = 0; n < s->width * s->height; n++)
        for (unsigned i = 0; i < 24; i += 8)
            hash = (hash ^ (s->pixels[n] >> i & 0xFF)) * 16777619u;
    reply(r->p, "OK %dx%d 0x%08x", s->width, s->height, hash);
}

/* reset: the machine's, as by its reset button. */
static void do_reset(struct request *r)
{
    r->door->reset_wanted = true;
    door_reset_if_wanted(r->door);
    reply(r->p, "OK");
}

/* Is the state what it was, byte for byte? */
static bool same_state(struct device_list *devices, const uint8_t *before, size_t len,
                       struct err *err)
{
    uint8_t *after = NULL;
    size_t after_len, at = 0;
    if (!devices_save(devices, &after, &after_len, err))
        return false;
    while (at < len && at < after_len && before[at] == after[at])
        at++;
    free(after);
    return (at == len && at == after_len) ||
           err_set(err, "saved, loaded and saved again it differs at byte %zu of %zu", at, len);
}

/* reload: saves all devices' state, resets the machine, loads it again: it must be the same. */
static void do_reload(struct request *r)
{
    static struct err err;
    uint8_t *state;
    size_t len;
    struct device_list *devices = machine_devices(r->door->machine);
    devices_quiesce(devices);
    bool ok = devices_save(devices, &state, &len, &err);
    if (ok) {
        devices_reset(devices);
        ok = devices_load(devices, state, len, &err) && same_state(devices, state, len, &err);
        free(state);
    }
    devices_resume(devices);
    if (ok)
        reply(r->p, "OK %zu", len);
    else
        reply(r->p, "FAIL %.200s", err.text);
}

/* ---- The table ---- */

/* args: one character each: n a number, w a word, N a number that may be missing. */
static const struct command {
    const char *name, *args;
    bool without_machine;
    void (*run)(struct request *r);
} commands[] = {
    {"inb", "n", true, do_in},
    {"inw", "n", true, do_in},
    {"inl", "n", true, do_in},
    {"outb", "nn", true, do_out},
    {"outw", "nn", true, do_out},
    {"outl", "nn", true, do_out},
    {"readb", "n", false, do_load},
    {"readw", "n", false, do_load},
    {"readl", "n", false, do_load},
    {"readq", "n", false, do_load},
    {"writeb", "nn", false, do_store},
    {"writew", "nn", false, do_store},
    {"writel", "nn", false, do_store},
    {"writeq", "nn", false, do_store},
    {"read", "nn", false, do_read},
    {"write", "nnw", false, do_write},
    {"memset", "nnn", false, do_write},
    {"b64read", "nn", false, do_read},
    {"b64write", "nnw", false, do_write},
    {"clock_step", "N", true, do_clock_step},
    {"clock_set", "n", true, do_clock_set},
    {"irq_intercept_in", "w", true, do_intercept_in},
    {"irq_intercept_out", "w", true, do_intercept_out},
    {"set_irq_in", "wwwn", false, do_set_irq_in},
    {"endianness", "", true, do_endianness},
    {"insb", "nn", false, do_ins},
    {"insw", "nn", false, do_ins},
    {"insl", "nn", false, do_ins},
    {"outsb", "nnw", false, do_outs},
    {"outsw", "nnw", false, do_outs},
    {"outsl", "nnw", false, do_outs},
    {"key", "nn", false, do_key},
    {"pointer", "nnn", false, do_pointer},
    {"screen", "", false, do_screen},
    {"reset", "", false, do_reset},
    {"reload", "", false, do_reload},
};

/* Reads the numbers among the words; false: they are not what the command takes. */
static bool arguments(struct request *r, const struct command *c)
{
    size_t needed = strlen(c->args);
    if (needed && c->args[needed - 1] == 'N' && r->words == needed)
        needed--;
    if (r->words != needed + 1)
        return false;
    for (unsigned i = 1; i < r->words; i++) {
        char *end;
        if (c->args[i - 1] == 'w')
            continue;
        errno = 0;
        r->number[i] = strtoull(r->word[i], &end, 0); /* negative ones wrap, as in the original */
        if (!*r->word[i] || *end || errno)
            return false;
    }
    return true;
}

static void carry_out(struct protocol *p, char *line)
{
    struct request r = {.p = p, .door = p->door};
    char *save = NULL;
    for (char *w = strtok_r(line, " \r", &save); w; w = strtok_r(NULL, " \r", &save)) {
        if (r.words == MAX_WORDS) {
            reply(p, "FAIL too many words");
            return;
        }
        r.word[r.words++] = w;
    }
    if (!r.words) {
        reply(p, "FAIL an empty line");
        return;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->name, r.word[0]))
            continue;
        if (!c->without_machine && !p->door->machine)
            reply(p, "FAIL there is no machine");
        else if (!arguments(&r, c))
            reply(p, "FAIL %s: wrong arguments", c->name);
        else
            c->run(&r);
        return;
    }
    reply(p, "FAIL Unknown command '%.64s'", r.word[0]);
}

/* ---- Input ---- */

/* The next whole line, without its newline; NULL: it is not there yet. */
static char *next_line(struct protocol *p)
{
    char *from = p->in + p->in_at + p->scanned;
    char *end = p->in_len > p->in_at + p->scanned
                    ? memchr(from, '\n', p->in_len - p->in_at - p->scanned)
                    : NULL;
    if (!end) {
        p->scanned = p->in_len - p->in_at;
        return NULL;
    }
    *end = '\0';
    char *line = p->in + p->in_at;
    p->in_at = (size_t)(end - p->in) + 1;
    p->scanned = 0;
    return line;
}

/* One request for each turn of the loop, so that disks go on as they would beside a CPU. */
static void serve(void *opaque)
{
    struct protocol *p = opaque;
    if (p->busy)
        return;
    char *line = next_line(p);
    if (line) {
        p->busy = true;
        log_line(p, 'R', line, strlen(line));
        size_t reply_at = p->out_len;
        carry_out(p, line);
        if (p->door->reset_wanted) {
            /* The reset belongs before the reply that lets the guest go on. */
            char *kept = NULL;
            size_t len = p->out_len - reply_at;
            if (len && (kept = malloc(len)))
                memcpy(kept, p->out + reply_at, len);
            if (kept)
                p->out_len = reply_at;
            door_reset_if_wanted(p->door);
            if (kept)
                put(p, kept, len);
            free(kept);
        }
        p->busy = false;
        bool more =
            p->in_len > p->in_at && memchr(p->in + p->in_at, '\n', p->in_len - p->in_at) != NULL;
        if (!more || p->out_len > OUT_HIGH)
            flush(p);
        if (more) {
            loop_defer(p->door->loop, &p->more);
            return;
        }
    }
    if (p->eof)
        loop_quit(p->door->loop, 0);
}

static void readable(void *opaque, uint32_t events)
{
    struct protocol *p = opaque;
    (void)events;
    if (p->in_at && !p->busy) { /* a request under way still points into the buffer */
        memmove(p->in, p->in + p->in_at, p->in_len - p->in_at);
        p->in_len -= p->in_at;
        p->in_at = 0;
    }
    if (p->busy)
        return;
    if (p->in_size - p->in_len < READ_SIZE) {
        size_t size = p->in_size ? p->in_size * 2 : 2 * READ_SIZE;
        char *bigger = size <= MAX_LINE ? realloc(p->in, size) : NULL;
        if (!bigger) {
            log_error("qtest: a line is longer than %u bytes", MAX_LINE);
            die(p);
            return;
        }
        p->in = bigger;
        p->in_size = size;
    }
    ssize_t n = read(p->fd_in, p->in + p->in_len, READ_SIZE);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        p->eof = true;
        loop_unwatch(p->door->loop, &p->source);
    } else {
        p->in_len += (size_t)n;
    }
    loop_defer(p->door->loop, &p->more);
}

/* ---- Life ---- */

/* A file cannot be waited for, but it can be read whole. */
static void read_file(struct protocol *p)
{
    while (!p->eof)
        readable(p, EPOLLIN);
}

struct protocol *protocol_new(struct door *door, int fd_in, int fd_out, int log_fd, struct err *err)
{
    struct protocol *p = calloc(1, sizeof(*p));
    if (!p) {
        err_set(err, "out of memory");
        return NULL;
    }
    p->door = door;
    p->fd_in = fd_in;
    p->fd_out = fd_out;
    p->log_fd = log_fd;
    gettimeofday(&p->start, NULL);
    deferred_init(&p->more, serve, p);
    if (!loop_watch(door->loop, &p->source, fd_in, EPOLLIN, readable, p, err))
        read_file(p);
    return p;
}

void protocol_free(struct protocol *p)
{
    if (!p)
        return;
    flush(p);
    loop_undefer(p->door->loop, &p->more);
    loop_unwatch(p->door->loop, &p->source);
    if (p->fd_in > 2)
        close(p->fd_in);
    if (p->log_fd >= 0)
        close(p->log_fd);
    free(p->in);
    free(p->out);
    free(p);
}
