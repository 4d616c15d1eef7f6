// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Subscribers over epoll. Counts are gathered per epoll turn and posted to the board together, so that checking costs
// next to nothing beside receiving.

#include "subscribers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace spillway::load {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::uint32_t kOpeningMax = 128;  // connections under way at once: under any listen backlog
/// A connect(2) uses half of the 28,000 ephemeral ports, and searches them for long once many are taken or in TIME_WAIT:
/// then the figure would be the search's.
constexpr std::uint32_t kPerSourceAddress = 2000;
constexpr int kEventsPerTurn = 64;  // small, so that a completion is not stamped late
constexpr int kIdleTurnMs = 50;
constexpr int kVisitTurnMs = 1;
constexpr std::size_t kVisitors = 64;  // present at a time
constexpr int kSlowReceiveBuffer = 16 * 1024;

/// Loopback has a /8 of source addresses, each with its own ports.
void bind_source(int fd, std::uint32_t index) {
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(0x7F000002 + index / kPerSourceAddress);
    // Without it the connection leaves from another address, as long as that has ports.
    static_cast<void>(bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source));
}

}  // namespace

Subscribers::Subscribers(const Options& options, Board& board, std::uint32_t process)
    : options_(options),
      board_(board),
      counts_(board.processes[process]),
      process_(process),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kBufferBytes) {
    for (const Stream stream : {kMain, kAside}) {
        arrivals_[stream].counts.resize(board.round_count(stream));
        arrivals_[stream].from = board.round_count(stream);
    }
}

Subscribers::~Subscribers() {
    for (const auto* list : {&connections_, &visitors_})
        for (const auto& connection : *list)
            if (connection->fd >= 0) close(connection->fd);
    close(epoll_);
}

void Subscribers::run() {
    epoll_event events[kEventsPerTurn];
    const int turn_ms = options_.spin ? 0 : options_.churn > 0 ? kVisitTurnMs : kIdleTurnMs;
    while (!board_.stop.load(std::memory_order_acquire)) {
        adjust();
        if (options_.churn > 0) visit();
        if (!thawed_ && board_.thaw.load(std::memory_order_acquire)) thaw();
        const int n = epoll_wait(epoll_, events, kEventsPerTurn, turn_ms);
        now_ = now_ns();
        for (int i = 0; i < n; ++i) {
            Connection& connection = *static_cast<Connection*>(events[i].data.ptr);
            if (connection.state != State::closed) readable(connection);
        }
        post_arrivals();
    }
}

/// Opens or closes until as many are open as the board asks for, a few at a time.
void Subscribers::adjust() {
    const std::uint32_t target = counts_.target.load(std::memory_order_acquire);
    while (open_ > target) close_one(*connections_[--open_]);
    while (open_ < target && unready_ < kOpeningMax) {
        if (open_ == connections_.size()) connections_.push_back(std::make_unique<Connection>());
        const std::uint32_t index =
            process_ == options_.processes ? options_.clients + open_ : process_ + open_ * options_.processes;
        const bool slow = index < options_.clients && index >= options_.clients - options_.slow_clients();
        open_one(*connections_[open_], index, slow ? Kind::slow : Kind::regular);
        ++open_;
    }
    counts_.open.store(open_, std::memory_order_release);
}

/// Once all regular ones are there: closes the oldest visitor and opens another, as often as the rate says.
void Subscribers::visit() {
    if (open_ == 0 || counts_.ready.load(std::memory_order_relaxed) < open_) return;
    const std::int64_t now = now_ns();
    if (visits_from_ns_ == 0) visits_from_ns_ = now;
    const double due = static_cast<double>(now - visits_from_ns_) / 1e9 * options_.churn / options_.processes;
    for (; static_cast<double>(visited_) < due; ++visited_) {
        if (visitors_.size() < kVisitors) visitors_.push_back(std::make_unique<Connection>());
        Connection& visitor = *visitors_[visited_ % kVisitors];
        if (visitor.state == State::ready) counts_.visits.fetch_add(1, std::memory_order_relaxed);
        close_one(visitor);
        open_one(visitor, process_ + static_cast<std::uint32_t>(visited_ % open_) * options_.processes, Kind::visitor);
    }
}

void Subscribers::thaw() {
    thawed_ = true;
    for (const auto& connection : connections_)
        if (connection->kind == Kind::slow && connection->state == State::ready) watch(*connection, EPOLLIN);
}

void Subscribers::open_one(Connection& connection, std::uint32_t index, Kind kind) {
    connection = {};
    connection.index = index;
    connection.kind = kind;
    connection.stream = stream_of(options_, index);
    connection.state = State::connecting;
    connection.expected.channel = channel_of(options_, index);
    connection.expected.from_any = kind == Kind::visitor;
    const bool small = options_.layout == Layout::mixed && connection.expected.channel != 0;
    connection.latency_class = small || connection.stream == kAside ? 1 : 0;
    for (std::uint32_t which = 1; which < options_.subscriptions && connection.stream == kMain; ++which)
        connection.further.push_back({channel_of(options_, index, which), 0, connection.expected.from_any});
    ++unready_;
    connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) return fail(connection, errno);
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (kind == Kind::slow)
        setsockopt(connection.fd, SOL_SOCKET, SO_RCVBUF, &kSlowReceiveBuffer, sizeof kSlowReceiveBuffer);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(options_.port);
    inet_pton(AF_INET, options_.host.c_str(), &server.sin_addr);
    if (options_.host.starts_with("127.")) bind_source(connection.fd, index);
    const int result = connect(connection.fd, reinterpret_cast<const sockaddr*>(&server), sizeof server);
    if (result < 0 && errno != EINPROGRESS) return fail(connection, errno);
    epoll_event interest{.events = EPOLLOUT, .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &interest);
}

void Subscribers::watch(Connection& connection, std::uint32_t events) {
    epoll_event interest{.events = events, .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &interest);
}

void Subscribers::close_one(Connection& connection) {
    if (connection.state == State::closed) return;
    if (connection.state != State::ready) --unready_;
    else if (connection.kind != Kind::visitor) counts_.ready.fetch_sub(1, std::memory_order_release);
    connection.state = State::closed;
    if (connection.fd >= 0) close(connection.fd);
    connection.fd = -1;
}

/// Its end was not ours to decide. It keeps its place: it is missed, not replaced.
void Subscribers::fail(Connection& connection, int reason) {
    auto& counter = connection.state == State::ready ? counts_.lost : counts_.refused;
    counts_.reason.store(reason, std::memory_order_relaxed);
    counter.fetch_add(1, std::memory_order_release);
    close_one(connection);
}

void Subscribers::ready(Connection& connection) {
    connection.state = State::ready;
    --unready_;
    if (connection.kind == Kind::slow && !thawed_) watch(connection, 0);
    if (connection.kind != Kind::visitor) counts_.ready.fetch_add(1, std::memory_order_release);
}

void Subscribers::readable(Connection& connection) {
    if (connection.state == State::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return fail(connection, error);
        watch(connection, EPOLLIN);
        connection.state = State::upgrading;
        return say(connection, upgrade_request(options_, subscriber_path(options_, connection.expected.channel)));
    }
    const std::size_t kept = connection.partial.size();
    if (kept * 2 > buffer_.size()) buffer_.resize(kept * 4);
    std::memcpy(buffer_.data(), connection.partial.data(), kept);
    const ssize_t n = recv(connection.fd, buffer_.data() + kept, buffer_.size() - kept, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return fail(connection, n == 0 ? 0 : errno);
    bytes_ += static_cast<std::uint64_t>(n);
    now_ = now_ns();
    std::string_view bytes(buffer_.data(), kept + static_cast<std::size_t>(n));
    while (consume(connection, bytes)) {
    }
    if (connection.state != State::closed) connection.partial.assign(bytes);
}

/// Handles what is whole at the front of `bytes`; false when there is nothing (more) to handle.
bool Subscribers::consume(Connection& connection, std::string_view& bytes) {
    if (connection.state == State::upgrading) {
        const auto status = take_upgrade_answer(bytes);
        if (!status) return false;
        if (*status != 101) return fail(connection, *status), false;
        if (options_.protocol == Protocol::feed) ready(connection);
        else connection.state = State::greeted;
        return true;
    }
    bool broken = false;
    const auto frame = take_frame(bytes, broken);
    if (broken) {
        counts_.malformed.fetch_add(1, std::memory_order_relaxed);
        return fail(connection, EPROTO), false;
    }
    if (!frame) return false;
    message(connection, *frame);
    return connection.state != State::closed;
}

void Subscribers::message(Connection& connection, const Frame& frame) {
    if (frame.opcode == Opcode::ping) return say(connection, client_frame(Opcode::pong, frame.payload));
    if (frame.opcode == Opcode::close) {
        const auto* code = reinterpret_cast<const unsigned char*>(frame.payload.data());
        return fail(connection, frame.payload.size() < 2 ? 1005 : code[0] << 8 | code[1]);
    }
    if (frame.opcode != Opcode::text && frame.opcode != Opcode::binary) return;
    if (connection.state != State::ready) return event(connection, frame.payload);
    const auto number = sequence_of(frame.payload, options_.protocol);
    // How many subscribe is told at any time, where the app wants it.
    if (!number && frame.payload.starts_with(R"({"event":"pusher_internal:subscription_count")")) return;
    Expected* expected = expected_of(connection, frame.payload);
    if (!number || expected == nullptr || *number >= board_.round_count(connection.stream)) {
        counts_.malformed.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    delivered(connection, *expected, *number);
}

Subscribers::Expected* Subscribers::expected_of(Connection& connection, std::string_view message) {
    if (connection.further.empty()) return &connection.expected;
    const auto channel = channel_in(message);
    if (!channel || *channel >= options_.channels) return nullptr;
    // A client's channels are neighbours, counted round (channel_of).
    const std::uint32_t which = (*channel + options_.channels - connection.expected.channel) % options_.channels;
    if (which == 0) return &connection.expected;
    return which <= connection.further.size() ? &connection.further[which - 1] : nullptr;
}

void Subscribers::delivered(Connection& connection, Expected& expected, std::uint32_t number) {
    if (number < expected.next) {
        counts_.repeats.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    if (number > expected.next && !expected.from_any && connection.kind != Kind::slow)
        counts_.gaps.fetch_add(number - expected.next, std::memory_order_relaxed);
    expected.from_any = false;
    expected.next = number + 1;
    if (connection.kind == Kind::slow) ++slow_deliveries_;
    if (connection.kind != Kind::regular) return;
    ++deliveries_;
    Arrivals& arrivals = arrivals_[connection.stream];
    ++arrivals.counts[number];
    arrivals.from = std::min(arrivals.from, number);
    arrivals.to = std::max(arrivals.to, number + 1);
    const Round& round = board_.round(connection.stream, number);
    board_.latency(process_, connection.latency_class, round.slot).add(now_ - round.due_ns);
}

/// What the server says before a Pusher client is subscribed to everything.
void Subscribers::event(Connection& connection, std::string_view text) {
    if (text.find("pusher:connection_established") != text.npos) return subscribe(connection);
    if (text.find("subscription_succeeded") != text.npos && ++connection.subscribed == 1 + connection.further.size())
        ready(connection);
}

void Subscribers::subscribe(Connection& connection) {
    std::string frames;
    const auto append = [&frames](std::uint32_t channel) {
        frames += client_frame(Opcode::text,
                               R"({"event":"pusher:subscribe","data":{"channel":")" + channel_name(channel) + R"("}})");
    };
    append(connection.expected.channel);
    for (const Expected& further : connection.further) append(further.channel);
    say(connection, frames);
}

/// Small requests into an empty socket buffer: either taken whole, or the connection is broken.
void Subscribers::say(Connection& connection, std::string_view bytes) {
    const ssize_t sent = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(bytes.size())) fail(connection, sent < 0 ? errno : ENOBUFS);
}

void Subscribers::post_arrivals() {
    if (bytes_ == 0) return;
    counts_.bytes.fetch_add(bytes_, std::memory_order_relaxed);
    counts_.deliveries.fetch_add(deliveries_, std::memory_order_relaxed);
    counts_.slow_deliveries.fetch_add(slow_deliveries_, std::memory_order_relaxed);
    bytes_ = deliveries_ = slow_deliveries_ = 0;
    const std::int64_t now = now_ns();
    for (const Stream stream : {kMain, kAside}) {
        Arrivals& arrivals = arrivals_[stream];
        for (std::uint32_t n = arrivals.from; n < arrivals.to; ++n) {
            if (arrivals.counts[n] == 0) continue;
            board_.arrived(stream, n, arrivals.counts[n], now);
            arrivals.counts[n] = 0;
        }
        arrivals.from = board_.round_count(stream);
        arrivals.to = 0;
    }
}

}  // namespace spillway::load
