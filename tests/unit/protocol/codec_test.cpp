// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The wire as the protocol's clients speak it and need it: exact text out, every shape in that they or their
// imitators send.
#include "protocol/codec.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::protocol;

namespace {

/// Keeps the scratch alive for as long as the message.
struct Decoded {
    explicit Decoded(std::string message) : text(std::move(message)), result(decode(text, scratch)) {}
    Decoded(const Decoded&) = delete;

    template <class T>
    const T& as() const {
        INFO(text);
        REQUIRE(result);
        REQUIRE(std::holds_alternative<T>(*result));
        return std::get<T>(*result);
    }
    bool refused() const { return !result; }

    Scratch scratch;
    std::string text;
    std::expected<ClientMessage, DecodeError> result;
};

template <class... Arguments>
std::string encoded(void (*encoder)(std::string&, Arguments...), std::type_identity_t<Arguments>... arguments) {
    std::string out;
    encoder(out, arguments...);
    JsonArena judge;
    REQUIRE(judge.parse(out));
    return out;
}

}  // namespace

TEST_CASE("subscribe to a public channel as pusher-js sends it: an empty auth is none") {
    const Decoded message(R"({"event":"pusher:subscribe","data":{"auth":"","channel":"my-channel"}})");
    CHECK(message.as<Subscribe>().channel == "my-channel");
    CHECK(message.as<Subscribe>().auth.empty());
    CHECK_FALSE(message.as<Subscribe>().channel_data);
}

TEST_CASE("subscribe carries auth and channel_data exactly as signed") {
    const Decoded message(R"({"event":"pusher:subscribe","data":{"channel":"presence-x","auth":"k:sig",)"
                          R"("channel_data":"{\"user_id\":\"1\", \"n\":\"\u00e9\"}"}})");
    CHECK(message.as<Subscribe>().auth == "k:sig");
    CHECK(message.as<Subscribe>().channel_data == "{\"user_id\":\"1\", \"n\":\"é\"}");
}

TEST_CASE("null and empty count as not given") {
    const Decoded message(R"({"event":"pusher:subscribe","data":{"channel":"c","auth":null,"channel_data":null}})");
    CHECK(message.as<Subscribe>().auth.empty());
    CHECK_FALSE(message.as<Subscribe>().channel_data);
    const Decoded empty(R"({"event":"pusher:subscribe","data":{"channel":"c","channel_data":""}})");
    CHECK_FALSE(empty.as<Subscribe>().channel_data);
}

TEST_CASE("data may be JSON inside a string where an object is expected") {
    const Decoded subscribe(R"({"event":"pusher:subscribe","data":"{\"channel\":\"c\",\"auth\":\"k:s\"}"})");
    CHECK(subscribe.as<Subscribe>().channel == "c");
    CHECK(subscribe.as<Subscribe>().auth == "k:s");
    CHECK(Decoded(R"({"event":"pusher:unsubscribe","data":"{\"channel\":\"c\"}"})").as<Unsubscribe>().channel == "c");
    CHECK(
        Decoded(R"({"event":"pusher:signin","data":"{\"auth\":\"a\",\"user_data\":\"u\"}"})").as<Signin>().user_data ==
        "u");
}

TEST_CASE("an auth that is no string is a subscription that will not be authorised") {
    CHECK(Decoded(R"({"event":"pusher:subscribe","data":{"channel":"c","auth":7}})").as<Subscribe>().auth == "7");
    for (const char* auth : {"{}", "[\"k:s\"]", "true"}) {
        const Decoded message(R"({"event":"pusher:subscribe","data":{"channel":"c","auth":)" + std::string(auth) +
                              "}}");
        CHECK(message.as<Subscribe>().auth.empty());
    }
}

TEST_CASE("ping and pong need no data and do not mind any") {
    for (const char* data : {"", R"(,"data":{})", R"(,"data":"{}")", R"(,"data":null)", R"(,"data":"")",
                             R"(,"data":[1])", R"(,"data":7)"}) {
        Decoded(R"({"event":"pusher:ping")" + std::string(data) + "}").as<Ping>();
        Decoded(R"({"event":"pusher:pong")" + std::string(data) + "}").as<Pong>();
    }
}

TEST_CASE("data that cannot name a channel is refused, whatever it is") {
    for (const char* event : {"pusher:subscribe", "pusher:unsubscribe"}) {
        for (const char* data :
             {"", R"(,"data":null)", R"(,"data":"")", R"(,"data":[])", R"(,"data":["c"])", R"(,"data":7)",
              R"(,"data":"c")", R"(,"data":"[]")", R"(,"data":"{")", R"(,"data":{})", R"(,"data":{"channel":null})",
              R"(,"data":{"channel":7})", R"(,"data":{"channel":["c"]})", R"(,"data":"\"{}\"")"}) {
            CAPTURE(event, data);
            CHECK(Decoded(R"({"event":")" + std::string(event) + "\"" + data + "}").refused());
        }
    }
    CHECK(Decoded(R"({"event":"pusher:subscribe","data":{"channel":"c","channel_data":{"user_id":"1"}}})").refused());
}

TEST_CASE("a sign-in always decodes, so that a broken one fails like a wrong one") {
    const Decoded message(R"({"event":"pusher:signin","data":{"auth":"k:s","user_data":"{\"id\":\"7\"}"}})");
    CHECK(message.as<Signin>().auth == "k:s");
    CHECK(message.as<Signin>().user_data == R"({"id":"7"})");
    for (const char* data :
         {"", R"(,"data":null)", R"(,"data":"")", R"(,"data":{})", R"(,"data":{"auth":7,"user_data":{}})"}) {
        const Decoded broken(R"({"event":"pusher:signin")" + std::string(data) + "}");
        CHECK(broken.as<Signin>().auth.empty());
        CHECK(broken.as<Signin>().user_data.empty());
    }
}

TEST_CASE("a client event's data is the very bytes the client wrote") {
    for (const char* data : {R"({ "a" : [1,2.50,1e999] , "b":"\u00e9\/" })", R"("{\"a\":1}")", "-0.0", "null", "true",
                             "[]", "\"\"", R"({"data":"inner"})", R"("\"}")"}) {
        CAPTURE(data);
        const Decoded message(R"({"event":"client-x", "data" : )" + std::string(data) +
                              "\n,\"channel\":\"private-y\"}");
        CHECK(message.as<ClientEvent>().event == "client-x");
        CHECK(message.as<ClientEvent>().channel == "private-y");
        CHECK(message.as<ClientEvent>().has_data);
        CHECK(message.as<ClientEvent>().data_json == data);
    }
}

TEST_CASE("a client event without data is told from one with null") {
    const Decoded message(R"({"event":"client-x","channel":"private-y"})");
    CHECK_FALSE(message.as<ClientEvent>().has_data);
    CHECK(message.as<ClientEvent>().data_json.empty());
}

TEST_CASE("a client event without a channel is refused") {
    CHECK(Decoded(R"({"event":"client-x","data":{}})").refused());
    CHECK(Decoded(R"({"event":"client-x","channel":7,"data":{}})").refused());
    CHECK(Decoded(R"({"event":"client-x","data":{"channel":"private-y"}})").refused());
}

TEST_CASE("the last of a key's values counts, also for the bytes relayed") {
    const Decoded message(
        R"({"event":"pusher:ping","channel":"a","data":1,"event":"client-x","channel":"b","data":[2]})");
    CHECK(message.as<ClientEvent>().channel == "b");
    CHECK(message.as<ClientEvent>().data_json == "[2]");
    const Decoded escaped(R"({"event":"client-x","channel":"b","data":1,"dat\u0061":{"x":2}})");
    CHECK(escaped.as<ClientEvent>().data_json == R"({"x":2})");
}

TEST_CASE("other events are unknown, not errors") {
    CHECK(Decoded(R"({"event":"pusher:nonsense"})").as<Unknown>().event == "pusher:nonsense");
    CHECK(Decoded(R"({"event":""})").as<Unknown>().event.empty());
    CHECK(Decoded(R"({"event":"client","channel":"c"})").as<Unknown>().event == "client");
    CHECK(Decoded(R"({"event":"x\u0000y"})").as<Unknown>().event == std::string_view("x\0y", 3));
    CHECK(Decoded(R"({"event":"PUSHER:PING"})").as<Unknown>().event == "PUSHER:PING");
}

TEST_CASE("what is no message is refused with a sentence") {
    const std::vector<std::string> texts = {"",
                                            " ",
                                            "{",
                                            "null",
                                            "7",
                                            "\"text\"",
                                            "[]",
                                            "[{}]",
                                            "{}",
                                            R"({"event":null})",
                                            R"({"event":7})",
                                            R"({"event":["pusher:ping"]})",
                                            R"({"event":"pusher:ping"}x)",
                                            R"({"event":"\ud800"})",
                                            "{\"event\":\"\xff\"}",
                                            std::string("{\"event\":\"a\"}\0", 14),
                                            std::string(20'000, '['),
                                            R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}"};
    for (const std::string& text : texts) {
        CAPTURE(text);
        const Decoded message(text);
        REQUIRE(message.refused());
        CHECK_FALSE(message.result.error().reason.empty());
    }
}

TEST_CASE("a message nests to depth 32, nested data of its own included") {
    const auto nested = [](std::size_t depth) {
        return R"({"event":"client-x","channel":"c","data":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
    };
    CHECK_FALSE(Decoded(nested(31)).refused());
    CHECK(Decoded(nested(32)).refused());
    const std::string deep = std::string(33, '[') + std::string(33, ']');
    CHECK(Decoded(R"({"event":"pusher:subscribe","data":"{\"channel\":\"c\",\"x\":)" + deep + R"(}"})").refused());
}

TEST_CASE("a scratch serves message after message") {
    Scratch scratch;
    for (int i = 0; i < 100; ++i) {
        const std::string padding(static_cast<std::size_t>(i) * 700, 'x');
        const std::string text = R"({"event":"pusher:subscribe","data":{"channel":"c)" + padding + R"("}})";
        const auto message = decode(text, scratch);
        REQUIRE(message);
        REQUIRE(std::get<Subscribe>(*message).channel == "c" + padding);
        REQUIRE_FALSE(decode("{", scratch));
    }
}

TEST_CASE("what the server says is on the wire exactly as its clients read it") {
    CHECK(encoded(encode_connection_established, "123.456", std::chrono::seconds(120)) ==
          R"({"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":120}"})");
    CHECK(encoded(encode_error, 4001, "App key \"x\"") ==
          R"({"event":"pusher:error","data":{"code":4001,"message":"App key \"x\""}})");
    CHECK(encoded(encode_error, std::nullopt, "m") == R"({"event":"pusher:error","data":{"code":null,"message":"m"}})");
    CHECK(encoded(encode_ping) == R"({"event":"pusher:ping","data":"{}"})");
    CHECK(encoded(encode_pong) == R"({"event":"pusher:pong","data":"{}"})");
    CHECK(encoded(encode_gap, "room", 17U) == R"({"event":"spillway:gap","channel":"room","data":"{\"count\":17}"})");
    CHECK(encoded(encode_subscription_succeeded, "c", "{}") ==
          R"({"event":"pusher_internal:subscription_succeeded","channel":"c","data":"{}"})");
    CHECK(
        encoded(encode_subscription_succeeded, "presence-c", R"({"presence":{"count":0}})") ==
        R"({"event":"pusher_internal:subscription_succeeded","channel":"presence-c","data":"{\"presence\":{\"count\":0}}"})");
    CHECK(
        encoded(encode_subscription_error, "private-c", "AuthError", "why", 401) ==
        R"({"event":"pusher:subscription_error","channel":"private-c","data":{"type":"AuthError","error":"why","status":401}})");
}

TEST_CASE("subscription_succeeded carries data by default: clients exist that ignore it otherwise") {
    std::string out;
    encode_subscription_succeeded(out, "c");
    CHECK(out == R"({"event":"pusher_internal:subscription_succeeded","channel":"c","data":"{}"})");
}

TEST_CASE("an event's data arrives as the string that was published") {
    CHECK(encoded(encode_channel_event, "e", "c", R"({"a":"b"})", std::nullopt) ==
          R"({"event":"e","channel":"c","data":"{\"a\":\"b\"}"})");
    CHECK(encoded(encode_channel_event, "e\"", "c", "", "7\"") ==
          R"({"event":"e\"","channel":"c","data":"","user_id":"7\""})");

    const std::string published = "line\nquote\" back\\slash \x01 größer 🌊 {\"k\":\"v\\n\"}";
    JsonArena arena;
    const std::string wire = encoded(encode_channel_event, "e", "c", published, std::nullopt);
    CHECK(arena.parse(wire)->member("data").text() == published);
}

TEST_CASE("a sign-in is answered with its user_data inside an object") {
    CHECK(encoded(encode_signin_success, R"({"id":"7"})") ==
          R"({"event":"pusher:signin_success","data":{"user_data":"{\"id\":\"7\"}"}})");
}

TEST_CASE("watchlist events group ids by state, in one string, and leave out what is empty") {
    const std::string_view a[] = {"a", "b\""};
    const std::string_view b[] = {"c"};
    const std::span<const std::string_view> none;
    CHECK(
        encoded(encode_watchlist_events, a, b) ==
        R"({"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"a\",\"b\\\"\"]},{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"})");
    CHECK(
        encoded(encode_watchlist_events, b, none) ==
        R"({"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"c\"]}]}"})");
    CHECK(
        encoded(encode_watchlist_events, none, b) ==
        R"({"event":"pusher_internal:watchlist_events","data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"c\"]}]}"})");
}

TEST_CASE("a relayed client event keeps object and string apart") {
    CHECK(encoded(encode_client_event, "client-x", "private-c", R"({ "a" : 1 })", std::nullopt) ==
          R"({"event":"client-x","channel":"private-c","data":{ "a" : 1 }})");
    CHECK(encoded(encode_client_event, "client-x", "presence-c", R"("{\"a\":1}")", "7") ==
          R"({"event":"client-x","channel":"presence-c","data":"{\"a\":1}","user_id":"7"})");
    CHECK(encoded(encode_client_event, "client-x", "private-c", "", std::nullopt) ==
          R"({"event":"client-x","channel":"private-c","data":null})");
}

TEST_CASE("encoders append") {
    std::string out = "before";
    encode_pong(out);
    encode_channel_event(out, "e", "c", "d");
    CHECK(out == R"(before{"event":"pusher:pong","data":"{}"}{"event":"e","channel":"c","data":"d"})");
}

TEST_CASE("presence_succeeded lists ids as strings and infos as they came, in the order of coming") {
    using spillway::pubsub::Roster;
    Roster roster;
    static_cast<void>(roster.enter(1, "10", R"({"name":"Mr. Channels"})", 100));
    static_cast<void>(roster.enter(2, "a\"b", "", 100));
    static_cast<void>(roster.enter(3, "10", "{}", 100));
    std::string out;
    encode_presence_succeeded(out, "presence-x", roster);
    CHECK(out == R"({"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":"{\"presence\":)"
                 R"({\"ids\":[\"10\",\"a\\\"b\"],\"hash\":{\"10\":{\"name\":\"Mr. Channels\"},\"a\\\"b\":null},)"
                 R"(\"count\":2}}"})");
}

TEST_CASE("members come and go under the names that clients listen for") {
    std::string out;
    encode_member_added(out, "presence-x", "1", R"({"n":1})");
    CHECK(out == R"({"event":"pusher_internal:member_added","channel":"presence-x",)"
                 R"("data":"{\"user_id\":\"1\",\"user_info\":{\"n\":1}}"})");
    out.clear();
    encode_member_added(out, "presence-x", "1", "");
    CHECK(out == R"({"event":"pusher_internal:member_added","channel":"presence-x",)"
                 R"("data":"{\"user_id\":\"1\",\"user_info\":null}"})");
    out.clear();
    encode_member_removed(out, "presence-x", "1");
    CHECK(out == R"({"event":"pusher_internal:member_removed","channel":"presence-x",)"
                 R"("data":"{\"user_id\":\"1\"}"})");
}

TEST_CASE("subscription_count and cache_miss") {
    std::string out;
    encode_subscription_count(out, "c", 17);
    CHECK(out == R"({"event":"pusher_internal:subscription_count","channel":"c",)"
                 R"("data":"{\"subscription_count\":17}"})");
    out.clear();
    encode_cache_miss(out, "cache-c");
    CHECK(out == R"({"event":"pusher:cache_miss","channel":"cache-c","data":"{}"})");
}
