/*
 * slowfs DIRECTORY MOUNTPOINT [fuse options]: DIRECTORY as a network file system would show it: each call takes
 * SLOWFS_US microseconds more. While the file SLOWFS_HOLD is there, what has "hold" in its path is not answered, as by a
 * server that is dead: a signal does not end it, but that which kills the caller. The file SLOWFS_HOLD.held tells that
 * there is such a call. While the file SLOWFS_FAIL is there, everything fails with ETIMEDOUT. With SLOWFS_FOLD capital
 * letters are small ones behind that part of a path. With SLOWFS_ASCII there are no other names. With SLOWFS_SQUASH nothing
 * gets another mode or owner, which is not told. Each line of the file SLOWFS_RULES, as long as it is there, is "CALL PART ANSWER": CALL is one
 * of FUSE or *, PART is in the path or *, ANSWER is the number of an error, "short" (what is opened from then on gives a
 * read 7 bytes at most), "held" (whoever does not wait may not read what is opened from then on) or "hang"; behind it the
 * number N, where only each Nth such call has it. With SLOWFS_WRITEBACK what is written reaches DIRECTORY later.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static char root[PATH_MAX];
static int delay_us, squash;
static const char *hold, *fail, *rules;
static unsigned ruled;
/* Whether the caller is being killed. */
static int is_dying(void) {
  char name[64], line[256]; int dying = 0; unsigned long long pending;
  snprintf(name, sizeof name, "/proc/%d/status", (int)fuse_get_context()->pid);
  FILE *f = fopen(name, "r"); if (!f) return 1;
  while (fgets(line, sizeof line, f)) if (sscanf(line, "SigPnd: %llx", &pending) == 1 || sscanf(line, "ShdPnd: %llx", &pending) == 1) dying |= pending >> 8 & 1;
  fclose(f); return dying;
}
#define SHORT 1
#define HANG 2
#define HELD 3
/* What the rules have for a call: an error below 0, or one of these; 0: nothing. */
static int rule_(const char *call, const char *path) {
  char line[1024], name[32], part[256], what[32]; int answer = 0, each; FILE *f = rules ? fopen(rules, "r") : NULL;
  if (!f) return 0;
  while (!answer && fgets(line, sizeof line, f)) {
    int fields = sscanf(line, "%31s %255s %31s %d", name, part, what, &each);
    if (fields < 3 || (strcmp(name, "*") && strcmp(name, call)) || (strcmp(part, "*") && !strstr(path, part))) continue;
    if (fields == 4 && __sync_add_and_fetch(&ruled, 1) % each) continue;
    answer = !strcmp(what, "short") ? SHORT : !strcmp(what, "hang") ? HANG : !strcmp(what, "held") ? HELD : -atoi(what);
  }
  fclose(f); return answer;
}
/* Before a call for PATH; what it returns below 0 is the answer. */
static int wait_(const char *call, const char *path) {
  int answer;
  if (delay_us) usleep(delay_us);
  if (getenv("SLOWFS_ASCII")) for (const char *c = path; *c; c++) if (*c < 0) return -EILSEQ;
  while ((answer = rule_(call + strlen("do_"), path)) == HANG || (hold && strstr(path, "hold") && !access(hold, F_OK))) {
    char held[PATH_MAX]; snprintf(held, sizeof held, "%s.held", hold ? hold : rules); close(open(held, O_CREAT | O_WRONLY, 0600));
    if (fuse_interrupted() && is_dying()) return -EINTR;
    usleep(5000);
  }
  return answer ? answer : fail && !access(fail, F_OK) ? -ETIMEDOUT : 0;
}
#define WAIT(path) int answer = wait_(__func__, path); if (answer < 0) return answer
static const char *at(const char *path, char *buffer) {
  snprintf(buffer, 2 * PATH_MAX, "%s%s", root, path);
  const char *fold = getenv("SLOWFS_FOLD"); char *c = fold ? strstr(buffer + strlen(root), fold) : NULL;
  if (c) for (c += strlen(fold); *c; c++) if (*c >= 'A' && *c <= 'Z') *c += 32;
  return buffer;
}
static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *fi) {
  char b[2 * PATH_MAX]; WAIT(path);
  if (fi) return fstat(fi->fh, st) ? -errno : 0;
  return lstat(at(path, b), st) ? -errno : 0;
}
static int do_readlink(const char *path, char *out, size_t size) {
  char b[2 * PATH_MAX]; WAIT(path);
  ssize_t n = readlink(at(path, b), out, size - 1); if (n < 0) return -errno; out[n] = 0; return 0;
}
static int do_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off, struct fuse_file_info *fi, enum fuse_readdir_flags flags) {
  char b[2 * PATH_MAX]; struct dirent *e; int plus = flags & FUSE_READDIR_PLUS; WAIT(path);
  DIR *d = opendir(at(path, b)); if (!d) return -errno;
  while ((e = readdir(d))) {
    struct stat st; memset(&st, 0, sizeof st); st.st_ino = e->d_ino; st.st_mode = e->d_type << 12;
    enum fuse_fill_dir_flags f = 0;
    if (plus && getenv("SLOWFS_PLUS") && !fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW)) f = FUSE_FILL_DIR_PLUS;
    if (fill(buf, e->d_name, &st, 0, f)) break;
  }
  closedir(d); return 0;
}
static int do_open(const char *path, struct fuse_file_info *fi) {
  char b[2 * PATH_MAX]; WAIT(path);
  int fd = open(at(path, b), (fi->flags & ~O_NOATIME) | O_NOFOLLOW); if (fd < 0) return -errno; fi->fh = fd;
  /* To the system's own cache a short read is the end of the file. */
  int read = rule_("read", path); fi->direct_io = read == SHORT || read == HELD; return 0;
}
static int do_read(const char *path, char *buf, size_t size, off_t off, struct fuse_file_info *fi) {
  WAIT(path); if (answer == HELD && fi->flags & O_NONBLOCK) return -EAGAIN;
  ssize_t n = pread(fi->fh, buf, answer == SHORT && size > 7 ? 7 : size, off); return n < 0 ? -errno : n;
}
#define SIMPLE(name, args, call) static int do_##name args { char b[2 * PATH_MAX]; (void)b; WAIT(p); return (call) < 0 ? -errno : 0; }
SIMPLE(mkdir, (const char *p, mode_t m), mkdir(at(p, b), m))
SIMPLE(mknod, (const char *p, mode_t m, dev_t d), mknod(at(p, b), m, d))
SIMPLE(unlink, (const char *p), unlink(at(p, b)))
SIMPLE(rmdir, (const char *p), rmdir(at(p, b)))
SIMPLE(symlink, (const char *to, const char *p), symlink(to, at(p, b)))
SIMPLE(chmod, (const char *p, mode_t m, struct fuse_file_info *fi), squash ? 0 : fi ? fchmod(fi->fh, m) : chmod(at(p, b), m))
SIMPLE(chown, (const char *p, uid_t u, gid_t g, struct fuse_file_info *fi), squash ? 0 : fi ? fchown(fi->fh, u, g) : lchown(at(p, b), u, g))
SIMPLE(truncate, (const char *p, off_t n, struct fuse_file_info *fi), fi ? ftruncate(fi->fh, n) : truncate(at(p, b), n))
SIMPLE(utimens, (const char *p, const struct timespec t[2], struct fuse_file_info *fi), fi ? futimens(fi->fh, t) : utimensat(AT_FDCWD, at(p, b), t, AT_SYMLINK_NOFOLLOW))
SIMPLE(fsync, (const char *p, int d, struct fuse_file_info *fi), fsync(fi->fh))
static int do_link(const char *from, const char *to) { char a[2 * PATH_MAX], b[2 * PATH_MAX]; WAIT(from); return link(at(from, a), at(to, b)) ? -errno : 0; }
static int do_rename(const char *from, const char *to, unsigned int flags) { char a[2 * PATH_MAX], b[2 * PATH_MAX]; WAIT(from); return renameat2(AT_FDCWD, at(from, a), AT_FDCWD, at(to, b), flags) ? -errno : 0; }
static int do_create(const char *path, mode_t mode, struct fuse_file_info *fi) {
  char b[2 * PATH_MAX]; WAIT(path);
  int fd = open(at(path, b), fi->flags | O_CREAT | O_NOFOLLOW, mode); if (fd < 0) return -errno; fi->fh = fd; return 0;
}
static int do_write(const char *path, const char *buf, size_t size, off_t off, struct fuse_file_info *fi) {
  WAIT(path); ssize_t n = pwrite(fi->fh, buf, size, off); return n < 0 ? -errno : n;
}
/* The system closes the files of a process that has ended, and waits for that: it never hangs. */
static int do_flush(const char *path, struct fuse_file_info *fi) { int answer = rule_("flush", path); return answer < 0 ? answer : 0; }
static int do_release(const char *path, struct fuse_file_info *fi) { close(fi->fh); return 0; }
static void *do_init(struct fuse_conn_info *conn, struct fuse_config *cfg) { conn->want |= conn->capable & FUSE_CAP_PARALLEL_DIROPS; if (getenv("SLOWFS_WRITEBACK")) conn->want |= conn->capable & FUSE_CAP_WRITEBACK_CACHE; conn->max_background = 512; conn->congestion_threshold = 500; cfg->use_ino = 1; cfg->attr_timeout = 3; cfg->entry_timeout = 3; return NULL; }
static const struct fuse_operations ops = { .getattr = do_getattr, .readlink = do_readlink, .readdir = do_readdir, .open = do_open, .read = do_read, .release = do_release, .mkdir = do_mkdir, .mknod = do_mknod, .unlink = do_unlink, .rmdir = do_rmdir, .symlink = do_symlink, .link = do_link, .rename = do_rename, .chmod = do_chmod,
  .chown = do_chown, .truncate = do_truncate, .utimens = do_utimens, .fsync = do_fsync, .flush = do_flush, .create = do_create, .write = do_write, .init = do_init };
int main(int argc, char **argv) {
  if (argc < 3 || !realpath(argv[1], root)) { fprintf(stderr, "usage: slowfs SOURCE MOUNTPOINT [-o ...]\n"); return 2; }
  delay_us = atoi(getenv("SLOWFS_US") ? getenv("SLOWFS_US") : "1000");
  squash = getenv("SLOWFS_SQUASH") != NULL; hold = getenv("SLOWFS_HOLD"); fail = getenv("SLOWFS_FAIL"); rules = getenv("SLOWFS_RULES");
  argv[1] = argv[0];
  return fuse_main(argc - 1, argv + 1, &ops, NULL);
}
