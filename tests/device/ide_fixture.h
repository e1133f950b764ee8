/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ide_fixture: what the tests of the IDE channel and its disks share beside ide_rig.h. */
#ifndef TESTS_DEVICE_IDE_FIXTURE_H
#define TESTS_DEVICE_IDE_FIXTURE_H

#include <errno.h>
#include <limits.h>
#include "tests/device/ide_rig.h"

static inline int setup(void **state)
{
    *state = ide_rig_new();
    fill_pattern(((struct ide_rig *)*state)->block[0], 0, 2 << 20);
    return 0;
}

static inline int teardown(void **state)
{
    ide_rig_free(*state);
    return 0;
}

/* The device works: IDENTIFY gives its model. */
static inline void assert_alive(struct ide_rig *t)
{
    uint16_t id[256];
    identify(t, 0, 0xEC, id);
    assert_int_equal(id[27], 'Q' << 8 | 'E');
}

static inline void set_features(struct ide_rig *t, uint8_t feature, uint8_t count)
{
    out(t, R_DEVICE, 0xA0);
    out(t, R_ERROR, feature);
    out(t, R_COUNT, count);
    out(t, R_STATUS, 0xEF);
    run(t);
}

#endif
