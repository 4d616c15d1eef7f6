// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What one delivery costs at the least on this machine: one ready-made frame to N loopback sockets, sent by a plain
// send() loop and by the ring's inline sends, in turns within one run. No WebSocket, no channels, no queues: what the
// server needs beyond this is its own. Only ratios within one run compare; machines drift.
//
//     limit [--sockets N] [--rounds N] [--bytes N] [--batch N] [--sender CPU] [--reader CPU] [--spin 1]
//     limit --on-demand 1 ...
//
// A child process, pinned to another CPU, reads; each round waits until it has read everything. On demand it says "ready",
// and for each line on its input it makes one pass by the ring and says how many nanoseconds the sends took, and how
// many until everything was read: spillway-load asks so between its own broadcasts. With --spin the reader never sleeps,
// so that no send pays for waking it: the least a send can cost.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "io/uring_ring.h"

namespace {

using spillway::io::Completion;
using spillway::io::Descriptor;
using spillway::io::Op;
using spillway::io::Ring;
using spillway::io::UringRing;

struct Plan {
    unsigned sockets = 1000;
    unsigned rounds = 200;
    unsigned bytes = 128;
    unsigned batch = spillway::kSendBatch;
    unsigned sender = 0;  // CPUs
    unsigned reader = 1;
    unsigned on_demand = 0;
    unsigned spin = 0;
};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "limit: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

[[noreturn]] void usage() {
    std::fprintf(stderr,
                 "usage: limit [--sockets N] [--rounds N] [--bytes N] [--batch N] [--sender CPU] [--reader CPU] "
                 "[--on-demand 1] [--spin 1]\n");
    std::exit(2);
}

Plan parse(int argc, char** argv) {
    Plan plan;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        unsigned* value = name == "--sockets"     ? &plan.sockets
                          : name == "--rounds"    ? &plan.rounds
                          : name == "--bytes"     ? &plan.bytes
                          : name == "--batch"     ? &plan.batch
                          : name == "--sender"    ? &plan.sender
                          : name == "--reader"    ? &plan.reader
                          : name == "--on-demand" ? &plan.on_demand
                          : name == "--spin"      ? &plan.spin
                                                  : nullptr;
        const std::string_view text = i + 1 < argc ? argv[i + 1] : "";
        if (value == nullptr || std::from_chars(text.data(), text.data() + text.size(), *value).ec != std::errc{})
            usage();
    }
    if (plan.sockets == 0 || plan.rounds == 0 || plan.bytes == 0 || plan.batch == 0) usage();
    return plan;
}

void pin(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)), &set);
    static_cast<void>(::sched_setaffinity(0, sizeof set, &set));
}

/// Connects from many loopback addresses, so that local ports suffice, and reads for ever, counting.
[[noreturn]] void read_all(std::uint16_t port, const Plan& plan, std::atomic<std::uint64_t>& received) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(plan.reader);
    const Descriptor poll(::epoll_create1(EPOLL_CLOEXEC));
    for (unsigned i = 0; i < plan.sockets; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in from = {}, to = {};
        from.sin_family = to.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i / 10'000);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(port);
        const int on = 1;
        ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
            ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
            fail("cannot connect (raise ulimit -n?)");
        epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event);
    }
    std::vector<epoll_event> events(512);
    std::vector<char> bytes(64 * 1024);
    for (;;) {
        const int ready =
            ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), plan.spin != 0 ? 0 : -1);
        for (int i = 0; i < ready; ++i) {
            const auto n =
                ::recv(events[static_cast<std::size_t>(i)].data.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (n > 0) received.fetch_add(static_cast<std::uint64_t>(n), std::memory_order_release);
        }
    }
}

using Frame = std::vector<std::byte>;

void send_by_loop(const std::vector<int>& fds, const Frame& frame) {
    for (const int fd : fds)
        if (::send(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
            fail("a send was not taken whole");
}

void send_by_ring(Ring& ring, const std::vector<int>& fds, const Frame& frame, std::size_t batch) {
    Completion exception;
    for (std::size_t at = 0; at < fds.size();) {
        const auto end = std::min(fds.size(), at + batch);
        for (; at < end; ++at)
            ring.send_now(fds[at], frame, {.op = Op::send_now, .generation = 1, .slot = static_cast<unsigned>(at)});
        ring.submit();
        if (ring.take({&exception, 1}) != 0) {
            errno = -exception.result;
            fail("a send was not taken whole");
        }
    }
}

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Pass {
    double sends_ns = 0;  // until the last send had returned
    double read_ns = 0;   // until everything was read
};

/// One pass over all sockets; returns once everything was read.
template <class Send>
Pass timed(const Plan& plan, const std::atomic<std::uint64_t>& received, std::uint64_t& sent, Send send) {
    using Nanoseconds = std::chrono::duration<double, std::nano>;
    const auto begin = std::chrono::steady_clock::now();
    send();
    Pass pass;
    pass.sends_ns = Nanoseconds(std::chrono::steady_clock::now() - begin).count();
    sent += std::uint64_t{plan.sockets} * plan.bytes;
    while (received.load(std::memory_order_acquire) < sent) ::sched_yield();
    pass.read_ns = Nanoseconds(std::chrono::steady_clock::now() - begin).count();
    return pass;
}

std::vector<int> accept_all(const Descriptor& listener, unsigned count) {
    std::vector<int> fds(count);
    for (int& fd : fds) {
        fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) fail("cannot accept (raise ulimit -n?)");
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fds;
}

std::unique_ptr<Ring> started_ring() {
    auto ring = UringRing::create({});
    if (!ring || (*ring)->start() != 0) {
        std::fprintf(stderr, "limit: %s\n", ring ? "the ring does not start" : ring.error().c_str());
        std::exit(1);
    }
    return std::move(*ring);
}

void serve(const Plan& plan, const std::vector<int>& fds, const std::atomic<std::uint64_t>& received) {
    const auto ring = started_ring();
    const Frame frame(plan.bytes, std::byte{'x'});
    std::uint64_t sent = 0;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::printf("ready\n");
    while (std::getchar() == '\n') {
        const Pass pass = timed(plan, received, sent, [&] { send_by_ring(*ring, fds, frame, plan.batch); });
        std::printf("%.0f %.0f\n", pass.sends_ns, pass.read_ns);
    }
}

void measure(const Plan& plan, const std::vector<int>& fds, const std::atomic<std::uint64_t>& received) {
    const auto ring = started_ring();
    const Frame frame(plan.bytes, std::byte{'x'});
    std::vector<double> by_loop, by_ring, ratios;
    std::uint64_t sent = 0;
    const auto loop = [&] {
        return timed(plan, received, sent, [&] { send_by_loop(fds, frame); }).sends_ns / plan.sockets;
    };
    const auto inlined = [&] {
        return timed(plan, received, sent, [&] { send_by_ring(*ring, fds, frame, plan.batch); }).sends_ns /
               plan.sockets;
    };
    for (unsigned round = 0; round < plan.rounds + 2; ++round) {
        const bool loop_first = round % 2 == 0;
        const double first = loop_first ? loop() : inlined();
        const double second = loop_first ? inlined() : loop();
        if (round < 2) continue;  // first touches
        by_loop.push_back(loop_first ? first : second);
        by_ring.push_back(loop_first ? second : first);
        ratios.push_back(by_ring.back() / by_loop.back());
    }
    std::printf("sockets %u bytes %u batch %u rounds %u: send() loop %.0f ns, ring %.0f ns per delivery, ratio %.3f\n",
                plan.sockets, plan.bytes, plan.batch, plan.rounds, median(by_loop), median(by_ring), median(ratios));
}

}  // namespace

int main(int argc, char** argv) {
    const Plan plan = parse(argc, argv);
    rlimit files = {};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));
    auto listeners = spillway::io::open_listeners("127.0.0.1", 0, 1);
    if (!listeners) {
        std::fprintf(stderr, "limit: %s\n", listeners.error().c_str());
        return 1;
    }
    using Counter = std::atomic<std::uint64_t>;
    void* shared = ::mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    auto* received = new (shared) Counter(0);
    const pid_t reader = ::fork();
    if (reader < 0) fail("fork");
    if (reader == 0) read_all(listeners->port, plan, *received);
    pin(plan.sender);
    const std::vector<int> fds = accept_all(listeners->sockets[0], plan.sockets);
    if (plan.on_demand != 0) serve(plan, fds, *received);
    else measure(plan, fds, *received);
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
    return 0;
}
