/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State tables and the machine's state stream: what is saved loads, what is hostile is refused and
 * changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hw/core/device.h"

struct part {
    uint16_t word;
    bool flag;
};

struct chip {
    struct device device;
    uint8_t index;
    uint32_t kept;
    uint64_t big;
    uint8_t fifo[16];
    struct part parts[2];
    uint8_t newer;
    unsigned resets, loads, destroyed;
    unsigned *destroy_order;
};

static const struct state_field part_fields[] = {
    STATE_UINT(struct part, word, .reset = 0x1234),
    STATE_BOOL(struct part, flag),
    STATE_FIELDS_END,
};

static const struct state_field chip_fields[] = {
    STATE_LIMIT(struct chip, index, 15, .reset = 3),
    STATE_UINT(struct chip, kept, .keep_on_reset = true),
    STATE_UINT(struct chip, big, .min = 5, .reset = 5),
    STATE_ARRAY(struct chip, fifo, .reset = 0xEE),
    STATE_STRUCTS(struct chip, parts, part_fields),
    STATE_UINT(struct chip, newer, .since = 2, .reset = 9),
    STATE_FIELDS_END,
};

static void chip_reset(struct device *d)
{
    ((struct chip *)d)->resets++;
}

static bool chip_post_load(struct device *d, struct err *err)
{
    struct chip *c = (struct chip *)d;
    c->loads++;
    return c->kept != 0xBAD || err_set(err, "kept is bad");
}

static unsigned destroyed_last;

static void chip_destroy(struct device *d)
{
    ((struct chip *)d)->destroyed = ++destroyed_last;
}

static const struct device_class chip_class = {
    .name = "chip",
    .version = 2,
    .state = chip_fields,
    .reset = chip_reset,
    .post_load = chip_post_load,
    .destroy = chip_destroy,
};

struct machine {
    struct device_list list;
    struct chip a, b;
};

static struct machine *machine_new(void)
{
    struct machine *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    device_add(&m->list, &m->a.device, &chip_class, "a");
    device_add(&m->list, &m->b.device, &chip_class, "b");
    devices_reset(&m->list);
    return m;
}

static void reset_follows_the_table(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    m->a.kept = 77;
    m->a.index = 1;
    m->a.parts[1].word = 1;
    device_reset(&m->a.device);
    assert_int_equal(m->a.index, 3);
    assert_int_equal(m->a.kept, 77);
    assert_int_equal(m->a.big, 5);
    assert_int_equal(m->a.fifo[15], 0xEE);
    assert_int_equal(m->a.parts[1].word, 0x1234);
    assert_int_equal(m->a.resets, 2);
    assert_int_equal(state_size(chip_fields, 1) + 1, state_size(chip_fields, 2));
    devices_destroy(&m->list);
    assert_int_equal(m->b.destroyed, 1); /* the last one added first */
    assert_int_equal(m->a.destroyed, 2);
    free(m);
}

static void saved_is_loaded(void **state)
{
    (void)state;
    struct machine *m = machine_new(), *n = machine_new();
    struct err err;
    uint8_t *stream, *again;
    size_t len, again_len;
    m->a.index = 15;
    m->b.big = UINT64_MAX;
    m->b.parts[0].flag = true;
    memcpy(m->b.fifo, "0123456789abcdef", 16);
    assert_true(devices_save(&m->list, &stream, &len, &err));
    assert_true(devices_load(&n->list, stream, len, &err));
    assert_int_equal(n->a.index, 15);
    assert_true(n->b.big == UINT64_MAX);
    assert_true(n->b.parts[0].flag);
    assert_int_equal(n->b.loads, 1);
    assert_true(devices_save(&n->list, &again, &again_len, &err));
    assert_int_equal(len, again_len);
    assert_memory_equal(stream, again, len);
    free(again);
    free(stream);
    free(m);
    free(n);
}

static void older_versions_load(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct err err;
    uint8_t record[256];
    m->a.newer = 1;
    m->a.index = 8;
    state_save(chip_fields, &m->a, 1, record);
    m->a.index = 2;
    assert_true(device_load(&m->a.device, 1, record, state_size(chip_fields, 1), &err));
    assert_int_equal(m->a.index, 8);
    assert_int_equal(m->a.newer, 9); /* absent there: the reset value */
    assert_false(device_load(&m->a.device, 3, record, sizeof(record), &err));
    assert_false(device_load(&m->a.device, 0, record, state_size(chip_fields, 1), &err));
    free(m);
}

/* The stream after a change by `edit` must be refused, and nothing loaded. */
static void refused(const uint8_t *stream, size_t len, const char *word)
{
    struct machine *n = machine_new();
    struct err err = {.text = ""};
    n->a.index = 6;
    assert_false(devices_load(&n->list, stream, len, &err));
    if (word)
        assert_non_null(strstr(err.text, word));
    assert_int_equal(n->a.index, 6);
    assert_int_equal(n->a.loads, 0);
    free(n);
}

static void hostile_streams_are_refused(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct err err;
    uint8_t *stream, *copy;
    size_t len;
    assert_true(devices_save(&m->list, &stream, &len, &err));
    for (size_t cut = 0; cut < len; cut++) {
        /* An exact-size copy, so that a read past the end is seen by the sanitizer. */
        copy = malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, stream, cut);
        refused(copy, cut, NULL);
        free(copy);
    }
    copy = malloc(len + 1);
    assert_non_null(copy);
    for (size_t i = 0; i < len; i++) {
        memcpy(copy, stream, len);
        copy[i] ^= 0xFF;
        refused(copy, len, NULL);
    }
    memcpy(copy, stream, len);
    copy[len] = 0;
    refused(copy, len + 1, "after its end");
    memcpy(copy, "QEVM", 4);
    refused(copy, len, "QEMU");
    free(copy);

    /* A value out of range under a right CRC. */
    m->a.index = 16;
    uint8_t *bad;
    assert_true(devices_save(&m->list, &bad, &len, &err));
    refused(bad, len, "index");
    free(bad);
    m->a.index = 0;
    m->b.big = 4;
    assert_true(devices_save(&m->list, &bad, &len, &err));
    refused(bad, len, "big");
    free(bad);

    /* A device missing, one too many, one twice. */
    m->b.big = 5;
    device_remove(&m->list, &m->b.device);
    assert_true(devices_save(&m->list, &bad, &len, &err));
    refused(bad, len, "1 devices");
    free(bad);
    device_add(&m->list, &m->b.device, &chip_class, "c");
    assert_true(devices_save(&m->list, &bad, &len, &err));
    refused(bad, len, "chip/c");
    free(bad);
    m->b.device.instance = "a";
    assert_true(devices_save(&m->list, &bad, &len, &err));
    refused(bad, len, "twice");
    free(bad);
    free(stream);
    free(m);
}

static void chips_may_refuse(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    struct err err;
    uint8_t *stream;
    size_t len;
    m->a.kept = 0xBAD;
    assert_true(devices_save(&m->list, &stream, &len, &err));
    assert_false(devices_load(&m->list, stream, len, &err));
    assert_string_equal(err.text, "kept is bad");
    free(stream);
    free(m);
}

static void printing(void **state)
{
    (void)state;
    struct machine *m = machine_new();
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    devices_print(&m->list, out);
    fclose(out);
    assert_non_null(strstr(text, "chip a (version 2)"));
    assert_non_null(strstr(text, "  index = 03\n"));
    assert_non_null(strstr(text, "  parts[1].word = 1234\n"));
    free(text);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_follows_the_table), cmocka_unit_test(saved_is_loaded),
        cmocka_unit_test(older_versions_load),     cmocka_unit_test(hostile_streams_are_refused),
        cmocka_unit_test(chips_may_refuse),        cmocka_unit_test(printing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
