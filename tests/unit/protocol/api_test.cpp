// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Publish bodies: every field at its limit and one past it, every type where another belongs.
#include "protocol/api.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway;
using namespace spillway::protocol;

namespace {

constexpr ApiLimits kLimits{};

struct Event {
    explicit Event(std::string text, ApiLimits limits = kLimits)
        : body(std::move(text)), result(decode_event(body, limits, scratch)) {}
    Event(const Event&) = delete;

    const PublishEvent& operator*() const {
        INFO(body);
        INFO((result ? "" : result.error().reason));
        REQUIRE(result);
        return *result;
    }
    const PublishEvent* operator->() const { return &**this; }
    /// The status and the reason's first word, which is the field.
    std::string fault() const {
        INFO(body);
        REQUIRE_FALSE(result);
        const std::string& reason = result.error().reason;
        return std::to_string(result.error().status) + " " + reason.substr(0, reason.find(' '));
    }

    ApiScratch scratch;
    std::string body;
    std::expected<PublishEvent, ApiError> result;
};

/// A right event with more members.
std::string with(std::string_view members) {
    return R"({"name":"e","data":"d","channel":"c",)" + std::string(members) + "}";
}

std::string channel_list(std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += (i > 0 ? ",\"c" : "\"c") + std::to_string(i) + "\"";
    return "[" + list + "]";
}

std::vector<std::string> names(std::span<const std::string_view> channels) {
    return {channels.begin(), channels.end()};
}

std::string batch_of(std::string_view event, std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list.append(i > 0 ? "," : "").append(event);
    return R"({"batch":[)" + list + "]}";
}

constexpr std::string_view kEvent = R"({"name":"e","data":"d","channel":"c"})";

}  // namespace

TEST_CASE("an event as the server libraries send it") {
    const Event event(R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})");
    CHECK(event->name == "foo");
    CHECK(event->data == R"({"some":"data"})");
    CHECK(names(event->channels) == std::vector<std::string>{"project-3"});
    CHECK_FALSE(event->socket_id);
    CHECK(event->priority == Priority::normal);
    CHECK(event->idempotency_key.empty());
    CHECK_FALSE(event->info.any());
}

TEST_CASE("all that an event may carry") {
    const Event event(with(
        R"("socket_id":"12.34","priority":"urgent","idempotency_key":"k1","info":"user_count,subscription_count")"));
    CHECK(event->socket_id == "12.34");
    CHECK(event->priority == Priority::urgent);
    CHECK(event->idempotency_key == "k1");
    CHECK(event->info == InfoSet{.user_count = true, .subscription_count = true});
    CHECK(Event(with(R"("priority":"low")"))->priority == Priority::low);
    CHECK(Event(with(R"("priority":"normal")"))->priority == Priority::normal);
    CHECK(Event(with(R"("priority":"high")"))->priority == Priority::high);
}

TEST_CASE("null is not given, and members nobody knows are ignored") {
    const Event event(with(
        R"("channels":null,"socket_id":null,"priority":null,"idempotency_key":null,"info":null,"tags":{"a":1},"x":[1])"));
    CHECK_FALSE(event->socket_id);
    CHECK(event->priority == Priority::normal);
}

TEST_CASE("data that is no string goes out as the JSON text it was") {
    CHECK(Event(R"({"name":"e","channel":"c","data":{ "a" : 1.50 }})")->data == R"({ "a" : 1.50 })");
    CHECK(Event(R"({"data":[1, 2],"name":"e","channel":"c"})")->data == "[1, 2]");
    CHECK(Event(R"({"name":"e","data":1e400,"channel":"c"})")->data == "1e400");
    CHECK(Event(R"({"name":"e","data":false,"channel":"c"})")->data == "false");
    CHECK(Event(R"({"name":"e","data":"","channel":"c"})")->data.empty());
    CHECK(Event(R"({"name":"e","data":"first","channel":"c","data":{"x":2}})")->data == R"({"x":2})");
}

TEST_CASE("a channel named twice is published to once, in the order first named") {
    CHECK(names(Event(R"({"name":"e","data":"d","channels":["b","a","b","c","a"]})")->channels) ==
          std::vector<std::string>{"b", "a", "c"});
}

TEST_CASE("a user's channel can be published to") {
    CHECK(Event(R"({"name":"e","data":"d","channel":"#server-to-user-7"})")->channels.front() == "#server-to-user-7");
    CHECK(Event(R"({"name":"e","data":"d","channel":"#server-to-user-"})").fault() == "400 channel");
    CHECK(Event(R"({"name":"e","data":"d","channel":"#other"})").fault() == "400 channel");
}

TEST_CASE("each wrong field is refused with 400 and its name") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "body:"},
        {"{", "body:"},
        {"[]", "body"},
        {"null", "body"},
        {"\"x\"", "body"},
        {"{}", "name"},
        {R"({"name":null,"data":"d","channel":"c"})", "name"},
        {R"({"name":7,"data":"d","channel":"c"})", "name"},
        {R"({"name":"","data":"d","channel":"c"})", "name"},
        {R"({"name":["e"],"data":"d","channel":"c"})", "name"},
        {R"({"name":"pusher:error","data":"d","channel":"c"})", "name"},
        {R"({"name":"pusher_internal:member_added","data":"d","channel":"c"})", "name"},
        {R"({"name":"e","channel":"c"})", "data"},
        {R"({"name":"e","data":null,"channel":"c"})", "data"},
        {R"({"name":"e","data":"d"})", "channels"},
        {R"({"name":"e","data":"d","channels":[]})", "channels"},
        {R"({"name":"e","data":"d","channels":"c"})", "channels"},
        {R"({"name":"e","data":"d","channels":{"0":"c"}})", "channels"},
        {R"({"name":"e","data":"d","channels":["ok",7]})", "channels[1]"},
        {R"({"name":"e","data":"d","channels":["ok",null]})", "channels[1]"},
        {R"({"name":"e","data":"d","channels":["ok","n/ok"]})", "channels[1]"},
        {R"({"name":"e","data":"d","channels":["ok"],"channel":"c"})", "channel"},
        {R"({"name":"e","data":"d","channel":7})", "channel"},
        {R"({"name":"e","data":"d","channel":""})", "channel"},
        {R"({"name":"e","data":"d","channel":"a b"})", "channel"},
        {R"({"name":"e","data":"d","channel":"a\u0000"})", "channel"},
        {with(R"("socket_id":"abc")"), "socket_id"},
        {with(R"("socket_id":"")"), "socket_id"},
        {with(R"("socket_id":"1.")"), "socket_id"},
        {with(R"("socket_id":1.5)"), "socket_id"},
        {with(R"("socket_id":{})"), "socket_id"},
        {with(R"("priority":"immense")"), "priority"},
        {with(R"("priority":"")"), "priority"},
        {with(R"("priority":1)"), "priority"},
        {with(R"("priority":"HIGH")"), "priority"},
        {with(R"("idempotency_key":7)"), "idempotency_key"},
        {with(R"("info":"everything")"), "info"},
        {with(R"("info":["user_count"])"), "info"}};
    for (const auto& [body, field] : cases) CHECK(Event(body).fault() == "400 " + field);
}

TEST_CASE("each limit passes at the limit and refuses one past it") {
    const auto named = [](std::size_t n) {
        return R"({"name":")" + std::string(n, 'n') + R"(","data":"d","channel":"c"})";
    };
    CHECK(Event(named(200))->name.size() == 200);
    CHECK(Event(named(201)).fault() == "400 name");

    const auto sized = [](std::size_t n) {
        return R"({"name":"e","data":")" + std::string(n, 'x') + R"(","channel":"c"})";
    };
    CHECK(Event(sized(10'240))->data.size() == 10'240);
    CHECK(Event(sized(10'241)).fault() == "413 data");

    const auto object = [](std::size_t n) {
        return R"({"name":"e","data":["x)" + std::string(n - 5, 'x') + R"("],"channel":"c"})";
    };
    CHECK(Event(object(10'240))->data.size() == 10'240);
    CHECK(Event(object(10'241)).fault() == "413 data");

    const auto on = [](std::size_t n) { return R"({"name":"e","data":"d","channel":")" + std::string(n, 'c') + "\"}"; };
    CHECK(Event(on(200))->channels.front().size() == 200);
    CHECK(Event(on(201)).fault() == "400 channel");
    CHECK(Event(on(165), {.channel_name_max = 164}).fault() == "400 channel");

    const auto many = [](std::size_t n) { return R"({"name":"e","data":"d","channels":)" + channel_list(n) + "}"; };
    CHECK(Event(many(100))->channels.size() == 100);
    CHECK(Event(many(101)).fault() == "400 channels");

    CHECK(Event(with(R"("idempotency_key":")" + std::string(128, 'k') + "\""))->idempotency_key.size() == 128);
    CHECK(Event(with(R"("idempotency_key":")" + std::string(129, 'k') + "\"")).fault() == "400 idempotency_key");
}

TEST_CASE("data's size is that of the string, not of its escapes") {
    std::string escapes;
    for (int i = 0; i < 10'240; ++i) escapes += "\\u0041";
    CHECK(Event(R"({"name":"e","channel":"c","data":")" + escapes + "\"}")->data == std::string(10'240, 'A'));
}

TEST_CASE("one encrypted channel can be among several, two cannot") {
    CHECK(Event(R"({"name":"e","data":"d","channels":["private-encrypted-a","b"]})")->channels.size() == 2);
    CHECK(Event(R"({"name":"e","data":"d","channels":["private-encrypted-a","private-encrypted-cache-b"]})").fault() ==
          "400 channels");
    CHECK(
        Event(R"({"name":"e","data":"d","channels":["private-encrypted-a","private-encrypted-a"]})")->channels.size() ==
        1);
}

TEST_CASE("a batch gives its events in order, each with its own fields") {
    const std::string body = R"({"batch":[{"name":"a","data":"1","channel":"x","socket_id":"1.2"},)"
                             R"({"name":"b","data":{"n" : 2},"channel":"y","info":"subscription_count"},)"
                             R"({"name":"c","data":"3","channels":["z","x"]},{"name":"d","data":[4],"channel":"x"}]})";
    ApiScratch scratch;
    const auto events = decode_batch(body, kLimits, scratch);
    REQUIRE(events);
    REQUIRE(events->size() == 4);
    CHECK((*events)[0].socket_id == "1.2");
    CHECK_FALSE((*events)[1].socket_id);
    CHECK((*events)[1].data == R"({"n" : 2})");
    CHECK((*events)[1].info == InfoSet{.subscription_count = true});
    CHECK(names((*events)[0].channels) == std::vector<std::string>{"x"});
    CHECK(names((*events)[1].channels) == std::vector<std::string>{"y"});
    CHECK(names((*events)[2].channels) == std::vector<std::string>{"z", "x"});
    CHECK(names((*events)[3].channels) == std::vector<std::string>{"x"});
    CHECK((*events)[3].data == "[4]");
}

TEST_CASE("a batch is 1 to 10 events, all right or none") {
    ApiScratch scratch;
    const auto reason = [&scratch](const std::string& body) {
        const auto events = decode_batch(body, kLimits, scratch);
        return events ? std::string() : events.error().reason;
    };
    const std::string full = batch_of(kEvent, 10);
    CHECK(decode_batch(full, kLimits, scratch)->size() == 10);
    CHECK(reason(batch_of(kEvent, 11)) == "batch has more than 10 events");
    CHECK(reason(R"({"batch":[]})") == "batch must not be empty");
    CHECK(reason(R"({"batch":{}})") == "batch must be an array");
    CHECK(reason("{}") == "batch is required");
    CHECK(reason(R"({"batch":null})") == "batch is required");
    CHECK(reason(R"({"batch":[7]})") == "batch[0]: an event must be a JSON object");
    CHECK(reason(R"({"batch":[null]})") == "batch[0]: an event must be a JSON object");

    const std::string one_bad = R"({"batch":[)" + std::string(kEvent) + R"(,{"name":"e","data":"d","channel":"a b"}]})";
    const auto refused = decode_batch(one_bad, kLimits, scratch);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().at == 1);
    CHECK(refused.error().reason == "batch[1]: channel is not a valid channel name");

    const std::string too_large = R"({"batch":[)" + std::string(kEvent) + R"(,{"name":"e","channel":"c","data":")" +
                                  std::string(10'241, 'x') + "\"}]}";
    CHECK(decode_batch(too_large, kLimits, scratch).error().status == 413);
}

TEST_CASE("ten events with a hundred channels each keep their channels apart") {
    const std::string event = R"({"name":"e","data":"d","channels":)" + channel_list(100) + "}";
    const std::string body = batch_of(event, 10);
    ApiScratch scratch;
    const auto events = decode_batch(body, kLimits, scratch);
    REQUIRE(events);
    for (const PublishEvent& each : *events) {
        REQUIRE(each.channels.size() == 100);
        CHECK(each.channels.front() == "c0");
        CHECK(each.channels.back() == "c99");
    }
}

TEST_CASE("a publisher's message is either body") {
    ApiScratch scratch;
    const std::string single(kEvent);
    CHECK(decode_publication(single, kLimits, scratch)->size() == 1);
    const std::string three = batch_of(kEvent, 3);
    CHECK(decode_publication(three, kLimits, scratch)->size() == 3);
    CHECK(decode_publication("[]", kLimits, scratch).error().status == 400);
    CHECK(decode_publication(R"({"batch":7})", kLimits, scratch).error().reason == "batch must be an array");
}

TEST_CASE("bombs are refused") {
    const std::string deep =
        R"({"name":"e","channel":"c","data":)" + std::string(100, '[') + std::string(100, ']') + "}";
    CHECK(Event(deep).fault() == "400 body:");
    CHECK(Event(std::string(100'000, '[')).fault() == "400 body:");
    CHECK(Event(R"({"name":"e","channel":"c","data":"\ud800"})").fault() == "400 body:");
    CHECK(Event("{\"name\":\"e\",\"channel\":\"c\",\"data\":\"\xff\"}").fault() == "400 body:");
    std::string keys = "{";
    for (int i = 0; i < 100'000; ++i) keys += "\"k" + std::to_string(i) + "\":0,";
    CHECK(Event(keys + "\"x\":0}").fault() == "400 name");
    CHECK(Event(with("\"n\":" + std::string(1 << 20, '9')))->name == "e");
}

TEST_CASE("info is a list of known attributes") {
    CHECK(parse_info("") == InfoSet{});
    CHECK(parse_info("user_count,subscription_count,cache") ==
          InfoSet{.user_count = true, .subscription_count = true, .cache = true});
    CHECK(parse_info("cache,cache,") == InfoSet{.cache = true});
    CHECK_FALSE(parse_info("user_count,nonsense"));
    CHECK_FALSE(parse_info("user_count, cache"));
}

namespace {

std::string list_fault(std::vector<ApiParameter> parameters) {
    const auto query = read_channels_query(parameters);
    return query ? "" : std::to_string(query.error().status) + " " + query.error().reason;
}

std::string channel_fault(std::string_view channel, std::string_view info) {
    const std::vector<ApiParameter> parameters{{"info", info}};
    const auto query = read_channel_query(channel, parameters, kLimits);
    return query ? "" : std::to_string(query.error().status) + " " + query.error().reason;
}

}  // namespace

TEST_CASE("the list of channels is chosen by prefix, and has users only of presence channels") {
    const std::vector<ApiParameter> all{{"auth_key", "k"}, {"filter_by_prefix", "presence-a"}, {"info", "user_count"}};
    const auto query = read_channels_query(all);
    REQUIRE(query);
    CHECK(query->prefix == "presence-a");
    CHECK(query->info == InfoSet{.user_count = true});
    CHECK(list_fault({}).empty());
    CHECK(list_fault({{"info", "subscription_count"}}).empty());
    CHECK(list_fault({{"info", "user_count"}}).starts_with("400 "));
    CHECK(list_fault({{"info", "user_count"}, {"filter_by_prefix", "presence"}}).starts_with("400 "));
    CHECK(list_fault({{"info", "cache"}, {"filter_by_prefix", "presence-"}}).starts_with("400 "));
    CHECK(list_fault({{"info", "nonsense"}}).starts_with("400 "));
}

TEST_CASE("a channel is asked only for what it can have") {
    CHECK(channel_fault("c", "").empty());
    CHECK(channel_fault("c", "subscription_count").empty());
    CHECK(channel_fault("c", "user_count").starts_with("400 "));
    CHECK(channel_fault("c", "cache").starts_with("400 "));
    CHECK(channel_fault("presence-c", "user_count,subscription_count").empty());
    CHECK(channel_fault("presence-c", "cache").starts_with("400 "));
    CHECK(channel_fault("presence-cache-c", "cache,user_count").empty());
    CHECK(channel_fault("cache-c", "cache").empty());
    CHECK(channel_fault("a b", "").starts_with("400 "));
    CHECK(channel_fault("#server-to-user-1", "").starts_with("400 "));
    CHECK(check_users_query("presence-c", kLimits).has_value());
    CHECK_FALSE(check_users_query("private-c", kLimits).has_value());
    CHECK_FALSE(check_users_query("presence-\n", kLimits).has_value());
}

TEST_CASE("a publication asks for no cache") { CHECK(Event(with("\"info\":\"cache\"")).fault() == "400 info:"); }

TEST_CASE("a batch has one idempotency key, beside it") {
    ApiScratch scratch;
    const std::string event(kEvent);
    const auto keyed =
        decode_batch("{\"idempotency_key\":\"k\",\"batch\":[" + event + "," + event + "]}", kLimits, scratch);
    REQUIRE(keyed);
    for (const PublishEvent& each : *keyed) CHECK(each.idempotency_key == "k");
    const std::string inside = event.substr(0, event.size() - 1) + ",\"idempotency_key\":\"k\"}";
    CHECK(decode_batch("{\"batch\":[" + inside + "]}", kLimits, scratch).error().reason ==
          "idempotency_key belongs beside batch");
    CHECK_FALSE(decode_batch("{\"idempotency_key\":7,\"batch\":[" + event + "]}", kLimits, scratch));
}
