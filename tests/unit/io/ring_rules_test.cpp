// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a ring may be asked, by the kernel's own word: everything of the list, and nothing else.
#include "io/ring_rules.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <liburing.h>

#include "io/uring_ring.h"

namespace spillway::io {
namespace {

/// Restricted and enabled, without the ring's buffers and sockets: each operation fails by itself, but in its own way.
class BareRing {
public:
    explicit BareRing(bool restricted) {
        REQUIRE(io_uring_queue_init(8, &ring_, IORING_SETUP_R_DISABLED) == 0);
        if (restricted) REQUIRE(restrict_ring(ring_) == 0);
        REQUIRE(io_uring_enable_rings(&ring_) == 0);
    }
    ~BareRing() { io_uring_queue_exit(&ring_); }
    BareRing(const BareRing&) = delete;
    BareRing& operator=(const BareRing&) = delete;

    io_uring* get() { return &ring_; }
    /// The result of an operation on no descriptor.
    int result(int operation, unsigned flags = 0) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        io_uring_prep_rw(operation, sqe, -1, nullptr, 0, 0);
        sqe->flags = static_cast<__u8>(flags);
        REQUIRE(io_uring_submit(&ring_) == 1);
        io_uring_cqe* cqe = nullptr;
        REQUIRE(io_uring_wait_cqe(&ring_, &cqe) == 0);
        const int result = cqe->res;
        io_uring_cqe_seen(&ring_, cqe);
        return result;
    }

private:
    io_uring ring_ = {};
};

/// Descriptors of this process that are rings.
std::vector<int> open_rings() {
    std::vector<int> rings;
    DIR* folder = ::opendir("/proc/self/fd");
    REQUIRE(folder != nullptr);
    while (const dirent* entry = ::readdir(folder)) {
        char target[64] = {};
        const std::string path = std::string("/proc/self/fd/") + entry->d_name;
        if (::readlink(path.c_str(), target, sizeof target - 1) > 0 && std::string(target) == "anon_inode:[io_uring]")
            rings.push_back(std::stoi(entry->d_name));
    }
    ::closedir(folder);
    return rings;
}

}  // namespace

TEST_CASE("a restricted ring takes the operations of the list and no others", "[io][hardening]") {
    for (const RingOperation& operation : ring_operations()) {
        INFO(operation.name);
        CHECK(BareRing(true).result(operation.code) != -EACCES);
    }
    BareRing ring(true);
    for (const int other : {IORING_OP_NOP, IORING_OP_OPENAT, IORING_OP_OPENAT2, IORING_OP_CONNECT, IORING_OP_WRITE,
                            IORING_OP_WRITEV, IORING_OP_SPLICE, IORING_OP_UNLINKAT, IORING_OP_SOCKET, IORING_OP_STATX,
                            IORING_OP_PROVIDE_BUFFERS, IORING_OP_URING_CMD, IORING_OP_MSG_RING}) {
        INFO(other);
        CHECK(ring.result(other) == -EACCES);
    }
    CHECK(ring.result(IORING_OP_READ, IOSQE_ASYNC) == -EACCES);
    CHECK(ring.result(IORING_OP_READ, IOSQE_IO_DRAIN) == -EACCES);
    BareRing free(false);
    CHECK(free.result(IORING_OP_NOP) == 0);
}

TEST_CASE("a restricted ring takes no registrations but its own descriptor's", "[io][hardening]") {
    BareRing ring(true);
    const int file = 0;
    CHECK(io_uring_register_files(ring.get(), &file, 1) == -EACCES);
    CHECK(io_uring_register_eventfd(ring.get(), 0) == -EACCES);
    CHECK(io_uring_register_personality(ring.get()) == -EACCES);
    CHECK(restrict_ring(*ring.get()) < 0);
    CHECK(io_uring_register_ring_fd(ring.get()) == 1);
}

TEST_CASE("the rings of the cores are restricted", "[io][hardening]") {
    const std::vector<int> before = open_rings();
    auto ring = UringRing::create({.sq_entries = 8, .cq_entries = 16, .buffers = 2, .buffer_bytes = 64});
    REQUIRE(ring);
    CHECK((*ring)->restricted());
    REQUIRE((*ring)->start() == 0);
    std::vector<int> made;
    for (const int fd : open_rings())
        if (std::ranges::find(before, fd) == before.end()) made.push_back(fd);
    REQUIRE(made.size() == 1);
    std::vector<char> probe(sizeof(io_uring_probe) + 256 * sizeof(io_uring_probe_op));
    CHECK(io_uring_register(static_cast<unsigned>(made[0]), IORING_REGISTER_PROBE, probe.data(), 256) == -EACCES);
}

}  // namespace spillway::io
