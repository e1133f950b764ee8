/* SPDX-License-Identifier: GPL-2.0-or-later */
/* args: see args.h. The words are those of qemu(1). */
#include "tests/qtest/args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/qtest/blkdebug.h"
#include "toolstack/optstr.h"

#define MAX_ARGS   256
#define MAX_TEXT   (OPTSTR_MAX_LENGTH * 2)
#define MAX_MARKS  16
#define NULL_BYTES "1G" /* of a null-co image that does not say */

/* A -chardev that connects, until a -mon takes it. */
struct mark {
    char *id, *path, *arg;
    bool used;
};

struct parser {
    struct door_args *args;
    char *out[MAX_ARGS]; /* the product's argument line */
    int count;
    struct mark chardevs[MAX_MARKS];
    size_t chardev_count;
    char *serial, *model, *version; /* -global ide-hd. */
    bool none, defaults, have_machine, have_memory, have_vga, have_serial, have_cd;
};

static bool put(struct parser *p, const char *word, struct err *err)
{
    if (p->count + 1 >= MAX_ARGS)
        return err_set(err, "more than %d arguments", MAX_ARGS);
    p->out[p->count++] = xstrdup(word);
    return true;
}

static bool put2(struct parser *p, const char *option, const char *value, struct err *err)
{
    return put(p, option, err) && put(p, value, err);
}

/* ---- Option strings written anew ---- */

struct text {
    char *s;
    size_t len;
};

static void text_add(struct text *t, const char *s, bool escape)
{
    for (; *s && t->len + 3 < MAX_TEXT; s++) {
        if (escape && *s == ',')
            t->s[t->len++] = ',';
        t->s[t->len++] = *s;
    }
    t->s[t->len] = '\0';
}

static void text_key(struct text *t, const char *key, const char *value)
{
    if (t->len)
        text_add(t, ",", false);
    text_add(t, key, false);
    text_add(t, "=", false);
    text_add(t, value, true);
}

static bool text_new(struct text *t, struct err *err)
{
    *t = (struct text){.s = calloc(1, MAX_TEXT)};
    return t->s || err_set(err, "out of memory");
}

static bool is(const char *s, const char *word)
{
    return s && !strcmp(s, word);
}

static bool starts(const char *s, const char *with)
{
    return s && !strncmp(s, with, strlen(with));
}

/* ---- Images that are memory ---- */

static bool copy_into(int to, const char *file, struct err *err)
{
    int from = open(file, O_RDONLY | O_CLOEXEC);
    struct stat_size {
        off_t bytes;
    } st = {from < 0 ? -1 : lseek(from, 0, SEEK_END)};
    bool ok = st.bytes >= 0 && ftruncate(to, st.bytes) == 0;
    /* Holes stay holes. */
    for (off_t at = 0; ok && at < st.bytes;) {
        static char buf[65536];
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0)
            break;
        ssize_t n = pread(from, buf, sizeof(buf), data);
        if (n <= 0)
            break;
        ok = pwrite(to, buf, (size_t)n, data) == n;
        at = data + n;
    }
    if (!ok)
        err_set(err, "-drive: snapshot of %s: %s", file, strerror(errno));
    if (from >= 0)
        close(from);
    return ok;
}

/* An image in memory: a copy of `file`, or (NULL) zeroes. "fd:N" for the product. */
static bool memory_image(const char *file, const char *size, char *name, size_t len,
                         struct err *err)
{
    uint64_t bytes = 0;
    if (!file && !parse_size(size ? size : NULL_BYTES, 1, 512, UINT64_C(1) << 40, &bytes))
        return err_set(err, "-drive: size=%s is no size", size);
    int fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(err, "-drive: memfd: %s", strerror(errno));
    snprintf(name, len, "fd:%d", fd); /* the product closes it */
    if (file)
        return copy_into(fd, file, err);
    return ftruncate(fd, (off_t)bytes) == 0 || err_set(err, "-drive: %s", strerror(errno));
}

/* ---- Options ---- */

static bool opt_drive(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    char image[32];
    const char *interface = optstr_take(o, "if"), *file = optstr_take(o, "file");
    const char *driver = optstr_take(o, "driver"), *size = optstr_take(o, "size");
    const char *file_size = optstr_take(o, "file.size"), *name = optstr_take(o, "file.filename");
    bool none = is(interface, "none"), snapshot = false;
    optstr_take(o, "file.read-zeroes");
    optstr_take(o, "read-zeroes");
    optstr_take(o, "file.driver");
    if (!file)
        file = name;
    if (!optstr_bool(o, "snapshot", &snapshot, err))
        return false;
    if (is(interface, "pflash")) {
        if (!file)
            return err_set(err, "-drive: if=pflash needs file=");
        free(p->args->firmware);
        p->args->firmware = xstrdup(file);
        return true;
    }
    if (file && !(file = blkdebug_file(file, err)))
        return false;
    if (starts(file, "null-co://") || starts(file, "null-aio://") || starts(driver, "null-")) {
        if (!memory_image(NULL, size ? size : file_size, image, sizeof(image), err))
            return false;
        file = image;
    } else if (file && snapshot) {
        if (!memory_image(file, NULL, image, sizeof(image), err))
            return false;
        file = image;
    }
    if (interface)
        text_key(t, "if", interface);
    if (file)
        text_key(t, "file", file);
    for (size_t i = 0; i < o->count; i++) {
        const struct optstr_key *key = &o->keys[i];
        /* QEMU takes a place for a drive that a -device will place, and does nothing with it. */
        bool place = is(key->name, "index") || is(key->name, "bus") || is(key->name, "unit");
        if (!key->taken && !(none && place))
            text_key(t, key->name, key->value);
        p->have_cd = p->have_cd || (is(key->name, "media") && is(key->value, "cdrom")) ||
                     (is(key->name, "index") && is(key->value, "2"));
    }
    return put2(p, "-drive", t->s, err);
}

static bool opt_blockdev(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    char image[32];
    const char *driver = optstr_need(o, "driver", err);
    const char *node = driver ? optstr_need(o, "node-name", err) : NULL;
    if (!node)
        return false;
    const char *file = NULL;
    if (is(driver, "file"))
        file = optstr_need(o, "filename", err);
    else if (!starts(driver, "null-"))
        err_set(err, "-blockdev: driver=%s is not served here; use driver=file", driver);
    else if (memory_image(NULL, optstr_take(o, "size"), image, sizeof(image), err))
        file = image;
    optstr_take(o, "read-zeroes");
    if (!file)
        return false;
    text_key(t, "if", "none");
    text_key(t, "format", "raw");
    text_key(t, "id", node);
    text_key(t, "file", file);
    for (size_t i = 0; i < o->count; i++)
        if (!o->keys[i].taken)
            text_key(t, o->keys[i].name, o->keys[i].value);
    return put2(p, "-drive", t->s, err);
}

static bool opt_device(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    const char *driver = optstr_need(o, "driver", err);
    if (!driver)
        return false;
    bool disk = is(driver, "ide-hd");
    p->have_cd = p->have_cd || disk || is(driver, "ide-cd");
    p->have_vga = p->have_vga || is(driver, "VGA") || is(driver, "cirrus-vga");
    text_add(t, driver, true);
    bool serial = !disk || !p->serial, model = !disk || !p->model, ver = !disk || !p->version;
    for (size_t i = 0; i < o->count; i++) {
        const struct optstr_key *key = &o->keys[i];
        if (key->taken)
            continue;
        text_key(t, key->name, key->value);
        serial = serial || is(key->name, "serial");
        model = model || is(key->name, "model");
        ver = ver || is(key->name, "ver");
    }
    if (!serial)
        text_key(t, "serial", p->serial);
    if (!model)
        text_key(t, "model", p->model);
    if (!ver)
        text_key(t, "ver", p->version);
    return put2(p, "-device", t->s, err);
}

static bool opt_machine(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    const char *type = optstr_take(o, "type"), *accel = optstr_take(o, "accel");
    if (accel && strcmp(accel, "qtest"))
        return err_set(err, "%s: accel=%s: there is accel=qtest", o->option, accel);
    p->have_machine = true;
    p->none = is(type, "none");
    if (type && !p->none && !is(type, "pc") && !is(type, "xenfv") && !starts(type, "pc-i440fx-"))
        return err_set(err, "%s %s: there are pc, xenfv and none", o->option, type);
    text_add(t, is(type, "xenfv") ? "xenfv" : "pc,accel=xen", false);
    for (size_t i = 0; i < o->count; i++)
        if (!o->keys[i].taken)
            text_key(t, o->keys[i].name, o->keys[i].value);
    return put2(p, "-machine", t->s, err);
}

static bool order(char out[8], const char *value, struct err *err)
{
    size_t len = strlen(value);
    if (len >= 8 || strspn(value, "abcdn") != len)
        return err_set(err, "-boot: '%s' is not made of a, c, d, n", value);
    memcpy(out, value, len + 1);
    return true;
}

static bool opt_boot(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)t;
    struct door_args *a = p->args;
    const char *usual = optstr_take(o, "order"), *once = optstr_take(o, "once");
    if ((usual && !order(a->boot_order, usual, err)) || (once && !order(a->boot_once, once, err)))
        return false;
    a->have_once = a->have_once || once;
    return optstr_only(o, "menu", "off on", err) && optstr_only(o, "strict", "off on", err) &&
           optstr_finish(o, err);
}

static bool opt_rtc(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)t;
    const char *base = optstr_take(o, "base");
    if (base && strcmp(base, "utc")) {
        struct tm tm = {0};
        const char *end = strptime(base, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!end)
            end = strptime(base, "%Y-%m-%d", &tm);
        if (!end || *end)
            return err_set(err, "-rtc: base=%s is not utc or YYYY-MM-DDTHH:MM:SS", base);
        p->args->base = timegm(&tm);
    }
    /* Whatever clock is asked for, it is the test's. */
    return optstr_only(o, "clock", "vm host rt", err) &&
           optstr_only(o, "driftfix", "none slew", err) && optstr_finish(o, err);
}

static bool opt_chardev(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    bool server = false;
    const char *backend = optstr_take(o, "backend"), *id = optstr_take(o, "id");
    const char *path = optstr_take(o, "path");
    if (!optstr_bool(o, "server", &server, err))
        return false;
    if (is(backend, "socket") && id && path && !server) {
        if (p->chardev_count == MAX_MARKS)
            return err_set(err, "-chardev: more than %d of them", MAX_MARKS);
        p->chardevs[p->chardev_count++] =
            (struct mark){.id = xstrdup(id), .path = xstrdup(path), .arg = xstrdup(t->s)};
        return true;
    }
    return put2(p, "-chardev", t->s, err);
}

static bool take_qmp(struct parser *p, const char *path, struct err *err)
{
    if (p->args->qmp)
        return err_set(err, "there is one QMP socket to connect to");
    p->args->qmp = xstrdup(path);
    return true;
}

static bool opt_mon(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    const char *id = optstr_take(o, "chardev");
    for (size_t i = 0; id && i < p->chardev_count; i++)
        if (!strcmp(p->chardevs[i].id, id)) {
            p->chardevs[i].used = true;
            return optstr_only(o, "mode", "control", err) && optstr_only(o, "pretty", "off", err) &&
                   optstr_finish(o, err) && take_qmp(p, p->chardevs[i].path, err);
        }
    return put2(p, "-mon", t->s, err);
}

static bool opt_qmp(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    bool server = false;
    const char *address = optstr_take(o, "address");
    if (!optstr_bool(o, "server", &server, err))
        return false;
    if (starts(address, "unix:") && !server)
        return take_qmp(p, address + strlen("unix:"), err);
    return put2(p, "-qmp", t->s, err);
}

static bool opt_qtest(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)t;
    struct door_args *a = p->args;
    const char *address = optstr_need(o, "address", err);
    bool wait = true;
    if (!address || !optstr_bool(o, "server", &a->qtest_server, err) ||
        !optstr_bool(o, "wait", &wait, err) || !optstr_finish(o, err))
        return false;
    if (!is(address, "stdio") && !starts(address, "unix:"))
        return err_set(err, "-qtest %s: there are unix:PATH and stdio", address);
    free(a->qtest);
    a->qtest = xstrdup(is(address, "stdio") ? address : address + strlen("unix:"));
    return true;
}

static bool opt_global(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    static const char *const names[] = {"ide-hd.serial", "ide-hd.model", "ide-hd.ver"};
    char **const values[] = {&p->serial, &p->model, &p->version};
    (void)t;
    for (size_t i = 0; i < 3; i++)
        if (!optstr_string(o, names[i], values[i], err))
            return false;
    return optstr_finish(o, err);
}

static bool opt_serial(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)o;
    p->have_serial = true;
    return put2(p, "-serial", t->s, err);
}

static bool opt_vga(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)o;
    p->have_vga = true;
    return put2(p, "-vga", t->s, err);
}

static bool opt_memory(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)o;
    p->have_memory = true;
    return put2(p, "-m", t->s, err);
}

static bool opt_accel(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)p;
    return is(o->keys[0].value, "qtest") || err_set(err, "-accel %s: there is qtest", t->s);
}

static bool opt_log(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)o, (void)err;
    free(p->args->qtest_log);
    p->args->qtest_log = xstrdup(t->s);
    return true;
}

static bool opt_bios(struct parser *p, struct optstr *o, struct text *t, struct err *err)
{
    (void)o, (void)err;
    free(p->args->firmware);
    p->args->firmware = xstrdup(t->s);
    return true;
}

/* For an option that writes its string anew *t is empty, for the others it is what was said. */
static const struct {
    const char *name;
    const char *first; /* the key of a first word without '=' */
    bool anew, positional;
    bool (*take)(struct parser *p, struct optstr *o, struct text *t, struct err *err);
} options[] = {
    {"-drive", NULL, true, false, opt_drive},
    {"-blockdev", "driver", true, false, opt_blockdev},
    {"-device", "driver", true, false, opt_device},
    {"-machine", "type", true, false, opt_machine},
    {"-M", "type", true, false, opt_machine},
    {"-boot", "order", false, false, opt_boot},
    {"-rtc", NULL, false, false, opt_rtc},
    {"-chardev", "backend", false, false, opt_chardev},
    {"-mon", "chardev", false, false, opt_mon},
    {"-qmp", "address", false, true, opt_qmp},
    {"-qtest", "address", false, true, opt_qtest},
    {"-serial", "address", false, true, opt_serial},
    {"-vga", "address", false, true, opt_vga},
    {"-m", "size", false, false, opt_memory},
    {"-accel", "name", false, false, opt_accel},
    {"-qtest-log", "path", false, true, opt_log},
    {"-bios", "path", false, true, opt_bios},
    {"-global", NULL, false, false, opt_global},
};

static bool take(struct parser *p, size_t option, const char *value, struct err *err)
{
    struct optstr o;
    struct text t;
    const char *name = options[option].name, *first = options[option].first;
    bool ok = options[option].positional ? optstr_parse_positional(&o, name, value, first, err)
                                         : optstr_parse(&o, name, value, first, err);
    if (!ok)
        return false;
    ok = text_new(&t, err);
    if (ok && !options[option].anew)
        text_add(&t, value, false);
    ok = ok && (o.count || options[option].anew || err_set(err, "%s: its value is empty", name));
    ok = ok && options[option].take(p, &o, &t, err);
    free(t.s);
    optstr_free(&o);
    return ok;
}

static bool one(struct parser *p, int argc, char **argv, int *i, bool globals, struct err *err)
{
    const char *word = argv[*i];
    if (starts(word, "--"))
        word++;
    for (size_t n = 0; n < sizeof(options) / sizeof(options[0]); n++) {
        if (strcmp(options[n].name, word))
            continue;
        if (++*i == argc)
            return err_set(err, "%s: its value is missing", word);
        /* They hold for devices that were said before, too. */
        return is(word, "-global") != globals || take(p, n, argv[*i], err);
    }
    if (globals)
        return true;
    if (is(word, "-nodefaults")) {
        p->defaults = false;
        return true;
    }
    if (is(word, "-no-fd-bootchk")) {
        p->args->no_floppy_check = true;
        return true;
    }
    if (is(word, "-cdrom") || is(word, "-hdc"))
        p->have_cd = true;
    return put(p, argv[*i], err); /* the product's, or nobody's */
}

static bool defaults(struct parser *p, struct err *err)
{
    if (!p->have_machine && !put2(p, "-machine", "pc,accel=xen", err))
        return false;
    if (!p->have_memory && !put2(p, "-m", "128", err))
        return false;
    if (!p->defaults)
        return true;
    return (p->have_vga || put2(p, "-vga", "std", err)) &&
           (p->have_serial || put2(p, "-serial", "null", err)) &&
           (p->have_cd || put2(p, "-drive", "if=ide,index=2,media=cdrom", err));
}

/* What -drive if=ide cannot say, -global has said. */
static void apply_globals(const struct parser *p, struct config *config)
{
    for (size_t i = 0; i < config->drive_count; i++) {
        struct config_drive *d = &config->drives[i];
        if (d->cdrom)
            continue;
        if (!d->serial && p->serial)
            d->serial = xstrdup(p->serial);
        if (!d->model && p->model)
            d->model = xstrdup(p->model);
        if (!d->version && p->version)
            d->version = xstrdup(p->version);
    }
}

static bool parse(struct parser *p, int argc, char **argv, struct err *err)
{
    if (!put(p, argv[0], err) || !put2(p, "-xen-domid", "1", err) ||
        !put2(p, "-sandbox", "off", err))
        return false;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 1; i < argc; i++)
            if (!one(p, argc, argv, &i, pass == 0, err))
                return false;
    if (!p->args->qtest)
        return err_set(err, "-qtest is missing: unix:PATH[,server=on] or stdio");
    if (p->none) {
        p->args->config = (struct config){.action = CONFIG_PROBE, .incoming_fd = -1};
        return true;
    }
    for (size_t i = 0; i < p->chardev_count; i++)
        if (!p->chardevs[i].used && !put2(p, "-chardev", p->chardevs[i].arg, err))
            return false;
    if (!defaults(p, err))
        return false;
    if (!config_from_libxl(&p->args->config, p->count, p->out, err))
        return false;
    if (p->args->config.action != CONFIG_RUN)
        return err_set(err, "-version, -help: ask hvm-dm");
    apply_globals(p, &p->args->config);
    return true;
}

bool door_args_parse(struct door_args *args, int argc, char **argv, struct err *err)
{
    struct parser p = {.args = args, .defaults = true};
    *args = (struct door_args){
        .config.incoming_fd = -1, .boot_order = "cad", .base = (int64_t)time(NULL)};
    bool ok = parse(&p, argc, argv, err);
    for (int i = 0; i < p.count; i++)
        free(p.out[i]);
    for (size_t i = 0; i < p.chardev_count; i++) {
        free(p.chardevs[i].id);
        free(p.chardevs[i].path);
        free(p.chardevs[i].arg);
    }
    free(p.serial);
    free(p.model);
    free(p.version);
    return ok;
}

void door_args_free(struct door_args *args)
{
    config_free(&args->config);
    free(args->qtest);
    free(args->qtest_log);
    free(args->qmp);
    free(args->firmware);
}
