// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/take_over_message.h"

#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>

namespace spillway::server {
namespace {

TakeOverMessage an_offer() {
    TakeOverMessage offer;
    offer.step = TakeOverStep::offer;
    offer.sockets = {SocketUse::main, SocketUse::main, SocketUse::metrics, SocketUse::local, SocketUse::successor};
    offer.pid = 4711;
    offer.version = "0.1.0-abc";
    offer.local_path = "/run/spillway/s: 1";
    return offer;
}

std::string why_not(std::string_view text) {
    const auto message = decode_take_over(text);
    return message ? "" : message.error();
}

}  // namespace

TEST_CASE("what one side says the other understands") {
    CHECK(encode(an_offer()) ==
          "spillway-take-over 1\nstep: offer\nsockets: main main metrics local successor\npid: 4711\n"
          "version: 0.1.0-abc\nlocal-path: /run/spillway/s: 1\n");
    CHECK(decode_take_over(encode(an_offer())) == an_offer());
    TakeOverMessage no;
    no.step = TakeOverStep::refused;
    no.draining = true;
    no.reason = "it drains";
    CHECK(decode_take_over(encode(no)) == no);
    for (const auto step : {TakeOverStep::ask, TakeOverStep::ready, TakeOverStep::go}) {
        TakeOverMessage message;
        message.step = step;
        CHECK(decode_take_over(encode(message)) == message);
    }
    CHECK(an_offer().names(SocketUse::local));
    CHECK_FALSE(no.names(SocketUse::main));
}

TEST_CASE("another version may say more: keys and uses that are not known mean nothing, and keep their places") {
    const auto message = decode_take_over(
        "spillway-take-over 1\nmood: good\nstep: offer\nsockets: main telepathy metrics\n\nno colon\npid: 7\n");
    REQUIRE(message);
    CHECK(message->pid == 7);
    REQUIRE(message->sockets.size() == 3);
    CHECK(message->sockets[0] == SocketUse::main);
    CHECK(message->sockets[1] == std::nullopt);
    CHECK(message->sockets[2] == SocketUse::metrics);
    CHECK(decode_take_over(encode(*message)) == *message);
}

TEST_CASE("what is no such message is refused with a reason") {
    CHECK(why_not("") == "it is no message about taking over");
    CHECK(why_not("GET / HTTP/1.1\r\n") == "it is no message about taking over");
    CHECK(why_not("spillway-take-over 2\nstep: ask\n") == "it is in another version of the language of taking over");
    CHECK(why_not("spillway-take-over 1") == "it has no step");
    CHECK(why_not("spillway-take-over 1\nstep: dance\n") == "it is a step that is not known");
    CHECK(why_not("spillway-take-over 1\nstep: ask\npid: -1\n") == "a value in it makes no sense");
    CHECK(why_not("spillway-take-over 1\nstep: ask\npid: 99999999999999999999\n") == "a value in it makes no sense");
    CHECK(why_not("spillway-take-over 1\nstep: ask\nversion: \x1b[31m\n") == "a value in it makes no sense");
    CHECK(why_not("spillway-take-over 1\nstep: ask\nreason: " + std::string(kTakeOverValueMax + 1, 'x') + "\n") ==
          "a value in it makes no sense");
    CHECK(why_not("spillway-take-over 1\nstep: ask\n" + std::string(kTakeOverMessageMax, '\n')) == "it is too long");
}

TEST_CASE("a value cannot say another line, and is cut") {
    TakeOverMessage message;
    message.version = "1\nstep: go\x7f";
    message.reason = std::string(10'000, 'r');
    const auto read = decode_take_over(encode(message));
    REQUIRE(read);
    CHECK(read->step == TakeOverStep::ask);
    CHECK(read->version == "1?step: go?");
    CHECK(read->reason.size() == kTakeOverValueMax);
}

TEST_CASE("changed bytes never do more harm than a refusal") {
    std::mt19937 random(7);
    const std::string good = encode(an_offer());
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (unsigned n = random() % 4 + 1; n > 0; --n) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = static_cast<char>(random()); break;
                case 1: text.erase(at, random() % 8); break;
                default: text.insert(at, text.substr(random() % text.size(), 12)); break;
            }
            if (text.empty()) text = "x";
        }
        if (const auto message = decode_take_over(text)) CHECK(decode_take_over(encode(*message)));
    }
}

}  // namespace spillway::server
