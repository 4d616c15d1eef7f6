// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/response.h"

#include <array>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::http;

TEST_CASE("a JSON response, whole") {
    std::string out;
    write_json(out, 200, "{}");
    CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST_CASE("responses are appended one behind the other") {
    std::string out;
    write_text(out, 404, "no");
    write_response(out, 200, "", "");
    CHECK(out ==
          "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\nno"
          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("HEAD is told the length and gets no body") {
    std::string out;
    write_json(out, 200, "{\"a\":1}", {.head_only = true});
    CHECK(out == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n");
}

TEST_CASE("what may have no content gets neither body nor length") {
    std::string out;
    write_json(out, 204, "{}");
    CHECK(out == "HTTP/1.1 204 No Content\r\n\r\n");
    out.clear();
    write_json(out, 304, "{}");
    CHECK(out == "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST_CASE("the connection header says what the version does not") {
    const auto head = [](const Reply& reply) {
        std::string out;
        write_response(out, 204, "", "", reply);
        return out;
    };
    CHECK(head({.keep_alive = false}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    CHECK(head({.keep_alive = true, .minor_version = 0}) ==
          "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
    CHECK(head({.keep_alive = false, .minor_version = 0}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a reply follows its request") {
    Request request;
    request.method = "HEAD";
    request.keep_alive = true;
    request.minor_version = 0;
    const Reply reply = reply_to(request);
    CHECK(reply.head_only);
    CHECK(reply.keep_alive);
    CHECK(reply.minor_version == 0);
    request.method = "GET";
    CHECK_FALSE(reply_to(request).head_only);
}

TEST_CASE("extra headers are written, and line ends in them become blanks") {
    const std::array<Header, 2> headers{{{"Retry-After", "5"}, {"X-Echo", "a\r\nSet-Cookie: b\tc\x7F"}}};
    std::string out;
    write_text(out, 503, "later", {.headers = headers});
    CHECK(out ==
          "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
          "Retry-After: 5\r\nX-Echo: a  Set-Cookie: b\tc \r\n\r\nlater");
}

TEST_CASE("interim responses") {
    std::string out;
    write_continue(out);
    CHECK(out == "HTTP/1.1 100 Continue\r\n\r\n");
    out.clear();
    const std::array<Header, 1> headers{{{"Upgrade", "websocket"}}};
    write_switching_protocols(out, headers);
    CHECK(out == "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("reason phrases of every status the server sends") {
    for (const int status : {100, 101, 200, 202, 204, 304, 400, 401, 402, 403, 404, 405, 408, 411,
                             413, 414, 415, 417, 422, 426, 429, 431, 500, 501, 502, 503, 504, 505}) {
        INFO(status);
        CHECK(reason_phrase(status) != "Unknown");
    }
    CHECK(reason_phrase(413) == "Content Too Large");
    CHECK(reason_phrase(299) == "Unknown");
}

TEST_CASE("a response of a steady size allocates once") {
    std::string out;
    write_json(out, 200, "{\"channels\":{}}");
    const auto capacity = out.capacity();
    const auto* data = out.data();
    for (int i = 0; i < 100; ++i) {
        out.clear();
        write_json(out, 200, "{\"channels\":{}}");
    }
    CHECK(out.capacity() == capacity);
    CHECK(out.data() == data);
}
