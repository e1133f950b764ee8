/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard tests on every device of the whole machine, whatever there is: nobody has to
 * remember to call them for a new one. tests/layers compares the classes tested here (--list) with
 * those in the sources.
 */
#include "tests/device/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/machine_rig.h"
#include "ui/chardev.h"

/* What is plugged into COM1 and LPT1 takes everything and says nothing. */
struct chardev {
    const struct chardev_user *user;
};

static struct chardev lines[2];
static struct machine_rig *rig;

void chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    (void)opaque;
    c->user = user;
}

size_t chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    (void)c, (void)buf;
    return len;
}

void chardev_accept_input(struct chardev *c)
{
    (void)c;
}

static struct device *first_device(void)
{
    return machine_devices(rig->machine)->first;
}

/* The test's state: which display card the machine has. */
static enum config_vga cards[] = {CONFIG_VGA_STD, CONFIG_VGA_CIRRUS};

static int setup(void **state)
{
    const enum config_vga *card = *state;
    rig = machine_rig_new_nics(&lines[0], &lines[1], *card);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_rig_disks(rig);
    machine_rig_free(rig);
    return 0;
}

/* --- all of it as a stream --- */

struct stream {
    uint8_t *bytes;
    size_t len;
};

static struct stream save_all(void)
{
    struct stream s;
    struct err err;
    assert_true(devices_save(machine_devices(rig->machine), &s.bytes, &s.len, &err));
    return s;
}

static bool same(const struct stream *a, const struct stream *b)
{
    return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

static bool load_all(const struct stream *s)
{
    struct err err = {.text = ""};
    bool ok = devices_load(machine_devices(rig->machine), s->bytes, s->len, &err);
    assert_true(ok || *err.text);
    return ok;
}

/* --- one device's record --- */

static struct stream save_one(const struct device *d)
{
    struct stream s = {.len = state_size(d->class->state, d->class->version)};
    s.bytes = malloc(s.len + 1);
    assert_non_null(s.bytes);
    state_save(d->class->state, d, d->class->version, s.bytes);
    return s;
}

static bool load_one(struct device *d, const struct stream *s)
{
    struct err err = {.text = ""};
    bool ok = device_load(d, d->class->version, s->bytes, s->len, &err);
    assert_true(ok || *err.text);
    return ok;
}

/* --- each field --- */

struct walk {
    struct device *d;
    struct stream reset;     /* the record after a reset */
    size_t at;               /* of the element in it */
    unsigned taken, changed; /* other values of this field, and those that made another state */
    bool *kept;              /* bytes that a reset leaves alone */
    const char **names;      /* of the fields, by byte */
    bool keep;               /* the struct that is walked is such */
};

static uint64_t get(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static void put(uint8_t *p, unsigned width, uint64_t v)
{
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Loads the record with this value at w->at. */
static bool load_with(struct walk *w, unsigned width, uint64_t value)
{
    uint64_t was = get(w->reset.bytes + w->at, width);
    put(w->reset.bytes + w->at, width, value);
    bool ok = load_one(w->d, &w->reset);
    put(w->reset.bytes + w->at, width, was);
    return ok;
}

static void back(struct walk *w)
{
    assert_true(load_one(w->d, &w->reset));
    struct stream now = save_one(w->d);
    assert_true(same(&now, &w->reset));
    free(now.bytes);
}

/* Another value is refused by what belongs together, or the state is another one; what is out of
 * the field's range is refused. */
static void try_element(struct walk *w, const struct state_field *f)
{
    uint64_t was = get(w->reset.bytes + w->at, f->width);
    uint64_t top = f->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * f->width) - 1;
    uint64_t other = was != f->max ? f->max : f->min;
    if (f->max < top) {
        if (load_with(w, f->width, f->max + 1) || load_with(w, f->width, top))
            fail_msg("%s: %s: more than its maximum is taken", w->d->class->name, f->name);
    }
    if (f->min > 0 && load_with(w, f->width, f->min - 1))
        fail_msg("%s: %s: less than its minimum is taken", w->d->class->name, f->name);
    struct stream now = save_one(w->d);
    if (!same(&now, &w->reset))
        fail_msg("%s: %s: what was refused has changed something", w->d->class->name, f->name);
    free(now.bytes);
    if (other == was)
        return;
    if (load_with(w, f->width, other)) {
        w->taken++;
        now = save_one(w->d);
        w->changed += !same(&now, &w->reset);
        free(now.bytes);
    }
    back(w); /* also if it was refused: then by what belongs together, after it was stored */
}

/* Saved to be looked at, but worked out anew from the rest when loaded. */
static const struct {
    const char *class, *field;
} derived[] = {{"ahci", "intx.level"},     {"e1000", "intx.level"},
               {"ne2k_pci", "intx.level"}, {"pcnet", "intx.level"},
               {"piix3-ide", "line"},      {"rtl8139", "intx.level"},
               {"rtl8139c", "intx.level"}, {"piix3-usb-uhci", "intx.level"},
               {"xhci", "intx.level"}};

static bool is_derived(const struct device *d, const char *field)
{
    for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
        if (!strcmp(derived[i].class, d->class->name) && !strcmp(derived[i].field, field))
            return true;
    return false;
}

/* What is taken must count for something: in a PCI header, for example, some bytes are constants.
 */
static void try_field(struct walk *w, const struct state_field *f)
{
    w->taken = w->changed = 0;
    for (uint32_t i = 0; i < f->count; i++, w->at += f->width)
        /* Of long arrays the ends and a few between. */
        if (f->count <= 256 || i < 2 || i + 2 >= f->count || i % (f->count / 8) == 0)
            try_element(w, f);
    if (w->taken && !w->changed && !is_derived(w->d, f->name))
        fail_msg("%s %s: %s: whatever is loaded, nothing changes", w->d->class->name,
                 w->d->instance, f->name);
}

static void keep_field(struct walk *w, const struct state_field *f)
{
    size_t bytes = (size_t)f->count * f->width;
    for (size_t i = 0; i < bytes; i++)
        w->names[w->at + i] = f->name;
    memset(w->kept + w->at, w->keep || f->keep_on_reset, bytes);
    w->at += bytes;
}

static void walk_fields(struct walk *w, const struct state_field *fields,
                        void (*each)(struct walk *w, const struct state_field *f))
{
    for (const struct state_field *f = fields; f->kind != STATE_END; f++) {
        if (f->since > w->d->class->version)
            continue;
        if (f->kind != STATE_KIND_STRUCT)
            each(w, f);
        bool outer = w->keep;
        w->keep = outer || f->keep_on_reset;
        for (uint32_t i = 0; f->kind == STATE_KIND_STRUCT && i < f->count; i++)
            walk_fields(w, f->sub, each);
        w->keep = outer;
    }
}

static void every_field_is_checked_and_counts(void **state)
{
    (void)state;
    for (struct device *d = first_device(); d; d = d->next) {
        struct walk w = {.d = d};
        device_reset(d);
        w.reset = save_one(d);
        walk_fields(&w, d->class->state, try_field);
        assert_int_equal(w.at, w.reset.len);
        free(w.reset.bytes);
    }
}

static void every_device_stands_the_standard_tests(void **state)
{
    (void)state;
    for (struct device *d = first_device(); d; d = d->next)
        rig_standard_tests(NULL, d);
}

/* Whatever was before, after a reset everything is as after the first one, but for what the table
 * says a reset leaves alone. */
static void a_reset_forgets(void **state)
{
    (void)state;
    for (struct device *d = first_device(); d; d = d->next) {
        struct err err;
        device_reset(d);
        struct walk w = {.d = d, .reset = save_one(d)};
        w.kept = calloc(w.reset.len + 1, sizeof(bool));
        w.names = calloc(w.reset.len + 1, sizeof(*w.names));
        walk_fields(&w, d->class->state, keep_field);
        struct stream other = save_one(d);
        for (size_t i = 0; i < w.reset.len; i += 1 + w.reset.len / 509) {
            other.bytes[i] ^= 1;
            if (device_load(d, d->class->version, other.bytes, other.len, &err)) {
                device_reset(d);
                struct stream now = save_one(d);
                for (size_t n = 0; n < now.len; n++)
                    if (now.bytes[n] != w.reset.bytes[n] && !w.kept[n])
                        fail_msg("%s: %s (at %zu, not %02x; after %s at %zu): %02x", d->class->name,
                                 w.names[n], n, w.reset.bytes[n], w.names[i], i, now.bytes[n]);
                free(now.bytes);
            }
            other.bytes[i] ^= 1;
            assert_true(load_one(d, &w.reset));
        }
        free(other.bytes);
        free(w.reset.bytes);
        free(w.kept);
        free(w.names);
    }
}

/* --- the machine --- */

static void quiesce_and_resume_twice(void **state)
{
    (void)state;
    struct device_list *all = machine_devices(rig->machine);
    struct stream before = save_all();
    for (unsigned round = 0; round < 3; round++) {
        devices_quiesce(all);
        devices_quiesce(all);
        struct stream now = save_all();
        assert_true(same(&now, &before));
        free(now.bytes);
        devices_resume(all);
        devices_resume(all);
    }
    devices_quiesce(all); /* and a reset in between */
    machine_reset(rig->machine);
    devices_quiesce(all);
    devices_resume(all);
    free(before.bytes);
}

static void the_stream_is_whole_or_refused(void **state)
{
    (void)state;
    struct stream before = save_all();
    assert_true(load_all(&before));
    for (size_t cut = 0; cut < before.len; cut += 1 + before.len / 509) {
        struct stream part = {.bytes = before.bytes, .len = cut};
        assert_false(load_all(&part));
    }
    for (size_t i = 0; i < before.len; i += 1 + before.len / 1021) {
        before.bytes[i] ^= 0x40;
        assert_false(load_all(&before)); /* the CRC, or the frame */
        before.bytes[i] ^= 0x40;
    }
    struct stream now = save_all();
    assert_true(same(&now, &before));
    free(now.bytes);
    free(before.bytes);
}

static int list_classes(void)
{
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        void *card = &cards[i];
        setup(&card);
        for (const struct device *d = first_device(); d; d = d->next)
            printf("%s\n", d->class->name);
        teardown(&card);
    }
    return 0;
}

int main(int argc, char **argv)
{
#define TEST(f)                                       \
    {#f, f, setup, teardown, &cards[0]},              \
    {                                                 \
#f " (cirrus)", f, setup, teardown, &cards[1] \
    }
    const struct CMUnitTest tests[] = {
        TEST(every_device_stands_the_standard_tests),
        TEST(every_field_is_checked_and_counts),
        TEST(a_reset_forgets),
        TEST(quiesce_and_resume_twice),
        TEST(the_stream_is_whole_or_refused),
    };
    if (argc > 1 && !strcmp(argv[1], "--list"))
        return list_classes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
