// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/response_parser.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::http;

namespace {

constexpr std::string_view kUpgrade =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Empty:\r\n"
    "Sec-WebSocket-Accept: abc\r\n\r\n";

}  // namespace

TEST_CASE("a response in pieces of any size: status, fields, body, and where it ends") {
    const std::string sized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nA: b\r\n\r\nno!\n";
    const std::string chunked =
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n4\r\nno!\n\r\n0\r\n\r\n";
    for (const std::string& text : {sized, chunked}) {
        for (std::size_t piece = 1; piece <= text.size(); ++piece) {
            ResponseParser parser({});
            Outcome outcome = Outcome::need_more;
            for (std::size_t at = 0; at < text.size(); at += piece) {
                REQUIRE(outcome == Outcome::need_more);
                std::size_t consumed = 0;
                outcome = parser.feed(std::string_view(text).substr(at, piece), consumed);
            }
            REQUIRE(outcome == Outcome::complete);
            CHECK(parser.status() == 401);
            CHECK(parser.header("a") == "b");
            CHECK(parser.body() == "no!\n");
        }
    }
}

TEST_CASE("behind a 101 begins the other protocol") {
    ResponseParser parser({});
    std::size_t consumed = 0;
    CHECK(parser.feed(std::string(kUpgrade) + "\x81\x01x", consumed) == Outcome::complete);
    CHECK(consumed == kUpgrade.size());
    CHECK(parser.status() == 101);
    CHECK(parser.header("x-empty") == "");
    CHECK(parser.header("sec-websocket-accept") == "abc");
    CHECK_FALSE(parser.header("accept"));
}

TEST_CASE("the end of the connection completes a body without a length, and nothing else") {
    std::size_t consumed = 0;
    ResponseParser open_ended({});
    CHECK(open_ended.feed("HTTP/1.1 200 OK\r\n\r\nab", consumed) == Outcome::need_more);
    CHECK(open_ended.finish() == Outcome::complete);
    CHECK(open_ended.body() == "ab");
    ResponseParser cut({});
    CHECK(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", consumed) == Outcome::need_more);
    CHECK(cut.finish() == Outcome::error);
    ResponseParser silent({});
    CHECK(silent.finish() == Outcome::error);
}

TEST_CASE("what is no response, or too long a one, is an error") {
    std::size_t consumed = 0;
    ResponseParser other({});
    CHECK(other.feed("SSH-2.0-x\r\n", consumed) == Outcome::error);
    CHECK(other.feed("HTTP/1.1 200 OK\r\n\r\n", consumed) == Outcome::error);
    ResponseParser long_head({.header_bytes = 100});
    CHECK(long_head.feed("HTTP/1.1 200 OK\r\nA: " + std::string(101, 'x'), consumed) == Outcome::error);
    ResponseParser long_body({.body_bytes = 2});
    CHECK(long_body.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", consumed) == Outcome::error);
}
