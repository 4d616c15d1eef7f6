// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/endpoint.h"

#include <catch2/catch_test_macros.hpp>

#include "crypto/digest.h"
#include "protocol/auth.h"

using namespace spillway;
using namespace spillway::client;

namespace {

const App kApp{.id = "3", .key = "278d425bdf160c739803", .secret = "7ad3773142a6692b25b8"};

std::string as_text(std::string_view url) {
    const auto endpoint = parse_endpoint(url);
    return endpoint ? authority(*endpoint) + endpoint->prefix : "refused";
}

}  // namespace

TEST_CASE("URLs say where a server is") {
    CHECK(as_text("ws://127.0.0.1:6001") == "127.0.0.1:6001");
    CHECK(as_text("http://example.com/live/eu/") == "example.com:80/live/eu");
    CHECK(as_text("ws://[::1]:6001/") == "[::1]:6001");
    for (const auto url : {"wss://x", "https://x", "x:1", "ws://", "ws://x:", "ws://x:0", "ws://x:65536", "ws://x:1a",
                           "ws://x/?a=b", "ws://u@x", "ws://[::1", "ws://[::1]6001", "ws://a\r\nb"}) {
        CAPTURE(url);
        CHECK(as_text(url) == "refused");
    }
}

TEST_CASE("requests are signed as the API verifies them, prefix and odd ids included") {
    const Endpoint endpoint{.host = "x", .port = 1, .prefix = "/live"};
    // The example of the protocol's documentation.
    const std::string body = R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})";
    CHECK(signed_target({.host = "x", .port = 1, .prefix = ""}, kApp, "POST", "events", "", body, 1353088179) ==
          "/apps/3/events?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
          "&body_md5=ec365a775a4cd0599faeb73354201b6f"
          "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c");
    const std::string target = signed_target(endpoint, {"a b", "k&1", "s"}, "GET", "publish", "ack=5", "", 7);
    CHECK(target.starts_with("/live/apps/a%20b/publish?ack=5&auth_key=k%261&"));
    CHECK(target.ends_with(crypto::hmac_sha256_hex(
        "s", "GET\n/live/apps/a%20b/publish\nack=5&auth_key=k&1&auth_timestamp=7&auth_version=1.0")));
}

TEST_CASE("only channels that ask for it are signed, and only with a secret") {
    CHECK(
        subscribe_message(kApp, "1234.1234", "private-foobar") ==
        R"({"event":"pusher:subscribe","data":{"channel":"private-foobar","auth":"278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"}})");
    CHECK(subscribe_message(kApp, "1.1", "news") == R"({"event":"pusher:subscribe","data":{"channel":"news"}})");
    const App stranger{.id = "", .key = "k", .secret = ""};
    CHECK(subscribe_message(stranger, "1.1", "private-x") ==
          R"({"event":"pusher:subscribe","data":{"channel":"private-x"}})");
    const std::string presence = subscribe_message(kApp, "1.1", "presence-x");
    CHECK(presence.find(R"("channel_data":"{\"user_id\":\"spillway-tail\"}")") != std::string::npos);
    CHECK(presence.find(crypto::hmac_sha256_hex(kApp.secret, R"(1.1:presence-x:{"user_id":"spillway-tail"})")) !=
          std::string::npos);

    const Endpoint endpoint{.host = "x", .port = 1, .prefix = ""};
    CHECK(feed_target(endpoint, stranger, "a=b") == "/feed/a%3Db?key=k");
    const std::string target = feed_target(endpoint, kApp, "private-x");
    const std::string signature = target.substr(target.find("%3A") + 3);
    CHECK(protocol::verify_feed_auth(kApp.key, {kApp.secret, {}}, "private-x", kApp.key + ":" + signature) ==
          protocol::AuthResult::ok);
}

TEST_CASE("an event is what the API takes, whatever is in it") {
    std::string out;
    append_event(out, "c", "e\"", "a\nb");
    CHECK(out == R"({"name":"e\"","channel":"c","data":"a\nb"})");
}
