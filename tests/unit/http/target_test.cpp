// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/target.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::http;

namespace {

using Strings = std::vector<std::string>;

Strings segments(std::string_view path) {
    Target target;
    REQUIRE(target.parse(path, "") == TargetError::none);
    return {target.segments().begin(), target.segments().end()};
}

std::string query(std::string_view text) {
    Target target;
    const TargetError error = target.parse("/", text);
    if (error != TargetError::none) return std::string(to_string(error));
    std::string out;
    for (const auto& [key, value] : target.parameters())
        out.append("[").append(key).append("=").append(value).append("]");
    return out;
}

TargetError path_error(std::string_view path) { return Target().parse(path, ""); }

}  // namespace

TEST_CASE("paths fall into decoded segments") {
    CHECK(segments("/") == Strings{""});
    CHECK(segments("/healthz") == Strings{"healthz"});
    CHECK(segments("/apps/1/channels/private-a") == Strings{"apps", "1", "channels", "private-a"});
    CHECK(segments("/apps/1/") == Strings{"apps", "1", ""});
    CHECK(segments("//a") == Strings{"", "a"});
    CHECK(segments("/a%2Fb/c%2cd") == Strings{"a/b", "c,d"});
    CHECK(segments("/a+b") == Strings{"a+b"});
    CHECK(segments("/../.%2e") == Strings{"..", ".."});
    CHECK(segments("/%E2%82%AC") == Strings{"\xE2\x82\xAC"});
}

TEST_CASE("escapes are two hex digits and not zero") {
    for (const std::string_view bad :
         {"/%", "/%4", "/%4g", "/%g4", "/%%41", "/a%", "/%00", "/%u0041", "/a/%-1/b", "/% 1"}) {
        INFO(bad);
        CHECK(path_error(bad) == TargetError::bad_escape);
        CHECK(query(bad) == to_string(TargetError::bad_escape));
        CHECK(query("a=" + std::string(bad)) == to_string(TargetError::bad_escape));
    }
    CHECK(segments("/%41%7a%7A%01%fF") == Strings{"Azz\x01\xFF"});
}

TEST_CASE("a path begins with a slash") {
    CHECK(path_error("") == TargetError::bad_path);
    CHECK(path_error("*") == TargetError::bad_path);
    CHECK(path_error("apps") == TargetError::bad_path);
}

TEST_CASE("queries become pairs in their order") {
    CHECK(query("") == "");
    CHECK(query("a=1&b=2&a=3") == "[a=1][b=2][a=3]");
    CHECK(query("a&b=&=c&=") == "[a=][b=][=c][=]");
    CHECK(query("&&a=1&&") == "[a=1]");
    CHECK(query("a=b=c&d==") == "[a=b=c][d==]");
    CHECK(query("a+b=c+d&e%2B=%20%26%3D") == "[a b=c d][e+= &=]");
    CHECK(query("channels[]=a&channels%5B%5D=b") == "[channels[]=a][channels[]=b]");
    CHECK(query("auth_key=k&filter_by_prefix=presence-&info=user_count,subscription_count") ==
          "[auth_key=k][filter_by_prefix=presence-][info=user_count,subscription_count]");
}

TEST_CASE("parameters are found by key, in their case, all or the first") {
    Target target;
    REQUIRE(target.parse("/", "a=1&A=2&channels[]=x&a=3&channels[]=y") == TargetError::none);
    CHECK(target.parameter("a") == "1");
    CHECK(target.parameter("A") == "2");
    CHECK_FALSE(target.parameter("b"));
    CHECK(target.parameter_count("a") == 2);
    CHECK(target.parameter_count("b") == 0);
    CHECK(target.all("channels[]") == std::vector<std::string_view>{"x", "y"});
    CHECK(target.all("b").empty());
}

TEST_CASE("limits on parameters and segments, at the limit and one past it") {
    std::string text = "a=0";
    for (std::size_t i = 1; i < kParametersMax; ++i) text += "&a=" + std::to_string(i);
    Target target;
    REQUIRE(target.parse("/", text) == TargetError::none);
    CHECK(target.parameters().size() == kParametersMax);
    CHECK(target.all("a").back() == std::to_string(kParametersMax - 1));
    CHECK(target.parse("/", text + "&") == TargetError::none);
    CHECK(target.parse("/", text + "&b") == TargetError::too_many_parameters);
    CHECK(target.parameters().empty());
    CHECK(target.segments().empty());

    std::string path;
    for (std::size_t i = 0; i < kSegmentsMax; ++i) path += "/s";
    CHECK(target.parse(path, "") == TargetError::none);
    CHECK(target.parse(path + "/", "") == TargetError::too_many_segments);
}

TEST_CASE("a target is used again and forgets") {
    Target target;
    REQUIRE(target.parse("/a%20long/path%20that/needs%20memory%20of%20its%20own", "k=" + std::string(200, 'v')) ==
            TargetError::none);
    REQUIRE(target.parse("/b", "x=y") == TargetError::none);
    CHECK(target.segments().size() == 1);
    CHECK(target.segments()[0] == "b");
    CHECK(target.parameters().size() == 1);
    CHECK(target.parameter("x") == "y");
    REQUIRE(target.parse("/b", "%") == TargetError::bad_escape);
    CHECK(target.segments().empty());
}

TEST_CASE("decoding appends, or leaves what was there") {
    std::string out = "before ";
    CHECK(percent_decode("a%20b+c", true, out));
    CHECK(out == "before a b c");
    CHECK_FALSE(percent_decode("abc%4", true, out));
    CHECK(out == "before a b c");
}
