// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The real Ring: one io_uring with its provided receive buffers and its wake-up descriptor. Made on any thread, so that
// a start can fail with a sentence before threads run; used by the one thread that calls start().
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <spillway/limits.h>

#include "base/result.h"
#include "io/descriptor.h"
#include "io/ring.h"

struct io_uring;           // NOLINT(readability-identifier-naming): liburing's names
struct io_uring_buf_ring;  // NOLINT(readability-identifier-naming)
struct io_uring_sqe;       // NOLINT(readability-identifier-naming)

namespace spillway::io {

/// Sizes are powers of two. The defaults cost 196 KiB of locked memory for the queues and 32 KiB for the buffer ring,
/// per core (see ring_locked_bytes), and 8 MiB of ordinary memory for the buffers once they were all used.
struct UringOptions {
    unsigned sq_entries = 1024;  // operations between two submits; a full queue submits by itself
    unsigned cq_entries = 8192;  // several fan-out batches plus a burst of receives; an overflow costs time, not data
    unsigned buffers = kRecvBuffers;  // at most 32768
    unsigned buffer_bytes = kRecvBufferBytes;
    /// For kernels that do not keep the rule of send_now's completions (see self_test): every send completes and the
    /// ring itself swallows the full ones.
    bool completion_per_send = false;
    /// A receive ends by itself with the buffer that brings it to so many bytes, and is to be armed again: nobody has more
    /// received between two looks at the others. 0: it goes on for as long as the kernel likes, 32 buffers at a time, as before Linux 6.17.
    unsigned receive_limit = 0;
};

/// Locked memory that a ring of these sizes is charged for (RLIMIT_MEMLOCK), in bytes.
[[nodiscard]] std::uint64_t ring_locked_bytes(const UringOptions& options);

/// Thread: made anywhere, start() and everything after it on one thread, wake() on any. Destroyed on that thread, or
/// after it ended; memory of a send_wait that is still under way must outlive the ring by a moment, so stop the sockets
/// first.
class UringRing final : public Ring {
public:
    /// Makes the queues, halving them while the kernel says ENOMEM (down to 64 operations). The failure is a sentence
    /// with cause and advice.
    [[nodiscard]] static base::Result<std::unique_ptr<UringRing>> create(const UringOptions& options);
    ~UringRing() override;
    UringRing(const UringRing&) = delete;
    UringRing& operator=(const UringRing&) = delete;

    /// What it was made with; smaller queues than asked for if memory was short.
    [[nodiscard]] const UringOptions& options() const { return options_; }
    /// The kernel holds it to the operations of ring_rules.h.
    [[nodiscard]] bool restricted() const { return restricted_; }

    int start() override;
    void accept(int listener, Token token) override;
    void recv(int fd, Token token) override;
    void cancel(Token target) override;
    void send_now(int fd, std::span<const std::byte> bytes, Token token) override;
    void send_now(int fd, const msghdr* message, Token token) override;
    void send_wait(int fd, const msghdr* message, Token token) override;
    void send_zc(int fd, std::span<const std::byte> bytes, Token token) override;
    void submit() override;
    void wait(base::Duration at_most) override;
    std::size_t take(std::span<Completion> out) override;
    [[nodiscard]] std::span<const std::byte> buffer(const Completion& completion) const override;
    void give_back(std::uint16_t buffer) override;
    [[nodiscard]] std::uint32_t buffers_free() const override { return buffers_free_; }
    void configure(int fd, std::uint64_t send_buffer_bytes) override;
    void acknowledge_later(int fd) override;
    void acknowledge(int fd) override;
    [[nodiscard]] PeerAddress peer(int fd) const override;
    [[nodiscard]] std::uint64_t unsent_bytes(int fd) const override;
    void shutdown(int fd, int how) override;
    void close(int fd) override;
    void refuse(int fd, std::string_view answer) override;
    [[nodiscard]] bool has_waiting(int listener) const override;
    unsigned refuse_waiting(int listener, std::string_view answer, unsigned most) override;
    void wake() override;
    [[nodiscard]] RingFigures figures() const override { return figures_; }

private:
    explicit UringRing(const UringOptions& options);
    int set_up_queues();
    int set_up_buffers();

    io_uring_sqe* next_sqe(Token token);
    void expect_whole(io_uring_sqe* sqe, Token token, std::uint64_t bytes);
    enum class Queued : std::uint8_t { hand_over, keep };
    int enter(Queued queued, unsigned wait_for, unsigned flags, const base::Duration* at_most);
    void hand_over(unsigned flags);
    void make_room();
    void flush_overflow();
    void arm_wake();
    void publish_buffers();
    std::byte* buffer_at(unsigned index) const { return buffers_ + std::size_t{index} * options_.buffer_bytes; }

    std::size_t copy_ready(std::span<Completion> out);
    bool settle(Completion& completion);
    bool settle_send(const Completion& completion);
    void count_zc(const Completion& completion);

    // Fixed after set-up.
    UringOptions options_;
    std::unique_ptr<io_uring> ring_;
    bool restricted_ = false;
    std::byte* mapping_ = nullptr;  // the buffer ring, then the buffers
    std::size_t mapping_bytes_ = 0;
    io_uring_buf_ring* buffer_ring_ = nullptr;
    std::byte* buffers_ = nullptr;
    unsigned enter_flags_ = 0;
    unsigned wait_flags_ = 0;
    Descriptor wake_fd_;
    Descriptor spare_;  // held so that it can be let go when there is no other; the owner's thread only

    // The owner's thread only.
    std::uint32_t buffers_free_ = 0;
    unsigned buffers_unpublished_ = 0;  // given back, not yet shown to the kernel
    bool wake_armed_ = false;           // true exactly while the READ is with the kernel
    bool woken_early_ = false;          // a wake was swallowed outside wait(): the next wait() must not sleep
    bool deferred_work_ran_ = false;    // outside wait(), since the last one
    std::uint64_t wake_count_ = 0;      // where the READ puts the eventfd's counter
    std::vector<Completion> spilled_;   // taken off a full queue by submit(); older than what the queue holds
    std::size_t spilled_taken_ = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> whole_;  // completion_per_send: bytes of each send under way
    RingFigures figures_;
};

}  // namespace spillway::io
