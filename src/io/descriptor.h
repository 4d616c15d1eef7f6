// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// A file descriptor with one owner. For cold paths (listeners, probes); descriptors of clients belong to their slots
// and are closed through the ring, so that the simulation sees it.
#pragma once

#include <unistd.h>

#include <utility>

namespace spillway::io {

/// Closes what it holds. Movable, not copyable; not thread-safe.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) reset(other.release());
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }

    /// The number, or -1 when nothing is held.
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
    /// Gives the descriptor up without closing it.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    /// Closes what is held and holds `fd` instead.
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);  // Linux releases the number whatever close answers (close(2), NOTES)
        fd_ = fd;
    }

private:
    int fd_ = -1;
};

}  // namespace spillway::io
