// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/api_answer.h"

#include <string>

#include <catch2/catch_test_macros.hpp>

namespace spillway::protocol {
namespace {

std::string counts_of(std::string_view channel, InfoSet info, ChannelCounts counts) {
    std::string out;
    append_channel_counts(out, channel, info, counts);
    return out;
}

constexpr InfoSet kBoth{.user_count = true, .subscription_count = true};

}  // namespace

TEST_CASE("a channel tells the attributes asked for that it has") {
    CHECK(counts_of("c", {}, {13, 0}) == "{}");
    CHECK(counts_of("c", {.subscription_count = true}, {13, 0}) == R"({"subscription_count":13})");
    CHECK(counts_of("c", {.user_count = true}, {13, 0}) == "{}");
    CHECK(counts_of("presence-x", {.user_count = true}, {50, 42}) == R"({"user_count":42})");
    CHECK(counts_of("presence-x", kBoth, {50, 42}) == R"({"user_count":42,"subscription_count":50})");
    CHECK(counts_of("presence", kBoth, {50, 42}) == R"({"subscription_count":50})");
}

TEST_CASE("a channel's state has the attributes asked for, of nobody as well") {
    const auto state = [](std::string_view channel, InfoSet info, ChannelCounts counts, const CachedEvent* cached) {
        std::string out;
        append_channel_state(out, channel, info, counts, cached);
        return out;
    };
    CHECK(state("c", {}, {}, nullptr) == R"({"occupied":false})");
    CHECK(state("c", {}, {1, 0}, nullptr) == R"({"occupied":true})");
    CHECK(state("presence-c", kBoth, {3, 2}, nullptr) == R"({"occupied":true,"user_count":2,"subscription_count":3})");
    CHECK(state("presence-c", kBoth, {}, nullptr) == R"({"occupied":false,"user_count":0,"subscription_count":0})");
    const CachedEvent event{"{\"a\":1}", 60};
    CHECK(state("cache-c", {.cache = true}, {}, &event) ==
          R"({"occupied":false,"cache":{"data":"{\"a\":1}","ttl":60}})");
    CHECK(state("cache-c", {.subscription_count = true, .cache = true}, {1, 0}, nullptr) ==
          R"({"occupied":true,"subscription_count":1,"cache":null})");
}

TEST_CASE("an event's answer names each channel once, in the order of the request") {
    ApiScratch scratch;
    const auto event = decode_event(
        R"({"name":"e","data":"d","channels":["presence-x","c","c","\"q"],"info":"user_count,subscription_count"})", {},
        scratch);
    CHECK(!event);  // a quote is no character of a channel's name
    const auto good = decode_event(
        R"({"name":"e","data":"d","channels":["presence-x","c","c"],"info":"user_count,subscription_count"})", {},
        scratch);
    REQUIRE(good);
    PublishAnswer answer(std::span(&*good, 1), false);
    answer.set(1, {13, 0});
    answer.set(0, {50, 42});
    CHECK(answer.text() ==
          R"({"channels":{"presence-x":{"user_count":42,"subscription_count":50},"c":{"subscription_count":13}}})");
}

TEST_CASE("a batch's answer has one object for each event, empty where nothing was asked") {
    ApiScratch scratch;
    const auto batch = decode_batch(
        R"({"batch":[{"name":"e","data":"d","channel":"a","info":"subscription_count"},{"name":"e","data":"d","channel":"b"},)"
        R"({"name":"e","data":"d","channel":"presence-c","info":"user_count"}]})",
        {}, scratch);
    REQUIRE(batch);
    CHECK(PublishAnswer::wanted(*batch));
    PublishAnswer answer(*batch, true);
    answer.set(2, {9, 7});
    answer.set(0, {1, 0});
    CHECK(answer.text() == R"({"batch":[{"subscription_count":1},{},{"user_count":7}]})");
}

TEST_CASE("nothing is wanted when no event asks") {
    ApiScratch scratch;
    const auto batch = decode_batch(R"({"batch":[{"name":"e","data":"d","channel":"a","info":""}]})", {}, scratch);
    REQUIRE(batch);
    CHECK(!PublishAnswer::wanted(*batch));
}

}  // namespace spillway::protocol
