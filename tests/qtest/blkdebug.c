/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blkdebug: see blkdebug.h. */
#include "tests/qtest/blkdebug.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/kaio.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int error; /* of the next flush; 0: none */
static bool once, held;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_kaio_submit(struct kaio *kaio, struct iocb *iocb);
int __wrap_kaio_submit(struct kaio *kaio, struct iocb *iocb);

/* Called by the block layer's worker threads. */
int __wrap_fdatasync(int fd)
{
    pthread_mutex_lock(&lock);
    while (held)
        pthread_cond_wait(&changed, &lock);
    int why = error;
    if (once)
        error = 0;
    pthread_mutex_unlock(&lock);
    if (!why)
        return __real_fdatasync(fd);
    errno = why;
    return -1;
}

/* A flush by the kernel's own queue could be neither held nor failed: a worker shall do it. */
int __wrap_kaio_submit(struct kaio *kaio, struct iocb *iocb)
{
    pthread_mutex_lock(&lock);
    bool ours = (held || error) && iocb->aio_lio_opcode == IO_CMD_FDSYNC;
    pthread_mutex_unlock(&lock);
    return ours ? EAGAIN : __real_kaio_submit(kaio, iocb);
}

static bool is_flush(const char *event)
{
    return !strcmp(event, "flush_to_disk") || !strcmp(event, "flush_to_os");
}

static bool read_config(const char *file, struct err *err)
{
    char line[256], event[64] = "", value[64];
    FILE *f = fopen(file, "re");
    if (!f)
        return err_set(err, "blkdebug: %s: %s", file, strerror(errno));
    bool inject = false;
    int why = EIO;
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '[')
            inject = !strncmp(line, "[inject-error]", strlen("[inject-error]"));
        else if (inject && sscanf(line, " event = \"%63[^\"]\"", value) == 1)
            strcpy(event, value);
        else if (inject && sscanf(line, " errno = \"%63[^\"]\"", value) == 1)
            why = atoi(value);
        else if (inject && sscanf(line, " once = \"%63[^\"]\"", value) == 1)
            once = !strcmp(value, "on");
    }
    fclose(f);
    if (*event && !is_flush(event))
        return err_set(err, "blkdebug: %s: event %s is not served here", file, event);
    error = *event ? why : 0;
    return true;
}

const char *blkdebug_file(const char *name, struct err *err)
{
    static const char prefix[] = "blkdebug:";
    char config[256];
    if (!name || strncmp(name, prefix, strlen(prefix)))
        return name;
    const char *start = name + strlen(prefix), *end = strchr(start, ':');
    if (!end || (size_t)(end - start) >= sizeof(config)) {
        err_set(err, "%s: it is blkdebug:[CONFIG]:IMAGE", name);
        return NULL;
    }
    memcpy(config, start, (size_t)(end - start));
    config[end - start] = '\0';
    return !*config || read_config(config, err) ? end + 1 : NULL;
}

bool blkdebug_command(const char *line)
{
    char drive[64], what[64], event[64];
    if (sscanf(line, "qemu-io %63s \"%63[a-z_] %63[a-zA-Z0-9_]", drive, what, event) != 3)
        return false;
    bool hold = !strcmp(what, "break") && is_flush(event);
    if (!hold && strcmp(what, "resume"))
        return false;
    pthread_mutex_lock(&lock);
    held = hold;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return true;
}
