// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/successor.h"

#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <catch2/catch_test_macros.hpp>

#include "base/format.h"
#include "open_descriptors.h"
#include "other_user.h"

namespace spillway::server {
namespace {

using namespace std::chrono_literals;
using base::concat;
using test::open_descriptors;

constexpr std::string_view kCannot = "the running server cannot be taken over: ";
/// Where nothing is to be waited for in vain.
constexpr Successor::Patience kAmple{.offer = 20s, .go = 20s, .end = 20s};

std::string a_name() { return concat("spillway-take-over/unit-test-", ::getpid()); }

/// The server that is asked, in a thread of its own: it takes the call and does as it is told.
class Old {
public:
    using Part = std::function<void(Old&)>;
    explicit Old(Part part, uid_t user = ::geteuid()) {
        const auto listen = [&] {
            auto made = io::listen_local(a_name());
            if (made) listener_ = std::move(*made);
        };
        if (user == ::geteuid()) listen();
        else REQUIRE(test::as_user(user, listen));
        REQUIRE(static_cast<bool>(listener_));
        thread_ = std::thread([this, part = std::move(part)] {
            if (!io::wait_readable(listener_, 20s)) return;
            line = io::accept_local(listener_);
            if (heard().starts_with("spillway-take-over 1\nstep: ask\n")) part(*this);
            line.reset();
        });
    }
    ~Old() { thread_.join(); }
    Old(const Old&) = delete;
    Old& operator=(const Old&) = delete;

    void says(std::string_view text, std::span<const int> descriptors = {}) {
        static_cast<void>(io::send_record(line, text, descriptors));
    }
    /// The other's next record; nothing when it is gone.
    [[nodiscard]] std::string heard() {
        io::Record record;
        if (!io::wait_readable(line, 20s) || io::receive_record(line, record) != io::Receipt::record) return {};
        return record.text;
    }
    /// As one that hangs does, until the other has had enough.
    void hangs() { static_cast<void>(heard()); }

    io::Descriptor line;

private:
    io::Descriptor listener_;
    std::thread thread_;
};

/// Some descriptors to offer: those of standard input and output stand for sockets.
std::vector<int> any_descriptors(std::size_t count) { return std::vector<int>(count, STDERR_FILENO); }

Old::Part says(std::string text, std::size_t descriptors = 0) {
    return [text = std::move(text), descriptors](Old& old) { old.says(text, any_descriptors(descriptors)); };
}

std::string offer(std::string_view more) { return concat("spillway-take-over 1\nstep: offer\n", more); }

base::Result<Successor> ask(const Successor::Patience& patience = kAmple) {
    return Successor::ask(a_name(), ::geteuid(), "2.0-new", patience);
}

/// What is said of a server that does its part so.
std::string failure(Old::Part part, const Successor::Patience& patience = kAmple) {
    const Old old(std::move(part));
    const auto successor = ask(patience);
    if (successor) return successor->inherits() ? "taken over" : "nobody there";
    CHECK(successor.error().starts_with(kCannot));
    return successor.error().substr(kCannot.size());
}

/// And of one that makes an offer, and does that when we are ready.
std::string failure_when_ready(const Old::Part& part, const Successor::Patience& patience = kAmple) {
    const Old old([&part](Old& other) {
        other.says(offer("sockets: main\n"), any_descriptors(1));
        if (!other.heard().empty()) part(other);
    });
    auto successor = ask(patience);
    REQUIRE(successor);
    REQUIRE(successor->inherits());
    const SocketUse taken[] = {SocketUse::main};
    const auto word = successor->ready(taken);
    if (word) return "";
    CHECK(word.error().starts_with(kCannot));
    return word.error().substr(kCannot.size());
}

}  // namespace

TEST_CASE("what is handed over goes to its use, what is not known is closed") {
    const std::size_t before = open_descriptors();
    {
        std::string ready;
        std::optional<Old> old(std::in_place, [&ready](Old& other) {
            other.says(offer("sockets: main telepathy local main metrics successor\nlocal-path: /run/s\nmood: good\n"),
                       any_descriptors(6));
            ready = other.heard();
            other.says("spillway-take-over 1\nstep: go\n");
        });
        auto successor = ask();
        REQUIRE(successor);
        CHECK(successor->inherits());
        CHECK(successor->main.size() == 2);
        CHECK(static_cast<bool>(successor->local));
        CHECK(successor->local_path == "/run/s");
        CHECK(static_cast<bool>(successor->metrics));
        CHECK(static_cast<bool>(successor->successor));
        const SocketUse taken[] = {SocketUse::main, SocketUse::metrics};
        CHECK(successor->ready(taken));
        old.reset();
        CHECK(ready == concat("spillway-take-over 1\nstep: ready\nsockets: main metrics\npid: ", ::getpid(),
                              "\nversion: 2.0-new\n"));
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("where nobody is, there is nobody to take over from") {
    const auto successor = ask();
    REQUIRE(successor);
    CHECK_FALSE(successor->inherits());
    CHECK(failure([](Old&) {}) == "nobody there");  // it ends instead of an answer
}

TEST_CASE("an offer that is none is no offer") {
    const std::size_t before = open_descriptors();
    CHECK(failure(says("HTTP/1.1 400 Bad Request\r\n\r\n")) ==
          "its answer is not understood: it is no message about taking over");
    CHECK(failure(says("spillway-take-over 1\nstep: off")) ==
          "its answer is not understood: it is a step that is not known");
    CHECK(failure(says("spillway-take-over 1\nst")) == "its answer is not understood: it has no step");
    CHECK(failure(says("spillway-take-over 9\nstep: offer\nsockets: main\n", 1)) ==
          "its answer is not understood: it is in another version of the language of taking over");
    CHECK(failure(says("spillway-take-over 1\nstep: go\n", 1)) == "its answer is no offer");
    CHECK(failure([](Old& old) {
              const std::string much(io::kRecordMax + 1, 'x');
              static_cast<void>(::send(old.line.get(), much.data(), much.size(), 0));
          }) == "its answer was cut off");
    CHECK(open_descriptors() == before);
}

TEST_CASE("an offer with more or fewer sockets than it names is refused, and none is kept") {
    const std::size_t before = open_descriptors();
    CHECK(failure(says(offer("sockets: main metrics\n"), 1)) == "sockets named: 2, sent: 1");
    CHECK(failure(says(offer("sockets: main\n"), io::kRecordDescriptorsMax)) == "sockets named: 1, sent: 253");
    CHECK(failure(says(offer("sockets: main\n"))) == "sockets named: 1, sent: 0");
    CHECK(failure(says(offer(""))) == "it has no main port to give");
    CHECK(failure(says(offer("sockets: metrics telepathy\n"), 2)) == "it has no main port to give");
    CHECK(open_descriptors() == before);
}

TEST_CASE("a server that hangs is not waited for longer than its time") {
    CHECK(failure(&Old::hangs, {.offer = 20ms, .go = 20s, .end = 20s}) == "it has not answered in 1 s");
    const auto drains = [](Old& old) {
        old.says("spillway-take-over 1\nstep: refused\ndraining: yes\nreason: it drains\n");
        old.hangs();
    };
    CHECK(failure(drains, {.offer = 20s, .go = 20s, .end = 20ms}) == "it drains, and has not ended in 1 s");
    CHECK(failure_when_ready(&Old::hangs, {.offer = 20s, .go = 20ms, .end = 20s}) == "it has not answered in 1 s");
}

TEST_CASE("a server that drains is waited for, one that refuses is not") {
    CHECK(failure(says("spillway-take-over 1\nstep: refused\ndraining: yes\n")) == "nobody there");
    CHECK(failure(says("spillway-take-over 1\nstep: refused\nreason: it does not want to\n")) == "it does not want to");
}

TEST_CASE("a server of another user is not believed, but that of the user to become is") {
    if (!test::can_be_others()) SKIP("only root can be others");
    {
        const Old old([](Old&) {}, test::kNobody);
        const auto successor = ask();
        REQUIRE_FALSE(successor);
        CHECK(successor.error() == concat(kCannot, "it runs as user 65534, and only a server of user ", ::geteuid(),
                                          " is believed here: stop it, then start this one"));
    }
    const Old old(says(offer("sockets: main\n"), 1), test::kNobody);
    const auto successor = Successor::ask(a_name(), test::kNobody, "2.0-new", kAmple);
    REQUIRE(successor);
    CHECK(successor->inherits());
}

TEST_CASE("when all is made the predecessor's word is needed, or its end") {
    CHECK(failure_when_ready(says("spillway-take-over 1\nstep: go\n")).empty());
    CHECK(failure_when_ready([](Old&) {}).empty());
    CHECK(failure_when_ready(says("spillway-take-over 1\nstep: refused\ndraining: yes\n")).empty());
    CHECK(failure_when_ready(says("spillway-take-over 1\nstep: refused\nreason: it took too long\n")) ==
          "it took too long");
    CHECK(failure_when_ready(says("spillway-take-over 1\nstep: offer\n")) == "it gave no word");
    CHECK(failure_when_ready(says("go")) == "its answer is not understood: it is no message about taking over");
}

}  // namespace spillway::server
