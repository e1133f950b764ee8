/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_state: a hostile saved state. The input is a guest's program, patches, and another program:
 * a machine runs the first and is saved; the stream is patched, its checksums made right again, and
 * a new machine loads it. What it takes must go round, and bear the second program.
 *
 * Or nothing is patched, and both machines run the second program: they must read the same and end
 * in the same state, as a guest that moves to another host must not notice.
 *
 * u8 flags (1: the rest is the stream itself; 2: checksums are not made right; 4: the machine that
 * was saved goes on beside the new one, no patches); u16 length of the first program; the program;
 * u8 number of patches; patches; the second program. A patch: u16 which record (FNV-1a of
 * "class/instance" folded; 0xFFFF: the stream as a whole, after the checksums), u24 offset, u8
 * length - 1 (of 8), bytes.
 */
#include <zlib.h>

#include "hw/core/device.h"
#include "tests/fuzz/guest.h"

#define RAW          1
#define KEEP_CRC     2
#define COMPARE      4
#define MAGIC_LEN    8
#define MAX_PATCHES  16
#define PATCH_LEN    6 /* without its bytes */
#define WHOLE_STREAM 0xFFFFu

static uint16_t fold(const char *class, size_t class_len, const char *instance, size_t instance_len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < class_len; i++)
        h = (h ^ (uint8_t) class[i]) * 16777619u;
    h = (h ^ '/') * 16777619u;
    for (size_t i = 0; i < instance_len; i++)
        h = (h ^ (uint8_t)instance[i]) * 16777619u;
    return (uint16_t)((h >> 16 ^ h) & 0x7FFF);
}

/* One record's place in a stream. */
struct place {
    uint16_t id;
    uint8_t *crc, *fields;
    size_t len;
};

static uint32_t le(const uint8_t *p, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

/* The record at *at, if there is one; *at is then behind it. */
static bool next_place(uint8_t *stream, size_t len, size_t *at, struct place *place)
{
    size_t i = *at, class_at = i + 1, instance_at;
    if (i >= len || !stream[i])
        return false;
    i += 1u + stream[i];
    instance_at = i + 1;
    if (i >= len)
        return false;
    i += 1u + stream[i];
    if (i + 10 > len)
        return false;
    place->id = fold((char *)stream + class_at, stream[class_at - 1], (char *)stream + instance_at,
                     stream[instance_at - 1]);
    place->crc = stream + i + 6;
    place->fields = stream + i + 10;
    place->len = le(stream + i + 2, 4);
    if (place->len > len - i - 10)
        return false;
    *at = i + 10 + place->len;
    return true;
}

static void make_crcs_right(uint8_t *stream, size_t len)
{
    struct place place;
    for (size_t at = MAGIC_LEN; next_place(stream, len, &at, &place);) {
        uint32_t crc = (uint32_t)crc32(0, place.fields, (uInt)place.len);
        for (unsigned i = 0; i < 4; i++)
            place.crc[i] = (uint8_t)(crc >> (8 * i));
    }
}

static void patch(uint8_t *stream, size_t len, uint16_t id, size_t offset, const uint8_t *bytes,
                  size_t n)
{
    struct place place = {.fields = stream, .len = len};
    if (id != WHOLE_STREAM) {
        size_t at = MAGIC_LEN;
        do {
            if (!next_place(stream, len, &at, &place))
                return;
        } while (place.id != id);
    }
    for (size_t i = 0; i < n && offset + i < place.len; i++)
        place.fields[offset + i] = bytes[i];
}

/* Patches of the records, or those of the stream as a whole; `in` moves behind all of them. */
static void apply(uint8_t *stream, size_t len, struct fuzz_input *in, bool whole)
{
    for (unsigned count = fuzz_take(in, 1) % (MAX_PATCHES + 1); count; count--) {
        uint16_t id = (uint16_t)fuzz_take(in, 2);
        size_t offset = fuzz_take(in, 3), n = (fuzz_take(in, 1) & 7) + 1;
        const uint8_t *bytes = fuzz_take_bytes(in, n, &n);
        if ((id == WHOLE_STREAM) == whole)
            patch(stream, len, id, offset, bytes, n);
    }
}

/* What stood in the stream, taken by a new machine or refused in one line. */
static bool load(struct guest *g, const uint8_t *stream, size_t len)
{
    struct err err;
    err.text[0] = '\0';
    bool ok = devices_load(machine_devices(guest_rig(g)->machine), stream, len, &err);
    fuzz_assert(ok || (err.text[0] && !strchr(err.text, '\n')));
    return ok;
}

/* A machine that has run the first program and is parked, and its stream. */
static struct guest *saved_guest(struct fuzz_input *in, uint8_t **stream, size_t *len)
{
    struct err err;
    struct guest *g = guest_new();
    size_t program = fuzz_take(in, 2);
    const uint8_t *p = fuzz_take_bytes(in, program, &program);
    struct fuzz_input first = {.p = p, .left = program};
    guest_run(g, &first);
    guest_park(g);
    fuzz_assert(devices_save(machine_devices(guest_rig(g)->machine), stream, len, &err));
    return g;
}

static void compare(struct guest *here, const uint8_t *stream, size_t len, struct fuzz_input *in)
{
    struct guest *there = guest_twin(here);
    struct fuzz_input again = *in;
    fuzz_assert(load(there, stream, len));
    devices_resume(machine_devices(guest_rig(here)->machine));
    devices_resume(machine_devices(guest_rig(there)->machine));
    /* A byte on the keyboard's line starts anew: nothing that a guest could tell from a slow one.
     */
    guest_wait(here, 10 * NS_PER_MS);
    guest_wait(there, 10 * NS_PER_MS);
    guest_say(here, "here");
    guest_run(here, in);
    guest_say(here, "there");
    guest_run(there, &again);
    guest_say(here, "compared");
    guest_park(here);
    guest_park(there);
    fuzz_assert(guest_same(here, there));
    devices_resume(machine_devices(guest_rig(there)->machine));
    guest_free(there);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {.p = data, .left = size};
    unsigned flags = (unsigned)fuzz_take(&in, 1);
    size_t len;
    uint8_t *stream;
    if (flags & RAW) {
        stream = malloc(in.left + 1);
        if (!stream)
            abort();
        len = in.left;
        memcpy(stream, in.p, len);
        in.left = 0;
        if (!(flags & KEEP_CRC))
            make_crcs_right(stream, len);
    } else {
        struct guest *saved = saved_guest(&in, &stream, &len);
        if (flags & COMPARE)
            compare(saved, stream, len, &in);
        devices_resume(machine_devices(guest_rig(saved)->machine));
        guest_free(saved);
        if (flags & COMPARE) {
            free(stream);
            return 0;
        }
        struct fuzz_input patches = in;
        apply(stream, len, &in, false);
        if (!(flags & KEEP_CRC))
            make_crcs_right(stream, len);
        apply(stream, len, &patches, true);
    }

    struct guest *g = guest_new();
    devices_quiesce(machine_devices(guest_rig(g)->machine));
    if (load(g, stream, len)) {
        guest_reload(g);
        devices_resume(machine_devices(guest_rig(g)->machine));
        guest_run(g, &in);
    }
    free(stream);
    guest_free(g);
    return 0;
}

/* --- mutations --- */

struct field {
    uint16_t id;
    uint8_t width;
    uint32_t offset, count;
    uint64_t min, max;
};

#define MAX_FIELDS 4096

static struct field fields[MAX_FIELDS];
static unsigned field_count;

static uint32_t list_fields(const struct state_field *table, uint16_t version, uint16_t id,
                            uint32_t at)
{
    for (const struct state_field *f = table; f->kind != STATE_END; f++) {
        if (f->since > version)
            continue;
        if (f->kind == STATE_KIND_STRUCT) {
            for (uint32_t i = 0; i < f->count; i++)
                at = list_fields(f->sub, version, id, at);
            continue;
        }
        if (field_count < MAX_FIELDS)
            fields[field_count++] =
                (struct field){id, (uint8_t)f->width, at, f->count, f->min, f->max};
        at += f->count * f->width;
    }
    return at;
}

static void list_all_fields(void)
{
    struct guest *g = guest_new();
    const struct device_list *devices = machine_devices(guest_rig(g)->machine);
    for (const struct device *d = devices->first; d; d = d->next)
        list_fields(d->class->state, d->class->version,
                    fold(d->class->name, strlen(d->class->name), d->instance, strlen(d->instance)),
                    0);
    guest_free(g);
}

/* One more patch, at the front: a field gets another value, mostly one it may have. */
static size_t add_patch(uint8_t *data, size_t size, size_t max_size, size_t at, unsigned seed)
{
    const struct field *f = &fields[seed % field_count];
    uint32_t r = seed * 2654435761u;
    uint64_t span = f->max - f->min, v = f->min;
    size_t n = PATCH_LEN + f->width;
    switch (r >> 29) {
    case 0:
        v = f->max;
        break;
    case 1:
        v = f->max + 1;
        break;
    case 2:
        v = (uint64_t)1 << (r >> 8) % (8u * f->width);
        break;
    default:
        v += span == UINT64_MAX ? r * UINT64_C(0x100000001) : r * UINT64_C(0x9E3779B1) % (span + 1);
    }
    if (at >= size || data[at] >= MAX_PATCHES || size + n > max_size)
        return size;
    uint32_t offset = f->offset + (f->count > 1 ? (r >> 4) % f->count : 0) * f->width;
    memmove(data + at + 1 + n, data + at + 1, size - at - 1);
    data[at]++;
    uint8_t *p = data + at + 1;
    p[0] = (uint8_t)f->id;
    p[1] = (uint8_t)(f->id >> 8);
    for (unsigned i = 0; i < 3; i++)
        p[2 + i] = (uint8_t)(offset >> (8 * i));
    p[5] = (uint8_t)(f->width - 1);
    memcpy(p + PATCH_LEN, &v, f->width);
    return size + n;
}

/* Where the patches end; *patches is where their number stands. */
static size_t skip(const uint8_t *data, size_t size, size_t *patches)
{
    size_t at = 3 + le(data + 1, 2);
    *patches = at < size ? at : size;
    if (at >= size)
        return size;
    unsigned count = data[at++] % (MAX_PATCHES + 1);
    for (; count && at + PATCH_LEN <= size; count--)
        at += PATCH_LEN + (data[at + 5] & 7) + 1u;
    return at < size ? at : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint8_t copy[4096];
    size_t patches, end, n;
    if (!field_count)
        list_all_fields();
    if (max_size > sizeof(copy))
        max_size = sizeof(copy);
    if (size > max_size)
        size = max_size;
    if (size < 4) {
        memset(data, 0, 4);
        size = 4;
    }
    unsigned r = seed >> 3, way = seed % 8;
    if ((data[0] & RAW) || way == 7)
        return LLVMFuzzerMutate(data, size, max_size);
    end = skip(data, size, &patches);
    if (data[0] & COMPARE) /* no patches: programs only */
        end = patches, way = way < 4 ? 5 : 6;
    else if (r % 32 == 0 && end == patches + 1)
        data[0] ^= COMPARE;
    if (way < 4)
        return add_patch(data, size, max_size, patches, r);
    if (way == 4 && end > patches + 1) { /* patches as bytes */
        LLVMFuzzerMutate(data + patches + 1, end - patches - 1, end - patches - 1);
        return size;
    }
    if (way == 5) { /* the first program */
        n = patches - 3;
        memcpy(copy, data + patches, size - patches);
        size_t rest = size - patches, now = guest_mutate(data + 3, n, max_size - 3 - rest, r);
        data[1] = (uint8_t)now;
        data[2] = (uint8_t)(now >> 8);
        memcpy(data + 3 + now, copy, rest);
        return 3 + now + rest;
    }
    return end + guest_mutate(data + end, size - end, max_size - end, r);
}
