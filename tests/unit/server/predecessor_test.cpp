// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/predecessor.h"

#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include "open_descriptors.h"
#include "other_user.h"

namespace spillway::server {
namespace {

using namespace std::chrono_literals;
using test::open_descriptors;

constexpr std::string_view kAsk = "spillway-take-over 1\nstep: ask\n";
constexpr std::string_view kReady = "spillway-take-over 1\nstep: ready\nsockets: main successor\n";

/// A server that may be taken over: two sockets that stand for its ports, and a clock that is told.
struct Old {
    Old() {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ports) == 0);
        predecessor->offer(SocketUse::main, ports[0]);
        predecessor->offer(SocketUse::metrics, ports[1]);
        predecessor->offer_name("/run/s");
        predecessor->open(now);
    }
    ~Old() {
        ::close(ports[0]);
        ::close(ports[1]);
    }
    Old(const Old&) = delete;
    Old& operator=(const Old&) = delete;

    [[nodiscard]] bool steps(int times = 4) {
        bool heir = false;
        for (int i = 0; i < times; ++i) heir |= predecessor->step(now);
        return heir;
    }
    void waits(base::Duration time) {
        now += time;
        CHECK_FALSE(steps());
    }
    [[nodiscard]] const Predecessor::Heir& heir() const { return predecessor->heir(); }

    const std::string name = successor_name("unit-test-" + std::to_string(::getpid()));
    int ports[2] = {-1, -1};
    base::Instant now{1h};
    std::unique_ptr<Predecessor> predecessor = std::make_unique<Predecessor>(name, "1.0-old");
};

/// The other side, word by word.
struct Caller {
    explicit Caller(const Old& old) : line(io::connect_local(old.name)) { REQUIRE(static_cast<bool>(line)); }
    void says(std::string_view text, std::span<const int> descriptors = {}) const {
        REQUIRE(io::send_record(line, text, descriptors));
    }
    [[nodiscard]] TakeOverMessage hears() {
        REQUIRE(io::receive_record(line, record) == io::Receipt::record);
        const auto message = decode_take_over(record.text);
        REQUIRE(message);
        return *message;
    }
    [[nodiscard]] std::string is_refused() {
        const TakeOverMessage no = hears();
        CHECK(no.step == TakeOverStep::refused);
        CHECK(record.descriptors.empty());
        return no.reason;
    }
    [[nodiscard]] bool hears_nothing() { return io::receive_record(line, record) == io::Receipt::nothing_yet; }
    [[nodiscard]] bool hears_the_end() { return io::receive_record(line, record) == io::Receipt::over; }
    /// From the question to the offer.
    void asks(Old& old) {
        says(kAsk);
        CHECK_FALSE(old.steps());
        CHECK(hears().step == TakeOverStep::offer);
    }

    io::Descriptor line;
    io::Record record;
};

/// Takes over, as nothing before may have made impossible.
void is_taken_over(Old& old) {
    Caller next(old);
    next.asks(old);
    next.says(kReady);
    CHECK(old.steps());
    CHECK(next.hears().step == TakeOverStep::go);
}

}  // namespace

TEST_CASE("a successor that asks gets the sockets, and is the heir of those it says it takes") {
    Old old;
    Caller caller(old);
    caller.says(kAsk);
    CHECK_FALSE(old.steps());
    const TakeOverMessage offer = caller.hears();
    CHECK(offer.step == TakeOverStep::offer);
    CHECK(offer.pid == static_cast<std::uint64_t>(::getpid()));
    CHECK(offer.version == "1.0-old");
    CHECK(offer.local_path == "/run/s");
    REQUIRE(offer.sockets.size() == 3);
    CHECK(offer.sockets[0] == SocketUse::main);
    CHECK(offer.sockets[1] == SocketUse::metrics);
    CHECK(offer.sockets[2] == SocketUse::successor);
    REQUIRE(caller.record.descriptors.size() == 3);
    char byte = 0;
    CHECK(::write(caller.record.descriptors[0].get(), "x", 1) == 1);
    CHECK(::read(old.ports[1], &byte, 1) == 1);  // they are the very sockets, in the order of their names

    caller.says("spillway-take-over 1\nstep: ready\npid: 1\nsockets: main successor\n");
    CHECK(old.steps(1));
    CHECK_FALSE(old.steps());  // once
    CHECK(caller.hears().step == TakeOverStep::go);
    CHECK(caller.hears_the_end());
    CHECK(old.heir().pid == static_cast<std::uint64_t>(::getpid()));  // as the kernel says, not the caller
    CHECK(old.heir().message.names(SocketUse::main));
    CHECK_FALSE(old.heir().message.names(SocketUse::metrics));
    CHECK_FALSE(static_cast<bool>(io::connect_local(old.name)));
    CHECK(old.predecessor->drain());
}

TEST_CASE("whoever talks nonsense is told so, and the next is served") {
    const std::pair<std::string, std::string_view> nonsense[] = {
        {"GET / HTTP/1.1\r\n\r\n", "it is no message about taking over"},
        {std::string(100, '\0'), "it is no message about taking over"},
        {"spillway-take-over 1", "it has no step"},
        {"spillway-take-over 1\nste", "it has no step"},
        {"spillway-take-over 1\nstep: as", "it is a step that is not known"},
        {"spillway-take-over 2\nstep: ask\n", "it is in another version of the language of taking over"},
        {"spillway-take-over 1\nstep: ask\npid: x\n", "a value in it makes no sense"},
        {"spillway-take-over 1\nstep: ready\nsockets: main\n", "that is not what comes next"},
        {"spillway-take-over 1\nstep: go\n", "that is not what comes next"},
    };
    Old old;
    for (const auto& [text, reason] : nonsense) {
        Caller caller(old);
        caller.says(text);
        CHECK_FALSE(old.steps());
        CHECK(caller.is_refused() == reason);
        CHECK(caller.hears_the_end());
    }
    {
        Caller caller(old);
        const std::string much(io::kRecordMax + 1, 'x');
        REQUIRE(::send(caller.line.get(), much.data(), much.size(), 0) == static_cast<ssize_t>(much.size()));
        CHECK_FALSE(old.steps());
        CHECK(caller.is_refused() == "it is too long");
    }
    {
        Caller caller(old);
        caller.asks(old);
        caller.says(kAsk);
        CHECK_FALSE(old.steps());
        CHECK(caller.is_refused() == "that is not what comes next");
        CHECK(caller.hears_the_end());
    }
    {
        const Caller caller(old);
        REQUIRE(::send(caller.line.get(), "", 0, 0) == 0);  // an empty record looks like the end
        CHECK_FALSE(old.steps());
    }
    is_taken_over(old);
}

TEST_CASE("descriptors that come along with a question are closed") {
    Old old;
    Caller caller(old);
    const std::size_t before = open_descriptors();
    const int given[] = {0, 1, 2, 0, 1, 2};
    caller.says(kAsk, given);
    CHECK_FALSE(old.steps());
    CHECK(open_descriptors() == before + 1);  // the server's end of the connection
    CHECK(caller.hears().step == TakeOverStep::offer);
}

TEST_CASE("who hangs is forgotten when its time is up, and whoever waits behind it is served") {
    Old old;
    Caller silent(old);
    old.waits(0s);
    Caller patient(old);
    patient.says(kAsk);
    old.waits(Predecessor::kAskWithin - 1ms);
    CHECK(silent.hears_nothing());
    CHECK(old.predecessor->due() == old.now + 1ms);
    old.waits(1ms);
    CHECK(silent.is_refused() == "it took too long");
    CHECK(silent.hears_the_end());

    CHECK(patient.hears().step == TakeOverStep::offer);
    old.waits(Predecessor::kReadyWithin - 1ms);
    CHECK(patient.hears_nothing());
    old.waits(1ms);
    CHECK(patient.is_refused() == "it took too long");
    is_taken_over(old);
}

TEST_CASE("who goes away, whenever it is, leaves everything as it was") {
    Old old;
    const std::size_t before = open_descriptors();
    {
        const Caller at_once(old);
    }
    old.waits(0s);
    {
        const Caller with_its_question_unheard(old);
        with_its_question_unheard.says(kAsk);
    }
    old.waits(0s);
    {
        Caller with_the_offer(old);
        with_the_offer.asks(old);
    }
    old.waits(0s);
    CHECK(open_descriptors() == before);
    CHECK(old.predecessor->readable()[0] >= 0);
    is_taken_over(old);
}

TEST_CASE("another user is refused, however many of them come") {
    if (!test::can_be_others()) SKIP("only root can be others");
    Old old;
    std::vector<Caller> strangers;
    REQUIRE(test::as_user(test::kNobody, [&] {
        for (int i = 0; i < 5; ++i) strangers.emplace_back(old);
    }));
    for (const Caller& stranger : strangers) stranger.says(kAsk);
    Caller known(old);
    known.says(kAsk);
    CHECK_FALSE(old.steps());
    for (Caller& stranger : strangers) {
        CHECK(stranger.is_refused() == "it belongs to another user");
        CHECK(stranger.hears_the_end());
    }
    CHECK(known.hears().step == TakeOverStep::offer);
}

TEST_CASE("a server that ends says so to who asks, and lets it see the end") {
    Old old;
    Caller asked(old);
    old.waits(0s);
    CHECK_FALSE(old.predecessor->drain());
    Caller later(old);
    old.waits(0s);
    for (Caller* caller : {&asked, &later}) {
        const TakeOverMessage no = caller->hears();
        CHECK(no.step == TakeOverStep::refused);
        CHECK(no.draining);
        CHECK(caller->hears_nothing());
    }
    old.predecessor.reset();
    CHECK(asked.hears_the_end());
    CHECK(later.hears_the_end());
}

TEST_CASE("a server that ends while its successor gets ready makes it the heir of everything") {
    Old old;
    Caller caller(old);
    caller.asks(old);
    CHECK(old.predecessor->drain());
    CHECK(caller.hears().step == TakeOverStep::go);
    CHECK(old.heir().message.names(SocketUse::main));
    CHECK(old.heir().message.names(SocketUse::metrics));
    CHECK_FALSE(old.steps());
}

TEST_CASE("where the name is taken, it is tried again") {
    Old old;
    Old second;
    CHECK(second.predecessor->readable()[0] < 0);
    CHECK(second.predecessor->due() > second.now);
    is_taken_over(old);
    second.waits(1s);
    CHECK(second.predecessor->readable()[0] >= 0);
    is_taken_over(second);
}

TEST_CASE("callers wait in the line that a predecessor handed on") {
    Old old;
    Caller first(old);
    first.asks(old);
    io::Descriptor line = std::move(first.record.descriptors.back());
    first.says(kReady);
    CHECK(old.steps());
    Caller second(old);  // nobody listens but who has the socket
    second.says(kAsk);
    Old next;
    next.predecessor->inherit(std::move(line));
    next.waits(0s);
    CHECK(second.hears().step == TakeOverStep::offer);
}

}  // namespace spillway::server
