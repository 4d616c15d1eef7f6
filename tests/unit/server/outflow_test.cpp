// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/outflow.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "../pubsub/messages.h"
#include "base/format.h"

using namespace spillway;
using namespace spillway::server;
using spillway::pubsub::Held;
using spillway::pubsub::QueueEntry;
using spillway::test::Messages;

namespace {

constexpr auto kForm = WireForm::pusher;
constexpr LocalChannelId kRoom{1, 1};

/// An outflow, a socket that takes as much as it is told to, and everything it took.
class Fixture {
public:
    Messages messages;
    Outflow out;
    std::string wire;
    std::vector<std::string> done;

    ~Fixture() {
        if (out.in_flight()) takes(0);
        out.queue.clear([this](const QueueEntry& e) { messages.release(e.held); });
        out.forget_control();
        out.reset();
        CHECK(out.bytes() == 0);
        CHECK(messages.nothing_left());
    }

    void message(std::string_view frame) {
        const pubsub::SendQueue::Offer offer{
            {messages.make(frame), kRoom}, kForm, OverflowPolicy::drop_newest, false, false};
        REQUIRE(out.queue.push(offer, {100'000, 1 << 30}, [](const QueueEntry&, DropReason) {}) ==
                pubsub::Admission::queued);
    }
    void partial(std::string_view frame, std::size_t taken) {
        out.queue.push_partial({messages.make(frame), kRoom}, kForm, taken);
    }
    /// What the next send carries, one text per part.
    std::vector<std::string> composes(std::size_t most = 16) {
        std::vector<iovec> iov(most);
        std::size_t bytes = 0;
        const std::size_t n = out.compose(kForm, iov.data(), most, bytes);
        REQUIRE(n <= most);
        std::vector<std::string> parts;
        std::size_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            parts.emplace_back(static_cast<const char*>(iov[i].iov_base), iov[i].iov_len);
            sum += iov[i].iov_len;
        }
        CHECK(sum == bytes);
        under_way_.clear();
        for (const std::string& part : parts) under_way_ += part;
        return parts;
    }
    std::size_t under_way() const { return under_way_.size(); }
    void takes(std::size_t bytes) {
        REQUIRE(bytes <= under_way_.size());
        wire += under_way_.substr(0, bytes);
        out.settle(bytes, kForm, [this](const QueueEntry& e) {
            const auto frame = e.held->message->frame(kForm);
            done.emplace_back(base::as_text(frame));
            messages.release(e.held);
        });
        out.queue.check_invariants(kForm);
        CHECK_FALSE(out.in_flight());
    }
    void takes_all() { takes(under_way_.size()); }
    /// Sends in pieces of at most `piece` bytes until nothing waits.
    void flushes(std::size_t piece, std::size_t most = 16) {
        while (!out.empty()) {
            composes(most);
            takes(std::min(piece, under_way_.size()));
        }
    }

private:
    std::string under_way_;
};

using Parts = std::vector<std::string>;

}  // namespace

// ---- order on the wire

TEST_CASE("control frames go before messages, in their order", "[server][outflow]") {
    Fixture f;
    f.message("m1");
    CHECK(f.out.push_control("c1"));
    f.message("m2");
    CHECK(f.out.push_control("c2"));
    CHECK(f.out.bytes() == 8);
    CHECK(f.composes() == Parts{"c1", "c2", "m1", "m2"});
    CHECK(f.out.in_flight());
    f.takes_all();
    CHECK(f.done == Parts{"m1", "m2"});
    CHECK(f.out.empty());
    CHECK(f.out.bytes() == 0);
}

TEST_CASE("the rest of a partly sent message goes first, then control, then messages", "[server][outflow]") {
    Fixture f;
    f.partial("message", 3);
    f.message("next");
    CHECK(f.out.push_control("ping"));
    CHECK(f.out.bytes() == 12);
    CHECK(f.composes() == Parts{"sage", "ping", "next"});
    f.takes(2);
    CHECK(f.out.push_control("pong"));
    CHECK(f.composes() == Parts{"ge", "ping", "pong", "next"});
    f.takes(2 + 4 + 1);
    CHECK(f.done == Parts{"message"});
    CHECK(f.composes() == Parts{"ong", "next"});
    f.takes_all();
    CHECK(f.done == Parts{"message", "next"});
}

TEST_CASE("a control frame never goes into a message or another control frame", "[server][outflow]") {
    for (std::size_t taken = 0; taken <= 9; ++taken) {
        Fixture f;
        f.message("aaa");
        f.message("bbb");
        f.message("ccc");
        f.composes();
        f.takes(taken);
        CHECK(f.out.push_control("XY"));
        f.composes();
        f.takes(std::min<std::size_t>(2, f.under_way()));
        CHECK(f.out.push_control("Z"));
        f.flushes(1);
        const std::size_t border = (taken + 2) / 3 * 3;  // of the message under way
        std::string expected = "aaabbbccc";
        expected.insert(border, "XYZ");
        CAPTURE(taken, f.wire);
        CHECK(f.wire == expected);
    }
}

TEST_CASE("R12 every split of a mixed queue gives the exact bytes", "[server][outflow]") {
    const std::string expected =
        "lf"
        "c1"
        "control-2"
        "a"
        "bb"
        "ccc";
    for (std::size_t first = 0; first <= expected.size(); ++first) {
        for (std::size_t second = 0; first + second <= expected.size(); ++second) {
            Fixture f;
            f.partial("half", 2);
            for (const char* m : {"a", "bb", "ccc"}) f.message(m);
            CHECK(f.out.push_control("c1"));
            CHECK(f.out.push_control("control-2"));
            for (const std::size_t piece : {first, second}) {
                f.composes();
                f.takes(piece);
                REQUIRE(f.out.bytes() == expected.size() - f.wire.size());
            }
            f.composes();
            REQUIRE(f.under_way() == expected.size() - first - second);
            f.takes_all();
            REQUIRE(f.wire == expected);
            REQUIRE(f.done == Parts{"half", "a", "bb", "ccc"});
            REQUIRE(f.out.empty());
        }
    }
}

TEST_CASE("R12 a mixed queue gives the exact bytes in pieces of any size and parts of any number",
          "[server][outflow]") {
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 100U}) {
        for (const std::size_t most : {1U, 2U, 3U, 16U}) {
            Fixture f;
            f.partial("half", 3);
            for (int i = 0; i < 20; ++i) f.message(base::concat("m", i, ";"));
            for (int i = 0; i < 20; ++i) CHECK(f.out.push_control(base::concat("c", i, ";")));
            f.flushes(piece, most);
            std::string expected = "f";
            for (int i = 0; i < 20; ++i) base::append(expected, "c", i, ";");
            for (int i = 0; i < 20; ++i) base::append(expected, "m", i, ";");
            REQUIRE(f.wire == expected);
            REQUIRE(f.done.size() == 21);
        }
    }
}

TEST_CASE("whatever is pushed between sends, frames arrive whole and each kind in its order", "[server][outflow]") {
    const auto seed = static_cast<std::uint32_t>(GENERATE(range(1, 17)));
    CAPTURE(seed);
    std::mt19937 random(seed);
    Fixture f;
    int messages = 0;
    int controls = 0;
    int control_done = 0;
    const auto frame = [&](char kind, int number) {
        return base::concat(kind, number, std::string(random() % 20, '.'), ';');
    };
    for (int step = 0; step < 3000; ++step) {
        switch (random() % 5) {
            case 0: f.message(frame('m', messages++)); break;
            case 1:
                if (f.out.push_control(frame('c', controls))) ++controls;
                break;
            case 2:
                if (!f.out.in_flight() && !f.out.empty()) f.composes(1 + random() % 16);
                break;
            default:
                if (f.out.in_flight()) f.takes(random() % 3 == 0 ? f.under_way() : random() % (f.under_way() + 1));
        }
    }
    if (f.out.in_flight()) f.takes_all();
    f.flushes(1000);
    int message_done = 0;
    for (std::size_t at = 0; at < f.wire.size();) {
        const std::size_t end = f.wire.find(';', at);
        REQUIRE(end != std::string::npos);
        const char kind = f.wire[at];
        int& next = kind == 'm' ? message_done : control_done;
        const std::string begins = base::concat(kind, next++);
        REQUIRE(f.wire.compare(at, begins.size(), begins) == 0);
        REQUIRE((f.wire[at + begins.size()] == '.' || f.wire[at + begins.size()] == ';'));
        at = end + 1;
    }
    CHECK(message_done == messages);
    CHECK(control_done == controls);
}

// ---- pongs

namespace {

/// "pong FIRST;" to "pong LAST;", each of which it pushes.
Parts pushes_pongs(Fixture& f, std::size_t first, std::size_t last) {
    Parts pongs;
    for (std::size_t i = first; i <= last; ++i) {
        pongs.push_back(base::concat("pong ", i, ";"));
        CHECK(f.out.push_pong(pongs.back()));
    }
    return pongs;
}

std::string joined(const Parts& parts) {
    std::string all;
    for (const std::string& part : parts) all += part;
    return all;
}

}  // namespace

TEST_CASE("R3 ten pings at once are answered one by one, in order, before messages", "[server][outflow]") {
    Fixture f;
    f.message("m");
    CHECK(f.out.push_control("c1;"));
    const Parts pongs = pushes_pongs(f, 1, 10);
    CHECK(f.out.push_control("c2;"));
    CHECK(f.out.bytes() == 1 + 3 + joined(pongs).size() + 3);
    f.flushes(1000);
    CHECK(f.wire == "c1;" + joined(pongs) + "c2;m");
}

TEST_CASE("R3 of more pongs than may wait the newest stands in the last place", "[server][outflow]") {
    for (const std::size_t more : {1U, 2U, 200U}) {
        Fixture f;
        Parts pongs = pushes_pongs(f, 1, kPongsMax);
        CHECK(f.out.push_control("c"));
        pongs.back() = pushes_pongs(f, kPongsMax + 1, kPongsMax + more).back();
        CHECK(f.out.bytes() == joined(pongs).size() + 1);
        f.flushes(1000);
        CHECK(f.wire == joined(pongs) + "c");
    }
}

TEST_CASE("R3 a pong that is under way is not replaced", "[server][outflow]") {
    Fixture f;
    const Parts first = pushes_pongs(f, 1, kPongsMax);
    CHECK(f.composes() == first);
    pushes_pongs(f, 100, 101);
    f.takes(joined(first).size() - 3);  // the last of them is partly on the wire
    CHECK(f.out.push_pong("pong 102;"));
    CHECK(f.out.push_pong("pong 103;"));
    f.flushes(1000);
    CHECK(f.wire == joined(first) + "pong 101;pong 102;pong 103;");
}

TEST_CASE("R3 a pong of which nothing was taken waits again", "[server][outflow]") {
    Fixture f;
    Parts pongs = pushes_pongs(f, 1, kPongsMax);
    f.composes();
    f.takes(0);
    pongs.back() = pushes_pongs(f, 20, 21).back();
    f.flushes(1000);
    CHECK(f.wire == joined(pongs));
}

TEST_CASE("R3 the places of pongs are known while what is before them goes", "[server][outflow]") {
    Fixture f;
    CHECK(f.out.push_control("c1;"));
    CHECK(f.out.push_control("c2;"));
    Parts pongs = pushes_pongs(f, 1, kPongsMax);
    f.composes(1);
    f.takes_all();
    pongs.back() = pushes_pongs(f, 20, 20).back();
    f.composes(1);
    f.takes(1);
    pongs.back() = pushes_pongs(f, 21, 21).back();
    CHECK(f.out.push_control("c3;"));
    f.composes(3);
    f.takes_all();  // the rest of c2 and two pongs: there is room for two
    const std::string later = joined(pushes_pongs(f, 22, 23));
    CHECK(f.out.push_pong("pong x;"));
    f.flushes(1000);
    CHECK(f.wire == "c1;c2;" + joined(pongs) + "c3;" + later.substr(0, later.size() / 2) + "pong x;");
}

TEST_CASE("R3 a flood of pings costs a few pongs while the client does not read", "[server][outflow]") {
    Fixture f;
    f.partial("message", 1);
    f.composes();
    std::size_t most = 0;
    for (int i = 0; i < 10'000; ++i) {
        CHECK(f.out.push_pong(std::string(2 + kControlPayloadMax, 'p')));
        most = std::max<std::size_t>(most, f.out.bytes());
    }
    CHECK(most == 6 + kPongsMax * (2 + kControlPayloadMax));
    f.takes_all();
    f.composes();
    for (int i = 0; i < 10'000; ++i) CHECK(f.out.push_pong(std::string(2 + kControlPayloadMax, 'q')));
    CHECK(f.out.bytes() == (kPongsMax + 1) * (2 + kControlPayloadMax));
    f.takes_all();
    f.flushes(100);
}

TEST_CASE("R3 pings and echoed messages in turn never fill the control frames", "[server][outflow]") {
    for (const std::size_t most : {1U, 7U, 16U, 64U}) {
        for (const std::size_t taken : {0U, 1U, 5U, 40U}) {
            Fixture f;
            const auto floods = [&] {
                for (int i = 0; i < 200; ++i) {
                    REQUIRE(f.out.push_pong("pong;"));
                    f.out.append_stream("s");
                }
            };
            floods();
            f.composes(most);
            floods();
            f.takes(std::min<std::size_t>(taken, f.under_way()));
            floods();
            f.flushes(1000);
            CHECK(std::count(f.wire.begin(), f.wire.end(), 's') == 600);
        }
    }
}

// ---- limits

TEST_CASE("64 control frames wait, and one more is refused", "[server][outflow]") {
    Fixture f;
    f.message("m");
    for (std::size_t i = 0; i < kControlQueueMax; ++i) CHECK(f.out.push_control("c"));
    CHECK_FALSE(f.out.push_control("c"));
    CHECK_FALSE(f.out.push_pong("p"));
    CHECK(f.out.bytes() == 65);
    f.composes(64);
    f.takes(kPongsMax);
    for (std::size_t i = 0; i < kPongsMax; ++i) CHECK(f.out.push_pong("p"));
    CHECK_FALSE(f.out.push_control("c"));
    CHECK(f.out.push_pong("q"));  // replaces, so it needs no room
}

TEST_CASE("a full queue and full control frames leave room for the close", "[server][outflow]") {
    Fixture f;
    for (std::size_t i = 0; i < kControlQueueMax; ++i) CHECK(f.out.push_control("c"));
    f.out.push_last("error");
    f.out.push_last("close");
    f.flushes(1000);
    CHECK(f.wire == std::string(kControlQueueMax, 'c') + "errorclose");
}

TEST_CASE("H6 one send gathers at most the parts it may and 64 KiB of messages, and at least one",
          "[server][outflow]") {
    Fixture f;
    const std::string large(40 * kKiB, 'x');
    for (int i = 0; i < 4; ++i) f.message(large);
    CHECK(f.composes().size() == 2);  // the second began below the bound
    f.takes_all();
    CHECK(f.composes(1).size() == 1);
    f.takes_all();
    const std::string huge(200 * kKiB, 'x');
    f.message(huge);
    f.message("after");
    CHECK(f.composes().size() == 2);
    f.takes_all();
    CHECK(f.composes() == Parts{"after"});
    f.takes_all();
    for (int i = 0; i < 40; ++i) f.message("m");
    CHECK(f.composes(16).size() == 16);
    CHECK(f.out.queue.in_flight() == 16);
}

TEST_CASE("messages wait until every control frame has found a part", "[server][outflow]") {
    Fixture f;
    f.message("m");
    for (int i = 0; i < 3; ++i) CHECK(f.out.push_control("c"));
    CHECK(f.composes(2) == Parts{"c", "c"});
    CHECK(f.out.queue.in_flight() == 0);
    f.takes_all();
    CHECK(f.composes(2) == Parts{"c", "m"});
}

// ---- bytes that are no frames

TEST_CASE("stream bytes that wait are joined, and what is under way is left alone", "[server][outflow]") {
    Fixture f;
    f.out.append_stream("HTTP/1.1 ");
    f.out.append_stream("200 OK");
    CHECK(f.composes() == Parts{"HTTP/1.1 200 OK"});
    f.out.append_stream("\r\n");
    f.out.append_stream("\r\n");
    f.takes(4);
    f.out.append_stream("body");
    CHECK(f.composes() == Parts{"/1.1 200 OK", "\r\n\r\nbody"});
    f.takes_all();
    CHECK(f.out.empty());
    for (std::size_t i = 0; i < 10 * kControlQueueMax; ++i) f.out.append_stream("x");
    CHECK(f.composes() == Parts{std::string(10 * kControlQueueMax, 'x')});
}

TEST_CASE("stream bytes are not joined to a pong", "[server][outflow]") {
    Fixture f;
    CHECK(f.out.push_pong("p1"));
    f.out.append_stream("s");
    f.out.append_stream("t");
    CHECK(f.out.push_pong("p2"));
    f.out.append_stream("u");
    CHECK(f.composes() == Parts{"p1", "st", "p2", "u"});
}

// ---- endings

TEST_CASE("the last words follow a partly sent message at its border when the rest is let go", "[server][outflow]") {
    Fixture f;
    for (const char* m : {"aaa", "bbb", "ccc"}) f.message(m);
    f.composes();
    f.takes(4);
    f.out.queue.clear_behind_partial([&](const QueueEntry& e) { f.messages.release(e.held); });
    f.out.push_last("close");
    f.flushes(1);
    CHECK(f.wire == "aaabbbclose");
}

TEST_CASE("an outflow that was reset serves another client as if new", "[server][outflow]") {
    Fixture f;
    CHECK(f.out.push_control("c"));
    CHECK(f.out.push_pong("p"));
    f.message("m");
    f.composes();
    f.takes(1);
    f.out.queue.clear([&](const QueueEntry& e) { f.messages.release(e.held); });
    f.out.forget_control();
    f.out.reset();
    CHECK(f.out.empty());
    CHECK(f.out.bytes() == 0);
    f.wire.clear();
    CHECK(f.out.push_pong("p2"));
    f.message("m2");
    f.flushes(1);
    CHECK(f.wire == "p2m2");
}
