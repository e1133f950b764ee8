/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: see confine.h. What the system-call filters allow: hw/xen/filter/mkfilter.c.
 */
#include "hw/xen/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
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

#include "hw/xen/filter/filter.h"
#include "hw/xen/hypervisor.h"
#include "hw/xen/own_root.h"

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
/* The user-mode network's: 256 KiB for each connection that MAX_FILES allows, and as much again. */
#define MAX_NETWORK_DATA (UINT64_C(512) << 20)
/* The user that owns nothing. */
#define NOBODY 65534

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

/* With TSYNC all threads get it, without only this one. */
static bool filter(const struct filter_program *program, unsigned flags, struct err *err)
{
    struct sock_filter code[FILTER_MAX];
    uint32_t own = (uint32_t)getpid();
    for (unsigned i = 0; i < program->len; i++) {
        code[i] = program->code[i];
        if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == FILTER_OWN_PID)
            code[i].k = own;
    }
    const struct sock_fprog f = {.len = program->len, .filter = code};
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &f);
    if (!rc)
        return true;
    int why = rc > 0 ? ESRCH : errno; /* more than 0: the thread that cannot have it */
    err_set(err, "cannot set the system-call filter (-sandbox off does without): %s",
            strerror(why));
    errno = why;
    return false;
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
static bool drop_capabilities(uint32_t keep, struct err *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data))
        return err_set(err, "cannot read capabilities: %s", strerror(errno));
    _Static_assert(CAP_DAC_READ_SEARCH < 32 && CAP_DAC_OVERRIDE < 32, "in the first word");
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++, keep = 0) {
        data[i].effective &= keep;
        data[i].permitted &= keep;
        data[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &header, data))
        return err_set(err, "cannot give up capabilities: %s", strerror(errno));
    return true;
}

static bool give_up_powers(uint32_t capabilities, struct err *err)
{
    if (!drop_capabilities(capabilities, err))
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
           (give_up_powers(config->open_files ? CAP_TO_MASK(CAP_DAC_READ_SEARCH) : 0, err) &&
            filter(&filter_main[config->window][hypercalls][config->open_files],
                   SECCOMP_FILTER_FLAG_TSYNC, err));
}

static bool confine_small(const struct filter_program *program, bool filtered, struct err *err)
{
#ifndef SANITIZER
    if (!lower_limit(RLIMIT_DATA, MAX_COMPANION_DATA, "memory", err))
        return false;
#endif
    if (!lower_limit(RLIMIT_CORE, 0, "core dumps", err))
        return false;
    return !filtered || (give_up_powers(0, err) && filter(program, SECCOMP_FILTER_FLAG_TSYNC, err));
}

bool confine_companion(bool filtered, struct err *err)
{
    return confine_small(&filter_companion, filtered, err);
}

bool confine_connector(bool filtered, struct err *err)
{
    return confine_small(&filter_connector, filtered, err);
}

bool confine_backend(const struct confine_config *config, struct err *err)
{
    struct confine_config limits = {.seccomp = true};

    if (!limit(&limits, err))
        return false;
    if (config->run_as && !change_user(config->uid, config->gid, err))
        return false;
    /* Another user's image is opened for writing too. */
    return !config->seccomp ||
           (give_up_powers(config->open_files ? CAP_TO_MASK(CAP_DAC_OVERRIDE) : 0, err) &&
            filter(&filter_backend[config->open_files], SECCOMP_FILTER_FLAG_TSYNC, err));
}

bool confine_network(const struct confine_network_config *config, struct err *err)
{
    bool nobody = !config->run_as && config->seccomp && geteuid() == 0;
    if (!lower_limit(RLIMIT_NOFILE, MAX_FILES, "open files", err))
        return false;
#ifndef SANITIZER
    if (!lower_limit(RLIMIT_DATA, MAX_NETWORK_DATA, "memory", err))
        return false;
#endif
    if (!lower_limit(RLIMIT_CORE, 0, "core dumps", err))
        return false;
    signal(SIGXFSZ, SIG_IGN); /* of the log: it does not end the network */
    if (config->seccomp && !own_root(config->folder, err))
        return false;
    if ((config->run_as && !change_user(config->uid, config->gid, err)) ||
        (nobody && !change_user(NOBODY, NOBODY, err)))
        return false;
    return !config->seccomp ||
           (give_up_powers(0, err) &&
            filter(&filter_network[config->restricted], SECCOMP_FILTER_FLAG_TSYNC, err));
}

bool confine_window_open(struct err *err)
{
    return drop_capabilities(0, err);
}

bool confine_window(struct err *err)
{
    return filter(&filter_window, 0, err);
}
