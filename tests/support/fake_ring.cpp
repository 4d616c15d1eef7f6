// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "fake_ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/poison.h"

namespace spillway::test {

using io::Completion;
using io::Op;
using io::Token;

FakeRing::FakeRing(FakeNetwork& network, const FakeRingSizes& sizes, std::uint64_t seed)
    : network_(network), sizes_(sizes), dice_(seed) {
    buffers_.resize(sizes.buffers);
    for (std::size_t i = 0; i < sizes.buffers; ++i) {
        buffers_[i].bytes = std::make_unique<std::byte[]>(sizes.buffer_bytes);
        base::poison(buffers_[i].bytes.get(), 0, sizes.buffer_bytes);
        free_.push_back(static_cast<std::uint16_t>(i));
    }
}

// ---- what is asked

void FakeRing::enqueue(Operation operation) {
    const AsideWork aside;
    if (queue_.size() == sizes_.sq_entries) submit();
    ++figures_.sqes;
    if (operation.kind == Kind::accept || operation.kind == Kind::recv || waits_for_room(operation.kind))
        network_.begin_operation(operation.fd);
    if (FakeConnection* connection = network_.connection(operation.fd); connection && waits_for_room(operation.kind))
        connection->waiting_bytes = connection->waiting_taken = 0;
    operation.id = next_id_++;
    queue_.push_back(std::move(operation));
}

void FakeRing::accept(int listener, Token token) { enqueue({.kind = Kind::accept, .fd = listener, .token = token}); }

void FakeRing::recv(int fd, Token token) { enqueue({.kind = Kind::recv, .fd = fd, .token = token}); }

void FakeRing::cancel(Token target) { enqueue({.kind = Kind::cancel, .token = target}); }

void FakeRing::send_now(int fd, std::span<const std::byte> bytes, Token token) {
    const AsideWork aside;
    Operation operation{.kind = Kind::send_now, .fd = fd, .token = token, .parts = {bytes}};
    operation.bytes = bytes.size();
    sim_check(operation.bytes != 0, "sends no empty messages");
    enqueue(std::move(operation));
}

void FakeRing::send_now(int fd, const msghdr* message, Token token) {
    enqueue({.kind = Kind::send_now, .fd = fd, .token = token, .message = message});
}

void FakeRing::send_wait(int fd, const msghdr* message, Token token) {
    enqueue({.kind = Kind::send_wait, .fd = fd, .token = token, .message = message});
}

void FakeRing::send_zc(int fd, std::span<const std::byte> bytes, Token token) {
    const AsideWork aside;
    sim_check(!bytes.empty(), "sends no empty messages");
    ++figures_.zc_sends;
    enqueue({.kind = Kind::send_zc, .fd = fd, .token = token, .parts = {bytes}, .bytes = bytes.size()});
}

void FakeRing::split(Operation& operation, const msghdr& message) {
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        const iovec& part = message.msg_iov[i];
        operation.parts.emplace_back(static_cast<const std::byte*>(part.iov_base), part.iov_len);
        operation.bytes += part.iov_len;
    }
    sim_check(operation.bytes != 0, "sends no empty messages");
}

std::uint64_t FakeRing::print_of(const Operation& operation) {
    std::uint64_t print = 0xCBF29CE484222325ULL;
    for (const auto part : operation.parts)
        for (const std::byte b : part) print = (print ^ static_cast<std::uint64_t>(b)) * 0x100000001B3ULL;
    return print;
}

std::string FakeRing::bytes_of(const Operation& operation, std::size_t from, std::size_t n) {
    std::string to;
    for (const auto part : operation.parts) {
        if (n == 0) break;
        if (from >= part.size()) {
            from -= part.size();
            continue;
        }
        const std::size_t here = std::min(n, part.size() - from);
        to.append(reinterpret_cast<const char*>(part.data()) + from, here);
        from = 0;
        n -= here;
    }
    return to;
}

// ---- the kernel at work

void FakeRing::submit() {
    const AsideWork aside;
    ++figures_.enters;
    std::vector<Operation> queue;
    queue.swap(queue_);
    for (Operation& operation : queue) run(operation);
}

void FakeRing::run(Operation& operation) {
    switch (operation.kind) {
        case Kind::cancel: run_cancel(operation.token); return;
        case Kind::send_now: run_send(operation); return;
        case Kind::accept:
        case Kind::recv:
        case Kind::send_wait:
        case Kind::send_zc: break;
    }
    if (waits_for_room(operation.kind)) {
        check_alone(operation);
        if (operation.message != nullptr) split(operation, *operation.message);
        operation.print = print_of(operation);
        if (FakeConnection* connection = network_.connection(operation.fd)) connection->waiting_bytes = operation.bytes;
    }
    operations_.push_back(std::make_unique<Operation>(std::move(operation)));
    if (!dice_.chance(faults.idle)) fire(*operations_.back());
    std::erase_if(operations_, [](const auto& o) { return o->over; });
}

void FakeRing::run_cancel(Token target) {
    for (auto& operation : operations_) {
        if (operation->token != target) continue;
        // It may have been about to complete: then it does that first, and perhaps needs no cancelling any more.
        if (dice_.chance(faults.idle)) fire(*operation);
        if (!operation->over && dice_.chance(faults.cancel_race)) {
            const std::uint64_t full_until = std::exchange(full_until_, dice_.chance(500) ? looks_ + 1 : full_until_);
            fire(*operation);  // perhaps as the last thing that it does
            full_until_ = full_until;
        }
        if (!operation->over)
            post(*operation,
                 {.token = target,
                  .result = operation->taken != 0 ? static_cast<std::int32_t>(operation->taken) : -ECANCELED});
        break;
    }
    std::erase_if(operations_, [](const auto& o) { return o->over; });
}

int FakeRing::broken_errno(FakeConnection& connection) {
    return std::exchange(connection.reset_told, true) ? EPIPE : connection.error;
}

int FakeRing::network_error() {
    constexpr int kErrors[] = {ECONNRESET, ETIMEDOUT, EHOSTUNREACH};
    return kErrors[dice_.below(3)];
}

/// Two sends of one stream at a time could interleave; so could two of one batch.
void FakeRing::check_alone(const Operation& operation) {
    for (const auto& other : operations_)
        sim_check(!waits_for_room(other->kind) || other->fd != operation.fd,
                  "has one send of a socket under way at a time");
    if (operation.kind != Kind::send_now || network_.connection(operation.fd) == nullptr) return;
    FakeConnection& connection = *network_.connection(operation.fd);
    sim_check(!batches || connection.last_batch != operation.token.generation,
              "puts one send of a socket into a batch");
    connection.last_batch = operation.token.generation;
    ++connection.sends;
}

void FakeRing::run_send(Operation& operation) {
    check_alone(operation);
    if (operation.message != nullptr) split(operation, *operation.message);
    FakeConnection* connection = network_.connection(operation.fd);
    const auto except = [&](int result) {
        if (result == -EAGAIN) ++figures_.send_again;
        if (result >= 0) ++figures_.send_short;
        complete({{.token = operation.token, .result = result}, -1, operation.id, 0});
    };
    if (connection == nullptr) return except(-EBADF);
    if (connection->broken) return except(-broken_errno(*connection));
    if (connection->write_shut) return except(-EPIPE);
    if (dice_.chance(faults.send_error)) {
        connection->fail(network_error());
        return except(-broken_errno(*connection));
    }
    if (dice_.chance(faults.shortage)) return except(dice_.chance(500) ? -ENOMEM : -ENOBUFS);
    if (dice_.chance(faults.again)) return except(-EAGAIN);
    std::size_t n = std::min(operation.bytes, connection->room());
    if (n != 0 && dice_.chance(faults.short_send)) n = dice_.between(1, n);
    if (n == 0) return except(-EAGAIN);
    connection->take_in(bytes_of(operation, 0, n));
    if (n != operation.bytes) except(static_cast<int>(n));
}

void FakeRing::fire(Operation& operation) {
    switch (operation.kind) {
        case Kind::accept: fire_accept(operation); break;
        case Kind::recv: fire_recv(operation); break;
        case Kind::send_wait:
        case Kind::send_zc: fire_send(operation); break;
        case Kind::cancel:
        case Kind::send_now: break;
    }
}

void FakeRing::fire_accept(Operation& operation) {
    while (!operation.over && network_.has_backlog(operation.fd)) {
        if (network_.descriptors_max != 0 && network_.open_connections() >= network_.descriptors_max) {
            post(operation, {.token = operation.token, .result = -EMFILE});
            return;
        }
        if (dice_.chance(faults.accept_error)) {
            constexpr int kErrors[] = {EMFILE, ENFILE, ECONNABORTED, ENOMEM, EINTR};
            post(operation, {.token = operation.token, .result = -kErrors[dice_.below(5)]});
            return;
        }
        const int fd = network_.accept(operation.fd);
        post(operation, {.token = operation.token, .result = fd, .more = !dice_.chance(faults.accept_ends)});
    }
}

void FakeRing::fire_recv(Operation& operation) {
    FakeConnection& connection = *network_.connection(operation.fd);
    for (unsigned pieces = 0; !operation.over && !connection.inbound.empty() && pieces < 8; ++pieces) {
        if (free_.empty() || dice_.chance(faults.no_buffers)) {
            post(operation, {.token = operation.token, .result = -ENOBUFS});
        } else if (dice_.chance(faults.recv_error)) {
            if (dice_.chance(250)) {
                post(operation, {.token = operation.token, .result = -ENOMEM});
            } else {
                connection.fail(network_error());
                connection.inbound.clear();
            }
        } else {
            receive_piece(operation, connection);
        }
    }
    if (operation.over || !connection.inbound.empty()) return;
    if (connection.broken) {
        post(operation, {.token = operation.token, .result = -broken_errno(connection)});
    } else if (connection.peer_finished || connection.read_shut) {
        post(operation, {.token = operation.token, .result = 0});
    }
}

void FakeRing::receive_piece(Operation& operation, FakeConnection& connection) {
    std::size_t n = std::min(connection.inbound.size(), sizes_.buffer_bytes);
    if (dice_.chance(faults.short_read)) n = dice_.between(1, std::min<std::size_t>(n, 4));
    const std::uint16_t id = free_.front();
    free_.pop_front();
    Buffer& buffer = buffers_[id];
    base::unpoison(buffer.bytes.get(), sizes_.buffer_bytes);
    std::memcpy(buffer.bytes.get(), connection.inbound.data(), n);
    buffer.lent = true;
    connection.inbound.erase(0, n);
    const bool more = !dice_.chance(faults.recv_ends);
    post(operation, {.token = operation.token,
                     .result = static_cast<std::int32_t>(n),
                     .buffer = id,
                     .has_buffer = true,
                     .more = more,
                     .socket_nonempty = !connection.inbound.empty()});
}

void FakeRing::fire_send(Operation& operation) {
    FakeConnection& connection = *network_.connection(operation.fd);
    const auto end = [&](int error) {
        // A send without a copy that failed before it began has nothing to notify of.
        const bool noticed =
            operation.kind == Kind::send_zc && (error == 0 || operation.taken != 0 || dice_.chance(500));
        if (noticed) notices_.push_back({operation, looks_ + dice_.below(20), dice_.chance(faults.copied)});
        post(operation, {.token = operation.token,
                         .result = operation.taken != 0 ? static_cast<std::int32_t>(operation.taken) : -error,
                         .more = noticed});
    };
    if (operation.kind == Kind::send_zc && operation.taken == 0 && dice_.chance(faults.zc_refused)) {
        constexpr int kRefusals[] = {EINVAL, EOPNOTSUPP, ENOMEM, ENOBUFS};
        return end(kRefusals[dice_.below(4)]);
    }
    if (connection.broken) return end(broken_errno(connection));
    if (connection.write_shut) return end(EPIPE);
    if (dice_.chance(faults.send_error)) {
        connection.fail(network_error());
        return end(broken_errno(connection));
    }
    if (dice_.chance(faults.shortage)) return end(dice_.chance(500) ? ENOMEM : ENOBUFS);
    std::size_t n = std::min(operation.bytes - operation.taken, connection.room());
    if (n != 0 && dice_.chance(faults.short_send)) n = dice_.between(1, n);
    connection.take_in(bytes_of(operation, operation.taken, n));
    operation.taken += n;
    connection.waiting_taken += n;
    if (operation.taken != operation.bytes) return;
    sim_check(print_of(operation) == operation.print, "leaves the memory of a waiting send alone until it completes");
    end(0);
}

void FakeRing::progress() {
    const AsideWork aside;
    ++looks_;
    release_late();
    release_notices();
    if (dice_.chance(faults.overflow)) full_until_ = looks_ + dice_.between(1, 8);
    const std::size_t first = operations_.empty() ? 0 : dice_.below(operations_.size());
    for (std::size_t i = 0; i < operations_.size(); ++i) {
        Operation& operation = *operations_[(first + i) % operations_.size()];
        if (!dice_.chance(faults.idle)) fire(operation);
    }
    std::erase_if(operations_, [](const auto& o) { return o->over; });
}

void FakeRing::wait(base::Duration /*at_most*/) {
    const AsideWork aside;
    submit();
    progress();
    if (std::exchange(woken_, false)) ++figures_.wakes;
}

// ---- completions

void FakeRing::post(Operation& operation, Completion completion) {
    // A multishot request ends when the completion queue is full: the kernel keeps this one aside, and no more.
    if (is_full() && operation.kind != Kind::send_zc) completion.more = false;
    if (looks_ < full_until_) ++figures_.overflows;
    operation.over = !completion.more || operation.kind == Kind::send_zc;
    Done done{completion, operation.fd, operation.id, 0};
    // Late, or behind a late one of the same operation.
    const auto earlier = std::ranges::find(late_.rbegin(), late_.rend(), operation.id, &Done::operation);
    if (earlier != late_.rend()) done.due = earlier->due;
    if (dice_.chance(faults.delay))
        done.due =
            std::max(done.due, looks_) + (dice_.chance(faults.late) ? dice_.between(50, 300) : dice_.between(1, 12));
    if (done.due > looks_ || earlier != late_.rend()) {
        late_.push_back(done);
    } else {
        complete(done);
    }
}

void FakeRing::release_late() {
    for (std::size_t i = 0; i < late_.size();) {
        if (late_[i].due > looks_) {
            ++i;
            continue;
        }
        const Done done = late_[i];
        late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
        complete(done);
    }
}

/// In any order, each behind its result.
void FakeRing::release_notices() {
    for (std::size_t i = 0; i < notices_.size();) {
        const Notice& notice = notices_[i];
        const auto same = [&](const Done& done) { return done.operation == notice.operation.id; };
        if (notice.due > looks_ || std::ranges::any_of(late_, same) || std::ranges::any_of(done_, same)) {
            ++i;
            continue;
        }
        sim_check(print_of(notice.operation) == notice.operation.print,
                  "leaves the memory of a send without a copy alone until it is notified");
        ++figures_.zc_notifications;
        if (notice.copied) ++figures_.zc_copied;
        complete({{.token = notice.operation.token, .notification = true, .copied = notice.copied}, -1, 0, 0});
        notices_.erase(notices_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void FakeRing::complete(const Done& done) {
    const Completion& c = done.completion;
    trace_ = (trace_ ^ c.token.packed() ^ static_cast<std::uint64_t>(c.result)) * 0x100000001B3ULL + (c.more ? 1 : 0);
    done_.push_back(done);
}

std::size_t FakeRing::take(std::span<Completion> out) {
    const AsideWork aside;
    if (done_.size() > sizes_.cq_entries) ++figures_.overflows;
    std::size_t n = 0;
    while (n < out.size() && !done_.empty()) {
        const Done& done = done_.front();
        const Completion& c = done.completion;
        if (c.result == -ENOBUFS && c.token.op == Op::recv) ++figures_.no_buffers;
        if (done.fd >= 0 && (!c.more || c.token.op == Op::send_zc)) network_.end_operation(done.fd);
        ++figures_.cqes;
        out[n++] = c;
        done_.pop_front();
    }
    return n;
}

// ---- buffers and sockets

std::span<const std::byte> FakeRing::buffer(const Completion& completion) const {
    sim_check(completion.has_buffer && buffers_[completion.buffer].lent, "reads only buffers that it was lent");
    return {buffers_[completion.buffer].bytes.get(), static_cast<std::size_t>(completion.result)};
}

void FakeRing::give_back(std::uint16_t id) {
    const AsideWork aside;
    sim_check(id < buffers_.size() && buffers_[id].lent, "gives back only buffers that it was lent, and each once");
    buffers_[id].lent = false;
    base::poison(buffers_[id].bytes.get(), 0, sizes_.buffer_bytes);
    free_.push_back(id);
}

void FakeRing::configure(int fd, std::uint64_t send_buffer_bytes) {
    if (FakeConnection* connection = network_.connection(fd))
        connection->send_buffer = static_cast<std::size_t>(send_buffer_bytes);
}

io::PeerAddress FakeRing::peer(int fd) const {
    const FakeConnection* connection = network_.connection(fd);
    return connection != nullptr ? connection->address : io::PeerAddress{};
}

std::uint64_t FakeRing::unsent_bytes(int fd) const {
    const FakeConnection* connection = network_.connection(fd);
    return connection != nullptr ? connection->outbound.size() : 0;
}

void FakeRing::shutdown(int fd, int how) {
    const AsideWork aside;
    FakeConnection* connection = network_.connection(fd);
    sim_check(connection != nullptr, "shuts only descriptors that are open");
    connection->write_shut = true;
    if (how == SHUT_RDWR) connection->read_shut = true;
}

void FakeRing::refuse(int fd, std::string_view answer) {
    FakeConnection& connection = *network_.connection(fd);
    connection.inbound.clear();
    connection.outbound += answer;
    network_.close(fd);
}

unsigned FakeRing::refuse_waiting(int listener, std::string_view answer, unsigned most) {
    unsigned refused = 0;
    while (refused < most && network_.has_backlog(listener)) {
        refuse(network_.accept(listener), answer);
        ++refused;
    }
    return refused;
}

bool FakeRing::at_rest() const {
    return operations_.empty() && queue_.empty() && done_.empty() && late_.empty() && notices_.empty() &&
           free_.size() == buffers_.size();
}

}  // namespace spillway::test
