// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <random>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "request_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

using namespace spillway::http;
using test::Connection;
using namespace std::string_literals;

namespace {

std::string told(std::string_view input, const Limits& limits = {}) { return Connection(limits).feed(input).log; }

/// Whole, cut in two anywhere, and in equal pieces: always what is expected.
void check_every_split(std::string_view input, std::string_view expected, const Limits& limits = {}) {
    for (std::size_t cut = 0; cut <= input.size(); ++cut) {
        INFO("cut at " << cut << " of " << input);
        REQUIRE(Connection(limits).feed(input.substr(0, cut)).feed(input.substr(cut)).log == expected);
    }
    for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
        INFO("pieces of " << piece << " of " << input);
        REQUIRE(Connection(limits).feed_in_pieces(input, piece).log == expected);
    }
}

/// The status of the error the input ends in, 0 if it does not; the same for every split.
int status(std::string_view input, const Limits& limits = {}) {
    Connection whole(limits);
    whole.feed(input);
    const auto last = whole.log.rfind("error ");
    CHECK(Connection(limits).feed_in_pieces(input, 1).log == whole.log);
    return last == std::string::npos ? 0 : std::stoi(whole.log.substr(last + 6));
}

/// A GET with these header lines besides Host.
std::string get(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n"; }
std::string post(std::string_view lines, std::string_view body) {
    return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n" + std::string(body);
}

const std::string kUpgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

}  // namespace

TEST_CASE("a request, whole") {
    check_every_split(
        "GET /apps/1/channels?filter_by_prefix=a%20b HTTP/1.1\r\nHost: localhost:6001\r\nAccept:  */* "
        "\t\r\nX-Empty:\r\n\r\n",
        "GET /apps/1/channels?filter_by_prefix=a%20b 1.1 keep-alive\n  Host=localhost:6001\n  Accept=*/*\n  X-Empty=\n"
        "  path=/apps/1/channels query=filter_by_prefix=a%20b\n  body=\n");
}

TEST_CASE("bodies by length and in chunks, with what stands behind them left alone") {
    const std::string plain = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
        "Chunked\r\n\r\n3\r\nhel\r\n2;x=\"y\"\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n";
    const std::string none = "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    const std::string get_it = "GET /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    check_every_split(
        plain + chunked + none + plain + get_it + chunked,
        "POST /a 1.1 keep-alive\n  Host=h\n  Content-Length=5\n  path=/a query=\n  body=hello\n"
        "POST /b 1.1 keep-alive\n  Host=h\n  Transfer-Encoding=Chunked\n  path=/b query=\n  body=hello\n"
        "POST /c 1.1 keep-alive\n  Host=h\n  Content-Length=0\n  path=/c query=\n  body=\n"
        "POST /a 1.1 keep-alive\n  Host=h\n  Content-Length=5\n  path=/a query=\n  body=hello\n"
        "GET /d 1.1\n  Host=h\n  Connection=close\n  path=/d query=\n  body=\n"
        "POST /b 1.1 keep-alive\n  Host=h\n  Transfer-Encoding=Chunked\n  path=/b query=\n  body=hello\n");
}

TEST_CASE("a thousand pipelined requests come out one by one, with the parser's buffers unchanged") {
    std::string input;
    for (int i = 0; i < 1000; ++i)
        input += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n" +
                 std::to_string(1000 + i);
    RequestParser parser{Limits{}};
    std::string_view rest = input;
    std::size_t held = 0;
    for (int i = 0; i < 1000; ++i) {
        std::size_t consumed = 0;
        REQUIRE(parser.feed(std::as_bytes(std::span(rest.data(), rest.size())), consumed) == Outcome::complete);
        REQUIRE(parser.request().path == "/" + std::to_string(i));
        REQUIRE(parser.request().body == std::to_string(1000 + i));
        rest.remove_prefix(consumed);
        if (i == 10) held = parser.bytes_held();
        parser.next();
    }
    CHECK(rest.empty());
    CHECK(parser.bytes_held() == held);
}

TEST_CASE("keep-alive follows version and Connection") {
    const auto kept = [](std::string_view version, std::string_view lines) {
        RequestParser parser{Limits{}};
        const std::string input =
            "GET / HTTP/" + std::string(version) + "\r\nHost: h\r\n" + std::string(lines) + "\r\n";
        std::size_t consumed = 0;
        REQUIRE(parser.feed(std::as_bytes(std::span(input.data(), input.size())), consumed) == Outcome::complete);
        return parser.request().keep_alive;
    };
    CHECK(kept("1.1", ""));
    CHECK(kept("1.1", "Connection: keep-alive\r\n"));
    CHECK_FALSE(kept("1.1", "Connection: close\r\n"));
    CHECK_FALSE(kept("1.1", "Connection: x, Close\r\n"));
    CHECK_FALSE(kept("1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    CHECK_FALSE(kept("1.0", ""));
    CHECK(kept("1.0", "Connection: Keep-Alive\r\n"));
    CHECK_FALSE(kept("1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("HTTP/1.0 needs no Host") {
    check_every_split("GET / HTTP/1.0\r\n\r\n", "GET / 1.0\n  path=/ query=\n  body=\n");
}

TEST_CASE("the WebSocket's bytes begin behind an upgrade") {
    const std::string input = get(kUpgrade) +
                              "\x81\x85"
                              "frame";
    const std::string expected =
        "GET / 1.1 keep-alive upgrade\n  Host=h\n  Connection=Upgrade\n  Upgrade=websocket\n  path=/ query=\n  body=\n";
    check_every_split(input, expected);
    for (std::size_t piece = 1; piece <= input.size(); ++piece) {
        Connection connection;
        connection.feed_in_pieces(input, piece);
        INFO("pieces of " << piece);
        CHECK(connection.behind ==
              "\x81\x85"
              "frame");
    }
}

TEST_CASE("an upgrade is one only as a browser asks for it; other offers are not taken up") {
    const auto upgrades = [](const std::string& input) {
        return Connection().feed(input).log.find(" upgrade\n") != std::string::npos;
    };
    CHECK(upgrades(get("connection: keep-alive, UPGRADE\r\nupgrade: h2c, WebSocket\r\n")));
    CHECK(upgrades(get("Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")));
    CHECK(upgrades(get(kUpgrade + "Content-Length: 0\r\n")));
    CHECK_FALSE(upgrades(get("Upgrade: websocket\r\n")));
    CHECK_FALSE(upgrades(get("Connection: Upgrade\r\n")));
    CHECK_FALSE(upgrades("GET / HTTP/1.0\r\nHost: h\r\n" + kUpgrade + "\r\n"));
    const std::string h2c =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    CHECK_FALSE(upgrades(get(h2c)));
    const std::string twice = post(h2c + "Content-Length: 2\r\n", "ab") + get(h2c);
    Connection connection;
    connection.feed(twice);
    CHECK(connection.log.find("body=ab\nGET / 1.1 keep-alive\n") != std::string::npos);
    CHECK_FALSE(connection.failed);
}

TEST_CASE("a body or Transfer-Encoding on an upgrade is refused") {
    CHECK(status(get(kUpgrade + "Content-Length: 1\r\n")) == 400);
    CHECK(status(get(kUpgrade + "Content-Length: 99\r\n")) == 400);
    CHECK(status(get(kUpgrade + "Transfer-Encoding: chunked\r\n")) == 400);
    CHECK(status(post(kUpgrade + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")) == 400);
}

TEST_CASE("request smuggling: whatever two programs could read in two ways is refused") {
    CHECK(status(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")) == 400);
    CHECK(status(post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")) == 400);
    CHECK(status(post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")) == 400);
    CHECK(status(post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")) == 400);
    for (const std::string_view length : {"", "5,5", "5, 5", "+5", "-5", "0x5", "5 5", "5.", " ", "\xB2", "five"}) {
        INFO(length);
        CHECK(status(post("Content-Length: " + std::string(length) + "\r\n", "hello")) == 400);
    }
    CHECK(status(post("Transfer-Encoding: gzip\r\n", "")) == 501);
    CHECK(status(post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")) == 501);
    CHECK(status(post("Transfer-Encoding: identity\r\n", "")) == 501);
    for (const std::string_view lines :
         {"Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding: xchunked\r\n",
          "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding:\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
          "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: chunked,\r\n",
          "Transfer-Encoding: \x0B"
          "chunked\r\n"}) {
        INFO(lines);
        const int got = status(post(lines, "0\r\n\r\n"));
        CHECK((got == 400 || got == 501));
    }
    CHECK(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    CHECK(status("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
    CHECK(status("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n") == 400);
    for (const std::string_view host : {"a b", "a,b", "a/b", "user@a", "a?b"}) {
        INFO(host);
        CHECK(status("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n") == 400);
    }
    CHECK(status("GET / HTTP/1.1\r\nHost:\r\n\r\n") == 0);
    CHECK(status("GET / HTTP/1.1\r\nHost: [::1]:6001\r\n\r\n") == 0);
}

TEST_CASE("bytes that have no place in a head are refused where they stand") {
    CHECK(status(get("X: a\rb\r\n")) == 400);
    CHECK(status(get("X: a\nY: b\r\n")) == 400);
    CHECK(status("GET / HTTP/1.1\nHost: h\n\n") == 400);
    CHECK(status(get("X: a\0b\r\n"s)) == 400);
    CHECK(status(get("X\0: a\r\n"s)) == 400);
    CHECK(status(get("X: a\x7F\r\n")) == 400);
    CHECK(status(get("X: a\x1B[2J\r\n")) == 400);
    CHECK(status(get("X: a\r\n b\r\n")) == 400);
    CHECK(status(get("X: a\r\n\tb\r\n")) == 400);
    CHECK(status("GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400);
    CHECK(status(get(": empty name\r\n")) == 400);
    CHECK(status(get("Content-Length : 5\r\n")) == 400);
    CHECK(status(get("Content-Length\t: 5\r\n")) == 400);
    CHECK(status(get("no colon\r\n")) == 400);
    CHECK(status(get("nocolon\r\n")) == 400);
    CHECK(status(get("X(y): a\r\n")) == 400);
    CHECK(status(get("X\xC3\xA9: a\r\n")) == 400);
    CHECK(status("GET / HTTP/1.1\r\nHost: h\r\n\rX") == 400);
    CHECK(status(get("X: h\xC3\xA9\tt\r\n")) == 0);
}

TEST_CASE("request lines") {
    for (const std::string_view bad : {"GET  / HTTP/1.1",
                                       "GET / HTTP/1.1 ",
                                       "GET / http/1.1",
                                       "GET / HTTP/1",
                                       "GET / HTTP/11",
                                       "GET / HTTP/1.1x",
                                       "GET /",
                                       "GET / ",
                                       "GET",
                                       " GET / HTTP/1.1",
                                       "G@T / HTTP/1.1",
                                       "GET /a b HTTP/1.1",
                                       "GET /\x80 HTTP/1.1",
                                       "GET /a#b HTTP/1.1",
                                       "GET /\x01 HTTP/1.1",
                                       "GET a HTTP/1.1",
                                       "GET * HTTP/1.1",
                                       "GET http:// HTTP/1.1",
                                       "GET http:///a HTTP/1.1",
                                       "GET ftp://h/ HTTP/1.1",
                                       "GET /\t HTTP/1.1",
                                       ":GET / HTTP/1.1"}) {
        INFO(bad);
        CHECK(status(std::string(bad) + "\r\nHost: h\r\n\r\n") == 400);
    }
    for (const std::string_view version : {"HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"}) {
        INFO(version);
        CHECK(status("GET / " + std::string(version) + "\r\nHost: h\r\n\r\n") == 505);
    }
    CHECK(status("FOO / HTTP/1.1\r\nHost: h\r\n\r\n") == 501);
    CHECK(status("get / HTTP/1.1\r\nHost: h\r\n\r\n") == 501);
    CHECK(status(std::string(33, 'A')) == 501);
    CHECK(status("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n") == 501);
    for (const std::string_view method : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
        INFO(method);
        CHECK(status(std::string(method) + " / HTTP/1.1\r\nHost: h\r\n\r\n") == 0);
    }
}

TEST_CASE("every form of target has its path and query") {
    const auto parts = [](std::string_view line) {
        RequestParser parser{Limits{}};
        const std::string input = std::string(line) + " HTTP/1.1\r\nHost: h\r\n\r\n";
        std::size_t consumed = 0;
        if (parser.feed(std::as_bytes(std::span(input.data(), input.size())), consumed) != Outcome::complete)
            return std::string(parser.reason());
        return std::string(parser.request().path) + " " + std::string(parser.request().query);
    };
    CHECK(parts("GET /") == "/ ");
    CHECK(parts("GET /a/b?c=d?e") == "/a/b c=d?e");
    CHECK(parts("GET /?") == "/ ");
    CHECK(parts("GET http://other/a?b") == "/a b");
    CHECK(parts("GET HTTP://other:80") == "/ ");
    CHECK(parts("GET https://other?b") == "/ b");
    CHECK(parts("OPTIONS *") == "* ");
    CHECK(parts("GET //evil/a") == "//evil/a ");
}

TEST_CASE("what is no HTTP/1 is refused at its first bytes") {
    const auto refused_after = [](std::string_view input) {
        RequestParser parser{Limits{}};
        for (std::size_t i = 0; i < input.size(); ++i) {
            std::size_t consumed = 0;
            if (parser.feed(std::as_bytes(std::span(input.data() + i, 1)), consumed) == Outcome::error)
                return std::to_string(i + 1) + " " + std::to_string(parser.status());
        }
        return "not in " + std::to_string(input.size());
    };
    CHECK(refused_after("\x16\x03\x01\x02\x00") == "1 400");
    CHECK(refused_after("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "4 505");
    CHECK(refused_after("\x00\x00"s) == "1 400");
    CHECK(refused_after("{\"a\":1}") == "1 400");
    CHECK(refused_after("\x81\x85") == "1 400");
    CHECK(refused_after(" GET") == "1 400");
    CHECK(refused_after("\nGET") == "1 400");
    CHECK(refused_after("\rGET") == "2 400");
}

TEST_CASE("one empty line before a request is skipped, a second is not") {
    check_every_split("\r\nGET / HTTP/1.0\r\n\r\n", "GET / 1.0\n  path=/ query=\n  body=\n");
    CHECK(status("\r\n\r\nGET / HTTP/1.1\r\n\r\n") == 400);
    const std::string twice = post("Content-Length: 1\r\n", "a") + "\r\n" + get("");
    CHECK(told(twice).ends_with("body=a\nGET / 1.1 keep-alive\n  Host=h\n  path=/ query=\n  body=\n"));
}

TEST_CASE("header bytes count the request line and header lines: at the limit and one past it") {
    const std::string head = "GET /abc HTTP/1.1\r\nHost: h\r\nX-Filler: 0123456789\r\n";
    CHECK(status(head + "\r\n", {.header_bytes = head.size()}) == 0);
    CHECK(status(head + "\r\n", {.header_bytes = head.size() - 1}) == 431);
    const std::string line = "GET /" + std::string(200, 'a') + " HTTP/1.1\r\n";
    CHECK(status(line + "Host: h\r\n\r\n", {.header_bytes = line.size() + 9}) == 0);
    CHECK(status(line + "Host: h\r\n\r\n", {.header_bytes = line.size() + 8}) == 431);
    CHECK(status(line, {.header_bytes = line.size()}) == 0);
    CHECK(status(line, {.header_bytes = line.size() - 1}) == 414);
    CHECK(status("GET /" + std::string(300, 'a'), {.header_bytes = 200}) == 414);
}

TEST_CASE("header lines: at the limit and one past it") {
    const Limits limits{.headers = 3};
    CHECK(status(get("A: 1\r\nB: 2\r\n"), limits) == 0);
    CHECK(status(get("A: 1\r\nB: 2\r\nC: 3\r\n"), limits) == 431);
    CHECK(status(get("A: 1\r\nB: 2\r\nC"), limits) == 431);
    CHECK(status(get(""), {.headers = 0}) == 431);
}

TEST_CASE("header bombs end at the limits and leave nothing behind") {
    RequestParser parser{Limits{}};
    const auto bomb = [&parser](const std::string& input) {
        parser.reset();
        std::size_t consumed = 0;
        REQUIRE(parser.feed(std::as_bytes(std::span(input.data(), input.size())), consumed) == Outcome::error);
        CHECK(consumed == input.size());
        CHECK(parser.bytes_held() < 100'000);
        return parser.status();
    };
    CHECK(bomb(get("X: " + std::string(128 * 1024, 'a') + "\r\n")) == 431);
    CHECK(bomb("GET /" + std::string(128 * 1024, 'a') + " HTTP/1.1\r\n\r\n") == 414);
    std::string lines;
    for (int i = 0; i < 20'000; ++i) lines += "a:b\r\n";
    CHECK(bomb(get(lines)) == 431);
    CHECK(bomb("GET / HTTP/1.1\r\n" + std::string(1 << 20, 'a')) == 431);
    CHECK(bomb(std::string(1 << 20, 'a')) == 501);
}

TEST_CASE("bodies: at the limit and one past it, refused when announced") {
    const Limits limits{.body_bytes = 10};
    CHECK(status(post("Content-Length: 10\r\n", "0123456789"), limits) == 0);
    CHECK(status(post("Content-Length: 11\r\n", ""), limits) == 413);
    CHECK(status(post("Content-Length: 18446744073709551616\r\n", ""), limits) >= 400);
    CHECK(status(post("Content-Length: 99999999999999999999999\r\n", ""), limits) >= 400);
    CHECK(status(post("Content-Length: 18446744073709551615\r\n", ""), limits) == 413);
    CHECK(status(post("Content-Length: 0000000010\r\n", "0123456789"), limits) == 0);
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    CHECK(status(post(chunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), limits) == 0);
    CHECK(status(post(chunked, "5\r\n01234\r\n6\r\n"), limits) == 413);
    CHECK(status(post(chunked, "b\r\n"), limits) == 413);
    CHECK(status(post(chunked, "FFFFFFFFFFFFFFFF\r\n"), limits) == 413);
    CHECK(status(post(chunked, "10000000000000000\r\n"), limits) == 400);
    CHECK(status(post("Content-Length: 1\r\n", ""), {.body_bytes = 0}) == 413);
    CHECK(status(post("Content-Length: 0\r\n", ""), {.body_bytes = 0}) == 0);
}

TEST_CASE("malformed chunks are refused") {
    for (const std::string_view body :
         {"x\r\n", "\r\n", "-1\r\n", "0x1\r\na\r\n", "1 \r\na\r\n", " 1\r\na\r\n", "1\na\n0\n\n", "1\r\nab\r\n",
          "1\r\na0\r\n", "1\r\na\n0\r\n\r\n", "1\ra", "0\r\n\rX", "0\r\nX: a\rb\r\n\r\n"}) {
        INFO(body);
        CHECK(status(post("Transfer-Encoding: chunked\r\n", body)) == 400);
    }
}

TEST_CASE("chunk framing that carries nothing ends at a bound") {
    const Limits limits{.header_bytes = 1000, .body_bytes = 100};
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    std::string tiny;
    for (int i = 0; i < 100; ++i) tiny += "1\r\na\r\n";
    CHECK(status(post(chunked, tiny + "0\r\n\r\n"), limits) == 0);
    CHECK(status(post(chunked, "1;" + std::string(2000, 'e') + "\r\n"), limits) == 400);
    CHECK(status(post(chunked, std::string(2000, '0') + "1\r\n"), limits) == 400);
    CHECK(status(post(chunked, "0\r\nX: " + std::string(2000, 't') + "\r\n"), limits) == 400);
}

TEST_CASE("trailers are read over, whatever they claim") {
    const std::string input =
        post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nHost: other\r\nX: y\r\n\r\n") + get("");
    Connection connection;
    connection.feed(input);
    CHECK_FALSE(connection.failed);
    CHECK(connection.log.find("other") == std::string::npos);
}

TEST_CASE("100-continue is asked for once, when the body is still outstanding") {
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    Connection waiting;
    waiting.feed(head);
    CHECK(waiting.continues == 1);
    CHECK(waiting.parser.head_complete());
    CHECK(waiting.parser.request().path == "/");
    CHECK(waiting.log.empty());
    waiting.feed("a").feed("b");
    CHECK(waiting.continues == 1);
    CHECK(waiting.log.ends_with("body=ab\n"));

    Connection hurried;
    hurried.feed(head + "a").feed("b");
    CHECK(hurried.continues == 0);
    CHECK(hurried.log.ends_with("body=ab\n"));

    Connection empty;
    empty.feed("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    CHECK(empty.continues == 0);
    CHECK(empty.log.ends_with("body=\n"));

    CHECK(status("POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n") == 417);
    CHECK(status("POST / HTTP/1.0\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\nab") == 0);
    CHECK(status(post("Expect: 100-continue\r\nContent-Length: 11\r\n", ""), {.body_bytes = 10}) == 413);
}

TEST_CASE("a parser is idle exactly when nothing of a request has been seen") {
    RequestParser parser{Limits{}};
    const auto feed = [&parser](std::string_view in) {
        std::size_t consumed = 0;
        return parser.feed(std::as_bytes(std::span(in.data(), in.size())), consumed);
    };
    CHECK(parser.idle());
    CHECK(feed("") == Outcome::need_more);
    CHECK(parser.idle());
    CHECK(feed("G") == Outcome::need_more);
    CHECK_FALSE(parser.idle());
    CHECK_FALSE(parser.head_complete());
    CHECK(feed("ET / HTTP/1.1\r\nHost: h\r\n\r\n") == Outcome::complete);
    CHECK_FALSE(parser.idle());
    CHECK(feed("GET") == Outcome::complete);  // not before next()
    parser.next();
    CHECK(parser.idle());
    CHECK(feed("\r") == Outcome::need_more);
    CHECK_FALSE(parser.idle());
    parser.reset();
    CHECK(parser.idle());
    CHECK(feed("\x16") == Outcome::error);
    CHECK(feed("GET") == Outcome::error);
    CHECK(parser.status() == 400);
    parser.reset({.header_bytes = 20});
    CHECK(parser.idle());
    CHECK(parser.status() == 0);
    CHECK(feed("GET / HTTP/1.1\r\nHost: h\r\n") == Outcome::error);
    CHECK(parser.status() == 431);
}

TEST_CASE("large bodies are not kept") {
    RequestParser parser{Limits{}};
    const std::string input = post("Content-Length: 1000000\r\n", std::string(1'000'000, 'b'));
    std::size_t consumed = 0;
    REQUIRE(parser.feed(std::as_bytes(std::span(input.data(), input.size())), consumed) == Outcome::complete);
    CHECK(parser.request().body.size() == 1'000'000);
    CHECK(parser.bytes_held() > 1'000'000);
    parser.next();
    CHECK(parser.bytes_held() < 80'000);
}

TEST_CASE("an announced body costs nothing until it comes") {
    RequestParser parser{Limits{}};
    const std::string input = post("Content-Length: 1048576\r\n", "a");
    std::size_t consumed = 0;
    REQUIRE(parser.feed(std::as_bytes(std::span(input.data(), input.size())), consumed) == Outcome::need_more);
    CHECK(parser.bytes_held() < 4'000);
}

TEST_CASE("the fuzz target holds for fixed seeds of requests with a few bytes changed") {
    const std::vector<std::string> seeds = {
        get("Connection: Upgrade\r\nUpgrade: websocket\r\n") +
            "\x81\x80"
            "abcd",
        post("Content-Length: 5\r\n", "hello") + get("Connection: close\r\n"),
        post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n1;e=f\r\nd\r\n0\r\nT: u\r\n\r\n") + get(""),
        post("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"),
        get("Connection: Upgrade\r\nUpgrade: h2c\r\n") +
            post("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", "x"),
        "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET http://a/b%20c?d=%41&e HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    static constexpr std::string_view kPieces[] = {"\r\n",
                                                   "\n",
                                                   ":",
                                                   " ",
                                                   "\t",
                                                   "Content-Length: 3\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "Host: x\r\n",
                                                   "0\r\n\r\n",
                                                   "GET / HTTP/1.1\r\n",
                                                   "ff",
                                                   "Upgrade: websocket\r\n",
                                                   "Connection: upgrade\r\n"};
    std::mt19937 random(9112);
    for (int i = 0; i < 40'000; ++i) {
        std::string input(1, static_cast<char>(random()));
        input += seeds[random() % seeds.size()];
        for (std::size_t changes = random() % 4; changes > 0; --changes) {
            const std::size_t at = 1 + random() % (input.size() - 1);
            switch (random() % 4) {
                case 0: input[at] = static_cast<char>(random()); break;
                case 1: input.erase(at, random() % 8); break;
                case 2: input.insert(at, kPieces[random() % std::size(kPieces)]); break;
                default: input.insert(at, input.substr(1 + random() % (input.size() - 1), random() % 40));
            }
            if (input.size() < 3) input += seeds[0];
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
    SUCCEED();
}
