/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state: see state.h. Records are packed little-endian fields in table order. */
#include "hw/core/state.h"

#include <inttypes.h>
#include <string.h>

/* Any value is allowed: such arrays (buffers, mostly) need no look at each element. */
static bool whole_range(const struct state_field *f)
{
    return f->kind == STATE_KIND_UINT && f->min == 0 &&
           f->max == (f->width >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * f->width)) - 1);
}

static bool in_version(const struct state_field *f, uint16_t version)
{
    return f->since <= version;
}

static uint64_t get(const uint8_t *object, const struct state_field *f, uint32_t i)
{
    const uint8_t *p = object + f->offset + (size_t)i * f->width;
    uint64_t v = 0;
    memcpy(&v, p, f->width); /* little-endian hosts only: Xen HVM is x86 */
    return v;
}

static void put(uint8_t *object, const struct state_field *f, uint32_t i, uint64_t v)
{
    memcpy(object + f->offset + (size_t)i * f->width, &v, f->width);
}

static void *element(void *object, const struct state_field *f, uint32_t i)
{
    return (uint8_t *)object + f->offset + (size_t)i * f->width;
}

static const void *const_element(const void *object, const struct state_field *f, uint32_t i)
{
    return (const uint8_t *)object + f->offset + (size_t)i * f->width;
}

void state_reset(const struct state_field *fields, void *object)
{
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (f->keep_on_reset)
            continue;
        if (f->kind == STATE_KIND_UINT && (f->width == 1 || !f->reset)) {
            memset(element(object, f, 0), (int)f->reset, (size_t)f->count * f->width);
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            if (f->kind == STATE_KIND_STRUCT)
                state_reset(f->sub, element(object, f, i));
            else
                put(object, f, i, f->reset);
        }
    }
}

size_t state_size(const struct state_field *fields, uint16_t version)
{
    size_t size = 0;
    for (const struct state_field *f = fields; f->kind != STATE_END; f++)
        if (in_version(f, version))
            size +=
                f->count * (f->kind == STATE_KIND_STRUCT ? state_size(f->sub, version) : f->width);
    return size;
}

static uint8_t *save(const struct state_field *fields, const void *object, uint16_t version,
                     uint8_t *out)
{
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (!in_version(f, version))
            continue;
        if (f->kind == STATE_KIND_UINT) {
            size_t bytes = (size_t)f->count * f->width;
            memcpy(out, const_element(object, f, 0), bytes);
            out += bytes;
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++)
            out = save(f->sub, const_element(object, f, i), version, out);
    }
    return out;
}

void state_save(const struct state_field *fields, const void *object, uint16_t version,
                uint8_t *out)
{
    save(fields, object, version, out);
}

static uint64_t take(const uint8_t *in, uint32_t width)
{
    uint64_t v = 0;
    memcpy(&v, in, width);
    return v;
}

/* The length is right already; NULL when a value is out of range. */
static const uint8_t *check(const struct state_field *fields, uint16_t version, const uint8_t *in,
                            struct err *err)
{
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (!in_version(f, version))
            continue;
        if (whole_range(f)) {
            in += (size_t)f->count * f->width;
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            if (f->kind == STATE_KIND_STRUCT) {
                in = check(f->sub, version, in, err);
                if (!in)
                    return NULL;
                continue;
            }
            uint64_t v = take(in, f->width);
            if (v < f->min || v > f->max) {
                err_set(err,
                        "saved state: %s[%" PRIu32 "] is %" PRIu64 ", not within %" PRIu64
                        "..%" PRIu64,
                        f->name, i, v, f->min, f->max);
                return NULL;
            }
            in += f->width;
        }
    }
    return in;
}

static const uint8_t *load(const struct state_field *fields, void *object, uint16_t version,
                           const uint8_t *in)
{
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (f->kind == STATE_KIND_UINT && in_version(f, version)) {
            size_t bytes = (size_t)f->count * f->width;
            memcpy(element(object, f, 0), in, bytes);
            in += bytes;
            continue;
        }
        for (uint32_t i = 0; i < f->count; i++) {
            if (f->kind == STATE_KIND_STRUCT) {
                if (in_version(f, version))
                    in = load(f->sub, element(object, f, i), version, in);
                else
                    state_reset(f->sub, element(object, f, i));
            } else {
                put(object, f, i, f->reset);
            }
        }
    }
    return in;
}

bool state_check(const struct state_field *fields, uint16_t version, const uint8_t *in, size_t len,
                 struct err *err)
{
    size_t want = state_size(fields, version);
    if (len != want)
        return err_set(err, "saved state: %zu bytes where %zu belong", len, want);
    return check(fields, version, in, err) != NULL;
}

bool state_load(const struct state_field *fields, void *object, uint16_t version, const uint8_t *in,
                size_t len, struct err *err)
{
    if (!state_check(fields, version, in, len, err))
        return false;
    load(fields, object, version, in);
    return true;
}

static void print(const struct state_field *fields, const void *object, FILE *out,
                  const char *prefix)
{
    const uint32_t shown = 16;
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (f->kind == STATE_KIND_STRUCT) {
            for (uint32_t i = 0; i < f->count; i++) {
                char name[128];
                snprintf(name, sizeof(name), "%s%s[%" PRIu32 "].", prefix, f->name, i);
                print(f->sub, const_element(object, f, i), out, name);
            }
            continue;
        }
        fprintf(out, "%s%s =", prefix, f->name);
        for (uint32_t i = 0; i < f->count && i < shown; i++)
            fprintf(out, " %0*" PRIx64, (int)f->width * 2, get(object, f, i));
        fprintf(out, f->count > shown ? " ...\n" : "\n");
    }
}

void state_print(const struct state_field *fields, const void *object, FILE *out)
{
    print(fields, object, out, "  ");
}
