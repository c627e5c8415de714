/* Records what a process does to the files of one folder, in order, and with the data.
 *
 * The crash test compiles this file to a library and loads it into its child process (LD_PRELOAD). The
 * folder is named by SPANLEDGER_TEST_RECORDED_FOLDER, the record by SPANLEDGER_TEST_RECORD. `record.rs`
 * reads the record.
 *
 * The file that SPANLEDGER_TEST_FAILING_SYNC names, if it is there, holds the name of a file in the folder
 * whose syncs fail with EIO, as those of a broken disk. They are recorded as 'F'.
 *
 * Every operation is done and recorded under one lock, so the order of the record is the order in which
 * the operations happened. Memory that is mapped (SQLite's -shm file) is not recorded: SQLite makes it
 * again from the log. Operations that would change a file in a way that `record.rs` cannot repeat are
 * recorded as 'X', which fails the test.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_length;
static const char *failing;
static int record = -1;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("SPANLEDGER_TEST_RECORD");
    folder = getenv("SPANLEDGER_TEST_RECORDED_FOLDER");
    failing = getenv("SPANLEDGER_TEST_FAILING_SYNC");
    if (path && folder) {
        folder_length = strlen(folder);
        record = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

/* The name in the folder ("" is the folder itself), or null if the file is elsewhere. */
static const char *name_in_folder(const char *path) {
    if (record < 0 || strncmp(path, folder, folder_length) != 0) return NULL;
    if (path[folder_length] == 0) return path + folder_length;
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *name_of(int fd, char *buffer, size_t size) {
    char link[64];
    if (record < 0) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return name_in_folder(buffer);
}

static void all(const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = syscall(SYS_write, record, bytes, length);
        if (written <= 0) abort();
        bytes = (const char *)bytes + written;
        length -= (size_t)written;
    }
}

/* One entry: operation, length of the name, number, length of the data, name, data. */
static void note(char operation, const char *name, uint64_t number, const void *data, uint64_t length) {
    uint64_t head[4] = {(uint64_t)operation, strlen(name), number, length};
    all(head, sizeof head);
    all(name, strlen(name));
    all(data, length);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FORBIDDEN(fd)                                                   \
    do {                                                                \
        char buffer[4096];                                              \
        const char *name = name_of(fd, buffer, sizeof buffer);          \
        if (name) note('X', name, 0, __func__, strlen(__func__));       \
    } while (0)

ssize_t write(int fd, const void *data, size_t length) {
    char buffer[4096];
    const char *name = name_of(fd, buffer, sizeof buffer);
    if (!name) return REAL(write)(fd, data, length);
    pthread_mutex_lock(&lock);
    ssize_t written = REAL(write)(fd, data, length);
    /* Also right for a file that is opened for appending: the position is now behind what was written. */
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (written > 0) note('W', name, (uint64_t)(end - written), data, (uint64_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

static ssize_t write_at(ssize_t (*real)(int, const void *, size_t, off_t), int fd, const void *data,
                        size_t length, off_t at) {
    char buffer[4096];
    const char *name = name_of(fd, buffer, sizeof buffer);
    if (!name) return real(fd, data, length, at);
    pthread_mutex_lock(&lock);
    ssize_t written = real(fd, data, length, at);
    if (written > 0) note('W', name, (uint64_t)at, data, (uint64_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return write_at(REAL(pwrite), fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    return write_at((ssize_t(*)(int, const void *, size_t, off_t))REAL(pwrite64), fd, data, length, at);
}

static int resize(int (*real)(int, off_t), int fd, off_t length) {
    char buffer[4096];
    const char *name = name_of(fd, buffer, sizeof buffer);
    if (!name) return real(fd, length);
    pthread_mutex_lock(&lock);
    int result = real(fd, length);
    if (result == 0) note('T', name, (uint64_t)length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) { return resize(REAL(ftruncate), fd, length); }
int ftruncate64(int fd, off64_t length) { return resize((int (*)(int, off_t))REAL(ftruncate64), fd, length); }

static int sync_fails(const char *name) {
    char named[256];
    int fd = failing ? open(failing, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    ssize_t length = read(fd, named, sizeof named - 1);
    close(fd);
    if (length < 0) return 0;
    named[length] = 0;
    return strcmp(named, name) == 0;
}

static int synchronize(int (*real)(int), int fd) {
    char buffer[4096];
    const char *name = name_of(fd, buffer, sizeof buffer);
    if (!name) return real(fd);
    pthread_mutex_lock(&lock);
    if (sync_fails(name)) {
        note('F', name, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    int result = real(fd);
    if (result == 0) note('S', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return synchronize(REAL(fsync), fd); }
int fdatasync(int fd) { return synchronize(REAL(fdatasync), fd); }

int unlink(const char *path) {
    const char *name = name_in_folder(path);
    if (!name) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int result = REAL(unlink)(path);
    if (result == 0) note('U', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Operations that the ledger does not use today. */
int rename(const char *from, const char *to) {
    const char *name = name_in_folder(to);
    if (name) note('X', name, 0, __func__, strlen(__func__));
    return REAL(rename)(from, to);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    FORBIDDEN(fd);
    return REAL(fallocate)(fd, mode, at, length);
}

int posix_fallocate(int fd, off_t at, off_t length) {
    FORBIDDEN(fd);
    return REAL(posix_fallocate)(fd, at, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    FORBIDDEN(fd);
    return REAL(writev)(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    FORBIDDEN(fd);
    return REAL(pwritev)(fd, parts, count, at);
}
