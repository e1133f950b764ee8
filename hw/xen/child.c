/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child: see child.h. */
#include "hw/xen/child.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
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

bool child_begin(int socket, pid_t parent, const char *name, bool log)
{
    sigset_t none;
    /* The second way, for a parent that is killed while we do something; it does not work when that
     * has become another user, the socket does. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return false;
    prctl(PR_SET_NAME, name);
    if (!close_all_but(socket, log))
        return false;
    signal(SIGHUP, SIG_IGN); /* a terminal's: they go to the whole group */
    signal(SIGINT, SIG_IGN);
    sigemptyset(&none);
    return !sigprocmask(SIG_SETMASK, &none, NULL);
}
