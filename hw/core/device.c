/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: see device.h. The stream: magic, then records of {u8 length + class name, u8 length +
 * instance, u16 version, u32 length, u32 CRC-32 of the fields, fields}, ended by an empty class
 * name. All numbers little-endian.
 */
#include "hw/core/device.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const uint8_t magic[8] = "HVMDMST1";
#define NAME_MAX_LEN 63

void device_add(struct device_list *list, struct device *d, const struct device_class *class,
                const char *instance)
{
    d->class = class;
    d->instance = instance;
    d->next = NULL;
    if (list->last)
        list->last->next = d;
    else
        list->first = d;
    list->last = d;
}

void device_remove(struct device_list *list, struct device *d)
{
    struct device *prev = NULL;
    for (struct device *i = list->first; i; prev = i, i = i->next) {
        if (i != d)
            continue;
        if (prev)
            prev->next = d->next;
        else
            list->first = d->next;
        if (list->last == d)
            list->last = prev;
        d->next = NULL;
        return;
    }
}

void device_reset(struct device *d)
{
    state_reset(d->class->state, d);
    if (d->class->reset)
        d->class->reset(d);
}

void devices_reset(struct device_list *list)
{
    for (struct device *d = list->first; d; d = d->next)
        device_reset(d);
}

void devices_quiesce(struct device_list *list)
{
    for (struct device *d = list->first; d; d = d->next)
        if (d->class->quiesce)
            d->class->quiesce(d);
}

void devices_resume(struct device_list *list)
{
    for (struct device *d = list->first; d; d = d->next)
        if (d->class->resume)
            d->class->resume(d);
}

void devices_destroy(struct device_list *list)
{
    while (list->last) {
        struct device *d = list->last;
        device_remove(list, d);
        if (d->class->destroy)
            d->class->destroy(d);
    }
}

static uint8_t *put_le(uint8_t *p, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

static uint8_t *put_name(uint8_t *p, const char *name, size_t len)
{
    *p++ = (uint8_t)len;
    memcpy(p, name, len);
    return p + len;
}

bool devices_save(struct device_list *list, uint8_t **out, size_t *len, struct err *err)
{
    size_t size = sizeof(magic) + 1;
    for (struct device *d = list->first; d; d = d->next) {
        if (strlen(d->class->name) > NAME_MAX_LEN || strlen(d->instance) > NAME_MAX_LEN)
            return err_set(err, "device name too long: %s", d->class->name);
        size += 2 + strlen(d->class->name) + strlen(d->instance) + 2 + 4 + 4 +
                state_size(d->class->state, d->class->version);
    }
    uint8_t *buf = malloc(size);
    if (!buf)
        return err_set(err, "out of memory for %zu bytes of device state", size);
    uint8_t *p = buf;
    memcpy(p, magic, sizeof(magic));
    p += sizeof(magic);
    for (struct device *d = list->first; d; d = d->next) {
        const struct device_class *c = d->class;
        size_t n = state_size(c->state, c->version);
        p = put_name(p, c->name, strlen(c->name));
        p = put_name(p, d->instance, strlen(d->instance));
        p = put_le(p, c->version, 2);
        p = put_le(p, (uint32_t)n, 4);
        uint8_t *crc = p;
        state_save(c->state, d, c->version, p + 4);
        put_le(crc, (uint32_t)crc32(0, p + 4, (uInt)n), 4);
        p += 4 + n;
    }
    *p++ = 0;
    *out = buf;
    *len = size;
    return true;
}

struct record {
    struct device *device;
    uint16_t version;
    const uint8_t *fields;
    uint32_t len;
};

struct reader {
    const uint8_t *p;
    size_t left;
};

static bool get_le(struct reader *r, unsigned bytes, uint32_t *v)
{
    if (r->left < bytes)
        return false;
    *v = 0;
    for (unsigned i = 0; i < bytes; i++)
        *v |= (uint32_t)r->p[i] << (8 * i);
    r->p += bytes;
    r->left -= bytes;
    return true;
}

static bool get_name(struct reader *r, char name[NAME_MAX_LEN + 1])
{
    uint32_t len;
    if (!get_le(r, 1, &len) || len > NAME_MAX_LEN || r->left < len)
        return false;
    for (uint32_t i = 0; i < len; i++)
        name[i] = (char)(r->p[i] >= 0x20 && r->p[i] < 0x7F ? r->p[i] : '?');
    name[len] = 0;
    r->p += len;
    r->left -= len;
    return true;
}

static struct device *find(struct device_list *list, const char *class, const char *instance)
{
    for (struct device *d = list->first; d; d = d->next)
        if (!strcmp(d->class->name, class) && !strcmp(d->instance, instance))
            return d;
    return NULL;
}

/* Reads one record's frame into *record; *end is set at the end record. */
static bool next_record(struct device_list *list, struct reader *r, struct record *record,
                        bool *end, struct err *err)
{
    char class[NAME_MAX_LEN + 1], instance[NAME_MAX_LEN + 1];
    uint32_t version, len, crc;
    if (!get_name(r, class))
        return err_set(err, "saved state is cut short");
    if (!*class) {
        *end = true;
        return true;
    }
    if (!get_name(r, instance) || !get_le(r, 2, &version) || !get_le(r, 4, &len) ||
        !get_le(r, 4, &crc) || len > r->left)
        return err_set(err, "saved state is cut short in the record of %s", class);
    if ((uint32_t)crc32(0, r->p, len) != crc)
        return err_set(err, "saved state of %s/%s is damaged (CRC)", class, instance);
    struct device *d = find(list, class, instance);
    if (!d)
        return err_set(err, "saved state has a %s/%s, which this configuration has not", class,
                       instance);
    if (!version || version > d->class->version)
        return err_set(err, "saved state of %s has version %u; this build knows up to %u", class,
                       (unsigned)version, (unsigned)d->class->version);
    *record =
        (struct record){.device = d, .version = (uint16_t)version, .fields = r->p, .len = len};
    r->p += len;
    r->left -= len;
    return true;
}

bool device_load(struct device *d, uint16_t version, const uint8_t *in, size_t len, struct err *err)
{
    if (!version || version > d->class->version)
        return err_set(err, "saved state of %s has version %u", d->class->name, version);
    if (!state_load(d->class->state, d, version, in, len, err))
        return false;
    return !d->class->post_load || d->class->post_load(d, err);
}

bool devices_load(struct device_list *list, const uint8_t *in, size_t len, struct err *err)
{
    if (len >= 4 && !memcmp(in, "QEVM", 4))
        return err_set(err,
                       "the saved state was written by QEMU; hvm-dm cannot read it: shut the guest "
                       "down and start it again under hvm-dm");
    if (len < sizeof(magic) || memcmp(in, magic, sizeof(magic)) != 0)
        return err_set(err, "this is not saved state of hvm-dm");

    size_t devices = 0, records = 0;
    for (struct device *d = list->first; d; d = d->next)
        devices++;
    struct record *record = calloc(devices + 1, sizeof(*record));
    if (!record)
        return err_set(err, "out of memory");
    struct reader r = {.p = in + sizeof(magic), .left = len - sizeof(magic)};
    bool ok = true, end = false;
    while (ok && !end) {
        struct record next = {.device = NULL};
        ok = next_record(list, &r, &next, &end, err);
        if (!ok || end || !next.device)
            break;
        for (size_t i = 0; i < records && ok; i++)
            if (record[i].device == next.device)
                ok = err_set(err, "saved state has %s/%s twice", next.device->class->name,
                             next.device->instance);
        ok = ok && state_check(next.device->class->state, next.version, next.fields, next.len, err);
        if (ok)
            record[records++] = next;
    }
    if (ok && r.left)
        ok = err_set(err, "saved state has %zu bytes after its end", r.left);
    if (ok && records != devices)
        ok = err_set(err, "saved state has %zu devices, this configuration %zu", records, devices);
    for (size_t i = 0; i < records && ok; i++)
        ok = device_load(record[i].device, record[i].version, record[i].fields, record[i].len, err);
    free(record);
    return ok;
}

void devices_print(struct device_list *list, FILE *out)
{
    for (struct device *d = list->first; d; d = d->next) {
        fprintf(out, "%s %s (version %u)\n", d->class->name, d->instance,
                (unsigned)d->class->version);
        state_print(d->class->state, d, out);
    }
}
