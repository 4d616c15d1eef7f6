// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "webhooks/payload.h"

#include <catch2/catch_test_macros.hpp>

namespace spillway::webhooks {
namespace {

Notice about(WebhookEvent what, std::string channel) {
    Notice notice;
    notice.what = what;
    notice.channel = std::move(channel);
    return notice;
}

std::string payload(std::initializer_list<Notice> notices) {
    std::string body;
    begin_payload(body, 1'327'078'148'132);
    for (const Notice& notice : notices) append_event(body, notice);
    end_payload(body);
    return body;
}

TEST_CASE("webhook bodies are those of the protocol, byte for byte", "[webhooks]") {
    CHECK(payload({about(WebhookEvent::channel_occupied, "room")}) ==
          R"({"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"room"}]})");
    CHECK(
        payload({about(WebhookEvent::channel_vacated, "room"), about(WebhookEvent::cache_miss, "cache-a")}) ==
        R"({"time_ms":1327078148132,"events":[{"name":"channel_vacated","channel":"room"},{"name":"cache_miss","channel":"cache-a"}]})");
    Notice member = about(WebhookEvent::member_added, "presence-a");
    member.user_id = "7\"";
    CHECK(payload({member}) ==
          R"({"time_ms":1327078148132,"events":[{"name":"member_added","channel":"presence-a","user_id":"7\""}]})");
    member.what = WebhookEvent::member_removed;
    CHECK(payload({member}) ==
          R"({"time_ms":1327078148132,"events":[{"name":"member_removed","channel":"presence-a","user_id":"7\""}]})");
    Notice count = about(WebhookEvent::subscription_count, "room");
    count.count = 4'294'967'295;
    CHECK(
        payload({count}) ==
        R"({"time_ms":1327078148132,"events":[{"name":"subscription_count","channel":"room","subscription_count":4294967295}]})");
}

TEST_CASE("the data of a client event is a string in webhooks, or the Go library fails", "[webhooks]") {
    Notice event = about(WebhookEvent::client_event, "private-a");
    event.event = "client-typing";
    event.socket_id = "12.34";
    event.data_json = R"({"a":"b\n"})";
    CHECK(
        payload({event}) ==
        R"({"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-a","event":"client-typing","data":"{\"a\":\"b\\n\"}","socket_id":"12.34"}]})");
    event.data_json = R"("as \"it\" is")";
    event.user_id = "7";
    CHECK(
        payload({event}) ==
        R"({"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-a","event":"client-typing","data":"as \"it\" is","socket_id":"12.34","user_id":"7"}]})");
    event.data_json = "null";
    event.user_id.clear();
    event.data_json = R"("as \"it\" is")";
    event.user_id = "7";
    CHECK(
        payload({event}) ==
        R"({"time_ms":1327078148132,"events":[{"name":"client_event","channel":"private-a","event":"client-typing","data":"as \"it\" is","socket_id":"12.34","user_id":"7"}]})");
    event.data_json = "null";
    event.user_id.clear();
    CHECK(payload({event}).find(R"("data":"null")") != std::string::npos);
}

TEST_CASE("webhooks are signed over the raw body", "[webhooks]") {
    CHECK(signature("key", "The quick brown fox jumps over the lazy dog") ==
          "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
}

}  // namespace
}  // namespace spillway::webhooks
