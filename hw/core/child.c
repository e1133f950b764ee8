/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child: see child.h. */
#include "hw/core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool close_all_but(int fd, bool log)
{
    int keep = fcntl(fd, F_DUPFD, CHILD_SOCKET + 1);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0 && null <= CHILD_SOCKET)
        null = fcntl(null, F_DUPFD, CHILD_SOCKET + 1);
    if (keep < 0 || null < 0)
        return false;
    for (int i = 0; i < CHILD_SOCKET; i++)
        if ((!log || i != STDERR_FILENO) && dup2(null, i) < 0)
            return false;
    if (dup2(keep, CHILD_SOCKET) < 0)
        return false;
    if (!syscall(SYS_close_range, CHILD_SOCKET + 1, ~0u, 0))
        return true;
    for (long i = sysconf(_SC_OPEN_MAX); i-- > CHILD_SOCKET + 1;) /* Linux before 5.9 */
        close((int)i);
    return true;
}

static bool begin(int socket, pid_t parent, const struct child_spec *spec)
{
    sigset_t none;
    /* The second way, for a parent that is killed while we do something; it does not work when that
     * has become another user, the socket does. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return false;
    prctl(PR_SET_NAME, spec->name);
    if (!close_all_but(socket, spec->log))
        return false;
    signal(SIGHUP, SIG_IGN); /* a terminal's: they go to the whole group */
    signal(SIGINT, SIG_IGN);
    sigemptyset(&none);
    return !sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t child_start(const struct child_spec *spec, int *socket, struct err *err)
{
    const int type = spec->stream ? SOCK_STREAM : SOCK_SEQPACKET;
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair)) {
        err_set(err, "cannot start %s: %s", spec->what, strerror(errno));
        return -1;
    }
    pid_t self = getpid(), pid = fork();
    if (!pid)
        _exit(begin(pair[1], self, spec) ? spec->run(spec->arg) : 1);
    int why = errno;
    close(pair[1]);
    *socket = pair[0];
    if (pid > 0)
        return pid;
    close(pair[0]);
    err_set(err, "cannot start %s: %s", spec->what, strerror(why));
    return -1;
}
