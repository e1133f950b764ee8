/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: see confine.h. The filter is an allow-list. What is not on it fails with EPERM, because
 * libraries try things they can do without (a locale, /etc/localtime, a CPU count from /sys); what
 * only an intruder would try ends the process.
 */
#include "hw/xen/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xen/xen.h>
/* They need the types of xen.h. */
#include <xen/sys/evtchn.h>
#include <xen/sys/privcmd.h>

#include "hw/xen/hypervisor.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZER 1
#endif

/* libvncserver waits with select(2), which cannot name a higher descriptor. */
#define MAX_FILES 1024
/* Heap and stacks: a bound for what a guest or a viewer could make us allocate. Guest memory and
 * video memory are shared mappings and do not count. */
#define MAX_DATA (UINT64_C(2) << 30)
/* The companion's; it has what the process had when it started. */
#define MAX_COMPANION_DATA (UINT64_C(64) << 20)

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

/* … and those of terminals, sockets and block devices. Not TIOCSTI: it types into a terminal. */
static const unsigned long other_ioctls[] = {
    TCGETS,   TCSETS,   TCSETSW,  TCSETSF,   TCSBRK,       TCSBRKP,    TCFLSH,
    TIOCMGET, TIOCMSET, TIOCMBIS, TIOCMBIC,  TIOCGWINSZ,   TIOCOUTQ,   TIOCSBRK,
    TIOCCBRK, FIONREAD, FIONBIO,  BLKSSZGET, BLKGETSIZE64, BLKDISCARD, BLKZEROOUT};

/* All of dom0's power. */
static const unsigned long hypercall_ioctl = IOCTL_PRIVCMD_HYPERCALL;

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr < 0) /* not on this machine, or newer than libseccomp: stays refused */
        return 0;
    return seccomp_rule_add(ctx, action, nr, 0);
}

/* For device-model operations the library needs raw hypercalls only on kernels before 4.11. */
static bool needs_hypercalls(void)
{
    int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct privcmd_dm_op nothing = {.dom = DOMID_INVALID};
    bool missing = ioctl(fd, IOCTL_PRIVCMD_DM_OP, &nothing) < 0; /* no buffers: nothing to do */
    close(fd);
    return missing;
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

static int add_arguments(scmp_filter_ctx ctx, const struct confine_config *config, bool hypercalls)
{
    int rc = add_ioctls(ctx, xen_ioctls, COUNT(xen_ioctls));
    if (!rc)
        rc = add_ioctls(ctx, other_ioctls, COUNT(other_ioctls));
    if (!rc && hypercalls)
        rc = add_ioctls(ctx, &hypercall_ioctl, 1);
    if (!rc) /* no new code */
        rc = allow_if(ctx, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    if (!rc)
        rc = allow_if(ctx, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    if (!rc) /* threads, but no processes */
        rc = allow_if(ctx, SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD);
    /* clone3's arguments are out of a filter's sight; told ENOSYS, libc takes clone. */
    int clone3 = seccomp_syscall_resolve_name("clone3");
    if (!rc && clone3 >= 0)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), clone3, 0);
    if (!rc)
        rc = allow_if(ctx, SCMP_SYS(prctl), 0, UINT32_MAX, PR_SET_NAME);
    if (!rc) /* a new limit is what is not given: to ask only */
        rc = allow_if(ctx, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0);
    if (!rc)
        rc = allow_if(ctx, SCMP_SYS(socketpair), 0, UINT32_MAX, AF_UNIX);
    if (!rc && config->open_files)
        rc = allow_if(ctx, SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
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

/* The filter of the process that `config` is for, or of the companion (NULL). */
static int fill(scmp_filter_ctx ctx, const struct confine_config *config, bool hypercalls)
{
    int rc = config ? add_names(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed))
                    : add_names(ctx, SCMP_ACT_ALLOW, companion_allowed, COUNT(companion_allowed));
    if (!rc)
        rc = add_names(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    if (!rc) /* abort(3) */
        rc = allow_if(ctx, SCMP_SYS(tgkill), 0, UINT32_MAX, (uint32_t)getpid());
    if (!rc)
        rc = config ? add_arguments(ctx, config, hypercalls) : add_companion_arguments(ctx);
    return rc;
}

static bool filter(const struct confine_config *config, bool hypercalls, struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return err_set(err, "out of memory");
    /* All threads get it; it is searched as a tree, not from the top at each call. */
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* libseccomp 2.5; slower without */
    if (!rc)
        rc = fill(ctx, config, hypercalls);
    if (!rc)
        rc = seccomp_load(ctx);
    seccomp_release(ctx);
    errno = -rc;
    return !rc || err_set(err, "cannot set the system-call filter (-sandbox off does without): %s",
                          strerror(-rc));
}

static bool lower_limit(int resource, rlim_t most, const char *what, struct err *err)
{
    struct rlimit l;
    if (getrlimit((__rlimit_resource_t)resource, &l))
        return err_set(err, "cannot read the limit of %s: %s", what, strerror(errno));
    if (l.rlim_max > most)
        l.rlim_max = most;
    if (l.rlim_cur > l.rlim_max)
        l.rlim_cur = l.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &l))
        return err_set(err, "cannot limit %s: %s", what, strerror(errno));
    return true;
}

/*
 * Not RLIMIT_FSIZE: libxl sets that itself when it restricts. Not RLIMIT_NPROC: it counts all
 * processes of a user, and several domains may have to share one; the filter allows none anyway.
 */
static bool limit(const struct confine_config *config, struct err *err)
{
    signal(SIGXFSZ, SIG_IGN); /* a write past RLIMIT_FSIZE fails; it does not end the guest */
    if (!lower_limit(RLIMIT_NOFILE, MAX_FILES, "open files", err))
        return false;
#ifndef SANITIZER
    if (!lower_limit(RLIMIT_DATA, MAX_DATA, "memory", err))
        return false;
#endif
    return !config->seccomp || lower_limit(RLIMIT_CORE, 0, "core dumps", err);
}

static bool change_root(const char *dir, struct err *err)
{
    if (chdir(dir) || chroot(".") || chdir("/"))
        return err_set(err, "cannot make %s the root directory: %s", dir, strerror(errno));
    return true;
}

static bool change_user(uid_t uid, gid_t gid, struct err *err)
{
    if (geteuid() == 0) {
        if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
            return err_set(err, "cannot become user %u, group %u: %s", (unsigned)uid, (unsigned)gid,
                           strerror(errno));
    } else if (getuid() != uid || getgid() != gid) {
        return err_set(err, "cannot become user %u, group %u: not root", (unsigned)uid,
                       (unsigned)gid);
    }
    if (uid && (!setuid(0) || !seteuid(0)))
        return err_set(err, "user %u can become root again", (unsigned)uid);
    return true;
}

/* A root process without -runas keeps its files, not its powers; to open other users' files for
 * reading it needs the one that is for that. */
static bool drop_capabilities(bool read_files, struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data))
        return err_set(err, "cannot read capabilities: %s", strerror(errno));
    uint32_t keep = read_files ? CAP_TO_MASK(CAP_DAC_READ_SEARCH) : 0;
    _Static_assert(CAP_DAC_READ_SEARCH < 32, "in the first word");
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++, keep = 0) {
        data[i].effective &= keep;
        data[i].permitted &= keep;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data))
        return err_set(err, "cannot give up capabilities: %s", strerror(errno));
    return true;
}

static bool give_up_powers(bool read_files, struct err *err)
{
    if (!drop_capabilities(read_files, err))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return err_set(err, "prctl: %s", strerror(errno));
    return true;
}

bool confine(const struct confine_config *config, struct hypervisor *hv, struct err *err)
{
    /* Asked while the device can still be opened. */
    bool hypercalls = config->seccomp && !config->restricted && needs_hypercalls();

    if (config->restricted && !hv_restrict(hv, err))
        return false;
    if (!limit(config, err))
        return false;
    if (config->chroot_dir && !change_root(config->chroot_dir, err))
        return false;
    if (config->run_as && !change_user(config->uid, config->gid, err))
        return false;
    return !config->seccomp ||
           (give_up_powers(config->open_files, err) && filter(config, hypercalls, err));
}

bool confine_companion(bool filtered, struct err *err)
{
#ifndef SANITIZER
    if (!lower_limit(RLIMIT_DATA, MAX_COMPANION_DATA, "memory", err))
        return false;
#endif
    if (!lower_limit(RLIMIT_CORE, 0, "core dumps", err))
        return false;
    return !filtered || (give_up_powers(false, err) && filter(NULL, false, err));
}
