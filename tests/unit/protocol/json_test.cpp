// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
#include "protocol/json.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::protocol;

namespace {

std::string repeated(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

std::string nested_arrays(std::size_t depth) { return repeated("[", depth) + repeated("]", depth); }

}  // namespace

TEST_CASE("each kind of value is told apart") {
    JsonArena arena;
    const auto root = arena.parse(R"({"n":null,"b":true,"i":1,"s":"x","a":[],"o":{}})");
    REQUIRE(root);
    CHECK(root->kind() == JsonKind::object);
    CHECK(root->size() == 6);
    CHECK(root->member("n").kind() == JsonKind::null);
    CHECK(root->member("n").is_absent_or_null());
    CHECK(root->member("b").kind() == JsonKind::boolean);
    CHECK(root->member("i").kind() == JsonKind::number);
    CHECK(root->member("s").kind() == JsonKind::string);
    CHECK(root->member("a").kind() == JsonKind::array);
    CHECK(root->member("o").kind() == JsonKind::object);
    CHECK(root->member("x").kind() == JsonKind::absent);
    CHECK(root->member("x").member("y").is_absent_or_null());
    CHECK(JsonElements(root->member("o")).next().kind() == JsonKind::absent);
}

TEST_CASE("numbers are text, however large") {
    JsonArena arena;
    for (const std::string number : {"0", "-0", "1e999999", "-1.5E-3", "123456789012345678901234567890"}) {
        const auto root = arena.parse(number);
        REQUIRE(root);
        CHECK(root->text() == number);
    }
    const std::string megabyte(1 << 20, '7');
    REQUIRE(arena.parse(megabyte));
    CHECK(arena.parse(megabyte)->text().size() == megabyte.size());
}

TEST_CASE("a key given twice means its last value") {
    JsonArena arena;
    const auto root = arena.parse(R"({"a":"first","b":0,"a":"last"})");
    REQUIRE(root);
    CHECK(root->member("a").text() == "last");
    CHECK(root->find("a").index == 2);
    const auto escaped_key = arena.parse(R"({"a":"first","\u0061":"last"})");
    REQUIRE(escaped_key);
    CHECK(escaped_key->member("a").text() == "last");
}

TEST_CASE("text that is not JSON is refused") {
    JsonArena arena;
    for (const std::string_view text : {std::string_view(""),
                                        std::string_view(" "),
                                        std::string_view("{"),
                                        std::string_view("{}x"),
                                        std::string_view("[1,]"),
                                        std::string_view("{'a':1}"),
                                        std::string_view("NaN"),
                                        std::string_view("01"),
                                        std::string_view("\"\n\""),
                                        std::string_view("\"\xff\""),
                                        std::string_view("\"\xc0\x80\""),
                                        std::string_view("\"\xed\xa0\x80\""),
                                        std::string_view(R"("\ud800")"),
                                        std::string_view(R"("\udc00\ud800")"),
                                        std::string_view(R"("\x41")"),
                                        std::string_view("\xEF\xBB\xBF{}"),
                                        std::string_view("{}\0", 3),
                                        std::string_view("\0", 1),
                                        std::string_view("//\n1"),
                                        std::string_view()}) {
        CAPTURE(std::string(text));
        CHECK_FALSE(arena.parse(text));
    }
}

TEST_CASE("nesting is accepted to depth 32 and no deeper") {
    JsonArena arena;
    CHECK(arena.parse(nested_arrays(32)));
    CHECK_FALSE(arena.parse(nested_arrays(33)));
    CHECK(arena.parse(repeated("{\"a\":", 32) + "1" + repeated("}", 32)));
    CHECK_FALSE(arena.parse(repeated("{\"a\":", 33) + "1" + repeated("}", 33)));
    const auto beside_others = [](std::size_t depth) {
        return "[" + repeated("[],", 100) + nested_arrays(depth - 1) + "]";
    };
    CHECK(arena.parse(beside_others(32)));
    CHECK_FALSE(arena.parse(beside_others(33)));
    CHECK_FALSE(arena.parse(repeated("[", 100'000)));
    CHECK_FALSE(arena.parse(nested_arrays(100'000)));
}

TEST_CASE("brackets beside each other or in strings are no nesting") {
    JsonArena arena;
    CHECK(arena.parse("[" + repeated("[],", 100'000) + "{}]"));
    CHECK(arena.parse("\"" + repeated("[", 100) + "\""));
    CHECK(arena.parse("[\"\\\"" + repeated("[", 100) + "\"]"));
    CHECK_FALSE(arena.parse("[\"\\\\\"," + nested_arrays(32) + "]"));
}

TEST_CASE("an arena is used again after small, large and refused documents") {
    JsonArena arena;
    const std::string large = "[\"" + std::string(JsonArena::kKeptTextBytesMax, 'x') + "\"]";
    for (int round = 0; round < 3; ++round) {
        CHECK(arena.parse("[1,2,3]"));
        const auto root = arena.parse(large);
        REQUIRE(root);
        CHECK(JsonElements(*root).next().text().size() == JsonArena::kKeptTextBytesMax);
        CHECK_FALSE(arena.parse("["));
    }
    JsonArena other = std::move(arena);
    CHECK(other.parse("{}"));
    other = JsonArena();
    CHECK(other.parse(large));
}

TEST_CASE("the densest document of the kept size fits the arena") {
    JsonArena arena;
    const std::string ones = "[" + repeated("1,", JsonArena::kKeptTextBytesMax / 2 - 1) + "1]";
    REQUIRE(ones.size() <= JsonArena::kKeptTextBytesMax + 1);
    const auto root = arena.parse(ones);
    REQUIRE(root);
    CHECK(root->size() == JsonArena::kKeptTextBytesMax / 2);
    const auto keys = arena.parse("{" + repeated("\"\":0,", 10'000) + "\"\":1}");
    REQUIRE(keys);
    CHECK(keys->member("").text() == "1");
}

TEST_CASE("members are found as they are written") {
    const std::string text = " { \"a\" : [1, {\"x\":\"]}\"} ] , \"b\\\"\" :\n\"q\\\\\",\"c\":-1.5e3\t,\"d\":null}\n";
    JsonArena arena;
    REQUIRE(arena.parse(text));
    CHECK(raw_member(text, 0) == R"([1, {"x":"]}"} ])");
    CHECK(raw_member(text, 1) == R"("q\\")");
    CHECK(raw_member(text, 2) == "-1.5e3");
    CHECK(raw_member(text, 3) == "null");
    CHECK(raw_member(text, 4).empty());
    CHECK(raw_member("{}", 0).empty());
}

TEST_CASE("elements are walked as they are written") {
    JsonText elements("[ 1,\"a,]\" , [2 , [3]],{},true]");
    CHECK(elements.next() == "1");
    CHECK(elements.next() == "\"a,]\"");
    CHECK(elements.next() == "[2 , [3]]");
    CHECK(elements.next() == "{}");
    CHECK(elements.next() == "true");
    CHECK(elements.next().empty());
    CHECK(elements.next().empty());
    CHECK(JsonText("[]").next().empty());
}
