// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/handshake.h"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::ws;

namespace {

struct Field {
    std::string_view name;
    std::string_view value;
};

/// The request of RFC 6455 section 1.3, less its subprotocols.
std::vector<Field> good() {
    return {{"Host", "server.example.com"},   {"Upgrade", "websocket"},
            {"Connection", "Upgrade"},        {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
            {"Origin", "http://example.com"}, {"Sec-WebSocket-Version", "13"}};
}
std::vector<Field> with(std::string_view name, std::string_view value) {
    auto fields = good();
    for (Field& field : fields) {
        if (field.name == name) field.value = value;
    }
    return fields;
}
std::vector<Field> without(std::string_view name) {
    auto fields = good();
    std::erase_if(fields, [name](const Field& field) { return field.name == name; });
    return fields;
}
std::vector<Field> plus(std::string_view name, std::string_view value) {
    auto fields = good();
    fields.push_back({name, value});
    return fields;
}

/// 101, or the status of the refusal.
int status(const std::vector<Field>& fields, std::string_view method = "GET", int minor_version = 1) {
    const auto checked = check_upgrade(upgrade_fields(method, minor_version, fields));
    if (!checked) {
        CHECK_FALSE(checked.error().reason.empty());
        return checked.error().status;
    }
    return 101;
}

}  // namespace

TEST_CASE("the example of RFC 6455 is accepted with its key") {
    const auto fields = plus("Sec-WebSocket-Protocol", "chat, superchat");
    const auto accepted = check_upgrade(upgrade_fields("GET", 1, fields));
    REQUIRE(accepted);
    CHECK(accepted->accept_key == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(accepted->subprotocol == "chat");
    std::string out;
    write_accept(out, *accepted);
    CHECK(out ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
    out.clear();
    write_accept(out, {.accept_key = "k", .subprotocol = {}}, "X-A: b\r\n");
    CHECK(out ==
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
          "k\r\nX-A: b\r\n\r\n");
}

TEST_CASE("names, tokens and lists are read as browsers and proxies send them") {
    CHECK(status(with("Upgrade", "WebSocket")) == 101);
    CHECK(status(with("Upgrade", "h2c, websocket")) == 101);
    CHECK(status(with("Connection", "keep-alive, Upgrade")) == 101);
    CHECK(status(with("Connection", "UPGRADE")) == 101);
    CHECK(status(with("Connection", " , upgrade\t,")) == 101);
    CHECK(status(plus("Connection", "keep-alive")) == 101);
    CHECK(status({{"HOST", ""},
                  {"UPGRADE", "websocket"},
                  {"connection", "upgrade"},
                  {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                  {"SEC-WEBSOCKET-VERSION", "13"}}) == 101);
    CHECK(status(plus("Sec-WebSocket-Extensions", "permessage-deflate; constructor=1")) == 101);
}

TEST_CASE("what is no handshake is refused with the status that says why") {
    CHECK(status(good(), "POST") == 405);
    CHECK(status(good(), "get") == 405);
    CHECK(status(good(), "GET", 0) == 505);
    CHECK(status(without("Host")) == 400);
    CHECK(status(plus("Host", "other")) == 400);
    CHECK(status(without("Upgrade")) == 426);
    CHECK(status(with("Upgrade", "h2c")) == 426);
    CHECK(status(with("Upgrade", "websockets")) == 426);
    CHECK(status(with("Upgrade", "websocket2, xwebsocket")) == 426);
    CHECK(status(without("Connection")) == 426);
    CHECK(status(with("Connection", "keep-alive")) == 426);
    CHECK(status(with("Connection", "not-upgrade")) == 426);
    CHECK(status(without("Sec-WebSocket-Version")) == 426);
    CHECK(status(with("Sec-WebSocket-Version", "8")) == 426);
    CHECK(status(with("Sec-WebSocket-Version", "013")) == 426);
    CHECK(status(with("Sec-WebSocket-Version", "13, 8")) == 426);
    CHECK(status(plus("Sec-WebSocket-Version", "13")) == 400);
    CHECK(status(without("Sec-WebSocket-Key")) == 400);
    CHECK(status(plus("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")) == 400);
}

TEST_CASE("a key is sixteen bytes in base64, not one more or less") {
    for (const std::string_view bad :
         {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j",
          "dGhlIHNhbXBsZSBub25jZWE=", "dGhlIHNhbXBsZSBub25jZWFh", "dGhlIHNhbXBsZSBub25j-Q==",
          "dGhlIHNhbXBsZSBub25jZ ==", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ=="}) {
        INFO(bad);
        CHECK(status(with("Sec-WebSocket-Key", bad)) == 400);
    }
    CHECK(status(with("Sec-WebSocket-Key", "++++////++++////++++//==")) == 101);
}

TEST_CASE("the client's first subprotocol is echoed, and only if it is a token") {
    const auto first = [](std::string_view value) {
        const auto checked = check_upgrade(upgrade_fields("GET", 1, plus("Sec-WebSocket-Protocol", value)));
        return checked ? std::string(checked->subprotocol) : "refused " + std::to_string(checked.error().status);
    };
    CHECK(first("a") == "a");
    CHECK(first("b ,a") == "b");
    CHECK(first(",, c") == "c");
    CHECK(first("") == "refused 400");
    CHECK(first(" , ") == "refused 400");
    CHECK(first("a b") == "refused 400");
    CHECK(first("a, b\x01") == "refused 400");
    CHECK(first("a;q=1") == "refused 400");
}

TEST_CASE("refusals are whole responses, and 426 says what would be accepted") {
    std::string out;
    write_refusal(out, {.status = 426, .reason = "why"});
    CHECK(out.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"));
    CHECK(out.ends_with("\r\nContent-Length: 4\r\n\r\nwhy\n"));
    out.clear();
    write_refusal(out, {.status = 405, .reason = "why"});
    CHECK(out.starts_with("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n"));
    out.clear();
    write_refusal(out, {});
    CHECK(out.starts_with("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_CASE("a client's key is one that a server takes, and never the same") {
    spillway::crypto::SystemRandom random;
    std::string last;
    for (int i = 0; i < 100; ++i) {
        const std::string key = new_key(random);
        CHECK(key != last);
        CHECK(key.size() == 24);
        CHECK(key.ends_with("=="));
        CHECK(std::string_view("AQgw").find(key[21]) != std::string_view::npos);  // the last four bits of 132 are zero
        last = key;
    }
}
