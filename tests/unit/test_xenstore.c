/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of what we check before we trust a value from xenstore. */
#include "hw/xen/xenstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UUID "0123abcd-4567-89AB-cdef-0123456789ab"

static void test_vm_path(void **state)
{
    (void)state;
    assert_true(xenstore_is_vm_path("/vm/" UUID));
    assert_true(xenstore_is_vm_path("/vm/" UUID "-1"));
    assert_true(xenstore_is_vm_path("/vm/" UUID "-1234567890"));
    static const char *const bad[] = {
        "",
        "/",
        "/vm",
        "/vm/",
        "vm/" UUID,
        "//vm/" UUID,
        "/vm/" UUID "/",
        "/vm/" UUID "/../../local/domain/0",
        "/vm/" UUID "-",
        "/vm/" UUID "-x",
        "/vm/" UUID "-1/",
        "/vm/" UUID "-12345678901",
        "/vm/" UUID "0",
        "/vm/" UUID " ",
        "/vm/../local/domain/0/some-thing-quite-long",
        "/vm/0123abcd-4567-89AB-cdef-0123456789a",
        "/vm/0123abcd-4567-89AB-cdef-0123456789ag",
        "/vm/0123abcd+4567-89AB-cdef-0123456789ab",
        "/vm/0123abcd456789ABcdef0123456789ab----",
        "/vm/--------------------------------------",
        "/local/domain/0/vm/" UUID,
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(xenstore_is_vm_path(bad[i]));
}

static void test_time_offset(void **state)
{
    (void)state;
    int64_t sum;
    assert_true(xenstore_add_offset(NULL, -3600, &sum));
    assert_int_equal(sum, -3600);
    assert_true(xenstore_add_offset("", 5, &sum));
    assert_int_equal(sum, 5);
    assert_true(xenstore_add_offset("0", 5, &sum));
    assert_int_equal(sum, 5);
    assert_true(xenstore_add_offset("-7200", 3600, &sum));
    assert_int_equal(sum, -3600);
    assert_true(xenstore_add_offset("9223372036854775807", 0, &sum));
    assert_int_equal(sum, INT64_MAX);
    assert_false(xenstore_add_offset("9223372036854775807", 1, &sum));
    assert_false(xenstore_add_offset("-9223372036854775808", -1, &sum));
    assert_false(xenstore_add_offset("9223372036854775808", 0, &sum));
    assert_false(xenstore_add_offset("1x", 0, &sum));
    assert_false(xenstore_add_offset("x", 0, &sum));
    assert_false(xenstore_add_offset("1 ", 0, &sum));
    assert_false(xenstore_add_offset("-", 0, &sum));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vm_path),
        cmocka_unit_test(test_time_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
