/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_fdset: descriptors that a toolstack passed over a control socket and names /dev/fdset/N. */
#include "toolstack/qmp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "toolstack/optstr.h"

static bool set_exists(const struct qmp *qmp, unsigned set)
{
    for (size_t i = 0; i < qmp->fd_count; i++)
        if (qmp->fds[i].set == set)
            return true;
    return false;
}

int qmp_fd_add(struct qmp *qmp, long long set, int fd, const char *opaque, bool keep,
               struct err *err)
{
    struct qmp_fd entry = {.fd = fd, .keep = keep};
    if (qmp->fd_count == QMP_MAX_FDS)
        err_set(err, "there are %d descriptors in sets already; remove-fd releases them",
                QMP_MAX_FDS);
    else if (set > INT_MAX)
        err_set(err, "fdset-id %lld is out of range", set);
    else if (opaque && strlen(opaque) > QMP_MAX_OPAQUE)
        err_set(err, "opaque is longer than %d bytes", QMP_MAX_OPAQUE);
    else if (opaque && !(entry.opaque = strdup(opaque)))
        err_set(err, "out of memory");
    else {
        if (set < 0)
            while (set_exists(qmp, entry.set))
                entry.set++;
        else
            entry.set = (unsigned)set;
        qmp->fds[qmp->fd_count++] = entry;
        return (int)entry.set;
    }
    close(fd);
    return -1;
}

static void drop(struct qmp *qmp, size_t i)
{
    close(qmp->fds[i].fd);
    free(qmp->fds[i].opaque);
    qmp->fd_count--;
    memmove(&qmp->fds[i], &qmp->fds[i + 1], (qmp->fd_count - i) * sizeof(qmp->fds[0]));
}

bool qmp_fd_remove(struct qmp *qmp, unsigned set, int fd, struct err *err)
{
    bool found = false;
    for (size_t i = 0; i < qmp->fd_count;) {
        if (qmp->fds[i].set == set && (fd < 0 || qmp->fds[i].fd == fd)) {
            drop(qmp, i);
            found = true;
        } else
            i++;
    }
    if (found)
        return true;
    return fd < 0 ? err_set(err, "there is no fdset-id %u", set)
                  : err_set(err, "there is no fd %d in fdset-id %u", fd, set);
}

json_t *qmp_fd_list(const struct qmp *qmp)
{
    json_t *sets = json_array();
    for (size_t i = 0; i < qmp->fd_count; i++) {
        const struct qmp_fd *entry = &qmp->fds[i];
        json_t *fds = NULL;
        for (size_t n = 0; n < json_array_size(sets); n++) {
            const json_t *set = json_array_get(sets, n);
            if (json_integer_value(json_object_get(set, "fdset-id")) == (json_int_t)entry->set)
                fds = json_object_get(set, "fds");
        }
        if (!fds) {
            fds = json_array();
            json_array_append_new(sets,
                                  json_pack("{s:i,s:o}", "fdset-id", (int)entry->set, "fds", fds));
        }
        json_t *fd = json_pack("{s:i}", "fd", entry->fd);
        if (entry->opaque)
            json_object_set_new(fd, "opaque", qmp_text(entry->opaque));
        json_array_append_new(fds, fd);
    }
    return sets;
}

bool qmp_fd_file(const struct qmp *qmp, const char *file, bool write, int *fd, struct err *err)
{
    static const char prefix[] = "/dev/fdset/";
    uint64_t set;
    *fd = -1;
    if (strncmp(file, prefix, sizeof(prefix) - 1))
        return false;
    if (!parse_number(file + sizeof(prefix) - 1, 0, INT_MAX, &set) ||
        !set_exists(qmp, (unsigned)set)) {
        err_set(err, "%s: there is no such descriptor set (add-fd)", file);
        return true;
    }
    for (size_t i = 0; i < qmp->fd_count; i++) {
        if (qmp->fds[i].set != set)
            continue;
        int flags = fcntl(qmp->fds[i].fd, F_GETFL);
        int mode = flags & O_ACCMODE;
        if (flags < 0 || (flags & O_PATH) || mode == (write ? O_RDONLY : O_WRONLY))
            continue;
        *fd = fcntl(qmp->fds[i].fd, F_DUPFD_CLOEXEC, 3);
        if (*fd < 0)
            err_set(err, "%s: %s", file, strerror(errno));
        return true;
    }
    err_set(err, "%s: no descriptor of the set is open for %s", file,
            write ? "writing" : "reading");
    return true;
}

void qmp_fd_clear(struct qmp *qmp, bool all)
{
    for (size_t i = 0; i < qmp->fd_count;) {
        if (all || !qmp->fds[i].keep)
            drop(qmp, i);
        else
            i++;
    }
}
