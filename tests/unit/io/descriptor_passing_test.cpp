// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/descriptor_passing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "other_user.h"

namespace spillway::io {
namespace {

using std::chrono::seconds;

std::string a_name() { return "spillway-test-passing-" + std::to_string(::getpid()); }

struct Line {
    Line() {
        auto listening = listen_local(a_name());
        REQUIRE(listening);
        caller = connect_local(a_name());
        REQUIRE(static_cast<bool>(caller));
        answerer = accept_local(*listening);
        REQUIRE(static_cast<bool>(answerer));
    }
    Descriptor caller;
    Descriptor answerer;
};

}  // namespace

TEST_CASE("a name is one listener's, until it is closed") {
    {
        const auto first = listen_local(a_name());
        REQUIRE(first);
        CHECK_FALSE(static_cast<bool>(accept_local(*first)));
        const auto second = listen_local(a_name());
        REQUIRE_FALSE(second);
        CHECK(second.error() == "Address already in use");
        const int on = ::fcntl(first->get(), F_SETFL, 0);  // as somebody who shares the socket might
        REQUIRE(on == 0);
        CHECK_FALSE(static_cast<bool>(accept_local(*first)));
    }
    CHECK_FALSE(static_cast<bool>(connect_local(a_name())));
    CHECK(listen_local(a_name()));
}

TEST_CASE("a socket that another user listened on first is, once told so, ours to whoever calls") {
    if (!test::can_be_others()) SKIP("only root can be others");
    Descriptor listener;
    REQUIRE(test::as_user(test::kNobody, [&listener] {
        auto made = listen_local(a_name());
        if (made) listener = std::move(*made);
    }));
    const auto listens = [] {
        const auto peer = peer_of(connect_local(a_name()));
        REQUIRE(peer);
        return peer->uid;
    };
    CHECK(listens() == test::kNobody);
    listen_as_ourselves(listener);
    CHECK(listens() == ::geteuid());
}

TEST_CASE("records come whole, one by one, with their descriptors") {
    const Line line;
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const int both[] = {pipe[0], pipe[1]};
    CHECK(send_record(line.caller, "one", both));
    CHECK(send_record(line.caller, "two"));
    ::close(pipe[0]);
    ::close(pipe[1]);
    Record record;
    REQUIRE(wait_readable(line.answerer, seconds{5}));
    REQUIRE(receive_record(line.answerer, record) == Receipt::record);
    CHECK(record.text == "one");
    REQUIRE(record.descriptors.size() == 2);
    CHECK((::fcntl(record.descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::write(record.descriptors[1].get(), "x", 1) == 1);
    char byte = 0;
    CHECK(::read(record.descriptors[0].get(), &byte, 1) == 1);
    REQUIRE(receive_record(line.answerer, record) == Receipt::record);
    CHECK(record.text == "two");
    CHECK(record.descriptors.empty());
    CHECK(receive_record(line.answerer, record) == Receipt::nothing_yet);
    const auto peer = peer_of(line.answerer);
    REQUIRE(peer);
    CHECK(peer->pid == ::getpid());
    CHECK(peer->uid == ::geteuid());
}

TEST_CASE("what was said before the end is heard, also when our own words were not") {
    Line line;
    CHECK(send_record(line.caller, "never read"));
    CHECK(send_record(line.answerer, "last words"));
    line.answerer.reset();
    Record record;
    REQUIRE(receive_record(line.caller, record) == Receipt::record);
    CHECK(record.text == "last words");
    CHECK(receive_record(line.caller, record) == Receipt::over);
    CHECK_FALSE(send_record(line.caller, "anybody?"));
}

TEST_CASE("a record that is too long is known as such, and its descriptors are not kept") {
    const Line line;
    const std::string much(kRecordMax + 1, 'x');
    REQUIRE(::send(line.caller.get(), much.data(), much.size(), 0) == static_cast<ssize_t>(much.size()));
    Record record;
    CHECK(receive_record(line.answerer, record) == Receipt::malformed);
}

}  // namespace spillway::io
