/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state: a device's state, declared once beside its registers as a table of fields. Reset, save,
 * load and inspection all walk that table, so they cannot drift apart. A field's min/max are
 * checked on load: saved state is untrusted.
 */
#ifndef HW_CORE_STATE_H
#define HW_CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "hw/core/err.h"

enum state_kind {
    STATE_END = 0,
    STATE_KIND_UINT,   /* count unsigned integers or bools or enums of `width` bytes */
    STATE_KIND_STRUCT, /* count structs of `width` bytes described by `sub` */
};

struct state_field {
    enum state_kind kind;
    const char *name;
    uint32_t offset; /* in the device's struct */
    uint32_t width;  /* of one element, bytes */
    uint32_t count;
    uint64_t min, max;  /* allowed on load */
    uint64_t reset;     /* value at reset (each element) */
    bool keep_on_reset; /* a reset does not touch it */
    uint16_t
        since; /* first version of the device that has it; absent in older records: reset value */
    const struct state_field *sub;
};

#define STATE_MEMBER_(type, member) (((type *)0)->member)
#define STATE_MAX_(type, member)              \
    (sizeof(STATE_MEMBER_(type, member)) >= 8 \
         ? UINT64_MAX                         \
         : (UINT64_C(1) << (8 * (sizeof(STATE_MEMBER_(type, member)) & 7))) - 1)

/* An unsigned integer of 1, 2, 4 or 8 bytes; further fields by designated initialiser: .reset =
 * 0x60, … */
#define STATE_UINT(type, member_, ...)                                                \
    {                                                                                 \
        .kind = STATE_KIND_UINT, .name = #member_, .offset = offsetof(type, member_), \
        .width = sizeof(STATE_MEMBER_(type, member_)), .count = 1,                    \
        .max = STATE_MAX_(type, member_), __VA_ARGS__                                 \
    }
/* The same with an upper bound (inclusive): indexes, enums, phases. */
#define STATE_LIMIT(type, member_, limit_, ...)                                                 \
    {                                                                                           \
        .kind = STATE_KIND_UINT, .name = #member_, .offset = offsetof(type, member_),           \
        .width = sizeof(STATE_MEMBER_(type, member_)), .count = 1, .max = (limit_), __VA_ARGS__ \
    }
#define STATE_BOOL(type, member_, ...) STATE_LIMIT(type, member_, 1, __VA_ARGS__)
/* An array of integers (registers, buffers). */
#define STATE_ARRAY(type, member_, ...)                                                          \
    {                                                                                            \
        .kind = STATE_KIND_UINT, .name = #member_, .offset = offsetof(type, member_),            \
        .width = sizeof(STATE_MEMBER_(type, member_)[0]),                                        \
        .count = sizeof(STATE_MEMBER_(type, member_)) / sizeof(STATE_MEMBER_(type, member_)[0]), \
        .max = STATE_MAX_(type, member_[0]), __VA_ARGS__                                         \
    }
/* One struct, or an array of structs, with a table of its own. */
#define STATE_STRUCT(type, member_, sub_, ...)                                                \
    {                                                                                         \
        .kind = STATE_KIND_STRUCT, .name = #member_, .offset = offsetof(type, member_),       \
        .width = sizeof(STATE_MEMBER_(type, member_)), .count = 1, .sub = (sub_), __VA_ARGS__ \
    }
#define STATE_STRUCTS(type, member_, sub_, ...)                                                  \
    {                                                                                            \
        .kind = STATE_KIND_STRUCT, .name = #member_, .offset = offsetof(type, member_),          \
        .width = sizeof(STATE_MEMBER_(type, member_)[0]),                                        \
        .count = sizeof(STATE_MEMBER_(type, member_)) / sizeof(STATE_MEMBER_(type, member_)[0]), \
        .sub = (sub_), __VA_ARGS__                                                               \
    }
#define STATE_FIELDS_END  \
    {                     \
        .kind = STATE_END \
    }

/* Sets every field to its reset value, except those with keep_on_reset. */
void state_reset(const struct state_field *fields, void *object);

/* Bytes that state_save writes for this table at this version. */
size_t state_size(const struct state_field *fields, uint16_t version);

/* Writes the fields (little-endian, packed, in table order) to out, which holds state_size bytes.
 */
void state_save(const struct state_field *fields, const void *object, uint16_t version,
                uint8_t *out);

/* True if state_load would accept the record; *err says why not. */
bool state_check(const struct state_field *fields, uint16_t version, const uint8_t *in, size_t len,
                 struct err *err);

/* Reads a record of `version` made by state_save. All values are checked before the first is
 * stored: on failure (wrong length, a value out of range) the object is untouched and *err names
 * the field. */
bool state_load(const struct state_field *fields, void *object, uint16_t version, const uint8_t *in,
                size_t len, struct err *err);

/* Prints "name = value" lines for the monitor and for test failures; long arrays are abridged. */
void state_print(const struct state_field *fields, const void *object, FILE *out);

#endif
