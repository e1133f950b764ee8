/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kaio: see kaio.h. */
#include "block/kaio.h"

#include <errno.h>
#include <string.h>

bool kaio_init(struct kaio *kaio, int event_fd, unsigned capacity, struct err *err)
{
    memset(kaio, 0, sizeof(*kaio));
    int r = io_setup((int)capacity, &kaio->context);
    if (r < 0) {
        kaio->context = NULL;
        return err_set(err, "%s",
                       r == -EAGAIN ? "the limit in /proc/sys/fs/aio-max-nr is reached"
                                    : strerror(-r));
    }
    kaio->event_fd = event_fd;
    kaio->capacity = capacity;
    return true;
}

void kaio_destroy(struct kaio *kaio)
{
    if (kaio->context)
        io_destroy(kaio->context);
    kaio->context = NULL;
}

bool kaio_ready(const struct kaio *kaio)
{
    return kaio->in_flight < kaio->capacity;
}

int kaio_submit(struct kaio *kaio, struct iocb *iocb)
{
    io_set_eventfd(iocb, kaio->event_fd);
    int r = io_submit(kaio->context, 1, &iocb);
    if (r == 1)
        kaio->in_flight++;
    return r == 1 ? 0 : r < 0 ? r : -EAGAIN;
}

int kaio_submit_many(struct kaio *kaio, struct iocb **iocbs, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        io_set_eventfd(iocbs[i], kaio->event_fd);
    int r = io_submit(kaio->context, (long)count, iocbs);
    if (r > 0)
        kaio->in_flight += (unsigned)r;
    return r ? r : -EAGAIN;
}

int kaio_reap(struct kaio *kaio, struct io_event *events, int max, bool wait)
{
    struct timespec none = {0};
    int n;

    if (!kaio->in_flight)
        return 0;
    do {
        n = io_getevents(kaio->context, wait ? 1 : 0, max, events, wait ? NULL : &none);
    } while (n == -EINTR && wait);
    if (n < 0)
        return 0;
    kaio->in_flight -= (unsigned)n;
    return n;
}
