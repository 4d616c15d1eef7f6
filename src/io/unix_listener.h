// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A listening Unix socket, for proxies and backends on the same host. A name left behind by a crash is taken over; one on
// which somebody listens never is, however two starters race.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/descriptor.h"

namespace spillway::io {

/// Longest path, by sockaddr_un less what the name is given on its way to its place.
inline constexpr std::size_t kUnixPathMax = 90;

/// The socket's name goes with it, unless it is somebody else's by then.
class UnixListener {
public:
    /// Opens `count` (>= 1) descriptors of one listening socket at `path` (absolute, at most kUnixPathMax), with these
    /// permissions. The failure is a sentence with the cause. Blocks for microseconds, two seconds when a dead process still listens.
    [[nodiscard]] static base::Result<UnixListener> open(const std::string& path, mode_t mode, std::size_t count);

    /// The same of a listening Unix socket that somebody else opened for us, and whose name is theirs.
    [[nodiscard]] static base::Result<UnixListener> share(Descriptor socket, std::size_t count);

    /// The same of a predecessor's. Its name is the predecessor's until take_name().
    [[nodiscard]] static base::Result<UnixListener> inherit(Descriptor socket, const std::string& path, mode_t mode,
                                                            std::size_t count);

    /// Only the name of a predecessor's socket on which nobody will listen any more. It stays until take_name().
    [[nodiscard]] static UnixListener abandoned(const std::string& path);

    UnixListener() = default;
    UnixListener(UnixListener&& other) noexcept;
    UnixListener& operator=(UnixListener&& other) noexcept;
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;
    ~UnixListener() { remove(); }

    /// Listening; none if there is no such listener.
    std::vector<Descriptor> sockets;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// The name belongs to that user from now on. Without effect where the name is somebody else's.
    void give_to(uid_t user, gid_t group);
    /// The name still leads to this listener.
    [[nodiscard]] bool owns_name() const;
    void take_name() { borrowed_ = false; }
    /// Leaves the name where it is: a successor listens on the same socket.
    void leave_name() { path_.clear(); }

private:
    [[nodiscard]] base::Result<void> spread(Descriptor socket, std::size_t count);
    void borrow(const std::string& path, const struct stat& status);
    void remove();

    std::string path_;
    bool borrowed_ = false;  // the name is not ours to remove
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace spillway::io
