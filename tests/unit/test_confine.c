/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the confinement: children give up their rights and try what they may and may not do. */
#include "hw/xen/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fake/hypervisor.h"

/* What a child that failed says, and where: its exit code is only a byte. */
#define CHECK(x)                                                                    \
    do {                                                                            \
        if (!(x)) {                                                                 \
            dprintf(2, "%s:%d: %s: %s\n", __func__, __LINE__, #x, strerror(errno)); \
            _exit(1);                                                               \
        }                                                                           \
    } while (0)
#define REFUSED(x) CHECK((errno = 0, (x) == -1) && errno == EPERM)

static struct err err;

/* Runs fn in a child; returns what wait says. No sanitizer's exit hook runs there. */
static int in_child(void (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void assert_fine(void (*fn)(void))
{
    int status = in_child(fn);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void assert_killed(void (*fn)(void))
{
    int status = in_child(fn);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void filter_only(bool open_files)
{
    const struct confine_config config = {.seccomp = true, .open_files = open_files};
    CHECK(confine(&config, NULL, &err));
}

static void *thread(void *opaque)
{
    prctl(PR_SET_NAME, "worker");
    errno = 0;
    if (open("/etc/passwd", O_RDONLY) != -1 || errno != EPERM)
        return NULL;
    return opaque;
}

static void files(void)
{
    char name[] = "/tmp/test_confine.XXXXXX", block[512] = "x";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && !unlink(name));
    io_context_t aio = 0;
    CHECK(!io_setup(4, &aio));
    filter_only(false);
    struct iovec iov = {.iov_base = block, .iov_len = sizeof(block)};
    struct stat st;
    CHECK(pwritev2(fd, &iov, 1, 0, 0) == 512);
    CHECK(preadv2(fd, &iov, 1, 0, 0) == 512);
    CHECK(pread(fd, block, 512, 0) == 512 && pwrite(fd, block, 512, 512) == 512);
    CHECK(!fsync(fd) && !fdatasync(fd));
    CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 512) ||
          errno == EOPNOTSUPP);
    CHECK(!fstat(fd, &st) && st.st_size == 1024);
    CHECK(!ftruncate(fd, 4096));
    CHECK(lseek(fd, 0, SEEK_DATA) >= 0 || errno == EINVAL);
    struct flock lock = {.l_type = F_RDLCK, .l_start = 100, .l_len = 1};
    CHECK(!fcntl(fd, F_OFD_SETLK, &lock));
    struct iocb cb, *list[] = {&cb};
    io_prep_pread(&cb, fd, block, 512, 0);
    int event = eventfd(0, EFD_NONBLOCK);
    CHECK(event >= 0);
    io_set_eventfd(&cb, event);
    CHECK(io_submit(aio, 1, list) == 1);
    struct io_event done;
    CHECK(io_getevents(aio, 1, 1, &done, NULL) == 1);
    CHECK(!io_destroy(aio));
    CHECK(!close(fd));
}

static void waiting_and_threads(void)
{
    pthread_t before, after;
    void *result;
    int start[2];
    CHECK(!pipe(start));
    /* The filter is for threads that exist already, too: proved by `after` and TSYNC's own error.
     */
    filter_only(false);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(ep >= 0);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, start[0], &e));
    CHECK(epoll_wait(ep, &e, 1, 0) == 0);
    struct timespec t = {0};
    CHECK(epoll_pwait2(ep, &e, 1, &t, NULL) == 0 || errno == ENOSYS);
    CHECK(!pthread_create(&before, NULL, thread, &ep));
    CHECK(!pthread_join(before, &result) && result == &ep);
    CHECK(!pthread_create(&after, NULL, thread, &t));
    CHECK(!pthread_join(after, &result) && result == &t);
    struct timespec now;
    CHECK(!clock_gettime(CLOCK_MONOTONIC, &now) && !syscall(SYS_clock_gettime, 1, &now));
    t.tv_nsec = 1000;
    CHECK(!nanosleep(&t, NULL));
    void *p = malloc(32 << 20);
    CHECK(p);
    memset(p, 1, 32 << 20);
    free(p);
}

static void sockets(void)
{
    int pair[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_un_short {
        sa_family_t family;
        char path[20];
    } name = {.family = AF_UNIX}; /* an abstract address chosen by the kernel */
    CHECK(!bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)) && !listen(listener, 1));
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    filter_only(false);
    CHECK(accept4(listener, NULL, NULL, SOCK_NONBLOCK) == -1 && errno == EAGAIN);
    /* a descriptor that arrives */
    char byte = 'x';
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &listener, sizeof(int));
    CHECK(sendmsg(pair[0], &m, 0) == 1);
    CHECK(recvmsg(pair[1], &m, 0) == 1 && m.msg_controllen >= CMSG_LEN(sizeof(int)));
    int on = 1;
    CHECK(!setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
    CHECK(!shutdown(pair[0], SHUT_RDWR));
    /* but no new ways out */
    REFUSED(socket(AF_INET, SOCK_STREAM, 0));
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
    REFUSED(socket(AF_NETLINK, SOCK_RAW, 0));
    REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
    REFUSED(connect(pair[0], (struct sockaddr *)&name, sizeof(name)));
    REFUSED(bind(pair[0], (struct sockaddr *)&name, sizeof(name)));
    REFUSED(listen(pair[0], 1));
}

static void names(void)
{
    filter_only(false);
    REFUSED(open("/etc/passwd", O_RDONLY));
    REFUSED(open("/tmp", O_WRONLY | O_TMPFILE, 0600));
    REFUSED(open("/tmp/test_confine.new", O_WRONLY | O_CREAT, 0600));
    REFUSED((int)syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0));
    REFUSED(unlink("/tmp/test_confine.none"));
    REFUSED(rename("/tmp/test_confine.none", "/tmp/test_confine.other"));
    REFUSED(link("/etc/passwd", "/tmp/test_confine.none"));
    REFUSED(symlink("/etc/passwd", "/tmp/test_confine.none"));
    REFUSED(mkdir("/tmp/test_confine.none", 0700));
    REFUSED(chmod("/etc/passwd", 0777));
    REFUSED(chown("/etc/passwd", 0, 0));
    REFUSED(chdir("/"));
    REFUSED((int)syscall(SYS_getdents64, 0, NULL, 0));
    REFUSED(memfd_create("x", 0));
}

static void names_for_reading(void)
{
    filter_only(true);
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && !close(fd));
    REFUSED(open("/etc/passwd", O_RDWR));
    REFUSED(open("/etc/passwd", O_WRONLY | O_APPEND));
    REFUSED(open("/tmp/test_confine.new", O_RDONLY | O_CREAT, 0600));
    REFUSED(open("/tmp/test_confine.new", O_RDONLY | O_TRUNC));
    REFUSED(unlink("/tmp/test_confine.none"));
}

static void processes(void)
{
    filter_only(false);
    REFUSED(fork());
    REFUSED((int)syscall(SYS_vfork));
    REFUSED((int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    REFUSED(kill(getppid(), 0));
    REFUSED((int)syscall(SYS_tgkill, getppid(), getppid(), 0));
    REFUSED((int)syscall(SYS_tkill, getppid(), 0));
    REFUSED((int)syscall(SYS_pidfd_open, getppid(), 0));
    REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    REFUSED(prctl(PR_SET_SECCOMP, 2, 0, 0, 0));
    REFUSED((int)syscall(SYS_seccomp, 0, 0, 0));
    REFUSED((int)syscall(SYS_io_uring_setup, 1, NULL));
    struct rlimit l;
    CHECK(!getrlimit(RLIMIT_CORE, &l) && l.rlim_max == 0);
    REFUSED(setrlimit(RLIMIT_CORE, &l));
    CHECK(!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_max <= 1024);
    errno = 0;
    CHECK(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
}

static void memory(void)
{
    long page = sysconf(_SC_PAGESIZE);
    filter_only(false);
    void *p = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    REFUSED(mprotect(p, (size_t)page, PROT_READ | PROT_EXEC));
    CHECK(!mprotect(p, (size_t)page, PROT_READ));
    CHECK(!munmap(p, (size_t)page));
    errno = 0;
    CHECK(mmap(NULL, (size_t)page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
    CHECK(errno == EPERM);
    REFUSED((int)syscall(SYS_pkey_mprotect, p, page, PROT_EXEC, -1));
}

static void ioctls(void)
{
    int pair[2], n;
    CHECK(!pipe(pair));
    filter_only(false);
    CHECK(!ioctl(pair[0], FIONREAD, &n) && n == 0);
    REFUSED(ioctl(0, TIOCSTI, "x"));
    REFUSED(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 0, 48), 0)); /* IOCTL_PRIVCMD_HYPERCALL */
    REFUSED(ioctl(pair[0], _IOC(_IOC_NONE, 'E', 1, 8), 0));  /* IOCTL_EVTCHN_BIND_INTERDOMAIN */
    REFUSED(ioctl(pair[0], _IOW('T', 202, int), 0));         /* TUNSETIFF */
    /* Allowed by the filter; a pipe knows nothing of it. */
    errno = 0;
    CHECK(ioctl(pair[0], _IOC(_IOC_NONE, 'E', 4, 4), 0) == -1 && errno == ENOTTY);
    CHECK(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 5, 16), 0) == -1 && errno == ENOTTY);
}

/* The companion: hypercalls, what is open, and the end. */
static void companion(void)
{
    int pair[2];
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    CHECK(confine_companion(true, &err));
    char byte = 'x';
    errno = 0;
    CHECK(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 0, 48), 0) == -1 && errno == ENOTTY);
    CHECK(send(pair[0], &byte, 1, MSG_NOSIGNAL) == 1 && recv(pair[1], &byte, 1, 0) == 1);
    CHECK(write(pair[0], &byte, 1) == 1 && read(pair[1], &byte, 1) == 1);
    struct timespec now;
    CHECK(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now));
    void *p = malloc(1 << 20);
    CHECK(p);
    memset(p, 1, 1 << 20);
    free(p);
    signal(SIGPIPE, SIG_DFL); /* as libxenstore does around each question */
    REFUSED(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 5, 16), 0)); /* IOCTL_PRIVCMD_DM_OP */
    REFUSED(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 4, 32), 0)); /* IOCTL_PRIVCMD_MMAPBATCH_V2 */
    REFUSED(open("/etc/passwd", O_RDONLY));
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
    REFUSED(accept(pair[0], NULL, NULL));
    REFUSED(dup(pair[0]));
    REFUSED((int)syscall(SYS_recvmsg, pair[0], NULL, 0)); /* so no descriptor arrives */
    REFUSED(fork());
    REFUSED((int)syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
    REFUSED(kill(getppid(), 0));
    REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    errno = 0;
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, pair[0], 0) == MAP_FAILED && errno == EPERM);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
              MAP_FAILED &&
          errno == EPERM);
}

static void companion_execs(void)
{
    CHECK(confine_companion(true, &err));
    execve("/bin/true", (char *[]){"true", NULL}, NULL);
}

static void companion_unfiltered(void)
{
    CHECK(confine_companion(false, &err));
    CHECK(open("/etc/passwd", O_RDONLY) >= 0);
}

static void aborts(void)
{
    filter_only(false);
    abort();
}

#define KILLED(name, call) \
    static void name(void) \
    {                      \
        filter_only(true); \
        (void)!(call);     \
    }
KILLED(try_execve, execve("/bin/true", (char *[]){"true", NULL}, NULL))
KILLED(try_execveat, syscall(SYS_execveat, -1, "/bin/true", NULL, NULL, 0))
KILLED(try_ptrace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
KILLED(try_vm_read, process_vm_readv(getppid(), NULL, 0, NULL, 0, 0))
KILLED(try_mount, syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL))
KILLED(try_unshare, syscall(SYS_unshare, 0))
KILLED(try_setuid, syscall(SYS_setuid, 0))
KILLED(try_module, syscall(SYS_init_module, NULL, 0, ""))
KILLED(try_chroot, chroot("/"))

static void test_what_is_allowed(void **state)
{
    (void)state;
    assert_fine(files);
    assert_fine(waiting_and_threads);
    assert_fine(sockets);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    assert_fine(names);
    assert_fine(names_for_reading);
    assert_fine(processes);
    assert_fine(memory);
    assert_fine(ioctls);
}

/* The connections' process: stream sockets that connect, and are handed over. */
static void connector(void)
{
    int pair[2];
    struct sockaddr_in nobody = {.sin_family = AF_INET};
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    CHECK(confine_connector(true, &err));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    errno = 0;
    CHECK(connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) == -1 && errno != EPERM);
    CHECK(!close(fd));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    REFUSED(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REFUSED(socket(AF_NETLINK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REFUSED(socket(AF_INET, SOCK_STREAM, 0));
    REFUSED(listen(fd, 1));
    REFUSED(open("/etc/passwd", O_RDONLY));
    REFUSED(ioctl(pair[0], _IOC(_IOC_NONE, 'P', 0, 48), 0));
    REFUSED(dup(pair[0]));
    REFUSED(fork());
    REFUSED(kill(getppid(), 0));
    syscall(SYS_exit_group, 0); /* a sanitizer has more to do at the end than is allowed here */
}

static void connector_execs(void)
{
    CHECK(confine_connector(true, &err));
    execve("/bin/true", (char *[]){"true", NULL}, NULL);
}

static void test_connector(void **state)
{
    (void)state;
    assert_fine(connector);
    assert_killed(connector_execs);
}

static void test_companion(void **state)
{
    (void)state;
    assert_fine(companion);
    assert_killed(companion_execs);
    assert_fine(companion_unfiltered);
}

static void test_what_is_deadly(void **state)
{
    (void)state;
    assert_killed(try_execve);
    assert_killed(try_execveat);
    assert_killed(try_ptrace);
    assert_killed(try_vm_read);
    assert_killed(try_mount);
    assert_killed(try_unshare);
    assert_killed(try_setuid);
    assert_killed(try_module);
    assert_killed(try_chroot);
    int status = in_child(aborts); /* abort(3) still is what it is */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static pthread_barrier_t barrier;
static void *early_thread(void *opaque)
{
    pthread_barrier_wait(&barrier); /* the filter is set between the two */
    pthread_barrier_wait(&barrier);
    return thread(opaque);
}

static void other_threads(void)
{
    pthread_t t;
    int mark;
    void *result;
    CHECK(!pthread_barrier_init(&barrier, NULL, 2));
    CHECK(!pthread_create(&t, NULL, early_thread, &mark));
    pthread_barrier_wait(&barrier);
    filter_only(false);
    pthread_barrier_wait(&barrier);
    CHECK(!pthread_join(t, &result) && result == &mark);
}

static int window_socket[2];

static void narrow(void)
{
    char byte = 'x';
    int n;
    struct pollfd wait = {.fd = window_socket[0], .events = POLLIN};
    CHECK(confine_window(&err));
    CHECK(send(window_socket[1], &byte, 1, MSG_NOSIGNAL) == 1 && poll(&wait, 1, -1) == 1);
    CHECK(recv(window_socket[0], &byte, 1, 0) == 1);
    void *p = malloc(1 << 20);
    CHECK(p);
    memset(p, 1, 1 << 20);
    free(p);
    /* What the process may and this thread may not. */
    REFUSED(ioctl(window_socket[0], FIONREAD, &n));
    REFUSED(ioctl(window_socket[0], _IOC(_IOC_NONE, 'P', 5, 16), 0)); /* IOCTL_PRIVCMD_DM_OP */
    REFUSED(eventfd(0, 0));
    REFUSED(dup(0));
    REFUSED((int)pread(0, &byte, 1, 0));
    REFUSED(mprotect(NULL, 1, PROT_EXEC));
    REFUSED(accept(window_socket[0], NULL, NULL));
    REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, window_socket));
}

/* The window's thread: first no capabilities, then, behind the process's filter, its own. */
static void *window_thread(void *opaque)
{
    char status[8192];
    CHECK(confine_window_open(&err));
    int fd = open("/proc/thread-self/status", O_RDONLY);
    ssize_t n = read(fd, status, sizeof(status) - 1);
    CHECK(n > 0 && !close(fd));
    status[n] = '\0';
    CHECK(strstr(status, "CapEff:\t0000000000000000\n"));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    narrow();
    return opaque;
}

static void window(void)
{
    const struct confine_config config = {.seccomp = true, .window = true};
    pthread_t t;
    int mark;
    void *result;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, window_socket));
    CHECK(!pthread_barrier_init(&barrier, NULL, 2));
    CHECK(!pthread_create(&t, NULL, window_thread, &mark));
    pthread_barrier_wait(&barrier);
    CHECK(confine(&config, NULL, &err));
    pthread_barrier_wait(&barrier);
    CHECK(!pthread_join(t, &result) && result == &mark);
    int made = eventfd(0, 0); /* the others keep what they had */
    CHECK(made >= 0);
    REFUSED((int)syscall(SYS_seccomp, 1, 1, NULL)); /* SET_MODE_FILTER, for all threads */
    REFUSED((int)syscall(SYS_seccomp, 1, 8, NULL)); /* … with a listener */
}

/* Without a window no filter can be added. */
static void no_window(void)
{
    filter_only(false);
    REFUSED((int)syscall(SYS_seccomp, 1, 0, NULL));
    CHECK(!confine_window(&err) && strstr(err.text, "filter"));
}

static void test_the_window_s_thread(void **state)
{
    (void)state;
    assert_fine(window);
    assert_fine(no_window);
}

static void test_threads_that_exist_already(void **state)
{
    (void)state;
    assert_fine(other_threads);
}

static void root_and_user(void)
{
    char name[] = "/tmp/test_confine.XXXXXX";
    CHECK(mkdtemp(name) && !chmod(name, 0));
    const struct confine_config config = {
        .chroot_dir = name, .run_as = true, .uid = 65534, .gid = 65533};
    CHECK(confine(&config, NULL, &err));
    gid_t groups[8];
    CHECK(getuid() == 65534 && geteuid() == 65534 && getgid() == 65533 && getegid() == 65533);
    CHECK(getgroups(8, groups) == 1 && groups[0] == 65533);
    REFUSED(setuid(0));
    REFUSED(setgid(0));
    CHECK(open("/etc/passwd", O_RDONLY) == -1);
    CHECK(open("../../../../etc/passwd", O_RDONLY) == -1);
}

static void restricts(void)
{
    struct hypervisor *hv = fake_hypervisor_new(4096);
    const struct confine_config config = {.restricted = true, .seccomp = true};
    CHECK(confine(&config, hv, &err));
    REFUSED(open("/etc/passwd", O_RDONLY));
}

static void capabilities(void)
{
    char name[] = "/tmp/test_confine.XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && !fchown(fd, 65534, 65534) && !fchmod(fd, 0400));
    const struct confine_config config = {.seccomp = true, .open_files = true};
    CHECK(confine(&config, NULL, &err));
    CHECK(open(name, O_RDONLY) >= 0); /* another user's */
    char status[8192];
    fd = open("/proc/self/status", O_RDONLY);
    ssize_t n = read(fd, status, sizeof(status) - 1);
    CHECK(n > 0);
    status[n] = '\0';
    CHECK(strstr(status, "CapEff:\t0000000000000004\n")); /* CAP_DAC_READ_SEARCH alone */
    CHECK(strstr(status, "CapPrm:\t0000000000000004\n"));
    CHECK(strstr(status, "NoNewPrivs:\t1\n"));
}

static void test_root_and_user(void **state)
{
    (void)state;
    if (geteuid()) {
        print_message("skip: chroot and setuid need root\n");
        skip();
    }
    assert_fine(root_and_user);
    assert_fine(capabilities);
    (void)!system("rm -rf /tmp/test_confine.??????");
}

static void wrong_root(void)
{
    const struct confine_config config = {.chroot_dir = "/nonexistent/dir"};
    CHECK(!confine(&config, NULL, &err));
    CHECK(strstr(err.text, "/nonexistent/dir"));
}

static void no_filter(void)
{
    const struct confine_config config = {0};
    CHECK(confine(&config, NULL, &err));
    int fd = open("/etc/passwd", O_RDONLY);
    CHECK(fd >= 0);
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static void test_options(void **state)
{
    (void)state;
    assert_fine(restricts);
    assert_fine(wrong_root);
    assert_fine(no_filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_allowed),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_what_is_deadly),
        cmocka_unit_test(test_threads_that_exist_already),
        cmocka_unit_test(test_root_and_user),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_companion),
        cmocka_unit_test(test_connector),
        cmocka_unit_test(test_the_window_s_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
