// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The simulation's ring: everything io::Ring promises and nothing more, decided by dice. Completions of different
// operations come in any order and late, receives come in pieces, sends are short, buffers run out; per operation the
// order is kept, and what a real kernel guarantees holds.
//
// It watches its owner: no descriptor is closed with an operation on it or twice, buffers are given back once, a socket has
// one send under way and one per batch, the memory of a waiting send is read when the bytes go and must not have changed
// by then, nor that of a send without a copy until its notification, which may be very late.
//
// Thread: one, like everything in a simulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "fake_network.h"
#include "io/ring.h"
#include "seeded.h"

namespace spillway::test {

/// Work of the simulation in the midst of a core's turn: what it allocates is not the core's.
class AsideWork {
public:
    AsideWork() { ++depth_; }
    ~AsideWork() { --depth_; }
    AsideWork(const AsideWork&) = delete;
    AsideWork& operator=(const AsideWork&) = delete;
    [[nodiscard]] static bool under_way() { return depth_ != 0; }

private:
    static inline int depth_ = 0;
};

struct FakeRingSizes {
    std::size_t sq_entries = 64;
    std::size_t cq_entries = 256;
    std::size_t buffers = 64;
    std::size_t buffer_bytes = 256;
};

/// How often, per mille, what can go otherwise does. All zero: a ring at its best.
struct FakeFaults {
    unsigned idle = 0;          // an operation that is ready completes only at a later look
    unsigned short_read = 0;    // a piece of a few bytes
    unsigned recv_ends = 0;     // a receive stops being armed behind a piece
    unsigned no_buffers = 0;    // ENOBUFS though there are some
    unsigned short_send = 0;    // takes less than there is room for
    unsigned again = 0;         // EAGAIN though there is room
    unsigned shortage = 0;      // ENOMEM or ENOBUFS of a send
    unsigned accept_error = 0;  // EMFILE, ENFILE, ECONNABORTED, ENOMEM, EINTR
    unsigned accept_ends = 0;   // an accept stops being armed behind a connection
    unsigned delay = 0;         // a completion is seen some looks later
    unsigned late = 0;          // of those, some hundred looks later
    unsigned recv_error = 0;    // of receives that have something: ENOMEM, or the network fails
    unsigned send_error = 0;    // of sends: the network fails
    unsigned overflow = 0;  // of looks: for some there is no room in the completion queue, and no request stays armed
    unsigned cancel_race = 0;  // what is to be cancelled completes first, in part or for good
    unsigned copied = 0;       // a send without a copy is reported as copied
    unsigned zc_refused = 0;   // a send without a copy that cannot be had
};

class FakeRing final : public io::Ring {
public:
    FakeRing(FakeNetwork& network, const FakeRingSizes& sizes, std::uint64_t seed);

    FakeFaults faults;
    bool batches = false;  // the generation of a send's token is its batch: one send per socket in each

    int start() override { return 0; }
    void accept(int listener, io::Token token) override;
    void recv(int fd, io::Token token) override;
    void cancel(io::Token target) override;
    void send_now(int fd, std::span<const std::byte> bytes, io::Token token) override;
    void send_now(int fd, const msghdr* message, io::Token token) override;
    void send_wait(int fd, const msghdr* message, io::Token token) override;
    void send_zc(int fd, std::span<const std::byte> bytes, io::Token token) override;
    void submit() override;
    void wait(base::Duration at_most) override;
    std::size_t take(std::span<io::Completion> out) override;
    [[nodiscard]] std::span<const std::byte> buffer(const io::Completion& completion) const override;
    void give_back(std::uint16_t buffer) override;
    [[nodiscard]] std::uint32_t buffers_free() const override { return static_cast<std::uint32_t>(free_.size()); }
    void configure(int fd, std::uint64_t send_buffer_bytes) override;
    [[nodiscard]] io::PeerAddress peer(int fd) const override;
    [[nodiscard]] std::uint64_t unsent_bytes(int fd) const override;
    void shutdown(int fd, int how) override;
    void close(int fd) override { network_.close(fd); }
    void refuse(int fd, std::string_view answer) override;
    [[nodiscard]] bool has_waiting(int listener) const override { return network_.has_backlog(listener); }
    unsigned refuse_waiting(int listener, std::string_view answer, unsigned most) override;
    void wake() override { woken_ = true; }
    [[nodiscard]] io::RingFigures figures() const override { return figures_; }

    // For the simulation.

    /// Time for the kernel: operations that are ready complete, late completions come nearer.
    void progress();
    /// A sleeper in wait() would return.
    [[nodiscard]] bool rouses() const { return woken_ || !done_.empty(); }
    [[nodiscard]] bool woken() const { return woken_; }
    /// Completions that happened and are not visible yet.
    [[nodiscard]] bool has_late() const { return !late_.empty() || !notices_.empty(); }
    /// Nothing is armed, submitted, completed or lent.
    [[nodiscard]] bool at_rest() const;
    [[nodiscard]] std::size_t armed() const { return operations_.size(); }
    /// f(token, fd) for each operation whose end its owner has not taken.
    template <class F>
    void for_each_under_way(F&& f) const {
        for (const auto& operation : operations_) f(operation->token, operation->fd);
        for (const auto* list : {&done_, &late_})
            for (const Done& done : *list)
                if (done.fd >= 0) f(done.completion.token, done.fd);
    }
    /// Changes with everything that completes.
    [[nodiscard]] std::uint64_t trace() const { return trace_; }

private:
    enum class Kind : std::uint8_t { accept, recv, cancel, send_now, send_wait, send_zc };
    struct Operation {
        Kind kind = Kind::accept;
        int fd = -1;
        io::Token token;
        std::vector<std::span<const std::byte>> parts = {};  // of a send
        const msghdr* message = nullptr;
        std::size_t bytes = 0;
        std::size_t taken = 0;
        std::uint64_t print = 0;  // of a waiting send's memory
        std::uint64_t id = 0;
        bool over = false;
    };
    struct Done {
        io::Completion completion;
        int fd = -1;
        std::uint64_t operation = 0;
        std::uint64_t due = 0;
    };
    /// Of a send without a copy: comes behind its result, and the memory is looked at until then.
    struct Notice {
        Operation operation;
        std::uint64_t due = 0;
        bool copied = false;
    };
    struct Buffer {
        std::unique_ptr<std::byte[]> bytes;
        bool lent = false;
    };

    void enqueue(Operation operation);
    void run(Operation& operation);
    void run_cancel(io::Token target);
    void run_send(Operation& operation);
    void check_alone(const Operation& operation);
    void fire(Operation& operation);
    void fire_accept(Operation& operation);
    void fire_recv(Operation& operation);
    void fire_send(Operation& operation);
    void receive_piece(Operation& operation, FakeConnection& connection);
    static int broken_errno(FakeConnection& connection);
    int network_error();
    [[nodiscard]] bool is_full() const { return looks_ < full_until_ || done_.size() >= sizes_.cq_entries; }
    void post(Operation& operation, io::Completion completion);
    void release_late();
    void release_notices();
    [[nodiscard]] static bool waits_for_room(Kind kind) { return kind == Kind::send_wait || kind == Kind::send_zc; }
    void complete(const Done& done);
    static void split(Operation& operation, const msghdr& message);
    static std::uint64_t print_of(const Operation& operation);
    static std::string bytes_of(const Operation& operation, std::size_t from, std::size_t n);

    FakeNetwork& network_;
    FakeRingSizes sizes_;
    Seeded dice_;
    std::vector<Operation> queue_;                        // not yet submitted
    std::vector<std::unique_ptr<Operation>> operations_;  // armed
    std::deque<Done> done_;                               // to be taken
    std::deque<Done> late_;                               // completed, not yet visible
    std::vector<Notice> notices_;                         // memory the kernel may still read
    std::vector<Buffer> buffers_;
    std::deque<std::uint16_t> free_;
    io::RingFigures figures_;
    std::uint64_t next_id_ = 1;
    std::uint64_t looks_ = 0;
    std::uint64_t full_until_ = 0;  // look
    std::uint64_t trace_ = 0;
    bool woken_ = false;
};

}  // namespace spillway::test
