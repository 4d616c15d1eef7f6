// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/event_line.h"

#include <catch2/catch_test_macros.hpp>

#include "protocol/json.h"

using namespace spillway::client;

namespace {

std::string line(LineForm form, const Event& event) {
    std::string out;
    append_line(out, form, 1'769'850'307'040, event);
    return out;
}

}  // namespace

TEST_CASE("a plain line is one line, whatever a publisher put into it") {
    CHECK(line(LineForm::plain, {.channel = "news", .name = "headline", .data = "hello, world"}) ==
          "2026-01-31T09:05:07.040Z news headline hello, world\n");
    CHECK(line(LineForm::plain, {.channel = "a", .name = "", .data = ""}) == "2026-01-31T09:05:07.040Z a - \n");
    CHECK(line(LineForm::plain,
               {.channel = "a", .name = "two words", .data = "1\n2\r\x1B[31m\\n \xC3\xA4 \xC2\x9B\x7F"}) ==
          "2026-01-31T09:05:07.040Z a two\\x20words 1\\n2\\x0d\\x1b[31m\\\\n \xC3\xA4 \\xc2\\x9b\\x7f\n");
}

TEST_CASE("a JSON line is one line of JSON, whatever a publisher put into it") {
    CHECK(line(LineForm::json, {.channel = "news", .name = "h", .data = "a\n\"b\""}) ==
          R"({"time":"2026-01-31T09:05:07.040Z","channel":"news","event":"h","data":"a\n\"b\""})"
          "\n");
    const std::string of_client = line(
        LineForm::json, {.channel = "c", .name = "e", .data = "{\n\"a\":\r\n1}", .data_is_json = true, .user_id = "7"});
    CHECK(of_client ==
          R"({"time":"2026-01-31T09:05:07.040Z","channel":"c","event":"e","data":{ "a":  1},"user_id":"7"})"
          "\n");
    spillway::protocol::JsonArena arena;
    CHECK(arena.parse(of_client));
    CHECK(line(LineForm::json, {.channel = "c", .data = "x"}).find("event") == std::string::npos);
}

TEST_CASE("a gap tells how long it was") {
    std::string out;
    append_gap(out, LineForm::plain, 0, std::chrono::milliseconds(1234));
    append_gap(out, LineForm::json, 0, std::chrono::milliseconds(60'000));
    CHECK(out ==
          "1970-01-01T00:00:00.000Z - - gap: no connection for 1.234 s, what was sent meanwhile is lost\n"
          "{\"time\":\"1970-01-01T00:00:00.000Z\",\"gap\":60.000}\n");
}
