/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_open: see tap_open.h. Interfaces: Linux's Documentation/networking/tuntap.rst, linux/if_tun.h
 * (ioctls), linux/sockios.h (bridges), OASIS VIRTIO 1.2, 5.1.6 (the header).
 */
#include "net/tap_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/core/child.h"
#include "hw/core/log.h"

#define TUN_DEVICE   "/dev/net/tun"
#define BRIDGE_PORTS 1024 /* of a bridge of the kernel's */
/* What scripts may take: libxl gives up a start after 60 s, and then says less than we do. */
#define UP_MS   30000
#define DOWN_MS 10000
#define KILL_MS 1000 /* beyond that we don't wait for the process that runs downscript= */

/* ---- Scripts ---- */

/* How a process has ended, as wait(2) has it. If it has not after so many ms, it is made to, with
 * what it started: -1 and ETIMEDOUT. (Linux before 5.3 waits for ever.) */
static int wait_for(pid_t pid, unsigned ms)
{
    struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    const bool late = p.fd >= 0 && !poll(&p, 1, (int)ms);
    int status;
    if (p.fd >= 0)
        close(p.fd);
    if (late)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    if (!late)
        return status;
    errno = ETIMEDOUT;
    return -1;
}

/* A script's status as wait(2) has it, or -1 and errno: it could not be run, or did not end. */
static int run_script(const char *script, const char *name, const char *bridge, unsigned ms)
{
    static const int signals[] = {SIGPIPE, SIGHUP, SIGINT, SIGTERM};
    char *const argv[] = {(char *)(uintptr_t)script, (char *)(uintptr_t)name,
                          (char *)(uintptr_t)bridge, NULL}; /* without a bridge it ends there */
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    sigset_t none, usual;
    pid_t pid;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&usual, signals[i]);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawnattr_setpgroup(&attr, 0); /* of its own: wait_for ends all of it */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    int rc = posix_spawn(&pid, script, &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    if (rc) {
        errno = rc;
        return -1;
    }
    return wait_for(pid, ms);
}

/* script= or, not `up`, downscript=. False: why it is as if it had not run. */
static bool script(const struct netdev_config *c, bool up, const char *name, struct err *err)
{
    const char *option = up ? "script" : "downscript", *file = up ? c->script : c->downscript;
    const unsigned ms = c->script_ms ? c->script_ms : up ? UP_MS : DOWN_MS;
    const int status = run_script(file, name, c->bridge, ms);
    if (status < 0 && errno == ETIMEDOUT)
        return err_set(err, "-netdev %s: %s=%s %s has not ended within %g s", c->id, option, file,
                       name, ms / 1000.0);
    if (status < 0)
        return err_set(err, "-netdev %s: %s=%s cannot be run: %s", c->id, option, file,
                       strerror(errno));
    if (WIFSIGNALED(status))
        return err_set(err, "-netdev %s: %s=%s %s was ended by signal %d", c->id, option, file,
                       name, WTERMSIG(status));
    return !status || err_set(err, "-netdev %s: %s=%s %s failed (exit status %d)", c->id, option,
                              file, name, WEXITSTATUS(status));
}

struct down {
    const struct netdev_config *config;
    const char *name;
};

/* The process that waits with downscript=. It is told, or finds us gone: also when we were killed.
 */
static int wait_for_the_end(const void *arg)
{
    const struct down *d = arg;
    struct err err;
    char c = 0;
    fcntl(CHILD_SOCKET, F_SETFD, FD_CLOEXEC); /* it is not the script's */
    prctl(PR_SET_PDEATHSIG, 0);
    signal(SIGTERM, SIG_IGN); /* what ends us ends the whole group, maybe */
    while (recv(CHILD_SOCKET, &c, 1, 0) < 0 && errno == EINTR)
        ;
    if (!script(d->config, false, d->name, &err))
        log_warn("%s", err.text);
    send(CHILD_SOCKET, &c, sizeof(c), MSG_NOSIGNAL);
    return 0;
}

static bool start_down(struct tap_end *end, const struct netdev_config *c, struct err *err)
{
    const struct down arg = {c, end->name};
    const struct child_spec spec = {
        .name = "hvm-dm-net",
        .what = "the process that runs downscript=",
        .log = true,
        .run = wait_for_the_end,
        .arg = &arg,
    };
    end->down_ms = c->script_ms ? c->script_ms : DOWN_MS;
    end->down = child_start(&spec, &end->down_fd, err);
    if (end->down > 0)
        return true;
    end->down = 0;
    return false;
}

/* That process says itself what goes wrong. */
static void run_down(struct tap_end *end)
{
    struct pollfd p = {.fd = end->down_fd, .events = POLLIN};
    if (send(end->down_fd, "", 1, MSG_NOSIGNAL) != 1 ||
        poll(&p, 1, (int)end->down_ms + KILL_MS) != 1)
        log_warn("%s: downscript= did not end", end->name);
    close(end->down_fd);
    waitpid(end->down, NULL, WNOHANG);
    end->down = 0;
}

/* ---- Bridges ---- */

/* Is it on that bridge already? (sysfs may be another network namespace's.) */
static bool on_bridge(int s, int ifindex, const char *bridge)
{
    int ports[BRIDGE_PORTS] = {0};
    unsigned long args[] = {BRCTL_GET_PORT_LIST, (unsigned long)(uintptr_t)ports, BRIDGE_PORTS, 0};
    struct ifreq r = {.ifr_data = (char *)args};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", bridge);
    if (ioctl(s, SIOCDEVPRIVATE, &r) < 0)
        return false;
    for (unsigned i = 0; i < BRIDGE_PORTS; i++)
        if (ports[i] == ifindex)
            return true;
    return false;
}

/* Onto the bridge and up, without a helper's help. */
static bool join_bridge(const struct netdev_config *c, const char *name, struct err *err)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return err_set(err, "-netdev %s: socket: %s", c->id, strerror(errno));
    const int ifindex = (int)if_nametoindex(name);
    struct ifreq r = {.ifr_ifindex = ifindex};
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", c->bridge);
    bool ok = !ioctl(s, SIOCBRADDIF, &r);
    const int why = errno;
    ok = ok || (why == EBUSY && on_bridge(s, ifindex, c->bridge));
    if (!ok)
        err_set(err, "-netdev %s: br=%s: %s", c->id, c->bridge,
                why == ENODEV                        ? "there is no such bridge"
                : why == EOPNOTSUPP || why == EINVAL ? "it is no bridge of the kernel's"
                : why == EBUSY                       ? "the tap is on another bridge"
                : why == EPERM                       ? "only root may do that"
                                                     : strerror(why));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (ok && (ioctl(s, SIOCGIFFLAGS, &r) ||
               (r.ifr_flags |= IFF_UP | IFF_RUNNING, ioctl(s, SIOCSIFFLAGS, &r))))
        ok = err_set(err, "-netdev %s: %s cannot be brought up: %s", c->id, name, strerror(errno));
    close(s);
    return ok;
}

/* ---- The tap ---- */

/* What the kernel is told that we can do, and how it then writes. */
static bool set_up_offloads(int fd, const struct netdev_config *c, struct err *err)
{
    int size = TAP_VNET_HEADER;
    if (ioctl(fd, TUNSETVNETHDRSZ, &size))
        return err_set(err, "-netdev %s: TUNSETVNETHDRSZ: %s", c->id, strerror(errno));
    unsigned can = c->vnet_hdr ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    if (ioctl(fd, TUNSETOFFLOAD, can))
        return err_set(err, "-netdev %s: TUNSETOFFLOAD: %s", c->id, strerror(errno));
    return true;
}

static bool set_sndbuf(int fd, const struct netdev_config *c, struct err *err)
{
    int bytes = (int)c->sndbuf;
    if (!c->sndbuf || !ioctl(fd, TUNSETSNDBUF, &bytes))
        return true;
    return err_set(err, "-netdev %s: sndbuf=%d: %s", c->id, bytes, strerror(errno));
}

static bool open_by_name(struct tap_end *end, const struct netdev_config *c, struct err *err)
{
    const char *name = c->ifname ? c->ifname : "tap%d";
    unsigned features = 0;
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (strlen(name) >= IFNAMSIZ)
        return err_set(err, "-netdev %s: ifname=%s: a name has %d characters at most", c->id, name,
                       IFNAMSIZ - 1);
    end->fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (end->fd < 0)
        return err_set(err, "-netdev %s: %s: %s%s", c->id, TUN_DEVICE, strerror(errno),
                       errno == ENOENT || errno == ENODEV || errno == ENXIO ? " (modprobe tun)"
                                                                            : "");
    if (c->vnet_hdr && !ioctl(end->fd, TUNGETFEATURES, &features) && (features & IFF_VNET_HDR)) {
        end->vnet_hdr = true;
        r.ifr_flags |= IFF_VNET_HDR;
    }
    memcpy(r.ifr_name, name, strlen(name));
    if (ioctl(end->fd, TUNSETIFF, &r))
        return err_set(
            err, "-netdev %s: ifname=%s: %s", c->id, name,
            errno == EPERM   ? "not root, and no tap of this user (ip tuntap add mode tap user …)"
            : errno == EBUSY ? "in use by another process, or no tap"
            : errno == EINVAL
                ? "there is such an interface, and it is no tap, or one with several queues"
                : strerror(errno));
    memcpy(end->name, r.ifr_name, IFNAMSIZ);
    end->name[IFNAMSIZ - 1] = '\0';
    return true;
}

/* An inherited descriptor that is no tap: a socket that keeps frames apart does as well. */
static bool is_packet_socket(struct tap_end *end)
{
    int type = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(end->fd, SOL_SOCKET, SO_TYPE, &type, &len))
        return false;
    end->connected = type == SOCK_SEQPACKET;
    return type == SOCK_DGRAM || type == SOCK_SEQPACKET;
}

static bool take_fd(struct tap_end *end, const struct netdev_config *c, struct err *err)
{
    struct ifreq r = {0};
    end->fd = c->fd;
    int flags = fcntl(end->fd, F_GETFL);
    if (flags < 0 || fcntl(end->fd, F_SETFL, flags | O_NONBLOCK))
        return err_set(err, "-netdev %s: fd=%d: %s", c->id, c->fd, strerror(errno));
    if (is_packet_socket(end))
        return true;
    if (ioctl(end->fd, TUNGETIFF, &r))
        return err_set(err,
                       "-netdev %s: fd=%d is neither a tap nor a socket that keeps frames "
                       "apart",
                       c->id, c->fd);
    /* Whether it was made with IFF_NO_PI, as it must be, is not to be seen: the kernel has another
     * meaning for that bit here. */
    if (!(r.ifr_flags & IFF_TAP))
        return err_set(err, "-netdev %s: fd=%d is a tun, not a tap", c->id, c->fd);
    end->vnet_hdr = r.ifr_flags & IFF_VNET_HDR;
    memcpy(end->name, r.ifr_name, IFNAMSIZ);
    end->name[IFNAMSIZ - 1] = '\0';
    return true;
}

static bool set_up(struct tap_end *end, const struct netdev_config *c, struct err *err)
{
    if (!(c->fd >= 0 ? take_fd(end, c, err) : open_by_name(end, c, err)))
        return false;
    if (end->vnet_hdr && !set_up_offloads(end->fd, c, err))
        return false;
    if (*end->name && !set_sndbuf(end->fd, c, err))
        return false;
    if (c->fd >= 0)
        return true;
    if (c->script && !script(c, true, end->name, err))
        return false;
    if (!c->script && c->bridge && !c->no_script && !join_bridge(c, end->name, err))
        return false;
    return !c->downscript || start_down(end, c, err);
}

bool tap_open(struct tap_end *end, const struct netdev_config *config, struct err *err)
{
    *end = (struct tap_end){.fd = -1, .down_fd = -1};
    if (set_up(end, config, err))
        return true;
    if (end->fd >= 0)
        close(end->fd);
    return false;
}

void tap_close(struct tap_end *end)
{
    if (end->down)
        run_down(end);
    close(end->fd);
}
