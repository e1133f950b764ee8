/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mkfilter: writes the system-call filters of hw/xen/confine.c as C tables, at build time, so that
 * a start costs neither libseccomp nor the making of the filters. The filter is an allow-list. What
 * is not on it fails with EPERM, because libraries try things they can do without (a locale,
 * /etc/localtime, a CPU count from /sys); what only an intruder would try ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/xen.h>
/* They need the types of xen.h. */
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

#include "hw/xen/filter/filter.h"

/* A filter to be made. */
struct wanted {
    const char *name;
    enum { WHO_MAIN, WHO_COMPANION, WHO_CONNECTOR, WHO_BACKEND, WHO_NETWORK, WHO_WINDOW } who;
    bool hypercalls; /* raw ones */
    bool open_files; /* by name, for reading */
    bool sockets;    /* can be made */
    bool window;     /* a thread is to narrow its own filter later */
};

/* Allowed whatever the arguments. */
static const char *const allowed[] = {
    /* files and descriptors that are open */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "close", "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate",
    "fadvise64", "fstat", "newfstatat", "statx", "fstatfs", "fcntl", "flock", "dup", "dup2", "dup3",
    "pipe", "pipe2", "eventfd2", "signalfd4", "timerfd_create", "timerfd_settime",
    "timerfd_gettime",
    /* asynchronous I/O */
    "io_setup", "io_submit", "io_getevents", "io_pgetevents", "io_cancel", "io_destroy",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "nanosleep", "clock_nanosleep", "restart_syscall",
    /* sockets that exist, and those they accept */
    "accept", "accept4", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg",
    "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
    /* memory */
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock", "msync",
    /* threads */
    "futex", "set_robust_list", "set_tid_address", "rseq", "sched_yield", "sched_getaffinity",
    "membarrier", "exit", "exit_group", "gettid", "getpid", "getppid",
    /* the companion's end */
    "wait4",
    /* signals to ourselves */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
    "sigaltstack",
    /* time, chance and who we are */
    "clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "getuid", "geteuid",
    "getgid", "getegid", "getrusage", "getrlimit", "times", "uname", "sysinfo"};

/* The companion's: its socket, xenstored's (written to by sendmsg from libxenstore 4.19 on),
 * memory, the end. No descriptor can be made. */
static const char *const companion_allowed[] = {
    "recvfrom",     "sendto",         "read",         "write",
    "writev",       "sendmsg",        "poll",         "ppoll",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall",
    "brk",          "munmap",         "mremap",       "madvise",
    "futex",        "clock_gettime",  "gettimeofday", "sigaltstack",
    "getpid",       "gettid",         "exit",         "exit_group"};

/* The connections' process: its socket, and sockets of its own that it hands over. */
static const char *const connector_allowed[] = {
    "recvfrom",      "recvmsg",         "sendmsg", "connect",      "poll",
    "ppoll",         "getsockopt",      "close",   "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn",  "restart_syscall", "brk",     "munmap",       "futex",
    "clock_gettime", "getpid",          "gettid",  "exit",         "exit_group"};

/* The PV disks' process': what images, the loop and the workers take. Sockets: the parent's and
 * xenstored's. */
static const char *const backend_allowed[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "close", "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate",
    "fadvise64", "fstat", "newfstatat", "statx", "fstatfs", "fcntl", "flock", "eventfd2",
    "timerfd_create", "timerfd_settime", "timerfd_gettime",
    /* asynchronous I/O */
    "io_setup", "io_submit", "io_getevents", "io_pgetevents", "io_cancel", "io_destroy",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "nanosleep", "clock_nanosleep", "restart_syscall", "recvfrom", "sendto",
    /* memory, threads, signals, time, the end */
    "munmap", "mremap", "madvise", "brk", "futex", "set_robust_list", "rseq", "sched_yield",
    "sched_getaffinity", "membarrier", "exit", "exit_group", "gettid", "getpid", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "clock_gettime", "clock_getres",
    "gettimeofday", "time", "getrandom", "getrlimit", "getrusage", "uname", "sysinfo"};

/* The user-mode network's process: the guest's connections as sockets, the main process', files of
 * its own small root directory. */
static const char *const network_allowed[] = {
    "recvfrom", "sendto", "recvmsg", "recvmmsg", "sendmsg", "sendmmsg", "accept", "accept4",
    "getsockname", "getpeername", "getsockopt", "setsockopt", "shutdown", "close", "fcntl", "poll",
    "ppoll", "restart_syscall",
    /* files, and the log */
    "read", "pread64", "lseek", "fstat", "newfstatat", "write", "writev",
    /* memory, locks, signals, time, the end */
    "munmap", "mremap", "madvise", "brk", "futex", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigaltstack", "clock_gettime", "gettimeofday", "time", "getrandom", "getpid", "gettid", "exit",
    "exit_group"};

/* Of it, where the guest may go out (restrict=off). */
static const char *const network_outward[] = {"bind", "connect", "listen"};

/* The window's thread: an X server's socket and the two eventfds, both open, the screen's copies,
 * locks. No file, no descriptor made, none of Xen's, no image. */
static const char *const window_allowed[] = {
    "read", "write", "writev", "recvmsg", "recvfrom", "sendmsg", "sendto", "poll", "ppoll",
    "shutdown", "close", "nanosleep", "clock_nanosleep", "restart_syscall",
    /* memory, threads, signals, time, the end */
    "munmap", "mremap", "madvise", "brk", "futex", "sched_yield", "set_robust_list", "exit",
    "exit_group", "gettid", "getpid", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    "clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom"};

/* No library has a reason to try these: whoever does is no longer us. */
static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "pidfd_getfd",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "mount",
                                     "umount2",
                                     "move_mount",
                                     "open_tree",
                                     "fsopen",
                                     "pivot_root",
                                     "chroot",
                                     "unshare",
                                     "setns",
                                     "open_by_handle_at",
                                     "iopl",
                                     "ioperm",
                                     "reboot",
                                     "swapon",
                                     "swapoff",
                                     "mknod",
                                     "mknodat",
                                     "add_key",
                                     "request_key",
                                     "keyctl",
                                     "setuid",
                                     "setresuid",
                                     "setreuid",
                                     "setfsuid"};

/* Xen's (of those the kernel still checks that a restricted handle keeps to its domain) … */
static const unsigned long xen_ioctls[] = {IOCTL_EVTCHN_NOTIFY,        IOCTL_EVTCHN_UNBIND,
                                           IOCTL_PRIVCMD_DM_OP,        IOCTL_PRIVCMD_MMAPBATCH,
                                           IOCTL_PRIVCMD_MMAPBATCH_V2, IOCTL_PRIVCMD_MMAP_RESOURCE};

/* … and those of terminals, sockets, block devices and CD drives. Not TIOCSTI: it types into a
 * terminal. */
static const unsigned long other_ioctls[] = {TCGETS,
                                             TCSETS,
                                             TCSETSW,
                                             TCSETSF,
                                             TCSBRK,
                                             TCSBRKP,
                                             TCFLSH,
                                             TIOCMGET,
                                             TIOCMSET,
                                             TIOCMBIS,
                                             TIOCMBIC,
                                             TIOCGWINSZ,
                                             TIOCOUTQ,
                                             TIOCSBRK,
                                             TIOCCBRK,
                                             FIONREAD,
                                             FIONBIO,
                                             BLKSSZGET,
                                             BLKGETSIZE64,
                                             BLKDISCARD,
                                             BLKZEROOUT,
                                             CDROM_DRIVE_STATUS,
                                             CDROM_MEDIA_CHANGED,
                                             CDROM_LOCKDOOR,
                                             CDROMEJECT,
                                             CDROMCLOSETRAY};

/* Grants and event channels, and what images ask of block devices. */
static const unsigned long backend_ioctls[] = {IOCTL_GNTDEV_MAP_GRANT_REF,
                                               IOCTL_GNTDEV_UNMAP_GRANT_REF,
                                               IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
                                               IOCTL_GNTDEV_SET_MAX_GRANTS,
                                               IOCTL_GNTDEV_GRANT_COPY,
                                               IOCTL_EVTCHN_BIND_INTERDOMAIN,
                                               IOCTL_EVTCHN_NOTIFY,
                                               IOCTL_EVTCHN_UNBIND,
                                               BLKSSZGET,
                                               BLKGETSIZE64,
                                               BLKDISCARD,
                                               BLKZEROOUT};

/* A socket's bytes, and whether it waits. */
static const unsigned long network_ioctls[] = {FIONREAD, FIONBIO};

/* All of dom0's power. */
static const unsigned long hypercall_ioctl = IOCTL_PRIVCMD_HYPERCALL;

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr < 0) /* not on this machine, or newer than libseccomp: stays refused */
        return 0;
    return seccomp_rule_add(ctx, action, nr, 0);
}

/* Allows a call if (argument & mask) == value. */
static int allow_if(scmp_filter_ctx ctx, int nr, unsigned argument, uint64_t mask, uint64_t value)
{
    struct scmp_arg_cmp cmp = {
        .arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, cmp);
}

static int add_ioctls(scmp_filter_ctx ctx, const unsigned long *requests, size_t count)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++)
        rc = allow_if(ctx, SCMP_SYS(ioctl), 1, UINT32_MAX, requests[i]);
    return rc;
}

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t count)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < count; i++)
        rc = add(ctx, action, names[i]);
    return rc;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Threads, but no processes; and their names. */
static int add_threads(scmp_filter_ctx ctx)
{
    int rc = allow_if(ctx, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
    /* clone3's arguments are out of a filter's sight; told ENOSYS, libc takes clone. */
    int clone3 = seccomp_syscall_resolve_name("clone3");
    if (!rc && clone3 >= 0)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
    return rc ? rc : allow_if(ctx, SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME);
}

/* Memory, but none that is code. */
static int no_new_code(scmp_filter_ctx ctx)
{
    int rc = allow_if(ctx, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    return rc ? rc : allow_if(ctx, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
}

/* One more filter, of the thread that says so: it can only forbid. No flag, so that it neither
 * becomes other threads' nor has a listener, who could allow. */
static int add_narrowing(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp plain[] = {
        {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = SECCOMP_SET_MODE_FILTER},
        {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = 0},
    };
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 2, plain);
}

static int add_arguments(scmp_filter_ctx ctx, const struct wanted *w)
{
    int rc = add_ioctls(ctx, xen_ioctls, COUNT(xen_ioctls));
    if (!rc)
        rc = add_ioctls(ctx, other_ioctls, COUNT(other_ioctls));
    if (!rc && w->hypercalls)
        rc = add_ioctls(ctx, &hypercall_ioctl, 1);
    if (!rc)
        rc = no_new_code(ctx);
    if (!rc)
        rc = add_threads(ctx);
    if (!rc) /* a new limit is what is not given: to ask only */
        rc = allow_if(ctx, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0);
    if (!rc)
        rc = allow_if(ctx, SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX);
    if (!rc && w->open_files)
        rc = allow_if(ctx, SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
    if (!rc && w->window)
        rc = add_narrowing(ctx);
    return rc;
}

/* Memory of its own only: through the hypercall descriptor other domains' could be mapped. */
static int add_companion_arguments(scmp_filter_ctx ctx)
{
    const struct scmp_arg_cmp own[] = {
        {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0},
        {.arg = 3, .op = SCMP_CMP_MASKED_EQ, .datum_a = MAP_ANONYMOUS, .datum_b = MAP_ANONYMOUS},
    };
    int rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, own);
    return rc ? rc : add_ioctls(ctx, &hypercall_ioctl, 1);
}

/* Streams only, to the places where ports and paths are. */
static int add_connector_arguments(scmp_filter_ctx ctx)
{
    static const unsigned long families[] = {AF_UNIX, AF_INET, AF_INET6};
    int rc = 0;
    struct scmp_arg_cmp args[] = {
        {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX},
        {.arg = 1,
         .op = SCMP_CMP_MASKED_EQ,
         .datum_a = UINT32_MAX,
         .datum_b = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK},
    };
    for (size_t i = 0; !rc && i < COUNT(families); i++) {
        args[0].datum_b = families[i];
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), COUNT(args), args);
    }
    return rc;
}

/* Images are opened by name, as the toolstack names them, if there are any; nothing is made. */
static int add_backend_arguments(scmp_filter_ctx ctx, const struct wanted *w)
{
    int rc = add_ioctls(ctx, backend_ioctls, COUNT(backend_ioctls));
    if (!rc)
        rc = no_new_code(ctx);
    if (!rc && w->open_files)
        rc = allow_if(ctx, SCMP_SYS(openat), 2, O_CREAT | O_TRUNC, 0);
    return rc || !w->open_files ? rc : add_threads(ctx);
}

/* TCP, UDP, and the echo sockets that anybody may have (icmp(7)); none that makes packets of its
 * own. */
static int add_network_arguments(scmp_filter_ctx ctx, const struct wanted *w)
{
    static const unsigned long families[] = {AF_INET, AF_INET6},
                               types[] = {SOCK_STREAM, SOCK_DGRAM};
    int rc = add_ioctls(ctx, network_ioctls, COUNT(network_ioctls));
    if (!rc)
        rc = no_new_code(ctx);
    if (!rc)
        rc = allow_if(ctx, SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
    if (rc || !w->sockets)
        return rc;
    rc = add_names(ctx, SCMP_ACT_ALLOW, network_outward, COUNT(network_outward));
    for (size_t i = 0; !rc && i < COUNT(families) * COUNT(types); i++) {
        const struct scmp_arg_cmp args[] = {
            {.arg = 0,
             .op = SCMP_CMP_MASKED_EQ,
             .datum_a = UINT32_MAX,
             .datum_b = families[i / COUNT(types)]},
            {.arg = 1,
             .op = SCMP_CMP_MASKED_EQ,
             .datum_a = UINT32_MAX & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK),
             .datum_b = types[i % COUNT(types)]},
        };
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), COUNT(args), args);
    }
    return rc;
}

static int fill(scmp_filter_ctx ctx, const struct wanted *w)
{
    static const struct {
        const char *const *names;
        size_t count;
    } lists[] = {
        [WHO_MAIN] = {allowed, COUNT(allowed)},
        [WHO_COMPANION] = {companion_allowed, COUNT(companion_allowed)},
        [WHO_CONNECTOR] = {connector_allowed, COUNT(connector_allowed)},
        [WHO_BACKEND] = {backend_allowed, COUNT(backend_allowed)},
        [WHO_NETWORK] = {network_allowed, COUNT(network_allowed)},
        [WHO_WINDOW] = {window_allowed, COUNT(window_allowed)},
    };
    int rc = add_names(ctx, SCMP_ACT_ALLOW, lists[w->who].names, lists[w->who].count);
    if (!rc)
        rc = add_names(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    if (!rc) /* abort(3) */
        rc = allow_if(ctx, SCMP_SYS(tgkill), 0, UINT32_MAX, FILTER_OWN_PID);
    if (!rc)
        rc = w->who == WHO_MAIN        ? add_arguments(ctx, w)
             : w->who == WHO_COMPANION ? add_companion_arguments(ctx)
             : w->who == WHO_CONNECTOR ? add_connector_arguments(ctx)
             : w->who == WHO_BACKEND   ? add_backend_arguments(ctx, w)
             : w->who == WHO_NETWORK   ? add_network_arguments(ctx, w)
                                       : no_new_code(ctx);
    return rc;
}

/* What the kernel is to get, out of libseccomp. 0 or -errno. */
static int compile(const struct wanted *w, struct sock_filter *code, size_t room, size_t *count)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return -ENOMEM;
    /* It is searched as a tree, not from the top at each call (libseccomp 2.5; slower without). */
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int rc = fill(ctx, w);
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (!rc && fd < 0)
        rc = -errno;
    if (!rc)
        rc = seccomp_export_bpf(ctx, fd);
    seccomp_release(ctx);
    ssize_t n = rc ? 0 : pread(fd, code, room * sizeof(*code), 0);
    if (fd >= 0)
        close(fd);
    *count = n > 0 ? (size_t)n / sizeof(*code) : 0;
    return rc;
}

static bool print(const struct wanted *w)
{
    static struct sock_filter code[FILTER_MAX + 1];
    size_t count;
    unsigned own = 0;
    int rc = compile(w, code, COUNT(code), &count);
    if (rc) {
        fprintf(stderr, "mkfilter: %s: %s\n", w->name, strerror(-rc));
        return false;
    }
    printf("\nstatic const struct sock_filter %s[] = {\n", w->name);
    for (size_t i = 0; i < count; i++) {
        printf("    {%#x, %u, %u, %#x},\n", code[i].code, code[i].jt, code[i].jf, code[i].k);
        own += code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == FILTER_OWN_PID;
    }
    puts("};");
    if (count && count <= FILTER_MAX && own)
        return true;
    fprintf(stderr, "mkfilter: %s: %zu instructions, %u with the process id\n", w->name, count,
            own);
    return false;
}

int main(void)
{
    static const struct wanted all[] = {
        {.name = "plain"},
        {.name = "files", .open_files = true},
        {.name = "hypercalls", .hypercalls = true},
        {.name = "both", .hypercalls = true, .open_files = true},
        {.name = "window_plain", .window = true},
        {.name = "window_files", .window = true, .open_files = true},
        {.name = "window_hypercalls", .window = true, .hypercalls = true},
        {.name = "window_both", .window = true, .hypercalls = true, .open_files = true},
        {.name = "companion", .who = WHO_COMPANION},
        {.name = "connector", .who = WHO_CONNECTOR},
        {.name = "keys", .who = WHO_BACKEND},
        {.name = "disks", .who = WHO_BACKEND, .open_files = true},
        {.name = "network", .who = WHO_NETWORK, .sockets = true},
        {.name = "network_restricted", .who = WHO_NETWORK},
        {.name = "window", .who = WHO_WINDOW},
    };
    /* What the kernel of the machine we build on can do does not matter. */
    seccomp_api_set(3);
    puts("/* Written by mkfilter. */\n#include \"hw/xen/filter/filter.h\"\n\n"
         "#define PROGRAM(code) {(unsigned short)(sizeof(code) / sizeof((code)[0])), code}");
    for (size_t i = 0; i < COUNT(all); i++)
        if (!print(&all[i]))
            return 1;
    puts("\nconst struct filter_program filter_main[2][2][2] = {\n"
         "    {{PROGRAM(plain), PROGRAM(files)}, {PROGRAM(hypercalls), PROGRAM(both)}},\n"
         "    {{PROGRAM(window_plain), PROGRAM(window_files)},\n"
         "     {PROGRAM(window_hypercalls), PROGRAM(window_both)}}};\n"
         "const struct filter_program filter_companion = PROGRAM(companion);\n"
         "const struct filter_program filter_connector = PROGRAM(connector);\n"
         "const struct filter_program filter_backend[2] = {PROGRAM(keys), PROGRAM(disks)};\n"
         "const struct filter_program filter_network[2] = {PROGRAM(network),\n"
         "    PROGRAM(network_restricted)};\n"
         "const struct filter_program filter_window = PROGRAM(window);");
    return fflush(stdout) ? 1 : 0;
}
