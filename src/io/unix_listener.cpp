// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/unix_listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "base/assert.h"

namespace spillway::io {
namespace {

static_assert(kUnixPathMax + 16 < sizeof(sockaddr_un::sun_path));

sockaddr_un address_of(const std::string& path) {
    SPILLWAY_ASSERT(path.size() < sizeof(sockaddr_un::sun_path));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

std::unexpected<std::string> cannot(const std::string& path, const std::string& why) {
    return base::fail("cannot listen on unix:" + path + ": " + why);
}

/// How long a dead process's socket is waited for.
constexpr std::chrono::milliseconds kDyingWait{20};
constexpr int kDyingLooks = 100;

enum class Occupant { nobody, listens, other };

/// Who is at that name. `owner` is told where the kernel knows.
Occupant look(const std::string& path, pid_t& owner) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) return Occupant::nobody;
    if (!S_ISSOCK(status.st_mode)) return Occupant::other;
    const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path);
    const int connected = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (connected != 0 && (errno == ECONNREFUSED || errno == ENOENT)) return Occupant::nobody;
    ucred credentials = {};
    socklen_t bytes = sizeof credentials;
    if (connected == 0 && ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) == 0)
        owner = credentials.pid;
    return Occupant::listens;  // or its backlog is full, or we may not connect: it is alive in any case
}

/// Moves the listening socket from `made` to its place; says what is there if that is not to be replaced. Under a lock of
/// the folder, so that of two starters one sees the other.
std::string settle(const std::string& made, const std::string& path) {
    const std::string folder = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    const Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::flock(lock.get(), LOCK_EX) != 0) return std::strerror(errno);
    pid_t owner = 0;
    Occupant occupant = look(path, owner);
    // The kernel takes a moment to put away the rings of a process that was killed, and with them the sockets.
    const auto dying = [&] {
        return occupant == Occupant::listens && owner != 0 && ::kill(owner, 0) != 0 && errno == ESRCH;
    };
    for (int i = 0; i < kDyingLooks && dying(); ++i) {
        std::this_thread::sleep_for(kDyingWait);
        occupant = look(path, owner);
    }
    switch (occupant) {
        case Occupant::other: return "there is something else of that name, which is no socket";
        case Occupant::listens:
            return owner != 0 ? "pid " + std::to_string(owner) + " listens there"
                              : std::string("somebody listens there");
        case Occupant::nobody: break;
    }
    return ::rename(made.c_str(), path.c_str()) == 0 ? std::string() : std::strerror(errno);
}

}  // namespace

base::Result<UnixListener> UnixListener::open(const std::string& path, mode_t mode, std::size_t count) {
    SPILLWAY_ASSERT(count >= 1 && path.starts_with('/') && path.size() <= kUnixPathMax);
    // Made under a name of its own, so that nobody can find it before it listens and has its permissions.
    const std::string made = path + "." + std::to_string(::getpid());
    ::unlink(made.c_str());
    Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(made);
    struct stat status = {};
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return cannot(path, std::strerror(errno));
    if (::chmod(made.c_str(), mode) != 0 || ::listen(fd.get(), INT_MAX) != 0 || ::lstat(made.c_str(), &status) != 0) {
        const int error = errno;
        ::unlink(made.c_str());
        return cannot(path, std::strerror(error));
    }
    if (const std::string fault = settle(made, path); !fault.empty()) {
        ::unlink(made.c_str());
        return cannot(path, fault);
    }
    UnixListener listener;
    listener.path_ = path;
    listener.device_ = status.st_dev;
    listener.inode_ = status.st_ino;
    if (const auto spread = listener.spread(std::move(fd), count); !spread) return cannot(path, spread.error());
    return listener;
}

base::Result<UnixListener> UnixListener::share(Descriptor socket, std::size_t count) {
    UnixListener listener;
    if (const auto spread = listener.spread(std::move(socket), count); !spread) return base::fail(spread.error());
    return listener;
}

base::Result<UnixListener> UnixListener::inherit(Descriptor socket, const std::string& path, mode_t mode,
                                                 std::size_t count) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode))
        return cannot(path, "the predecessor's socket has lost its name");
    if ((status.st_mode & 07777) != mode && ::chmod(path.c_str(), mode) != 0) return cannot(path, std::strerror(errno));
    auto listener = share(std::move(socket), count);
    if (listener) listener->borrow(path, status);
    return listener;
}

UnixListener UnixListener::abandoned(const std::string& path) {
    UnixListener listener;
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) listener.borrow(path, status);
    return listener;
}

void UnixListener::borrow(const std::string& path, const struct stat& status) {
    path_ = path;
    borrowed_ = true;
    device_ = status.st_dev;
    inode_ = status.st_ino;
}

base::Result<void> UnixListener::spread(Descriptor socket, std::size_t count) {
    // Shared by all cores: who looks, sees a connection and finds it taken by another, must not wait for the next.
    constexpr timeval kSoon = {0, 1000};
    static_cast<void>(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kSoon, sizeof kSoon));
    for (std::size_t i = 1; i < count; ++i) {
        Descriptor copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
        if (!copy) return base::fail(std::string(std::strerror(errno)));
        sockets.push_back(std::move(copy));
    }
    sockets.push_back(std::move(socket));
    return {};
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : sockets(std::move(other.sockets)),
      path_(std::exchange(other.path_, {})),
      borrowed_(other.borrowed_),
      device_(other.device_),
      inode_(other.inode_) {}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
    if (this == &other) return *this;
    remove();
    sockets = std::move(other.sockets);
    path_ = std::exchange(other.path_, {});
    borrowed_ = other.borrowed_;
    device_ = other.device_;
    inode_ = other.inode_;
    return *this;
}

void UnixListener::give_to(uid_t user, gid_t group) {
    if (!path_.empty()) static_cast<void>(::lchown(path_.c_str(), user, group));
}

bool UnixListener::owns_name() const {
    struct stat status = {};
    return !path_.empty() && ::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
           status.st_ino == inode_;
}

void UnixListener::remove() {
    if (!borrowed_ && owns_name()) ::unlink(path_.c_str());
}

}  // namespace spillway::io
