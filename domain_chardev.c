/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_chardev: the streams behind the guest's serial and parallel ports. */
#include "domain_int.h"

#include <stdio.h>

#include "ui/chardev.h"

bool domain_open_serial(struct domain *d, struct err *err)
{
    for (size_t i = 0; i < d->config->serial_count; i++) {
        char label[32];
        if (d->config->serial_absent[i])
            continue;
        snprintf(label, sizeof(label), "serial%zu", i);
        d->serial[i] = chardev_open(d->loop, label, &d->config->serial[i], err);
        if (!d->serial[i])
            return false;
    }
    if (d->config->have_parallel)
        d->parallel = chardev_open(d->loop, "parallel0", &d->config->parallel, err);
    if (d->config->have_parallel && !d->parallel)
        return false;
    return true;
}

bool domain_chardev_info(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    struct domain *d = opaque;
    for (size_t i = 0; i <= CONFIG_MAX_SERIAL; i++) {
        const struct chardev *c = i < CONFIG_MAX_SERIAL ? d->serial[i] : d->parallel;
        if (!c || index--)
            continue;
        *info = (struct qmp_chardev_info){
            .label = chardev_label(c), .filename = chardev_filename(c), .frontend_open = true};
        return true;
    }
    return false;
}
