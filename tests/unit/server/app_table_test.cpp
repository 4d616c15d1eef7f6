// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app_table.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "base/format.h"

using namespace spillway;
using namespace spillway::server;

namespace {

AppConfig app(std::string id, std::string key) {
    AppConfig a;
    a.id = std::move(id);
    a.key = std::move(key);
    a.secret = "secret";
    return a;
}

AppConfig allowing(std::vector<std::string> origins) {
    AppConfig a = app("1", "k");
    a.allowed_origins = std::move(origins);
    return a;
}

}  // namespace

TEST_CASE("apps are found by key and by id, and nothing else is", "[server][app_table]") {
    std::vector<AppConfig> apps;
    for (int i = 0; i < 300; ++i) apps.push_back(app(base::concat("id-", i), base::concat("key-", i)));
    const AppTable table(std::move(apps));
    CHECK(table.size() == 300);
    for (int i = 0; i < 300; ++i) {
        const auto index = table.by_key(base::concat("key-", i));
        REQUIRE(index == static_cast<AppIndex>(i));
        REQUIRE(table[*index].id == base::concat("id-", i));
        REQUIRE(table.by_id(table[*index].id) == index);
    }
    CHECK_FALSE(table.by_key("id-1"));
    CHECK_FALSE(table.by_id("key-1"));
    CHECK_FALSE(table.by_key(""));
    CHECK_FALSE(table.by_key("key-300"));
}

TEST_CASE("a reload keeps the index of every app and gives new ones to the new", "[server][app_table][reload]") {
    const AppTable first({app("a", "key-a"), app("b", "key-b"), app("c", "key-c")});
    const auto second = AppTable::successor(first, {app("d", "key-d"), app("c", "key-c2"), app("a", "key-a")});
    REQUIRE(second);
    CHECK(second->by_id("a") == AppIndex{0});
    CHECK(second->by_id("c") == AppIndex{2});
    CHECK(second->by_id("d") == AppIndex{3});
    CHECK(second->by_key("key-c2") == AppIndex{2});
    CHECK_FALSE(second->by_key("key-c"));
    CHECK(second->size() == 4);
    CHECK(second->served() == 3);

    SECTION("what is gone is disabled, keeps its index and is found by nobody") {
        CHECK_FALSE(second->by_id("b"));
        CHECK_FALSE(second->by_key("key-b"));
        CHECK((*second)[1].id == "b");
        CHECK_FALSE((*second)[1].enabled);
        CHECK((*second)[0].enabled);
    }
    SECTION("what comes back has its old index, and its key may have gone to another meanwhile") {
        const auto third = AppTable::successor(*second, {app("e", "key-b"), app("b", "key-x")});
        REQUIRE(third);
        CHECK(third->by_id("b") == AppIndex{1});
        CHECK(third->by_key("key-b") == AppIndex{4});
        CHECK((*third)[1].enabled);
    }
    CHECK(first.by_id("b") == AppIndex{1});  // the table before is as it was
}

TEST_CASE("a reload beyond the last index is refused", "[server][app_table][reload]") {
    std::vector<AppConfig> many;
    for (std::size_t i = 0; i < AppTable::kAppsMax; ++i) many.push_back(app(base::concat(i), base::concat("k", i)));
    const AppTable full(many);
    CHECK(AppTable::successor(full, many));
    CHECK_FALSE(AppTable::successor(full, {app("one more", "k")}));
}

TEST_CASE("an empty list of origins allows any", "[server][app_table]") {
    CHECK(origin_allowed(allowing({}), "https://anything.test"));
    CHECK(origin_allowed(allowing({"*"}), "null"));
    CHECK(origin_allowed(allowing({"*"}), "not an origin"));
}

TEST_CASE("a full origin is matched whole", "[server][app_table]") {
    const AppConfig a = allowing({"https://app.example.com", "http://localhost:*"});
    CHECK(origin_allowed(a, "https://app.example.com"));
    CHECK(origin_allowed(a, "HTTPS://APP.Example.com"));
    CHECK(origin_allowed(a, "http://localhost:3000"));
    CHECK_FALSE(origin_allowed(a, "http://app.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://app.example.com:8443"));
    CHECK_FALSE(origin_allowed(a, "https://app.example.com.evil.test"));
    CHECK_FALSE(origin_allowed(a, "http://localhost"));
    CHECK_FALSE(origin_allowed(a, "null"));
    CHECK_FALSE(origin_allowed(a, ""));
}

TEST_CASE("a host pattern is matched against the host, with a port only if it names one", "[server][app_table]") {
    const AppConfig a = allowing({"example.com", "*.example.com", "local.test:8080", "[::1]"});
    CHECK(origin_allowed(a, "https://example.com"));
    CHECK(origin_allowed(a, "http://example.com:81"));
    CHECK(origin_allowed(a, "https://a.b.example.com"));
    CHECK(origin_allowed(a, "http://local.test:8080"));
    CHECK(origin_allowed(a, "http://[::1]:3000"));
    CHECK_FALSE(origin_allowed(a, "http://local.test"));
    CHECK_FALSE(origin_allowed(a, "https://badexample.com"));
    CHECK_FALSE(origin_allowed(a, "https://example.com.evil.test"));
}

TEST_CASE("what is no origin cannot smuggle a host past a wildcard", "[server][app_table]") {
    const AppConfig a = allowing({"https://*.example.com", "*.example.com"});
    CHECK_FALSE(origin_allowed(a, "https://evil.test/.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://evil.test?.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://evil.test#.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://evil.test\\.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://x@www.example.com"));
    CHECK_FALSE(origin_allowed(a, "https://evil.test .example.com"));
    CHECK_FALSE(origin_allowed(a, "https://" + std::string(600, 'a') + ".example.com"));
    CHECK(origin_allowed(a, "https://" + std::string(100, 'a') + ".example.com"));
}

TEST_CASE("an opaque origin passes only where it is listed", "[server][app_table]") {
    CHECK(origin_allowed(allowing({"null"}), "null"));
    CHECK_FALSE(origin_allowed(allowing({"example.com"}), "null"));
}

TEST_CASE("stars match any run, also none and several", "[server][app_table]") {
    CHECK(wildcard_match("", ""));
    CHECK_FALSE(wildcard_match("", "a"));
    CHECK(wildcard_match("*", ""));
    CHECK(wildcard_match("***", "abc"));
    CHECK(wildcard_match("a*c", "ac"));
    CHECK(wildcard_match("a*b*c", "aXbXbXc"));
    CHECK_FALSE(wildcard_match("a*b*c", "aXbXbX"));
    CHECK(wildcard_match("*ab", "aab"));
    CHECK_FALSE(wildcard_match("a?c", "abc"));
}

TEST_CASE("a pattern of many stars is matched in bounded time", "[server][app_table]") {
    std::string pattern;
    for (int i = 0; i < 60; ++i) pattern += "*a";
    pattern += "*b";
    CHECK_FALSE(wildcard_match(pattern, std::string(512, 'a')));
}

TEST_CASE("an app that a reload brings and this core does not know yet has the defaults, and crashes nothing") {
    const AppTable table({});
    CHECK(table[7].id.empty());
    CHECK_FALSE(table[7].subscription_count);
    CHECK(table[7].max_presence_members == 100);
}
